// What the two passes of the diagonal state-space kernel share: the recurrence taken several steps
// at a time, and its layout over vector lanes.
//
//   h_t = a h_{t-1} + b u_t        y_t = Re sum_n w_n h_{t,n}        w = 2c where a is complex, else c
//
// A state turned by the phase of b, h = (b / |b|) s, has a real input coefficient e = |b|. Over T
// steps, with the state s before them and w turned likewise:
//
//   y_j = Re sum_n W_j s + sum_{i <= j} K_{j-i} u_i      W_j = w a^{j+1}      K_d = Re sum_n w a^d e
//   s'  = P s + sum_j V_j u_j                            P = a^T              V_j = a^{T-1-j} e
//
// which is 4T + 3 real multiplications for each complex mode where T single steps are 8T.
#pragma once

#include <algorithm>
#include <cmath>

#include "diagonal.hpp"
#include "parallel.hpp"

namespace resolvent {

// Steps taken at once: as many as leave P, V and W in registers.
#ifndef RESOLVENT_CHUNK
inline constexpr int kChunk = kRegisters >= 32 ? 4 : 2;
#else
inline constexpr int kChunk = RESOLVENT_CHUNK;
#endif
static_assert(kBlock % kChunk == 0);

// Coefficients of one mode over T steps. Their gradients have the same shape.
template <class H, int T>
struct Chunk {
  H P, V[T], W[T];
};

// sum_j V_j u_j; the last of V is real.
template <int T, class H, class V>
inline H push(const Chunk<H, T>& k, const V* u) {
  H sum{};
  for (int j = 0; j < T - 1; ++j) sum = madd(sum, k.V[j], u[j]);
  return madd_known_real(sum, k.V[T - 1], u[T - 1]);
}

// Steps [start, rest) in whole chunks, then [rest, stop) one by one, with nothing to interrupt them.
struct Run {
  Index start, rest, stop;
  bool fresh;  // the state before the first step was dropped
};

// Splits steps [from, to) of a row where its state is dropped; the runs count from `from`.
inline Index split(const Rows& rows, Index row, Index length, Index from, Index to, Run* runs) {
  const bool* resets = rows.resets ? rows.resets + row * length : nullptr;
  Index count = 0;
  for (Index start = from, stop; start < to; start = stop) {
    for (stop = start + 1; stop < to && !(resets && resets[stop]);) ++stop;
    const Index rest = stop - (stop - start) % kChunk;
    runs[count++] = {start - from, rest - from, stop - from, resets && resets[start]};
  }
  return count;
}

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
    H value{};
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      const Real* at = from + (channel * n + mode) * kParts;
      value.re[lane] = at[0];
      if constexpr (is_complex) value.im[lane] = at[1];
    });
    return value;
  }
  void scatter(Real* to, Index k, H value) const {
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      Real* at = to + (channel * n + mode) * kParts;
      at[0] = value.re[lane];
      if constexpr (is_complex) at[1] = value.im[lane];
    });
  }

  // The same for an array (n, parts, m) of real numbers, where a vector's lanes are neighbours.
  H recall(const Real* from, Index k) const {
    if (channels == kWidth) {
      const Real* at = from + k * kParts * m + first;
      if constexpr (is_complex)
        return {load<V>(at), load<V>(at + m)};
      else
        return {load<V>(at)};
    }
    H value{};
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      const Real* at = from + mode * kParts * m + channel;
      value.re[lane] = at[0];
      if constexpr (is_complex) value.im[lane] = at[m];
    });
    return value;
  }
  void prefetch(const Real* from, Index k) const {
    for (int part = 0; part < kParts; ++part)
      __builtin_prefetch(from + (k * kParts + part) * m + first);
  }
  void keep(Real* to, Index k, H value) const {
    if (channels == kWidth) {
      Real* at = to + k * kParts * m + first;
      store(at, value.re);
      if constexpr (is_complex) store(at + m, value.im);
      return;
    }
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      Real* at = to + mode * kParts * m + channel;
      at[0] = value.re[lane];
      if constexpr (is_complex) at[m] = value.im[lane];
    });
  }

  // One step of the tile's channels, from an array (m) to every lane that they feed, and back as
  // the sum of those lanes.
  V spread(const Real* from) const {
    if (channels == kWidth) return load<V>(from + first);
    V lanes{};
    for (Index lane = 0; lane < groups * channels; ++lane) lanes[lane] = from[first + lane % channels];
    return lanes;
  }
  void collect(V lanes, Real* to) const {
    if (channels == kWidth) return store(to + first, lanes);
    for (Index i = 0; i < channels; ++i) {
      Real sum = 0;
      for (Index group = 0; group < groups; ++group) sum += lanes[group * channels + i];
      to[first + i] = sum;
    }
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

// The coefficients of a tile, for chunks of kChunk steps and for single steps.
template <class T>
struct Table {
  using V = typename T::V;
  using H = typename T::H;

  Chunk<H, kChunk>* chunk;  // one for each mode, as are step and phase
  Chunk<H, 1>* step;
  H* phase;  // b / |b|
  V* K;      // kChunk

  void build(const T& tile, const typename T::Real* a, const typename T::Real* b,
             const typename T::Real* c) const {
    using Scalar = Mode<double, T::is_complex>;
    double kernel[kChunk][T::kWidth] = {};
    for (Index k = 0; k < tile.modes; ++k) {
      chunk[k] = Chunk<H, kChunk>{};
      step[k] = Chunk<H, 1>{};
      phase[k] = H{};
      tile.for_each_lane(k, [&](Index lane, Index channel, Index mode) {
        const auto get = [&](const typename T::Real* from) {
          const auto* at = from + (channel * tile.n + mode) * T::kParts;
          if constexpr (T::is_complex)
            return Scalar{at[0], at[1]};
          else
            return Scalar{at[0]};
        };
        const auto put = [&](H& to, Scalar value) {
          to.re[lane] = static_cast<typename T::Real>(value.re);
          if constexpr (T::is_complex) to.im[lane] = static_cast<typename T::Real>(value.im);
        };
        const Scalar base = get(a), input = get(b);
        Scalar turn{}, power{};
        power.re = turn.re = 1;
        Scalar e = input;
        if constexpr (T::is_complex) {
          const double size = std::hypot(input.re, input.im);
          if (size > 0) turn = {input.re / size, input.im / size};
          e = {size, 0};
        }
        const Scalar w = get(c) * turn * static_cast<double>(T::kParts);
        for (int j = 0; j < kChunk; ++j) {
          put(chunk[k].V[kChunk - 1 - j], power * e);
          kernel[j][lane] = madd_real(kernel[j][lane], w * power, e);
          power = power * base;
          put(chunk[k].W[j], w * power);
        }
        put(chunk[k].P, power);
        put(step[k].P, base);
        put(step[k].V[0], e);
        put(step[k].W[0], w * base);
        put(phase[k], turn);
      });
    }
    for (int d = 0; d < kChunk; ++d)
      for (int lane = 0; lane < T::kWidth; ++lane)
        K[d][lane] = static_cast<typename T::Real>(kernel[d][lane]);
  }
};

// One table for each tile.
template <class T>
class Tables {
 public:
  Tables(const SsmSize& size, const typename T::Real* a, const typename T::Real* b,
         const typename T::Real* c)
      : n_(size.n), tiles_(T::count(size)), chunk_(tiles_ * n_), step_(tiles_ * n_),
        phase_(tiles_ * n_), K_(tiles_ * kChunk) {
    parallel_for(tiles_, size.threads,
                 [&](Index i, int) { (*this)[i].build(T(size, i), a, b, c); });
  }
  Table<T> operator[](Index i) const {
    return {chunk_.data() + i * n_, step_.data() + i * n_, phase_.data() + i * n_,
            K_.data() + i * kChunk};
  }

 private:
  Index n_, tiles_;
  Buffer<Chunk<typename T::H, kChunk>> chunk_;
  Buffer<Chunk<typename T::H, 1>> step_;
  Buffer<typename T::H> phase_;
  Buffer<typename T::V> K_;
};

}  // namespace resolvent
