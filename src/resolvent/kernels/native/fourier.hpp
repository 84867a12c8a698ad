// Fourier transforms of powers of two, in place: one series of complex numbers in each vector lane.
//
//   forward   x_k <- sum_t w^(k t) x_t, w = e^(-2 pi i / n), the frequencies k in an order of their own
//   backward  the conjugate transpose of that: from that order back, times n
//
// A transform of n numbers is n / 4 butterflies of four and four transforms of n / 4 numbers, one
// after the other, so that all but the first few stages find their numbers in the cache.
#pragma once

#include <cmath>

#include "memory.hpp"

namespace resolvent {

// The powers of w = e^(-2 pi i / n), as products of a coarse and of a fine one.
class UnitRoots {
 public:
  explicit UnitRoots(Index n) : coarse_(n / kFine + 1), fine_(kFine) {
    const double angle = -2 * std::acos(-1.0) / static_cast<double>(n);
    const auto root = [&](Index k) {
      return Root{std::cos(angle * static_cast<double>(k)), std::sin(angle * static_cast<double>(k))};
    };
    for (Index k = 0; k <= n / kFine; ++k) coarse_.data()[k] = root(k * kFine);
    for (Index k = 0; k < kFine; ++k) fine_.data()[k] = root(k);
  }
  // w^k for 0 <= k < n
  template <class Real>
  Mode<Real, true> at(Index k) const {
    const Root root = coarse_.data()[k / kFine] * fine_.data()[k % kFine];
    return {static_cast<Real>(root.re), static_cast<Real>(root.im)};
  }

 private:
  using Root = Mode<double, true>;
  static constexpr Index kFine = 64;
  Buffer<Root> coarse_, fine_;
};

template <class Real>
class Fourier {
 public:
  using V = Vector<Real>;
  using X = Mode<V, true>;
  using Root = Mode<Real, true>;

  // For n numbers, a power of two.
  explicit Fourier(Index n) : n_(n), roots_(n) {
    const UnitRoots w(n);
    Root* to = roots_.data();
    for (Index size = n; size > 4; size /= 4)
      for (Index k = 0; k < size / 4; ++k)
        for (Index power = 1; power < 4; ++power) *to++ = w.template at<Real>(power * k * (n / size));
  }
  Index size() const { return n_; }
  void forward(X* x) const { forward(x, n_, roots_.data()); }
  void backward(X* x) const { backward(x, n_, roots_.data()); }

  static X times(X x, Root root) { return x * X{V{} + root.re, V{} + root.im}; }

 private:
  // i x
  static X quarter_turn(X x) { return {-x.im, x.re}; }

  static void forward(X* x, Index n, const Root* roots) {
    if (n <= 4) return forward_last(x, n);
    const Index part = n / 4;
    for (Index k = 0; k < part; ++k, ++x) {
      const Root* w = roots + 3 * k;
      const X even = x[0] + x[2 * part], odd = x[part] + x[3 * part];
      const X left = x[0] - x[2 * part], right = quarter_turn(x[part] - x[3 * part]);
      x[0] = even + odd;
      x[part] = times(even - odd, w[1]);
      x[2 * part] = times(left - right, w[0]);
      x[3 * part] = times(left + right, w[2]);
    }
    x -= part;
    for (Index i = 0; i < 4; ++i) forward(x + i * part, part, roots + 3 * part);
  }
  static void forward_last(X* x, Index n) {
    if (n == 2) {
      const X left = x[0], right = x[1];
      x[0] = left + right;
      x[1] = left - right;
    } else if (n == 4) {
      const X even = x[0] + x[2], odd = x[1] + x[3];
      const X left = x[0] - x[2], right = quarter_turn(x[1] - x[3]);
      x[0] = even + odd;
      x[1] = even - odd;
      x[2] = left - right;
      x[3] = left + right;
    }
  }

  static void backward(X* x, Index n, const Root* roots) {
    if (n <= 4) return backward_last(x, n);
    const Index part = n / 4;
    for (Index i = 0; i < 4; ++i) backward(x + i * part, part, roots + 3 * part);
    for (Index k = 0; k < part; ++k, ++x) {
      const Root* w = roots + 3 * k;
      const X second = times(x[part], conj(w[1]));
      const X third = times(x[2 * part], conj(w[0])), fourth = times(x[3 * part], conj(w[2]));
      const X even = x[0] + second, odd = x[0] - second;
      const X left = third + fourth, right = quarter_turn(third - fourth);
      x[0] = even + left;
      x[part] = odd + right;
      x[2 * part] = even - left;
      x[3 * part] = odd - right;
    }
  }
  static void backward_last(X* x, Index n) {
    if (n == 2) return forward_last(x, n);
    if (n == 4) {
      const X even = x[0] + x[1], odd = x[0] - x[1];
      const X left = x[2] + x[3], right = quarter_turn(x[2] - x[3]);
      x[0] = even + left;
      x[1] = odd + right;
      x[2] = even - left;
      x[3] = odd - right;
    }
  }

  Index n_;
  Buffer<Root> roots_;
};

}  // namespace resolvent
