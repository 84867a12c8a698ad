// Products of a few rows with a matrix that is too large for the first cache. It is packed once, into
// strips of columns, so that every product reads it from one end to the other.
#pragma once

#include "vector.hpp"

namespace resolvent {

template <class Real>
struct Packed {
  static constexpr int kVectors = 2, kWidth = kVectors * kLanes<Real>;
  static constexpr int kRows = 4;  // of x that are multiplied at once

  Index rows, columns;

  Index strips() const { return (columns + kWidth - 1) / kWidth; }
  Index width() const { return strips() * kWidth; }  // of a product, whose last numbers are padding
  Index numbers() const { return rows * width(); }

  // From where a column lies (`rows` numbers), or from where a row lies (`columns` numbers).
  template <class Column>
  void pack_columns(Real* to, const Column& column) const {
    for (Index first = 0; first < width(); first += kWidth, to += rows * kWidth)
      for (Index j = 0; j < kWidth; ++j) {
        const Real* from = first + j < columns ? column(first + j) : nullptr;
        for (Index i = 0; i < rows; ++i) to[i * kWidth + j] = from ? from[i] : Real{0};
      }
  }
  template <class Row>
  void pack_rows(Real* to, const Row& row) const {
    for (Index first = 0; first < width(); first += kWidth)
      for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < kWidth; ++j)
          *to++ = first + j < columns ? row(i)[first + j] : Real{0};
  }

  // y_j = sum_i x_ji matrix_i for `count` rows x_j and y_j, which lie apart by their strides
  void multiply(const Real* matrix, Index count, const Real* x, Index x_stride, Real* y,
                Index y_stride) const {
    cover<kRows>(0, count, [&](Index first, auto held) {
      constexpr int J = decltype(held)::value;
      cover<kRows / J>(0, strips(), [&](Index strip, auto wide) {
        part<J, decltype(wide)::value>(matrix + strip * rows * kWidth, x + first * x_stride,
                                       x_stride, y + first * y_stride + strip * kWidth, y_stride);
      });
    });
  }

 private:
  // J rows and S strips at once, so that there are enough sums to keep the processor busy
  template <int J, int S>
  void part(const Real* strip, const Real* x, Index x_stride, Real* y, Index y_stride) const {
    using V = Vector<Real>;
    constexpr int C = S * kVectors, kLane = kLanes<Real>;
    V sum[J][C] = {};
    for (Index i = 0; i < rows; ++i, strip += kWidth) {
      V row[C];
      for (int c = 0; c < C; ++c)
        row[c] = load<V>(strip + c / kVectors * rows * kWidth + c % kVectors * kLane);
      for (int j = 0; j < J; ++j)
        for (int c = 0; c < C; ++c) sum[j][c] = sum[j][c] + x[j * x_stride + i] * row[c];
    }
    for (int j = 0; j < J; ++j)
      for (int c = 0; c < C; ++c) store(y + j * y_stride + c * kLane, sum[j][c]);
  }
};

}  // namespace resolvent
