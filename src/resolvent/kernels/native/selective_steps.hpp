// What both passes of the selective scan do to a block of steps. Each is a call of its own and of short
// loops, so that their constants stay in registers and many steps are under way at once.
#pragma once

#include "functions.hpp"
#include "selective.hpp"
#include "strip.hpp"

namespace resolvent {

// Modes that go through a block together.
inline constexpr int kModes = 4;

// softplus(x + bias) in place of x, and its slope if that is wanted.
template <class V, class Steps>
[[gnu::noinline]] void soften(V bias, Steps x, Index count, V* slope) {
  V e[kBlock];
  for (Index t = 0; t < count; ++t) {
    x[t] = x[t] + bias;
    e[t] = exp(-magnitude(x[t]));
  }
  if (slope)
    for (Index t = 0; t < count; ++t) slope[t] = (x[t] > 0 ? 1 + V{} : e[t]) / (1 + e[t]);
  for (Index t = 0; t < count; ++t) x[t] = larger(x[t], V{}) + log1p(e[t]);
}

// z sigmoid(z) in place of z, and its slope if that is wanted.
template <class V, class Steps>
[[gnu::noinline]] void gate(Steps z, Index count, V* slope) {
  V s[kBlock];
  for (Index t = 0; t < count; ++t) s[t] = sigmoid(z[t]);
  if (slope)
    for (Index t = 0; t < count; ++t) slope[t] = s[t] * (1 + z[t] * (1 - s[t]));
  for (Index t = 0; t < count; ++t) z[t] = z[t] * s[t];
}

// The decays of some modes, decays[t][i] = exp(dt_t A_i), from rates A log2(e).
template <int modes, class V, class Steps>
[[gnu::noinline]] void decay(Steps dt, Index count, const V* rates, V (*decays)[modes]) {
  V longest{};
  for (Index t = 0; t < count; ++t) longest = larger(longest, magnitude(dt[t]));
  for (int i = 0; i < modes; ++i) {
    const V rate = rates[i];
    if (everywhere(longest * magnitude(rate) <= kNormal<Element<V>>))
      for (Index t = 0; t < count; ++t) decays[t][i] = exp2_normal(dt[t] * rate);
    else
      for (Index t = 0; t < count; ++t) decays[t][i] = exp2(dt[t] * rate);
  }
}

// What to fetch while the modes from `first` on are worked on: one of the series in its turn, at a step.
template <class Real>
inline const Real* ahead(const Real* const (&series)[4], Index first, Index step) {
  const Real* const turn = series[first / kModes % 4];
  return (turn ? turn : series[0]) + step;
}

}  // namespace resolvent
