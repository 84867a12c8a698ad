// Neighbouring channels, one in each lane.
#pragma once

#include <algorithm>

#include "rows.hpp"

namespace resolvent {

// At most as many channels as a vector has lanes, none of them in another group of channels than
// the others. Lanes without a channel are zero when read, and not written.
template <class Scalar>
struct Strip {
  using Real = Scalar;
  using V = Vector<Real>;
  static constexpr Index kWidth = kLanes<Real>;

  Index group, first, channels;

  Strip() = default;
  Strip(Index m, Index groups, Index number) {
    const Index size = m / groups, strips = in_group(size);
    group = number / strips;
    first = group * size + number % strips * kWidth;
    channels = std::min(kWidth, (group + 1) * size - first);
  }
  static Index in_group(Index size) { return (size + kWidth - 1) / kWidth; }
  static Index count(Index m, Index groups) { return groups * in_group(m / groups); }

  // From and to an array (m).
  V read(const Real* from) const {
    if (channels == kWidth) return load<V>(from + first);
    Real lanes[kWidth]{};
    std::copy_n(from + first, channels, lanes);
    return load<V>(lanes);
  }
  void write(Real* to, V value) const {
    if (channels == kWidth) return store(to + first, value);
    Real lanes[kWidth];
    store(lanes, value);
    std::copy_n(lanes, channels, to + first);
  }

  // Column k of an array (m, n).
  V gather(const Real* from, Index n, Index k) const {
    Real lanes[kWidth]{};
    for (Index i = 0; i < channels; ++i) lanes[i] = from[(first + i) * n + k];
    return load<V>(lanes);
  }
  void scatter(Real* to, Index n, Index k, V value) const {
    Real lanes[kWidth];
    store(lanes, value);
    for (Index i = 0; i < channels; ++i) to[(first + i) * n + k] = lanes[i];
  }
};

// Neighbouring strips of one group. The steps of a wide series (l, m) lie on different pages, and to
// find a page takes longer than to read it; so a block of steps is visited once for many strips, which
// work on copies, blocks[strip][step].
template <class Scalar>
struct Ribbon {
  using Real = Scalar;
  using V = Vector<Real>;
  static constexpr Index kMost = 1024 / kVectorBytes;
  using Block = V[kBlock + 1];  // one more, so that strips do not compete for the same cache lines

  Index m, first, count;
  Strip<Real> strips[kMost];

  // Strips [first, last) of all strips, at most kMost.
  Ribbon(Index m, Index groups, Index first, Index last) : m(m), first(first), count(last - first) {
    for (Index i = 0; i < count; ++i) strips[i] = Strip<Real>(m, groups, first + i);
  }
  void read(const Real* series, Index steps, Block* blocks) const {
    for (Index t = 0; t < steps; ++t)
      for (Index i = 0; i < count; ++i) blocks[i][t] = strips[i].read(series + t * m);
  }
  void write(Real* series, Index steps, const Block* blocks) const {
    for (Index t = 0; t < steps; ++t)
      for (Index i = 0; i < count; ++i) strips[i].write(series + t * m, blocks[i][t]);
  }
  // Asks the second cache for the i-th of `count` shares of a block of steps, if the series is given:
  // one with each strip that is worked on.
  void fetch(const Real* series, Index steps, Index i) const {
    if (!series) return;
    constexpr Index kLine = 64 / sizeof(Real);
    const Real* const end = series + strips[count - 1].first + strips[count - 1].channels;
    for (Index t = i * steps / count; t < (i + 1) * steps / count; ++t)
      for (const Real* at = series + strips[0].first; at < end; at += kLine)
        __builtin_prefetch(at + t * m, 0, 3);
  }
  void clear(Real* series, Index steps) const {
    for (Index t = 0; t < steps; ++t)
      for (Index i = 0; i < count; ++i) strips[i].write(series + t * m, V{});
  }
};

}  // namespace resolvent
