// Products of matrices as they lie in the first caches, transposed or not, a few rows and a few vectors
// of columns at once; what is larger is packed first (product.hpp).
#pragma once

#include "panel.hpp"

namespace resolvent {

// A matrix whose number (i, k) lies at `data[i * row + k * column]`.
template <class T>
struct View {
  T* data;
  Index row, column = 1;
};

// Rows of a product whose sums are held in registers together.
inline constexpr int kProductRows = 4;

// out_ij = sum_k x_ik y_kj, or that added to it, for I rows and C vectors of columns.
template <int I, int C, bool add, class Real>
inline void multiply_tile(Index depth, View<const Real> x, View<const Real> y, View<Real> out) {
  using V = Vector<Real>;
  V sum[I][C] = {};
  if constexpr (add)
    for (int i = 0; i < I; ++i)
      for (int c = 0; c < C; ++c) sum[i][c] = load<V>(out.data + i * out.row + c * kLanes<Real>);
  for (Index k = 0; k < depth; ++k, x.data += x.column, y.data += y.row) {
    V row[C];
    for (int c = 0; c < C; ++c) row[c] = load<V>(y.data + c * kLanes<Real>);
    for (int i = 0; i < I; ++i)
      for (int c = 0; c < C; ++c) sum[i][c] = sum[i][c] + x.data[i * x.row] * row[c];
  }
  for (int i = 0; i < I; ++i)
    for (int c = 0; c < C; ++c) store(out.data + i * out.row + c * kLanes<Real>, sum[i][c]);
}

// The same for any number of rows and for `width` columns, whole vectors of them.
template <bool add, class Real>
inline void multiply(Index rows, Index depth, Index width, View<const Real> x, View<const Real> y,
                     View<Real> out) {
  cover<kHeld>(0, width / kLanes<Real>, [&](Index vector, auto held) {
    const Index column = vector * kLanes<Real>;
    cover<kProductRows>(0, rows, [&](Index i, auto count) {
      multiply_tile<decltype(count)::value, decltype(held)::value, add, Real>(
          depth, {x.data + i * x.row, x.row, x.column}, {y.data + column, y.row},
          {out.data + i * out.row + column, out.row});
    });
  });
}

}  // namespace resolvent
