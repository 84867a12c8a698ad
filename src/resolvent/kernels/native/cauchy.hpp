// Cauchy products of conjugate pairs of modes and their arguments; arrays are contiguous, in the order
// that their shape names, complex numbers interleaved (re, im). m system, k product, n mode, f point.
//
//   y_kf = sum_n w_kn / (s_f - l_n) + conj(w_kn) / (s_f - conj(l_n))
#pragma once

#include "vector.hpp"

namespace resolvent {

struct CauchySize {
  Index m, k, n, f;
  int threads;
};

template <class Real>
struct CauchyForward {
  const Real *values, *w, *s;  // (m, n), (m, k, n), (f)
  Real* y;                     // (m, k, f)
};

template <class Real>
struct CauchyBackward {
  const Real *values, *w, *s, *gy;
  Real *gvalues, *gw;
};

template <class Real>
void cauchy_forward(const CauchySize&, const CauchyForward<Real>&);
template <class Real>
void cauchy_backward(const CauchySize&, const CauchyBackward<Real>&);

}  // namespace resolvent
