// Products with a panel: a matrix of n rows, each padded with zeros to whole vectors. They are what
// all work on matrix states is made of.
#pragma once

#include "interleave.hpp"
#include "memory.hpp"

namespace resolvent {

// What fits into the registers at once: vectors of one row, and rows of one vector.
inline constexpr int kHeld = kVectorBytes == 64 ? 4 : 2;
// Sums of kHeld vectors that fit beside those of a row.
inline constexpr int kSums = 6;

// Rows n, padded to `rows` in what has one number for each row; columns padded to `width`.
struct PanelSize {
  Index n, rows, width;

  template <class Real>
  static PanelSize of(Index n, Index p) {
    return {n, padded<Real>(n), padded<Real>(p)};
  }
  Index numbers() const { return rows * width; }

 private:
  template <class Real>
  static Index padded(Index count) {
    return (count + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>;
  }
};

// The sums of the lanes of each of `count` vectors.
template <class Real, int count, int lanes = kLanes<Real>>
inline void sums(const Vector<Real, lanes>* v, Real* to) {
  constexpr int grouped = lanes > 1 ? count / lanes * lanes : 0;
  for (int at = 0; at < grouped; at += lanes) store(to + at, sums_of<Real, lanes>(v + at));
  for (int i = grouped; i < count; ++i) to[i] = sum<Real, lanes>(v[i]);
}

// std::copy_n, to += from, and std::fill_n for a few numbers, without a call of the C library.
template <class Real>
inline void copy(const Real* from, Index count, Real* to) {
  cover<kLanes<Real>>(0, count, [=](Index i, auto lanes) {
    store(to + i, load<Vector<Real, decltype(lanes)::value>>(from + i));
  });
}
template <class Real>
inline void add(const Real* from, Index count, Real* to) {
  cover<kLanes<Real>>(0, count, [=](Index i, auto lanes) {
    using V = Vector<Real, decltype(lanes)::value>;
    store(to + i, load<V>(to + i) + load<V>(from + i));
  });
}
template <class Real>
inline void fill(Real* to, Index count, Real value) {
  cover<kLanes<Real>>(0, count, [=](Index i, auto lanes) {
    Vector<Real, decltype(lanes)::value> v{};
    store(to + i, v + value);
  });
}

// `count` numbers that may be read in whole vectors: where they lie, or where they are copied to.
template <class Real>
inline const Real* whole(const Real* from, Index count, Index padded, Real* spare) {
  if (count == padded) return from;
  copy(from, count, spare);
  return spare;
}

// Cache lines that will be read soon, and are asked for one by one while products are computed: asked
// for at once, they would have to wait for each other, and all else for them.
class Wanted {
 public:
  template <class Real>
  void add(const Real* from, Index count) {
    while (parts_ == kParts) (*this)();
    const char* const first = reinterpret_cast<const char*>(from);
    part_[parts_++] = {first, first + count * sizeof(Real)};
  }
  void operator()() {
    if (parts_ == 0) return;
    Part& part = part_[parts_ - 1];
    __builtin_prefetch(part.next, 0, kSecondCache);
    part.next += 64;
    parts_ -= part.next >= part.end;
  }

 private:
  static constexpr Index kParts = 32;
  struct Part {
    const char *next, *end;
  };
  Part part_[kParts];
  Index parts_ = 0;
};
// What a product does meanwhile, once a row; by default nothing.
struct Nothing {
  void operator()() const {}
};

// Columns [0, width) of rows that lie `stride` apart, into a panel and out of it.
template <class Real>
inline void enter(const PanelSize& size, const Real* from, Index stride, Index width, Real* panel) {
  for (Index i = 0; i < size.n; ++i) copy(from + i * stride, width, panel + i * size.width);
}
template <class Real>
inline void leave(const PanelSize& size, const Real* panel, Real* to, Index stride, Index width) {
  for (Index i = 0; i < size.n; ++i) copy(panel + i * size.width, width, to + i * stride);
}

// Calls body(column, count) for groups of `count` vectors, at most kHeld, that cover all columns.
template <class Real, class Body>
inline void for_columns(const PanelSize& size, const Body& body) {
  cover<kHeld>(0, size.width / kLanes<Real>,
               [&](Index first, auto count) { body(first * kLanes<Real>, count); });
}

// The products are functions of their own, as they need all registers.

// x_j = sum_i w_ji row_i, for rows w_j and x (J, width)
template <int J, class Real, class Meanwhile = Nothing>
[[gnu::noinline]] void read(const PanelSize& size, const Real* panel, const Real* const* w, Real* x,
                 Meanwhile&& meanwhile = {}) {
  using V = Vector<Real>;
  for_columns<Real>(size, [=, &meanwhile](Index column, auto held) {
    constexpr int C = decltype(held)::value;
    const Index width = size.width;
    const Real* weight[J];
    each<J>([&](auto j) { weight[j] = w[j]; });
    V sum[J * C];
    each<J * C>([&](auto at) { sum[at] = V{}; });
    const Real* from = panel + column;
    for (Index i = 0; i < size.n; ++i, from += width) {
      meanwhile();
      V row[C];
      each<C>([&](auto c) { row[c] = load<V>(from + c * kLanes<Real>); });
      each<J * C>([&](auto at) { sum[at] = sum[at] + weight[at / C][i] * row[at % C]; });
    }
    each<J * C>([&](auto at) {
      store(x + at / C * width + column + at % C * kLanes<Real>, sum[at]);
    });
  });
}

// row_i <- decay_i row_i + sum_j w_ji x_j, from one panel to another or in place; without decays if
// they are null
template <int J, class Real, class Meanwhile = Nothing>
[[gnu::noinline]] void update(const PanelSize& size, const Real* panel, Real* result, const Real* decay,
                   const Real* const* w, const Real* x, Meanwhile&& meanwhile = {}) {
  using V = Vector<Real>;
  for_columns<Real>(size, [=, &meanwhile](Index column, auto held) {
    constexpr int C = decltype(held)::value;
    const Index width = size.width;
    const Real* weight[J];
    each<J>([&](auto j) { weight[j] = w[j]; });
    V added[J * C];
    each<J * C>([&](auto at) {
      added[at] = load<V>(x + at / C * width + column + at % C * kLanes<Real>);
    });
    const Real* from = panel + column;
    Real* to = result + column;
    for (Index i = 0; i < size.n; ++i, from += width, to += width) {
      meanwhile();
      V row[C];
      each<C>([&](auto c) { row[c] = load<V>(from + c * kLanes<Real>); });
      if (decay) each<C>([&](auto c) { row[c] = decay[i] * row[c]; });
      each<J * C>([&](auto at) { row[at % C] = row[at % C] + weight[at / C][i] * added[at]; });
      each<C>([&](auto c) { store(to + c * kLanes<Real>, row[c]); });
    }
  });
}

// w_ji = sum over columns of row_i x_j, for x (J, width) and w (J, rows)
template <int J, class Real>
[[gnu::noinline]] void project(const PanelSize& size, const Real* panel, const Real* x, Real* w) {
  using V = Vector<Real>;
  for (Index i = 0; i < size.rows; i += kHeld) {
    V sum[J * kHeld];
    each<J * kHeld>([&](auto at) { sum[at] = V{}; });
    for (Index column = 0; column < size.width; column += kLanes<Real>) {
      V row[kHeld];
      each<kHeld>([&](auto k) { row[k] = load<V>(panel + (i + k) * size.width + column); });
      each<J>([&](auto j) {
        const V y = load<V>(x + j * size.width + column);
        each<kHeld>([&](auto k) { sum[j * kHeld + k] = sum[j * kHeld + k] + row[k] * y; });
      });
    }
    Real found[J * kHeld];
    sums<Real, J * kHeld>(sum, found);
    for (int j = 0; j < J; ++j)
      for (int k = 0; k < kHeld; ++k) w[j * size.rows + i + k] = found[j * kHeld + k];
  }
}

// w_i = sum over columns of the products of two panels
template <class Real>
[[gnu::noinline]] void overlap(const PanelSize& size, const Real* left, const Real* right, Real* w) {
  using V = Vector<Real>;
  constexpr int kRows = kLanes<Real>;
  for (Index i = 0; i < size.rows; i += kRows) {
    V sum[kRows];
    each<kRows>([&](auto k) {
      sum[k] = V{};
      for (Index column = 0; column < size.width; column += kLanes<Real>) {
        const Index at = (i + k) * size.width + column;
        sum[k] = sum[k] + load<V>(left + at) * load<V>(right + at);
      }
    });
    sums<Real, kRows>(sum, w + i);
  }
}

}  // namespace resolvent
