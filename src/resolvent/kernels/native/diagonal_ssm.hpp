// What the two passes of the diagonal state-space kernel share: the recurrence taken several steps at a time, and how modes
// are laid out over vector lanes.
//
//   h_t = a h_{t-1} + b u_t        y_t = Re sum_n w_n h_{t,n}        w = 2c where a is complex, else c
//
// Over T steps with the state h before them:
//
//   y_j = Re sum_n W_j h + sum_{i <= j} K_{j-i} u_i        W_j = w a^{j+1}        K_d = Re sum_n w a^d b
//   h'  = P h + sum_j V_j u_j                              P = a^T                V_j = a^{T-1-j} b
//
// which costs 4T + 4 real multiplications for each complex mode where T single steps cost 8T.
#pragma once

#include <algorithm>
#include <vector>

#include "diagonal.hpp"
#include "parallel.hpp"

namespace resolvent {

// Steps taken at once: as many as leave P, V and W in registers.
inline constexpr int kChunk = kRegisters >= 32 ? 4 : 2;
static_assert(kBlock % kChunk == 0);

// Coefficients of one mode over T steps; their gradients have the same shape.
template <class H, int T>
struct Chunk {
  H P, V[T], W[T];
};

// Steps [start, start + T * chunks + rest) of a row, which nothing interrupts: whole chunks first, then single steps.
struct Run {
  index start, chunks, rest;
  bool fresh;  // the state before the first step was dropped
};

// Splits steps [from, to) of a row where its state is dropped.
inline index split(const Rows& rows, index row, index length, index from, index to, Run* runs) {
  index count = 0;
  for (index start = from; start < to;) {
    const bool* resets = rows.resets ? rows.resets + row * length : nullptr;
    index stop = start + 1;
    while (stop < to && !(resets && resets[stop])) ++stop;
    runs[count++] = {start, (stop - start) / kChunk, (stop - start) % kChunk, resets && resets[start]};
    start = stop;
  }
  return count;
}

// The channels of one vector. Where there are fewer channels than lanes, the modes of a channel are dealt out to several
// lanes; so a lane is a system of its own with `modes` modes, fed by channel first + lane % channels.
template <class Real, bool is_complex>
struct Tile {
  static constexpr int kParts = is_complex ? 2 : 1;
  static constexpr int kWidth = kLanes<Real>;
  using V = Vector<Real>;
  using H = Mode<V, is_complex>;
  using Scalar = Mode<double, is_complex>;

  index first, channels, groups, modes;
  index features, states;  // m and n of the whole problem

  Tile(const SsmSize& size, index number) : first(number * kWidth), features(size.m), states(size.n) {
    channels = std::min<index>(kWidth, size.m - first);
    groups = std::max<index>(1, std::min<index>(kWidth / channels, size.n));
    modes = (size.n + groups - 1) / groups;
  }
  static index count(const SsmSize& size) { return (size.m + kWidth - 1) / kWidth; }

  // Calls body(lane, position in an (m, n) array) for the lanes that have a mode k.
  template <class Body>
  void for_each_lane(index k, const Body& body) const {
    for (index group = 0, lane = 0; group < groups; ++group) {
      const index n = group * modes + k;
      for (index i = 0; i < channels; ++i, ++lane)
        if (n < states) body(lane, (first + i) * states + n);
    }
  }

  // Mode k of every lane, from and to an array (m, n); lanes without such a mode are zero.
  H gather(const Real* from, index k) const {
    alignas(64) Real re[kWidth] = {}, im[kWidth] = {};
    for_each_lane(k, [&](index lane, index at) {
      re[lane] = from[at * kParts];
      if constexpr (is_complex) im[lane] = from[at * kParts + 1];
    });
    if constexpr (is_complex)
      return {load<V>(re), load<V>(im)};
    else
      return {load<V>(re)};
  }
  void scatter(Real* to, index k, H value) const {
    for_each_lane(k, [&](index lane, index at) {
      to[at * kParts] = value.re[lane];
      if constexpr (is_complex) to[at * kParts + 1] = value.im[lane];
    });
  }

  // Steps of the tile's channels from an array (steps, m): lane by lane; and back, summed over a channel's lanes.
  void pack(const Real* from, index steps, V* to) const {
    for (index t = 0; t < steps; ++t) {
      const Real* row = from + t * features + first;
      if (channels == kWidth) {
        to[t] = load<V>(row);
        continue;
      }
      V lanes{};
      for (index group = 0, lane = 0; group < groups; ++group)
        for (index i = 0; i < channels; ++i) lanes[lane++] = row[i];
      to[t] = lanes;
    }
  }
  void unpack(const V* from, index steps, Real* to) const {
    for (index t = 0; t < steps; ++t) {
      Real* row = to + t * features + first;
      if (channels == kWidth) {
        store(row, from[t]);
        continue;
      }
      for (index i = 0; i < channels; ++i) {
        Real sum = 0;
        for (index group = 0; group < groups; ++group) sum += from[t][group * channels + i];
        row[i] = sum;
      }
    }
  }
  void clear(index steps, Real* to) const {
    for (index t = 0; t < steps; ++t) std::fill_n(to + t * features + first, channels, Real(0));
  }
};

// The coefficients of a tile, for chunks of kChunk steps and for single steps.
template <class Real, bool is_complex>
struct Table {
  using T = Tile<Real, is_complex>;
  using V = typename T::V;
  using H = typename T::H;

  Chunk<H, kChunk>* chunk;  // one for each mode
  Chunk<H, 1>* step;
  V* K;  // kChunk

  void build(const T& tile, const Real* a, const Real* b, const Real* c) const {
    alignas(64) double kernel[kChunk][T::kWidth] = {};
    for (index k = 0; k < tile.modes; ++k) {
      Chunk<H, kChunk>& many = chunk[k];
      Chunk<H, 1>& one = step[k];
      many = Chunk<H, kChunk>{};
      one = Chunk<H, 1>{};
      tile.for_each_lane(k, [&](index lane, index at) {
        const auto scalar = [&](const Real* from) {
          if constexpr (is_complex)
            return typename T::Scalar{from[at * 2], from[at * 2 + 1]};
          else
            return typename T::Scalar{from[at]};
        };
        const auto put = [&](H& to, typename T::Scalar value) {
          to.re[lane] = static_cast<Real>(value.re);
          if constexpr (is_complex) to.im[lane] = static_cast<Real>(value.im);
        };
        const auto base = scalar(a), input = scalar(b), output = scalar(c) * static_cast<double>(T::kParts);
        typename T::Scalar power{1.0};
        for (int j = 0; j < kChunk; ++j) {
          kernel[j][lane] = madd_real(kernel[j][lane], output * power, input);
          put(many.V[kChunk - 1 - j], power * input);
          power = power * base;
          put(many.W[j], output * power);
        }
        put(many.P, power);
        put(one.P, base);
        put(one.V[0], input);
        put(one.W[0], output * base);
      });
    }
    for (int d = 0; d < kChunk; ++d)
      for (int lane = 0; lane < T::kWidth; ++lane) K[d][lane] = static_cast<Real>(kernel[d][lane]);
  }
};

// One table for each tile.
template <class Real, bool is_complex>
class Tables {
  using T = Tile<Real, is_complex>;
  using H = typename T::H;
  index tiles_;
  Buffer<Chunk<H, kChunk>> chunk_;
  Buffer<Chunk<H, 1>> step_;
  Buffer<typename T::V> K_;

 public:
  Tables(const SsmSize& size, const Real* a, const Real* b, const Real* c)
      : tiles_(T::count(size)), chunk_(tiles_ * size.n), step_(tiles_ * size.n), K_(tiles_ * kChunk) {
    parallel_for(tiles_, size.threads, [&](index i, int) { at(size, i).build(T(size, i), a, b, c); });
  }
  Table<Real, is_complex> at(const SsmSize& size, index i) {
    return {chunk_.data() + i * size.n, step_.data() + i * size.n, K_.data() + i * kChunk};
  }
};

// y_j = sum_{i <= j} K_{j-i} u_i within chunks of T steps
template <int T, class V>
inline void convolve(const V* K, const V* u, V* y, index chunks) {
  for (index s = 0; s < chunks; ++s, u += T, y += T)
    for (int j = 0; j < T; ++j) {
      V sum = K[0] * u[j];
      for (int i = 0; i < j; ++i) sum = sum + K[j - i] * u[i];
      y[j] = sum;
    }
}

}  // namespace resolvent
