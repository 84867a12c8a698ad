// Backward in time with g, the gradient of the state. Over T steps with h before them and g after them:
//
//   gu_j  = Re(V_j^* g) + sum_{i >= j} K_{i-j} gy_i        gK_d = sum_j gy_{j+d} u_j
//   gP    = g h^*        gV_j = u_j g        gW_j = gy_j h^*
//   g'    = P^* g + sum_j W_j^* gy_j
//
// The states h are computed again, block by block, from those that the forward pass kept.

#include "diagonal_ssm.hpp"

namespace resolvent {
namespace {

// The states before each chunk.
template <int T, class H, class V>
inline H recompute(const Chunk<H, T>& coefficient, H h, const V* u, H* states, index chunks) {
  const Chunk<H, T> k = coefficient;
  for (index s = 0; s < chunks; ++s, u += T) {
    states[s] = h;
    H next = k.V[0] * u[0];
    for (int j = 1; j < T; ++j) next = madd(next, k.V[j], u[j]);
    h = madd(next, k.P, h);
  }
  return h;
}

// The gradients after each chunk, and the mode's share of gu; returns the gradient before the first chunk.
template <int T, class H, class V>
inline H retreat(const Chunk<H, T>& coefficient, H g, const V* gy, V* gu, H* gradients, index chunks) {
  const Chunk<H, T> k = coefficient;
  for (index s = chunks - 1; s >= 0; --s) {
    gradients[s] = g;
    H next = conj(k.W[0]) * gy[s * T];
    for (int j = 1; j < T; ++j) next = madd(next, conj(k.W[j]), gy[s * T + j]);
    for (int j = 0; j < T; ++j) gu[s * T + j] = madd_real(gu[s * T + j], conj(k.V[j]), g);
    g = madd(next, conj(k.P), g);
  }
  return g;
}

// Adds to the gradients of the coefficients.
template <int T, class H, class V>
inline void correlate(Chunk<H, T>& sum, const H* states, const H* gradients, const V* u, const V* gy, index chunks) {
  Chunk<H, T> k = sum;
  for (index s = 0; s < chunks; ++s, u += T, gy += T) {
    const H h = conj(states[s]), g = gradients[s];
    k.P = madd(k.P, g, h);
    for (int j = 0; j < T; ++j) k.V[j] = madd(k.V[j], g, u[j]);
    for (int j = 0; j < T; ++j) k.W[j] = madd(k.W[j], h, gy[j]);
  }
  sum = k;
}

// gu_j = sum_{i >= j} K_{i-j} gy_i and gK_d += sum_j gy_{j+d} u_j
template <int T, class V>
inline void convolve_back(const V* K, const V* u, const V* gy, V* gu, V* gK, index chunks) {
  V k[T];
  for (int d = 0; d < T; ++d) k[d] = gK[d];
  for (index s = 0; s < chunks; ++s, u += T, gy += T, gu += T)
    for (int j = 0; j < T; ++j) {
      V sum{};
      for (int i = j; i < T; ++i) {
        sum = sum + K[i - j] * gy[i];
        k[i - j] = k[i - j] + gy[i] * u[j];
      }
      gu[j] = sum;
    }
  for (int d = 0; d < T; ++d) gK[d] = k[d];
}

template <class H>
struct Gradient {
  H a{}, b{}, w{};
};

// From the gradients of P, V, W and K to those of a, b and w.
template <int T, class H, class V>
inline void pull_back(const Chunk<H, T>& g, const V* gK, H a, H b, H w, Gradient<H>& sum) {
  H power{V{} + 1}, slope{};  // a^j and its derivative j a^{j-1}
  for (int j = 0; j < T; ++j) {
    const H gV = g.V[T - 1 - j];
    sum.b = madd(sum.b, gV, conj(power));
    sum.a = madd(sum.a, gV, conj(b * slope));
    sum.w = madd(sum.w, conj(power * b), gK[j]);
    sum.b = madd(sum.b, conj(power * w), gK[j]);
    sum.a = madd(sum.a, conj(slope * (b * w)), gK[j]);
    slope = madd(power, a, slope);
    power = power * a;
    sum.w = madd(sum.w, g.W[j], conj(power));
    sum.a = madd(sum.a, g.W[j], conj(w * slope));
  }
  sum.a = madd(sum.a, g.P, conj(slope));
}

// Everything one thread needs for one tile.
template <class Real, bool is_complex>
struct Scratch {
  using H = typename Tile<Real, is_complex>::H;
  Buffer<H> g;                   // for each mode
  Buffer<Chunk<H, kChunk>> chunk;  // gradients of the coefficients of each mode
  Buffer<Chunk<H, 1>> step;
  explicit Scratch(index size) : g(size), chunk(size), step(size) {}
};

}  // namespace

template <class Real, bool is_complex>
void diagonal_ssm_backward(const SsmSize& size, const SsmBackward<Real>& array) {
  using T = Tile<Real, is_complex>;
  using V = typename T::V;
  using H = typename T::H;
  Tables<Real, is_complex> tables(size, array.a, array.b, array.c);
  Scratch<Real, is_complex> scratch(size.threads * size.n);
  const index tiles = T::count(size), blocks = (size.l - 1) / kBlock, parts = T::kParts;

  parallel_for(size.b * tiles, size.threads, [&](index item, int thread) {
    const index row = item / tiles;
    const T tile(size, item % tiles);
    const Table<Real, is_complex> table = tables.at(size, item % tiles);
    const index state = row * size.m * size.n * parts, series = row * size.l * size.m;
    const index stop = array.rows.stop(row, size.l);
    H* g = scratch.g.data() + thread * size.n;
    Chunk<H, kChunk>* chunk = scratch.chunk.data() + thread * size.n;
    Chunk<H, 1>* step = scratch.step.data() + thread * size.n;
    V u[kBlock], gy[kBlock], gu[kBlock], gK[kChunk] = {}, gK_step[1] = {};
    H states[kBlock], gradients[kBlock];
    Run runs[kBlock];

    for (index k = 0; k < tile.modes; ++k) {
      g[k] = array.gh_last ? tile.gather(array.gh_last + state, k) : H{};
      chunk[k] = Chunk<H, kChunk>{};
      step[k] = Chunk<H, 1>{};
    }
    tile.clear(size.l - stop, array.gu + series + stop * size.m);
    for (index from = (stop - 1) / kBlock * kBlock; from >= 0 && stop > 0; from -= kBlock) {
      const index to = std::min(from + kBlock, stop);
      const Real* before = array.h0 ? array.h0 + state : nullptr;
      if (from > 0)
        before = array.checkpoints + state * blocks + (from / kBlock - 1) * size.m * size.n * parts;
      tile.pack(array.u + series + from * size.m, to - from, u);
      tile.pack(array.gy + series + from * size.m, to - from, gy);
      const index count = split(array.rows, row, size.l, from, to, runs);
      for (index r = 0; r < count; ++r) {
        const index start = runs[r].start - from, rest = start + runs[r].chunks * kChunk;
        convolve_back<kChunk>(table.K, u + start, gy + start, gu + start, gK, runs[r].chunks);
        convolve_back<1>(table.K, u + rest, gy + rest, gu + rest, gK_step, runs[r].rest);
      }
      for (index k = 0; k < tile.modes; ++k) {
        H h = before ? tile.gather(before, k) : H{};
        for (index r = 0; r < count; ++r) {
          const index start = runs[r].start - from, rest = start + runs[r].chunks * kChunk;
          if (runs[r].fresh) h = H{};
          h = recompute(table.chunk[k], h, u + start, states + start, runs[r].chunks);
          h = recompute(table.step[k], h, u + rest, states + rest, runs[r].rest);
        }
        for (index r = count - 1; r >= 0; --r) {
          const index start = runs[r].start - from, rest = start + runs[r].chunks * kChunk;
          g[k] = retreat(table.step[k], g[k], gy + rest, gu + rest, gradients + rest, runs[r].rest);
          g[k] = retreat(table.chunk[k], g[k], gy + start, gu + start, gradients + start, runs[r].chunks);
          if (runs[r].fresh) g[k] = H{};
          correlate(chunk[k], states + start, gradients + start, u + start, gy + start, runs[r].chunks);
          correlate(step[k], states + rest, gradients + rest, u + rest, gy + rest, runs[r].rest);
        }
      }
      tile.unpack(gu, to - from, array.gu + series + from * size.m);
    }
    for (index k = 0; k < tile.modes; ++k) {
      const H a = tile.gather(array.a, k), b = tile.gather(array.b, k);
      const H w = tile.gather(array.c, k) * (V{} + parts);
      Gradient<H> sum;
      pull_back(chunk[k], gK, a, b, w, sum);
      pull_back(step[k], gK_step, a, b, w, sum);
      tile.scatter(array.ga + state, k, sum.a);
      tile.scatter(array.gb + state, k, sum.b);
      tile.scatter(array.gc + state, k, sum.w * (V{} + parts));
      tile.scatter(array.gh0 + state, k, g[k]);
    }
  });
}

template void diagonal_ssm_backward<float, false>(const SsmSize&, const SsmBackward<float>&);
template void diagonal_ssm_backward<float, true>(const SsmSize&, const SsmBackward<float>&);
template void diagonal_ssm_backward<double, false>(const SsmSize&, const SsmBackward<double>&);
template void diagonal_ssm_backward<double, true>(const SsmSize&, const SsmBackward<double>&);

}  // namespace resolvent
