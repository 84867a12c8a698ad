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

// Steps taken at once: measured best on machines of 16 and of 32 vector registers.
inline constexpr int kChunk = 4;
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
    Lanes lanes{};
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        lanes[part][lane] = from[(channel * n + mode) * kParts + part];
    });
    return join(lanes);
  }
  void scatter(Real* to, Index k, H value) const {
    Lanes lanes;
    part(value, lanes);
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        to[(channel * n + mode) * kParts + part] = lanes[part][lane];
    });
  }

  // The same for an array (n, parts, m) of real numbers, where a vector's lanes are neighbours.
  H recall(const Real* from, Index k) const {
    const Real* at = from + k * kParts * m + first;
    if constexpr (is_complex) {
      if (channels == kWidth) return {load<V>(at), load<V>(at + m)};
    } else {
      if (channels == kWidth) return {load<V>(at)};
    }
    Lanes lanes{};
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        lanes[part][lane] = from[(mode * kParts + part) * m + channel];
    });
    return join(lanes);
  }
  void keep(Real* to, Index k, H value) const {
    if (channels == kWidth) {
      Real* at = to + k * kParts * m + first;
      store(at, value.re);
      if constexpr (is_complex) store(at + m, value.im);
      return;
    }
    Lanes lanes;
    part(value, lanes);
    for_each_lane(k, [&](Index lane, Index channel, Index mode) {
      for (int part = 0; part < kParts; ++part)
        to[(mode * kParts + part) * m + channel] = lanes[part][lane];
    });
  }
  void prefetch(const Real* from, Index k) const {
    for (int part = 0; part < kParts; ++part)
      __builtin_prefetch(from + (k * kParts + part) * m + first);
  }

  // One step of the tile's channels, from an array (m) to every lane that they feed, and back as
  // the sum of those lanes.
  V spread(const Real* from) const {
    if (channels == kWidth) return load<V>(from + first);
    Lanes lanes{};
    for (Index group = 0; group < groups; ++group)
      for (Index i = 0; i < channels; ++i) lanes[0][group * channels + i] = from[first + i];
    return load<V>(lanes[0]);
  }
  void collect(V value, Real* to) const {
    if (channels == kWidth) return store(to + first, value);
    Lanes lanes;
    store(lanes[0], value);
    for (Index group = 1; group < groups; ++group)
      for (Index i = 0; i < channels; ++i) lanes[0][i] += lanes[0][group * channels + i];
    std::copy_n(lanes[0], channels, to + first);
  }

 private:
  using Lanes = Real[kParts][kWidth];
  static H join(const Lanes& lanes) {
    if constexpr (is_complex)
      return {load<V>(lanes[0]), load<V>(lanes[1])};
    else
      return {load<V>(lanes[0])};
  }
  static void part(H value, Lanes& lanes) {
    store(lanes[0], value.re);
    if constexpr (is_complex) store(lanes[1], value.im);
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

// The coefficients of a tile, for chunks of kChunk steps and for single steps; all but K have one
// entry for each mode.
template <class T>
struct Table {
  using Real = typename T::Real;
  using V = typename T::V;
  using H = typename T::H;

  Chunk<H, kChunk>* chunk;
  Chunk<H, 1>* step;
  H* phase;  // b / |b|
  H* drift;  // a^T / P - 1: what rounding took from P
  V* K;      // kChunk

  void build(const T& tile, const Real* a, const Real* b, const Real* c) const {
    D kernel[kChunk] = {};
    for (Index k = 0; k < tile.modes; ++k) {
      const Exact base = exact(tile.gather(a, k)), input = exact(tile.gather(b, k));
      const Exact turn = direction(input);
      const D e = madd_real(D{}, input, conj(turn));
      const Exact w = exact(tile.gather(c, k)) * turn * (D{} + T::kParts);
      Exact power{};
      power.re = D{} + 1;
      for (int j = 0; j < kChunk; ++j) {
        kernel[j] = kernel[j] + (w * power).re * e;
        chunk[k].V[kChunk - 1 - j] = rounded(power * e);
        power = power * base;
        chunk[k].W[j] = rounded(w * power);
      }
      chunk[k].P = rounded(power);
      drift[k] = rounded(relative_difference(power, exact(chunk[k].P)));
      step[k] = {rounded(base), {chunk[k].V[kChunk - 1]}, {chunk[k].W[0]}};
      phase[k] = rounded(turn);
    }
    for (int d = 0; d < kChunk; ++d) K[d] = __builtin_convertvector(kernel[d], V);
  }

  // The state before `chunks` chunks, with the bits that rounded powers will lose of it. Without
  // this, the error of a slow mode would grow with its memory, not with the root of it.
  H compensated(H s, Index k, Index chunks) const {
    return madd(s, drift[k] * (V{} + static_cast<Real>(chunks)), s);
  }

 private:
  using D = Vector<double, T::kWidth>;
  using Exact = Mode<D, T::is_complex>;

  static Exact exact(H x) {
    Exact y;
    y.re = __builtin_convertvector(x.re, D);
    if constexpr (T::is_complex) y.im = __builtin_convertvector(x.im, D);
    return y;
  }
  static H rounded(Exact x) {
    H y;
    y.re = __builtin_convertvector(x.re, V);
    if constexpr (T::is_complex) y.im = __builtin_convertvector(x.im, V);
    return y;
  }
  // The turn b / |b|, or 1 where b is 0 or real.
  static Exact direction(Exact b) {
    Exact turn{};
    turn.re = D{} + 1;
    if constexpr (T::is_complex) {
      double re[T::kWidth], im[T::kWidth];
      for (int lane = 0; lane < T::kWidth; ++lane) {
        const double largest = std::max(std::abs(b.re[lane]), std::abs(b.im[lane]));
        const double scale = largest > 0 ? 1 / largest : 0;
        re[lane] = largest > 0 ? b.re[lane] * scale : 1;
        im[lane] = b.im[lane] * scale;
        const double size = std::sqrt(re[lane] * re[lane] + im[lane] * im[lane]);
        re[lane] /= size;
        im[lane] /= size;
      }
      turn = {load<D>(re), load<D>(im)};
    }
    return turn;
  }
  // x / y - 1, or 0 where y is too small to matter
  static Exact relative_difference(Exact x, Exact y) {
    Exact difference = x;
    difference.re = x.re - y.re;
    if constexpr (T::is_complex) difference.im = x.im - y.im;
    const D square = madd_real(D{}, y, conj(y));
    return difference * conj(y) * (square > 1e-200 ? 1 / square : D{});
  }
};

// One table for each tile.
template <class T>
class Tables {
 public:
  Tables(const SsmSize& size, const typename T::Real* a, const typename T::Real* b,
         const typename T::Real* c)
      : n_(size.n), tiles_(T::count(size)), chunk_(tiles_ * n_), step_(tiles_ * n_),
        phase_(tiles_ * n_), drift_(tiles_ * n_), K_(tiles_ * kChunk) {
    parallel_for(tiles_, size.threads,
                 [&](Index i, int) { (*this)[i].build(T(size, i), a, b, c); });
  }
  Table<T> operator[](Index i) const {
    return {chunk_.data() + i * n_, step_.data() + i * n_, phase_.data() + i * n_,
            drift_.data() + i * n_, K_.data() + i * kChunk};
  }

 private:
  Index n_, tiles_;
  Buffer<Chunk<typename T::H, kChunk>> chunk_;
  Buffer<Chunk<typename T::H, 1>> step_;
  Buffer<typename T::H> phase_, drift_;
  Buffer<typename T::V> K_;
};

}  // namespace resolvent
