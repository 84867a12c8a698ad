// Several writes of one head taken at once. With S the state before them, w_j the decays from there
// to write j, w_{s,j} those from write s to write j, and w those over all of them:
//
//   d_j = v_j                                                           or, with beta,
//   d_j = beta_j (v_j - S^T (w_j k_j) - sum_{s < j} K_js d_s)           K_js = k_j . (w_{s,j} k_s)
//   y_j = S^T (w_j q_j) + sum_{s <= j} Q_js d_s                         Q_js = q_j . (w_{s,j} k_s)
//   S'  = diag(w) S + sum_s (w_{s,last} k_s) d_s^T
//
// All decays multiply, none divides. The decay of a step comes before its first write, its reading
// after its last.
#pragma once

#include <algorithm>

#include "matrix.hpp"
#include "memory.hpp"
#include "panel.hpp"
#include "parallel.hpp"

namespace resolvent {

// Writes taken at once, and the steps from one whose inputs are read to one whose inputs are asked for:
// measured best.
inline constexpr int kWrites = 4;
inline constexpr Index kAhead = 8;

// Hands out parts of a buffer.
template <class Real>
class Store {
 public:
  explicit Store(Real* from) : at_(from) {}
  Real* take(Index count) {
    at_ += count;
    return at_ - count;
  }

 private:
  Real* at_;
};

// Calls body(count) with a constant, 1 <= count <= kWrites.
template <class Body>
inline void with_count(int count, const Body& body) {
  static_assert(kWrites == 4);
  if (count == 4) return body(std::integral_constant<int, 4>{});
  if (count == 3) return body(std::integral_constant<int, 3>{});
  if (count == 2) return body(std::integral_constant<int, 2>{});
  if (count == 1) return body(std::integral_constant<int, 1>{});
}

// Writes [first, last) of a row. The states before the chunks of a block are numbered from 1; a state
// that was dropped before its chunk has number 0.
struct Chunk {
  Index first, last, state;
};

// Splits steps [from, to) of a row into chunks that no reset interrupts.
inline Index split(const Rows& rows, Index row, const MatrixSize& size, Index from, Index to,
                   Chunk* chunks) {
  const bool* resets = rows.resets ? rows.resets + row * size.l : nullptr;
  Index count = 0, states = 0;
  for (Index start = from, stop; start < to; start = stop) {
    for (stop = start + 1; stop < to && !(resets && resets[stop]);) ++stop;
    bool dropped = resets && resets[start];
    for (Index at = start * size.r; at < stop * size.r; at += kWrites, dropped = false)
      chunks[count++] = {at, std::min<Index>(at + kWrites, stop * size.r), dropped ? 0 : ++states};
  }
  return count;
}
// At most so many chunks and states in a block.
inline Index most_chunks(const MatrixSize& size) {
  return kBlock * ((size.r + kWrites - 1) / kWrites);
}
inline Index most_states(const MatrixSize& size) { return kBlock * size.r / kWrites + 2; }

template <class Real, int n>
struct Square {
  Real at[n * n];
  const Real* operator[](int row) const { return at + row * n; }
};

// A chunk's coefficients, from the arrays of one head; arrays (writes, rows) unless said otherwise.
template <class Real>
class Steps {
 public:
  using V = Vector<Real>;
  static constexpr int T = kWrites;

  static Index numbers(const PanelSize& size) { return (6 * T + 1) * size.rows; }

  Steps(const MatrixSize& all, const MatrixInputs<Real>& in, const PanelSize& size, Store<Real>& store)
      : key(store.take(T * size.rows)), query(store.take(T * size.rows)),
        decay(store.take(T * size.rows)), write(store.take(T * size.rows)),
        read_key(store.take(T * size.rows)), read_query(store.take(T * size.rows)),
        through(store.take(size.rows)), all_(all), in_(in), size_(size) {
    std::fill_n(key, numbers(size), Real{});
  }

  // Copies an input, and wants the numbers that lie `ahead` further on, which will be copied soon.
  void copy_and_want(const Real* from, Index count, Real* to, Index ahead) {
    copy(from, count, to);
    wanted.add(from + ahead, count);
  }

  Wanted wanted;  // of the steps to come
  int count = 0, readings = 0;
  int reading[T];  // which of the chunk's readings follows write j; -1 if none does
  Index step[T];   // (row, time) of write j
  Real *key, *query, *decay;                     // k_j, q_j, a_j
  Real *write, *read_key, *read_query, *through;  // w_{s,last} k_s, w_j k_j, w_j q_j by reading; w
  Square<Real, T> keys, queries;  // K_js, Q_js
  Real beta[T];

  // Where write j of the chunk lies in an array of one entry for each write of every head.
  Index write_of(int j, Index head) const { return (step[j] * all_.m + head) * all_.r + factor_[j]; }
  Index write_of_group(int j, Index group) const {
    return (step[j] * all_.g + group) * all_.r + factor_[j];
  }
  Index factor(int j) const { return factor_[j]; }
  bool decays(int j) const { return factor_[j] == 0; }

  // `ahead`: steps from this chunk to one of those to come, backward in time below zero.
  void load(const Head& at, const Chunk& chunk, Index ahead) {
    const Index group = at.head / (all_.m / all_.g), keys = ahead * all_.g * size_.n;
    count = static_cast<int>(chunk.last - chunk.first);
    readings = 0;
    for (int j = 0; j < T; ++j) {
      const Index i = chunk.first + j;
      reading[j] = -1;
      beta[j] = 0;
      if (j >= count) {  // a write of nothing
        fill(key + j * size_.rows, size_.n, Real{0});
        fill(decay + j * size_.rows, size_.n, Real{1});
        continue;
      }
      step[j] = at.row * all_.l + i / all_.r;
      factor_[j] = i % all_.r;
      copy_and_want(in_.k + write_of_group(j, group) * size_.n, size_.n, key + j * size_.rows,
                    keys * all_.r);
      if (in_.beta) beta[j] = in_.beta[write_of(j, at.head)];
      const Real* a = in_.a + (step[j] * all_.m + at.head) * all_.decays;
      if (!decays(j))
        fill(decay + j * size_.rows, size_.n, Real{1});
      else if (all_.decays == size_.n)
        copy_and_want(a, size_.n, decay + j * size_.rows, ahead * all_.m * size_.n);
      else
        fill(decay + j * size_.rows, size_.n, *a);
      if (factor_[j] == all_.r - 1) {
        reading[j] = readings++;
        const Real* q = in_.q + (step[j] * all_.g + group) * size_.n;
        copy_and_want(q, size_.n, query + j * size_.rows, keys);
      }
    }
    weigh();
  }

 private:

  void weigh() {
    V product[2 * T][T] = {};  // of keys, then of queries, with the writes before them
    for (Index i = 0; i < size_.rows; i += kLanes<Real>) {
      V w = V{} + 1, written[T];
      for (int j = 0; j < T; ++j) {
        const V a = at(decay, j, i), k = at(key, j, i);
        w = w * a;
        store(read_key + j * size_.rows + i, w * k);
        for (int s = 0; s < j; ++s) {
          written[s] = written[s] * a;
          product[j][s] = product[j][s] + k * written[s];
        }
        written[j] = k;
        if (reading[j] < 0) continue;
        const V q = at(query, j, i);
        store(read_query + reading[j] * size_.rows + i, w * q);
        for (int s = 0; s <= j; ++s) product[T + j][s] = product[T + j][s] + q * written[s];
      }
      for (int s = 0; s < T; ++s) store(write + s * size_.rows + i, written[s]);
      store(through + i, w);
    }
    sums<Real, T * T>(product[0], keys.at);
    sums<Real, T * T>(product[T], queries.at);
  }
  V at(const Real* array, int j, Index i) const { return resolvent::load<V>(array + j * size_.rows + i); }

  const MatrixSize& all_;
  const MatrixInputs<Real>& in_;
  PanelSize size_;
  Index factor_[T];
};

// From v (writes, width), x = S^T (w_j k_j) and y = S^T (w_j q_j) by reading: the residuals v - S^T k
// in place of v (with beta), d (writes, width), and the outputs in place of y.
template <class Real>
inline void solve(const Steps<Real>& steps, const PanelSize& size, bool corrects, const Real* x,
                  Real* v, Real* d, Real* y) {
  using V = Vector<Real>;
  for (Index c = 0; c < size.width; c += kLanes<Real>) {
    V written[kWrites];
    for (int j = 0; j < steps.count; ++j) {
      const Index at = j * size.width + c;
      V value = load<V>(v + at);
      if (corrects) {
        value = value - load<V>(x + at);
        for (int s = 0; s < j; ++s) value = value - steps.keys[j][s] * written[s];
        store(v + at, value);
        value = steps.beta[j] * value;
      }
      written[j] = value;
      store(d + at, value);
      if (!y || steps.reading[j] < 0) continue;
      Real* to = y + steps.reading[j] * size.width + c;
      V out = load<V>(to);
      for (int s = 0; s <= j; ++s) out = out + steps.queries[j][s] * written[s];
      store(to, out);
    }
  }
}

}  // namespace resolvent
