// Zero-order hold of diagonal systems, number by number; arrays are contiguous and of one shape, complex
// numbers interleaved (re, im); the step sizes dt are real.
//
//   a = e^(dt l)      s = (e^(dt l) - 1) / l, or dt where l = 0
#pragma once

#include "vector.hpp"

namespace resolvent {

struct ZohSize {
  Index count;
  int threads;
};

template <class Real>
struct ZohForward {
  const Real *values, *dt;
  Real *a, *s;
};

template <class Real>
struct ZohBackward {
  const Real *values, *dt, *ga, *gs;
  Real *gvalues, *gdt;
};

template <class Real, bool is_complex>
void zoh_forward(const ZohSize&, const ZohForward<Real>&);
template <class Real, bool is_complex>
void zoh_backward(const ZohSize&, const ZohBackward<Real>&);

}  // namespace resolvent
