// What both passes of the selective scan do to a block of steps. Each is a call of its own and of short
// loops, so that their constants stay in registers and many steps are under way at once.
#pragma once

#include "functions.hpp"
#include "selective.hpp"
#include "strip.hpp"

namespace resolvent {

// Modes that go through a block together, and steps of what is done before and after them.
inline constexpr int kModes = 4, kAbreast = 4;

// softplus(x + bias) in place of x, and its slope.
template <class V, class Steps>
[[gnu::noinline]] void soften(V bias, Steps x, Index count, V* slope) {
  cover<kAbreast>(0, count, [&](Index first, auto steps) __attribute__((always_inline)) {
    V e[steps.value];
    for (int i = 0; i < steps.value; ++i) {
      x[first + i] = x[first + i] + bias;
      e[i] = -magnitude(x[first + i]);
    }
    exp(e);
    for (int i = 0; i < steps.value; ++i)
      slope[first + i] = (x[first + i] > 0 ? 1 + V{} : e[i]) / (1 + e[i]);
    log1p(e);
    for (int i = 0; i < steps.value; ++i) x[first + i] = larger(x[first + i], V{}) + e[i];
  });
}

// z sigmoid(z) in place of z, and its slope.
template <class V, class Steps>
[[gnu::noinline]] void gate(Steps z, Index count, V* slope) {
  cover<kAbreast>(0, count, [&](Index first, auto steps) __attribute__((always_inline)) {
    V e[steps.value];
    for (int i = 0; i < steps.value; ++i) e[i] = -z[first + i];
    exp(e);
    for (int i = 0; i < steps.value; ++i) {
      const V s = 1 / (1 + e[i]);
      slope[first + i] = s * (1 + z[first + i] * (1 - s));
      z[first + i] = z[first + i] * s;
    }
  });
}

template <class V, class Steps>
V longest(Steps dt, Index count) {
  V most{};
  for (Index t = 0; t < count; ++t) most = larger(most, magnitude(dt[t]));
  return most;
}

// Whether decays are normal numbers, from the longest dt and rates A log2(e).
template <class V>
bool are_normal(V longest, const V* rates, Index n) {
  V fastest{};
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

// What to fetch while the modes of a strip pass a block.
struct Tracks {
  Index groups;  // of modes
  Track tracks[7];
  Index count = 0;

  explicit Tracks(Index n) : groups((n + kModes - 1) / kModes) {}
  // From number i on, unless the series was not given.
  template <class Number>
  void add(Series<Number> series, Index i, Index m) {
    if (series) tracks[count++] = series.track(i, m);
  }
  // One of two that a group of modes sees to; the same one twice where there are enough groups.
  const Track& share(Index first_mode, Index part) const {
    const Index i = first_mode / kModes % count, j = i + part * groups;
    return tracks[j < count ? j : i];
  }
};

// A block for some modes of a strip: steps, the group of the strip, the first mode, and what to fetch meanwhile.
template <class Real>
struct BlockSteps {
  Index from, count, group, first;
  Track tracks[2];

  BlockSteps(Index from, Index count, Index group, Index first, const Tracks& all)
      : from(from), count(count), group(group), first(first), tracks{all.share(first, 0), all.share(first, 1)} {}
  void fetch(Index t) const {
    for (const Track& track : tracks) track.fetch(t);
  }

  // Where B or C, of shape (b, l, g, n), begins.
  const Real* of(const Real* array, Index row, const SelectiveSize& size) const {
    return array + ((row * size.l + from) * size.g + group) * size.n + first;
  }
};

}  // namespace resolvent
