// The selective scan (Gu & Dao 2023, Mamba) and its arguments. Arrays are contiguous, in the order
// that their shape names; a null pointer stands for "not given". b batch, l length, m channel,
// g group of channels, n mode.
//
//   h_t = exp(dt_t A) h_{t-1} + dt_t B_t u_t      y_t = (C_t h_t + D u_t) z_t sigmoid(z_t)
//
// Where there is a bias, dt_t is softplus(dt_t + bias).
#pragma once

#include "strip.hpp"

namespace resolvent {

struct SelectiveSize {
  Index b, l, m, n, g;
  int threads;
};

template <class Real>
struct SelectiveInput {
  Series<const Real> u, dt;  // (b, l, m)
  const Real* A;             // (m, n)
  const Real *B, *C;         // (b, l, g, n)
  const Real *D, *bias;      // (m), optional
  Series<const Real> z;      // (b, l, m), optional
  const Real* h0;            // (b, m, n), optional
  Rows rows;
};

template <class Real>
struct SelectiveForward {
  SelectiveInput<Real> in;
  Real *y, *h_last, *checkpoints;
};

template <class Real>
struct SelectiveBackward {
  SelectiveInput<Real> in;
  const Real *checkpoints, *gy, *gh_last;
  Series<Real> gu, gdt;  // as u and dt are
  Real *gA, *gB, *gC, *gD, *gbias;
  Series<Real> gz;  // as z is
  Real* gh0;
};

template <class Real>
void selective_forward(const SelectiveSize&, const SelectiveForward<Real>&);
template <class Real>
void selective_backward(const SelectiveSize&, const SelectiveBackward<Real>&);

}  // namespace resolvent
