// The causal convolution with a long kernel and its arguments; arrays are contiguous, in the order
// that their shape names. b batch, l length, m feature, k tap.
//
//   y_t = sum_j K_j u_{t-j}
#pragma once

#include "vector.hpp"

namespace resolvent {

struct LongSize {
  Index b, l, m, k;
  int threads;
};

template <class Real>
struct LongForward {
  const Real *K, *u;  // (k, m), (b, l, m)
  Real* y;
};

template <class Real>
struct LongBackward {
  const Real *K, *u, *gy;
  Real *gK, *gu;
};

template <class Real>
void long_convolution_forward(const LongSize&, const LongForward<Real>&);
template <class Real>
void long_convolution_backward(const LongSize&, const LongBackward<Real>&);

}  // namespace resolvent
