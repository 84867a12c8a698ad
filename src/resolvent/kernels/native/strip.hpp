// Neighbouring channels, one in each lane.
#pragma once

#include <algorithm>

#include "vector.hpp"

namespace resolvent {

// At most as many channels as a vector has lanes, none of them in another group of channels than
// the others. Lanes without a channel are zero when read, and not written.
template <class Scalar>
struct Strip {
  using Real = Scalar;
  using V = Vector<Real>;
  static constexpr Index kWidth = kLanes<Real>;

  Index group, first, channels;

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

}  // namespace resolvent
