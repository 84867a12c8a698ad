// How series of many channels are laid over vector lanes, and copied while others are worked on.
#pragma once

#include <algorithm>

#include "diagonal.hpp"

namespace resolvent {

// The channels of one vector. Where there are fewer channels than lanes, the modes of a channel are
// dealt out to several lanes; so a lane is a system of its own, with `modes` modes, fed by channel
// first + lane % channels.
template <class Scalar, bool complex>
struct Tile {
  using Real = Scalar;
  using V = Vector<Real>;
  using H = Mode<V, complex>;
  static constexpr bool is_complex = complex;
  static constexpr int kParts = is_complex ? 2 : 1, kWidth = kLanes<Real>;

  Index first, channels, groups, modes;
  Index m, n;  // of the whole problem

  Tile(const SsmSize& size, Index number) : first(number * kWidth), m(size.m), n(size.n) {
    channels = std::min<Index>(kWidth, m - first);
    groups = std::max<Index>(1, std::min<Index>(kWidth / channels, n));
    modes = (n + groups - 1) / groups;
  }
  static Index count(const SsmSize& size) { return (size.m + kWidth - 1) / kWidth; }

  // Calls body(lane, channel, mode) for the lanes that have a mode k.
  template <class Body>
  void for_each_lane(Index k, const Body& body) const {
    for (Index group = 0; group < groups && group * modes + k < n; ++group)
      for (Index i = 0; i < channels; ++i) body(group * channels + i, first + i, group * modes + k);
  }

  // Mode k of every lane, from and to an array (m, n); lanes without such a mode are zero.
  H gather(const Real* from, Index k) const {
    Real lanes[kParts * kWidth]{};
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        lanes[part * kWidth + lane] = from[(channel * n + mode) * kParts + part];
    });
    return join(lanes);
  }
  void scatter(Real* to, Index k, H value) const {
    Real lanes[kParts * kWidth];
    part(value, lanes);
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        to[(channel * n + mode) * kParts + part] = lanes[part * kWidth + lane];
    });
  }

  // The same for states that are kept from one block to the next, each tile's on its own, so that
  // what is written and read together lies together: (parts, channels) for each mode of a channel.
  H recall(const Real* from, Index k) const {
    from += first * n * kParts;
    if (channels == kWidth) return join(from + k * kParts * kWidth);
    Real lanes[kParts * kWidth]{};
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        lanes[part * kWidth + lane] = from[(mode * kParts + part) * channels + channel - first];
    });
    return join(lanes);
  }
  void keep(Real* to, Index k, H value) const {
    to += first * n * kParts;
    if (channels == kWidth) return part(value, to + k * kParts * kWidth);
    Real lanes[kParts * kWidth];
    part(value, lanes);
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        to[(mode * kParts + part) * channels + channel - first] = lanes[part * kWidth + lane];
    });
  }

  // A number for each channel, (m), in the first lane that it feeds; zero in the others. And back.
  V first_lanes(const Real* from) const {
    Real lanes[kWidth]{};
    std::copy_n(from + first, channels, lanes);
    return load<V>(lanes);
  }
  void leave_first_lanes(V value, Real* to) const {
    Real lanes[kWidth];
    store(lanes, value);
    std::copy_n(lanes, channels, to + first);
  }

  // One step of the tile's channels, from an array (m) to every lane that they feed, and back as
  // the sum of those lanes.
  V spread(const Real* from) const {
    if (channels == kWidth) return load<V>(from + first);
    Real lanes[kWidth]{};
    for (Index group = 0; group < groups; ++group)
      for (Index i = 0; i < channels; ++i) lanes[group * channels + i] = from[first + i];
    return load<V>(lanes);
  }
  void collect(V value, Real* to) const {
    if (channels == kWidth) return store(to + first, value);
    Real lanes[kWidth];
    store(lanes, value);
    for (Index group = 1; group < groups; ++group)
      for (Index i = 0; i < channels; ++i) lanes[i] += lanes[group * channels + i];
    std::copy_n(lanes, channels, to + first);
  }

 private:
  // A mode from and to its parts, one after the other.
  static H join(const Real* lanes) {
    if constexpr (is_complex)
      return {load<V>(lanes), load<V>(lanes + kWidth)};
    else
      return {load<V>(lanes)};
  }
  static void part(H value, Real* lanes) {
    store(lanes, value.re);
    if constexpr (is_complex) store(lanes + kWidth, value.im);
  }
};

// A tile's part of a series (l, m), of which two blocks are at hand: the one being worked on, and
// the one that is copied in or out meanwhile, so that memory and arithmetic work at the same time.
template <class T, class Pointer>
class Window {
 public:
  using V = typename T::V;
  // `ahead` is where the work goes, +1 or -1 blocks; steps from `stop` on are never touched.
  Window(const T& tile, Pointer series, Index stop, int ahead)
      : tile_(tile), series_(series), stop_(stop), ahead_(ahead * kBlock * tile.m) {}

  V* block(Index from) { return blocks_[from / kBlock % 2]; }

  // Copies steps [first, last) of the block at `from`, if there is such a block.
  void read(Index from, Index first, Index last) {
    if (from < 0) return;
    for (Index t = first; t < std::min(last, stop_ - from); ++t) {
      Pointer at = series_ + (from + t) * tile_.m;
      block(from)[t] = tile_.spread(at);
      __builtin_prefetch(at + ahead_ + tile_.first);
    }
  }
  void write(Index from, Index first, Index last) {
    if (from < 0) return;
    for (Index t = first; t < std::min(last, stop_ - from); ++t) {
      Pointer at = series_ + (from + t) * tile_.m;
      tile_.collect(block(from)[t], at);
      __builtin_prefetch(at + ahead_ + tile_.first, 1);
    }
  }

 private:
  const T& tile_;
  Pointer series_;
  Index stop_, ahead_;
  V blocks_[2][kBlock];
};

}  // namespace resolvent
