// Products of a few rows with a matrix that is too large for the first cache. It is packed once, into
// strips of columns, so that every product reads it from one end to the other.
#pragma once

#include "vector.hpp"

namespace resolvent {

// sum_i x_i y_i
template <class Real>
inline Real dot(const Real* x, const Real* y, Index count) {
  using V = Vector<Real>;
  constexpr Index kLane = kLanes<Real>, kSums = 4;
  V sums[kSums] = {};
  Index i = 0;
  for (; i + kSums * kLane <= count; i += kSums * kLane)
    for (Index k = 0; k < kSums; ++k)
      sums[k] = sums[k] + load<V>(x + i + k * kLane) * load<V>(y + i + k * kLane);
  Real total = sum<Real, kLane>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < count; ++i) total += x[i] * y[i];
  return total;
}

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

  // y_j = sum_i x_ji matrix_i for `count` rows x_j and y_j, which lie apart by their strides. Many
  // rows take a strip, which fits the first cache, one after the other.
  void multiply(const Real* matrix, Index count, const Real* x, Index x_stride, Real* y,
                Index y_stride) const {
    const auto rows_of = [&](Index first, Index strip, auto held, auto wide) {
      part<decltype(held)::value, decltype(wide)::value>(
          matrix + strip * rows * kWidth, x + first * x_stride, x_stride,
          y + first * y_stride + strip * kWidth, y_stride);
    };
    if (count >= kRows) {
      for (Index strip = 0; strip < strips(); ++strip)
        cover<kRows>(0, count, [&](Index first, auto held) {
          rows_of(first, strip, held, std::integral_constant<int, 1>{});
        });
      return;
    }
    cover<kRows>(0, count, [&](Index first, auto held) {
      cover<kRows / decltype(held)::value>(
          0, strips(), [&](Index strip, auto wide) { rows_of(first, strip, held, wide); });
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
