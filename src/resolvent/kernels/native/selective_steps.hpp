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

// Whether the decays of a block are normal numbers, from rates A log2(e).
template <class V, class Steps>
bool are_normal(Steps dt, Index count, const V* rates, Index n) {
  V longest{}, fastest{};
  for (Index t = 0; t < count; ++t) longest = larger(longest, magnitude(dt[t]));
  for (Index k = 0; k < n; ++k) fastest = larger(fastest, magnitude(rates[k]));
  return everywhere(longest * fastest <= kNormal<Element<V>>);
}

// The decays of some modes in a step, exp(dt A).
template <bool normal, class V, std::size_t modes>
inline void decay(V dt, const V (&rates)[modes], V (&decays)[modes]) {
  for (std::size_t k = 0; k < modes; ++k) decays[k] = dt * rates[k];
  if constexpr (normal)
    exp2_normal(decays);
  else
    for (V& a : decays) a = exp2(a);
}

// Calls body(first mode, modes, normal) for the modes of a strip, kModes at a time.
template <class Body>
inline void for_modes(Index n, bool normal, const Body& body) {
  cover<kModes>(0, n, [&](Index first, auto modes) {
    if (normal)
      body(first, modes, std::true_type{});
    else
      body(first, modes, std::false_type{});
  });
}

// One of some series for each group of modes, by the first of them. The first series is always there.
template <class Series, std::size_t count>
inline const Series& turn(const Series (&series)[count], Index first) {
  const Series& at = series[first / kModes % count];
  return at ? at : series[0];
}

// A block for some modes of a strip: steps, the group of the strip, the first mode, and where
// to fetch meanwhile what will be read and what will be written.
template <class Real>
struct Steps {
  Index from, count, group, first;
  Track read, written;

  void fetch(Index t) const {
    read.fetch(t);
    written.fetch(t);
  }

  // Where B or C, of shape (b, l, g, n), begins.
  const Real* of(const Real* array, Index row, const SelectiveSize& size) const {
    return array + ((row * size.l + from) * size.g + group) * size.n + first;
  }
};

}  // namespace resolvent
