// Several writes of one head taken at once. With S the state before them, w_j the decays from there
// to write j, w_{s,j} those from write s to write j, and w those over all of them:
//
//   d_j = v_j                                                           or, with beta,
//   d_j = beta_j (v_j - S^T (w_j k_j) - sum_{s < j} K_js d_s)           K_js = k_j . (w_{s,j} k_s)
//   y_j = S^T (w_j q_j) + sum_{s <= j} Q_js d_s                         Q_js = q_j . (w_{s,j} k_s)
//   S'  = diag(w) S + sum_s (w_{s,last} k_s) d_s^T
//
// All decays multiply, none divides, but for those that all rows share: a state may be held divided by
// them, as long as they are not small, so that it need not be multiplied by them chunk for chunk. The
// decay of a step comes before its first write, its reading after its last.
#pragma once

#include <cmath>

#include "matrix_chunks.hpp"
#include "memory.hpp"
#include "panel.hpp"
#include "parallel.hpp"

namespace resolvent {

// What is between the writes of a chunk, K_js or Q_js: together they fill one square.
template <class Number>
struct Couplings {
  Number at[kWrites * kWrites];
  Number& keys(int j, int s) { return at[s * kWrites + j]; }     // s < j
  Number& queries(int j, int s) { return at[j * kWrites + s]; }  // s <= j
  const Number& keys(int j, int s) const { return at[s * kWrites + j]; }
  const Number& queries(int j, int s) const { return at[j * kWrites + s]; }
};
template <class Real>
inline void sums(const Couplings<Vector<Real>>& from, Couplings<Real>& to) {
  sums<Real, kWrites * kWrites>(from.at, to.at);
}

// A chunk's coefficients, from the arrays of one head; rows of them are padded with zeros.
template <class Real>
class Steps {
 public:
  using V = Vector<Real>;
  static constexpr int T = kWrites;

  static Index numbers(const PanelSize& size) { return (6 * T + 2) * size.rows + T * size.width; }

  Steps(const MatrixSize& all, const MatrixInputs<Real>& in, const PanelSize& size, Store<Real>& store)
      : all_(all), in_(in), size_(size), heads_(all.m / std::max<Index>(all.g, 1)),
        rows_(store.take((6 * T + 2) * size.rows)), values_(store.take(T * size.width)) {
    std::fill_n(rows_, numbers(size), Real{});
  }

  Wanted wanted;  // of the steps to come
  int count = 0, readings = 0;
  int reading[T];                 // which of the chunk's readings follows write j; -1 if none does
  Index step[T];                  // (row, time) of write j
  const Real *key[T], *query[T], *value[T];  // k_j, q_j, v_j
  Couplings<Real> between;
  Real beta[T];                   // 1 without beta
  // w_j k_j by write (with beta), then w_j q_j by reading; w_{s,last} k_s: a factor times a row each.
  // And w by row, null where the state stays as it is.
  const Real *read[2 * T], *write[T], *through;
  Real read_factor[2 * T], write_factor[T];

  // Where write j of the chunk lies in an array of one entry for each write of every head.
  Index write_of(int j, Index head) const { return (step[j] * all_.m + head) * all_.r + factor_[j]; }
  Index factor(int j) const { return factor_[j]; }
  bool corrects() const { return in_.beta; }
  bool decays(int j) const { return factor_[j] == 0; }
  V decay(int j, Index i) const {  // a_j
    if (!decays(j)) return V{} + 1;
    return all_.decays == 1 ? V{} + *decay_[j] : resolvent::load<V>(decay_[j] + i);
  }

  // Calls body(first, count) for groups of the rows `read` that the registers hold sums of; at least for
  // one. Those of keys are needed with beta only.
  template <class Body>
  void for_reads(const Body& body) const {
    const int end = count + readings;
    for (int first = corrects() || readings == 0 ? 0 : count, some; first < end; first += some) {
      some = end - first > kSums ? T : end - first;
      with_count<kSums>(some, [&](auto rows) { body(first, rows); });
    }
  }

  // `ahead`: steps from this chunk to one of those to come, backward in time below zero. The state may
  // be held divided by a number, `scale`, which takes up decays that all rows share.
  void load(const Head& at, const Chunk& chunk, Index ahead, Real* scale = nullptr) {
    const Index group = at.head / heads_, n = size_.n, r = all_.r;
    count = static_cast<int>(chunk.last - chunk.first);
    readings = 0;
    Index t = at.row * all_.l + chunk.first / r, factor = chunk.first % r;
    for (int j = 0; j < T; ++j) {
      reading[j] = -1;
      if (j >= count) {  // a write of nothing
        key[j] = row(6 * T + 1);
        factor_[j] = -1;
        beta[j] = 0;
        continue;
      }
      step[j] = t;
      factor_[j] = factor;
      key[j] = input(in_.k + ((t * all_.g + group) * r + factor) * n, n, j, ahead * all_.g * r * n);
      beta[j] = in_.beta ? in_.beta[write_of(j, at.head)] : 1;
      if (factor == 0)
        decay_[j] = input(in_.a + (t * all_.m + at.head) * all_.decays, all_.decays, 2 * T + j,
                          ahead * all_.m * all_.decays);
      if (++factor < r) continue;
      reading[j] = readings++;
      query[j] = input(in_.q + (t * all_.g + group) * n, n, T + j, ahead * all_.g * n);
      factor = 0;
      ++t;
    }
    scale && all_.decays == 1 ? weigh_alike(*scale) : weigh();
  }

  // The values v_j of the columns, after the rest.
  void load_values(const Head& at, Index ahead) {
    for (int j = 0; j < count; ++j) {
      const Real* const from = in_.v + write_of(j, at.head) * all_.p + at.first;
      value[j] = whole(from, at.width, size_.width, values_ + j * size_.width);
      wanted.add(from + ahead * all_.m * all_.r * all_.p, at.width);
    }
  }

 private:
  Real* row(int number) const { return rows_ + number * size_.rows; }

  // Numbers of an input, of which those that lie `ahead` further on will be read soon.
  const Real* input(const Real* from, Index numbers, int number, Index ahead) {
    wanted.add(from + ahead, numbers);
    return numbers == size_.n ? whole(from, numbers, size_.rows, row(number)) : from;
  }

  // Rows with all their decays.
  void weigh() {
    const bool corrects = this->corrects();
    for (int j = 0; j < T; ++j) {
      read[j] = row(3 * T + j);
      write[j] = row(5 * T + j);
      read_factor[j] = read_factor[T + j] = write_factor[j] = 1;
    }
    for (int j = 0; j < readings; ++j) read[count + j] = row(4 * T + j);
    through = row(6 * T);
    Couplings<V> product;
    each<T * T>([&](auto i) { product.at[i] = V{}; });
    for (Index i = 0; i < size_.rows; i += kLanes<Real>) {
      V w = V{} + 1, written[T];
      each<T>([&](auto j) {
        const V k = resolvent::load<V>(key[j] + i);
        if (decays(j)) {
          const V a = decay(j, i);
          w = w * a;
          for (int s = 0; s < j; ++s) written[s] = written[s] * a;
        }
        for (int s = 0; s < j; ++s) product.keys(j, s) = product.keys(j, s) + k * written[s];
        written[j] = k;
        if (corrects) store(row(3 * T + j) + i, w * k);
        if (reading[j] < 0) return;
        const V q = resolvent::load<V>(query[j] + i);
        store(row(4 * T + reading[j]) + i, w * q);
        for (int s = 0; s <= j; ++s) product.queries(j, s) = product.queries(j, s) + q * written[s];
      });
      for (int s = 0; s < T; ++s) store(row(5 * T + s) + i, written[s]);
      store(row(6 * T) + i, w);
    }
    sums<Real>(product, between);
  }

  // Decays that all rows share are factors.
  void weigh_alike(Real& scale) {
    Couplings<V> product;
    each<T * T>([&](auto i) { product.at[i] = V{}; });
    for (Index i = 0; i < size_.rows; i += kLanes<Real>) {
      V k[T];
      each<T>([&](auto j) {
        k[j] = resolvent::load<V>(key[j] + i);
        for (int s = 0; s < j; ++s) product.keys(j, s) = product.keys(j, s) + k[j] * k[s];
        if (reading[j] < 0) return;
        const V q = resolvent::load<V>(query[j] + i);
        for (int s = 0; s <= j; ++s) product.queries(j, s) = product.queries(j, s) + q * k[s];
      });
    }
    sums<Real>(product, between);
    Real w = scale, written[T];
    each<T>([&](auto j) {
      const Real a = decays(j) ? *decay_[j] : 1;
      w *= a;
      each<j>([&](auto s) { written[s] *= a; });
      each<j>([&](auto s) { between.keys(j, s) *= written[s]; });
      written[j] = 1;
      each<j>([&](auto s) { between.queries(j, s) *= written[s]; });
      write[j] = key[j];
      if (j >= count) return;
      read[j] = key[j];
      read_factor[j] = w;
      if (reading[j] < 0) return;
      read[count + reading[j]] = query[j];
      read_factor[count + reading[j]] = w;
    });
    constexpr Real kLeast = Real{1} / 256;  // of a scale
    const bool holds = std::abs(w) > kLeast && std::abs(w) * kLeast < 1;
    scale = holds ? w : 1;
    through = holds ? nullptr : row(6 * T);
    if (!holds) fill(row(6 * T), size_.rows, w);
    each<T>([&](auto s) { write_factor[s] = written[s] / scale; });
  }

  const MatrixSize& all_;
  const MatrixInputs<Real>& in_;
  PanelSize size_;
  Index heads_;  // of a group
  Real* rows_;   // copies of inputs, rows with their decays, and a row of zeros
  Real* values_;
  const Real* decay_[T];
  Index factor_[T];
};

// x_j = S^T times the rows of Steps::read
template <class Real>
inline void read_rows(const PanelSize& size, const Real* state, Steps<Real>& steps, Real* x) {
  steps.for_reads([&](int first, auto count) {
    read<count.value>(size, state, steps.read + first, x + first * size.width, steps.wanted);
  });
}

// From x_j = S^T times the rows of Steps::read: what is written before its factor beta_j, e_j, which with
// beta are the residuals v_j - S^T k_j, d_j = beta_j e_j times its factor, and the outputs of the writes
// that are read (unless y is null).
template <int count, class Real>
inline void solve(const Steps<Real>& steps, const PanelSize& size, const Real* x, Real* e, Real* d,
                  Real* const* y) {
  using V = Vector<Real>;
  const bool corrects = steps.corrects();
  Couplings<Real> between;  // with beta_s, so that no d_s is waited for
  Real factor[count];
  each<count>([&](auto j) {
    each<j>([&](auto s) { between.keys(j, s) = steps.between.keys(j, s) * steps.beta[s]; });
    each<j + 1>([&](auto s) { between.queries(j, s) = steps.between.queries(j, s) * steps.beta[s]; });
    factor[j] = steps.write_factor[j] * steps.beta[j];
  });
  for (Index c = 0; c < size.width; c += kLanes<Real>) {
    V value[count];
    each<count>([&](auto j) {
      const Index at = j * size.width + c;
      value[j] = load<V>(steps.value[j] + c);
      if (corrects) {
        value[j] = value[j] - steps.read_factor[j] * load<V>(x + at);
        each<j>([&](auto s) { value[j] = value[j] - between.keys(j, s) * value[s]; });
        if (e) store(e + at, value[j]);
      }
      store(d + at, factor[j] * value[j]);
      if (!y || steps.reading[j] < 0) return;
      const int reading = count + steps.reading[j];
      V out = steps.read_factor[reading] * load<V>(x + reading * size.width + c);
      each<j + 1>([&](auto s) { out = out + between.queries(j, s) * value[s]; });
      store(y[j] + c, out);
    });
  }
}

}  // namespace resolvent
