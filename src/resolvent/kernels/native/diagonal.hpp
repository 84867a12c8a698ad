// The diagonal kernels and their arguments. Arrays are contiguous, in the order that their shape
// names; complex numbers are interleaved (re, im); a null pointer stands for "not given".
// b batch, l length, m feature, n mode.
#pragma once

#include "rows.hpp"

namespace resolvent {

struct ScanSize {
  Index b, l, n;
  Index a_row, a_step;  // modes between the decays of two rows, of two steps; 0 where shared
  int threads;
};

template <class Real>
struct ScanForward {
  const Real *a, *x, *h0;
  Rows rows;
  Real *h, *h_last;
};

template <class Real>
struct ScanBackward {
  const Real *a, *h, *h0;
  Rows rows;
  const Real *gh, *gh_last;
  Real *ga, *gx, *gh0;  // ga is (b, l, n), or (b, n) where a is shared by all steps
};

struct SsmSize {
  Index b, l, m, n;
  int threads;
};

template <class Real>
struct SsmForward {
  const Real *a, *b, *c, *d, *u, *h0;
  Rows rows;
  Real *y, *h_last, *checkpoints;
};

template <class Real>
struct SsmBackward {
  const Real *a, *b, *c, *d, *u, *h0;
  Rows rows;
  const Real *checkpoints, *gy, *gh_last;
  Real *ga, *gb, *gc, *gd, *gu, *gh0;
};

// Through the convolution kernel, for rows that nothing precedes and nothing interrupts.
template <class Real>
struct SsmKernelBackward {
  const Real *a, *b, *c, *d, *u, *gy;
  Real *ga, *gb, *gc, *gd, *gu;
};

// From the gradient gK (l, m) of convolution kernels to those of a and w (m, n); there are no rows.
template <class Real>
struct VandermondeBackward {
  const Real *a, *w, *gK;
  Real *ga, *gw;
};

template <class Real, bool is_complex>
void diagonal_scan_forward(const ScanSize&, const ScanForward<Real>&);
template <class Real, bool is_complex>
void diagonal_scan_backward(const ScanSize&, const ScanBackward<Real>&);
template <class Real, bool is_complex>
void diagonal_ssm_forward(const SsmSize&, const SsmForward<Real>&);
template <class Real, bool is_complex>
void diagonal_ssm_short(const SsmSize&, const SsmForward<Real>&);
template <class Real, bool is_complex>
void diagonal_ssm_backward(const SsmSize&, const SsmBackward<Real>&);
template <class Real, bool is_complex>
void diagonal_ssm_kernel_backward(const SsmSize&, const SsmKernelBackward<Real>&);
template <class Real, bool is_complex>
void vandermonde_backward(const SsmSize&, const VandermondeBackward<Real>&);

// Up to so many steps, diagonal_ssm_short is faster and diagonal_ssm_forward calls it.
inline constexpr Index kShort = 16;
static_assert(kShort <= kBlock);

}  // namespace resolvent
