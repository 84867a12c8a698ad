// The short causal convolution and its arguments; arrays are contiguous, in the order that their
// shape names, and a null pointer stands for "not given". b batch, l length, d feature, w tap.
//
//   y_t = bias + sum_j weight_j x_{t-w+1+j}      and, if wanted, y_t sigmoid(y_t) instead
#pragma once

#include "rows.hpp"

namespace resolvent {

struct ConvolutionSize {
  Index b, l, d, w;
  bool silu;
  int threads;
};

template <class Real>
struct ConvolutionInput {
  const Real *x, *weight, *bias, *tail;  // (b, l, d), (d, w), (d), (b, w - 1, d)
  Rows rows;
};

template <class Real>
struct ConvolutionForward {
  ConvolutionInput<Real> in;
  Real *y, *tail;
};

template <class Real>
struct ConvolutionBackward {
  ConvolutionInput<Real> in;
  const Real *gy, *gtail;
  Real *gx, *gweight, *gbias, *gpast;
};

template <class Real>
void convolution_forward(const ConvolutionSize&, const ConvolutionForward<Real>&);
template <class Real>
void convolution_backward(const ConvolutionSize&, const ConvolutionBackward<Real>&);

}  // namespace resolvent
