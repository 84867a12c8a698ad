// Zero-order hold of diagonal systems h' = l h + B u, number by number; arrays are contiguous, complex
// numbers interleaved (re, im). The step sizes dt are real, each for so many neighbours; where no B is
// given it is 1.
//
//   a = e^(dt l)      b = s B, s = (e^(dt l) - 1) / l, or dt where l = 0
#pragma once

#include "vector.hpp"

namespace resolvent {

struct ZohSize {
  Index steps, share;  // step sizes, and numbers to each
  int threads;
};

template <class Real>
struct ZohForward {
  const Real *values, *dt, *B;
  Real *a, *b;
};

template <class Real>
struct ZohBackward {
  const Real *values, *dt, *B, *ga, *gb;
  Real *gvalues, *gdt, *gB;
};

template <class Real, bool is_complex>
void zoh_forward(const ZohSize&, const ZohForward<Real>&);
template <class Real, bool is_complex>
void zoh_backward(const ZohSize&, const ZohBackward<Real>&);

}  // namespace resolvent
