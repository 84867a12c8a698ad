// Lanes are points. With l = x + i y and a = s - x, the two poles of a pair share a division:
//
//   R = 1 / (a^2 + y^2)      T = a R      U = y R      y = sum_n 2 (Re w T - Im w U)
//
//   Re gw = sum_f 2 Re(T^* gy)      dT/dx = E =  T^2 - U^2      dT/dy = -F
//   Im gw = sum_f -2 Re(U^* gy)     dU/dx = F =  2 T U          dU/dy =  E

#include "cauchy.hpp"

#include <algorithm>

#include "interleave.hpp"
#include "memory.hpp"
#include "parallel.hpp"

namespace resolvent {
namespace {

// Products that are taken at once: what fits into the registers.
inline constexpr int kRows = 4;

// Points that a pass over the modes takes: their gradients stay in the first cache.
inline constexpr Index kPoints = 256;

// Complex numbers f of many, real parts apart from imaginary parts, in whole vectors. Lanes beyond the last
// number repeat it, or are zero.
template <class Real>
struct Split {
  using V = Vector<Real>;
  static constexpr Index kWidth = kLanes<Real>;
  V *re, *im;

  static Index vectors(Index count) { return (count + kWidth - 1) / kWidth; }
  void read(const Real* from, Index count, bool repeat) const {
    for (Index i = 0; i < vectors(count); ++i) {
      const Index left = count - i * kWidth;
      Mode<V, true> x;
      if (left >= kWidth) {
        x = load_modes<Real, true, kWidth>(from + 2 * i * kWidth);
      } else {
        Real lanes[2 * kWidth]{};
        const Real* const rest = from + 2 * i * kWidth;
        for (Index j = 0; j < (repeat ? kWidth : left); ++j)
          std::copy_n(rest + 2 * std::min(j, left - 1), 2, lanes + 2 * j);
        x = load_modes<Real, true, kWidth>(lanes);
      }
      re[i] = x.re;
      im[i] = x.im;
    }
  }
};

// T and U of a pair of poles at a vector of points. Differences are taken before products, so that
// nothing is lost close to a pole.
template <class V, class Real>
inline void near(Real x, Real y, V s_re, V s_im, Mode<V, true>& T, Mode<V, true>& U) {
  const V p = s_re - x;
  const V re = p * p + (y - s_im) * (y + s_im), im = 2 * p * s_im;
  const V scale = 1 / (re * re + im * im);
  const Mode<V, true> R{re * scale, -im * scale};
  T = Mode<V, true>{p, s_im} * R;
  U = R * (V{} + y);
}

// A few products of one system at all points of a part.
template <int rows, class Real>
void respond(const CauchySize& size, const Real* values, const Real* w, const Split<Real>& s,
             Index count, Real* y) {
  using V = Vector<Real>;
  constexpr Index kWidth = kLanes<Real>;
  for (Index i = 0; i < Split<Real>::vectors(count); ++i) {
    Mode<V, true> sum[rows]{};
    for (Index n = 0; n < size.n; ++n) {
      Mode<V, true> T, U;
      near(values[2 * n], values[2 * n + 1], s.re[i], s.im[i], T, U);
      for (int k = 0; k < rows; ++k) {
        const Real *weight = w + 2 * (k * size.n + n);
        sum[k] = madd(sum[k], T, V{} + weight[0]);
        sum[k] = madd(sum[k], U, V{} - weight[1]);
      }
    }
    const Index left = count - i * kWidth;
    for (int k = 0; k < rows; ++k) {
      Real* const to = y + 2 * (k * size.f + i * kWidth);
      if (left >= kWidth) {
        store_modes<Real, true, kWidth>(to, sum[k] * (V{} + 2));
      } else {
        Real lanes[2 * kWidth];
        store_modes<Real, true, kWidth>(lanes, sum[k] * (V{} + 2));
        std::copy_n(lanes, 2 * left, to);
      }
    }
  }
}

// Half the gradients of a pair and of a few of its weights, lane by lane.
template <class V>
struct Sums {
  Mode<V, true> value, w[kRows];
};

template <int rows, class Real, class V>
void correlate(const Real* value, const Real* w, Index stride, const Split<Real>& s,
               const Split<Real>* gy, Index vectors, Sums<V>& total) {
  const Real x = value[0], y = value[1];
  Sums<V> sum = total;
  V w_re[rows], w_im[rows];
  for (int k = 0; k < rows; ++k) {
    w_re[k] = V{} + w[2 * k * stride];
    w_im[k] = V{} + w[2 * k * stride + 1];
  }
  for (Index i = 0; i < vectors; ++i) {
    Mode<V, true> T, U, of_re{}, of_im{};
    near(x, y, s.re[i], s.im[i], T, U);
    for (int k = 0; k < rows; ++k) {
      const Mode<V, true> g{gy[k].re[i], gy[k].im[i]};
      sum.w[k].re = madd_real(sum.w[k].re, conj(T), g);
      sum.w[k].im = madd_real(sum.w[k].im, conj(U), g);
      of_re = madd(of_re, g, w_re[k]);
      of_im = madd(of_im, g, w_im[k]);
    }
    const Mode<V, true> E = conj((T - U) * (T + U)), F = conj((T + T) * U);
    sum.value.re = madd_real(sum.value.re, E, of_re) - madd_real(V{}, F, of_im);
    sum.value.im = madd_real(madd_real(sum.value.im, F, of_re), E, of_im);
  }
  total = sum;
}

}  // namespace

template <class Real>
void cauchy_forward(const CauchySize& size, const CauchyForward<Real>& array) {
  using V = Vector<Real>;
  const Index vectors = Split<Real>::vectors(size.f), parts = (size.f + kPoints - 1) / kPoints;
  const Buffer<V> points(2 * vectors);
  const Split<Real> s{points.data(), points.data() + vectors};
  s.read(array.s, size.f, true);
  prefer_large_pages(array.y, 2 * size.m * size.k * size.f);
  const int threads = worthwhile(size.threads, size.m * size.n * size.f * (8 + 4 * size.k));
  parallel_for(size.m * parts, threads, [&](Index item, int) {
    const Index system = item / parts, first = item % parts * kPoints, at = first / kLanes<Real>;
    cover<kRows>(0, size.k, [&](Index k, auto rows) {
      const Index row = system * size.k + k;
      respond<rows.value>(size, array.values + 2 * system * size.n, array.w + 2 * row * size.n,
                          Split<Real>{s.re + at, s.im + at}, std::min(kPoints, size.f - first),
                          array.y + 2 * (row * size.f + first));
    });
  });
}

template <class Real>
void cauchy_backward(const CauchySize& size, const CauchyBackward<Real>& array) {
  using V = Vector<Real>;
  constexpr Index kWidth = kLanes<Real>, kPart = kPoints / kWidth;
  const Index vectors = Split<Real>::vectors(size.f);
  const Buffer<V> points(2 * vectors);
  const Split<Real> s{points.data(), points.data() + vectors};
  s.read(array.s, size.f, true);
  const int threads = worthwhile(size.threads, size.m * size.n * size.f * (16 + 8 * size.k));
  const Buffer<V> parts(threads * 2 * kRows * kPart);
  const Buffer<Sums<V>> sums(threads * size.n);

  parallel_for(size.m, threads, [&](Index system, int thread) {
    const Real* const values = array.values + 2 * system * size.n;
    Real* const gvalues = array.gvalues + 2 * system * size.n;
    std::fill_n(gvalues, 2 * size.n, Real{});
    Sums<V>* const total = sums.data() + thread * size.n;
    Split<Real> gy[kRows];
    for (int k = 0; k < kRows; ++k) {
      V* const part = parts.data() + (thread * kRows + k) * 2 * kPart;
      gy[k] = {part, part + kPart};
    }
    cover<kRows>(0, size.k, [&](Index first, auto rows) {
      const Index row = system * size.k + first;
      std::fill_n(total, size.n, Sums<V>{});
      for (Index f = 0; f < size.f; f += kPoints) {
        const Index count = std::min(kPoints, size.f - f), at = f / kWidth;
        for (int k = 0; k < rows.value; ++k)
          gy[k].read(array.gy + 2 * ((row + k) * size.f + f), count, false);
        for (Index n = 0; n < size.n; ++n)
          correlate<rows.value>(values + 2 * n, array.w + 2 * (row * size.n + n), size.n,
                                Split<Real>{s.re + at, s.im + at}, gy,
                                Split<Real>::vectors(count), total[n]);
      }
      for (Index n = 0; n < size.n; ++n) {
        gvalues[2 * n] += 2 * sum<Real, kWidth>(total[n].value.re);
        gvalues[2 * n + 1] -= 2 * sum<Real, kWidth>(total[n].value.im);
        for (int k = 0; k < rows.value; ++k) {
          Real* const gw = array.gw + 2 * ((row + k) * size.n + n);
          gw[0] = 2 * sum<Real, kWidth>(total[n].w[k].re);
          gw[1] = -2 * sum<Real, kWidth>(total[n].w[k].im);
        }
      }
    });
  });
}

template void cauchy_forward<float>(const CauchySize&, const CauchyForward<float>&);
template void cauchy_forward<double>(const CauchySize&, const CauchyForward<double>&);
template void cauchy_backward<float>(const CauchySize&, const CauchyBackward<float>&);
template void cauchy_backward<double>(const CauchySize&, const CauchyBackward<double>&);

}  // namespace resolvent
