// What the two passes of the diagonal state-space kernel share: several steps taken at once.
//
//   h_t = a h_{t-1} + b u_t      y_t = Re sum_n w_n h_{t,n} + d u_t
//
// with w = 2c where a is complex, else c.
//
// A state turned by the phase of b, h = (b / |b|) s, has a real input coefficient e = |b|. Over T
// steps, with the state s before them and w turned likewise:
//
//   y_j = Re sum_n W_j s + sum_{i <= j} K_{j-i} u_i     W_j = w a^{j+1}    K_d = Re sum_n w a^d e
//   s'  = P s + sum_j V_j u_j                           P = a^T            V_j = a^{T-1-j} e
//
// which is 4T + 3 real multiplications for each complex mode where T single steps are 8T. K_0 takes d
// in, which so costs nothing.
#pragma once

#include <algorithm>
#include <cmath>

#include "memory.hpp"
#include "parallel.hpp"
#include "tile.hpp"

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
  sum.re = sum.re + k.V[T - 1].re * u[T - 1];
  return sum;
}

// sum + P s, for a state. What turns it is added before what keeps it, so that a slow mode, which keeps
// most and remembers every rounding, is rounded about once.
template <class V, bool is_complex>
inline Mode<V, is_complex> carry(Mode<V, is_complex> sum, Mode<V, is_complex> P,
                                 Mode<V, is_complex> s) {
  if constexpr (is_complex) {
    sum.re = sum.re - P.im * s.im;
    sum.im = sum.im + P.im * s.re;
    sum.im = sum.im + P.re * s.im;
  }
  sum.re = sum.re + P.re * s.re;
  return sum;
}

// Steps [start, rest) in whole chunks, then [rest, stop) one by one; nothing interrupts them.
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

  void build(const T& tile, const Real* a, const Real* b, const Real* c, const Real* d) const {
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
    if (d) kernel[0] = kernel[0] + __builtin_convertvector(tile.first_lanes(d), D);
    for (int j = 0; j < kChunk; ++j) K[j] = __builtin_convertvector(kernel[j], V);
  }

  // The state before `chunks` chunks, with the bits that rounded powers will lose of it. Without
  // this, the error of a slow mode would grow with its memory, not with the root of it.
  H compensated(H s, Index k, Index chunks) const {
    return s + s * (drift[k] * (V{} + static_cast<Real>(chunks)));
  }

 private:
  using D = Vector<double, T::kWidth>;
  using Exact = Mode<D, T::is_complex>;

  static Exact exact(H x) { return convert<D>(x); }
  static H rounded(Exact x) { return convert<V>(x); }
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
    const D square = madd_real(D{}, y, conj(y));
    return (x - y) * conj(y) * (square > 1e-20 ? 1 / square : D{});
  }
};

// One table for each tile.
template <class T>
class Tables {
 public:
  Tables(const SsmSize& size, const typename T::Real* a, const typename T::Real* b,
         const typename T::Real* c, const typename T::Real* d)
      : n_(size.n), tiles_(T::count(size)), chunk_(tiles_ * n_), step_(tiles_ * n_),
        phase_(tiles_ * n_), drift_(tiles_ * n_), K_(tiles_ * kChunk) {
    parallel_for(tiles_, size.threads,
                 [&](Index i, int) { (*this)[i].build(T(size, i), a, b, c, d); });
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
