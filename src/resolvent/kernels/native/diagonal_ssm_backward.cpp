// Backward in time with g, the gradient of the state. Over T steps, with s before and g after them:
//
//   gu_j = Re(V_j^* g) + sum_{i >= j} K_{i-j} gy_i      gK_d = sum_j gy_{j+d} u_j
//   gP   = g s^*      gV_j = u_j g      gW_j = gy_j s^*
//   g'   = P^* g + sum_j W_j^* gy_j
//
// The states s are computed again, block by block, from those that the forward pass kept.

#include "diagonal_ssm.hpp"

namespace resolvent {
namespace {

// gu_j = sum_{i >= j} K_{i-j} gy_i within chunks of T steps, and gK_d += sum_j gy_{j+d} u_j
template <int T, class V>
inline void convolve(const V* K, const V* u, const V* gy, V* gu, V* gK, Index first, Index last) {
  V total[T];
  for (int d = 0; d < T; ++d) total[d] = gK[d];
  for (Index t = first; t < last; t += T)
    for (int j = 0; j < T; ++j) {
      V sum{};
      for (int i = j; i < T; ++i) {
        sum = sum + K[i - j] * gy[t + i];
        total[i - j] = total[i - j] + gy[t + i] * u[t + j];
      }
      gu[t + j] = sum;
    }
  for (int d = 0; d < T; ++d) gK[d] = total[d];
}

// The states before each chunk of steps [first, last), from states[first] on; returns that after
// the last one.
template <int T, class H, class V>
inline H recompute(const Chunk<H, T>& coefficients, H s, const V* u, H* states, Index first,
                   Index last) {
  const Chunk<H, T> k = coefficients;
  for (Index t = first; t < last; t += T) {
    states[first + (t - first) / T] = s;
    s = madd(push(k, u + t), k.P, s);
  }
  return s;
}

// The gradients after each chunk, and the mode's share of gu; returns that before the first one.
template <int T, class H, class V>
inline H retreat(const Chunk<H, T>& coefficients, H g, const V* gy, V* gu, H* gradients,
                 Index first, Index last) {
  const Chunk<H, T> k = coefficients;
  for (Index t = last - T; t >= first; t -= T) {
    gradients[first + (t - first) / T] = g;
    for (int j = 0; j < T - 1; ++j) gu[t + j] = madd_real(gu[t + j], conj(k.V[j]), g);
    gu[t + T - 1] = gu[t + T - 1] + k.V[T - 1].re * g.re;
    H sum{};
    for (int j = 0; j < T; ++j) sum = madd(sum, conj(k.W[j]), gy[t + j]);
    g = madd(sum, conj(k.P), g);
  }
  return g;
}

// Adds to the gradients of the coefficients.
template <int T, class H, class V>
inline void correlate(Chunk<H, T>& total, const H* states, const H* gradients, const V* u,
                      const V* gy, Index first, Index last) {
  Chunk<H, T> sum = total;
  for (Index t = first; t < last; t += T) {
    const Index chunk = first + (t - first) / T;
    const H s = conj(states[chunk]), g = gradients[chunk];
    sum.P = madd(sum.P, g, s);
    for (int j = 0; j < T; ++j) sum.V[j] = madd(sum.V[j], g, u[t + j]);
    for (int j = 0; j < T; ++j) sum.W[j] = madd(sum.W[j], s, gy[t + j]);
  }
  total = sum;
}

template <class H>
struct Gradient {
  H a{}, e{}, w{};
};

// From the gradients of P, V, W and K to those of a, e and w.
template <int T, class H, class V>
inline void pull_back(const Chunk<H, T>& g, const V* gK, H a, H e, H w, Gradient<H>& sum) {
  H power{}, slope{};  // a^j and its derivative j a^{j-1}
  power.re = V{} + 1;
  for (int j = 0; j < T; ++j) {
    const H gV = g.V[T - 1 - j];
    sum.e = madd(sum.e, gV, conj(power));
    sum.a = madd(sum.a, gV, conj(e * slope));
    sum.w = madd(sum.w, conj(power * e), gK[j]);
    sum.e = madd(sum.e, conj(power * w), gK[j]);
    sum.a = madd(sum.a, conj(slope * (e * w)), gK[j]);
    slope = madd(power, a, slope);
    power = power * a;
    sum.w = madd(sum.w, g.W[j], conj(power));
    sum.a = madd(sum.a, g.W[j], conj(w * slope));
  }
  sum.a = madd(sum.a, g.P, conj(slope));
}

// What one thread sums up over the steps of a tile, for each mode.
template <class T>
struct Totals {
  typename T::H* g;
  Chunk<typename T::H, kChunk>* chunk;
  Chunk<typename T::H, 1>* step;
  typename T::V gK[kChunk], gK_step[1];
};

}  // namespace

template <class Real, bool is_complex>
void diagonal_ssm_backward(const SsmSize& size, const SsmBackward<Real>& array) {
  using T = Tile<Real, is_complex>;
  using V = typename T::V;
  using H = typename T::H;
  const Tables<T> tables(size, array.a, array.b, array.c);
  const Buffer<H> g_all(size.threads * size.n);
  const Buffer<Chunk<H, kChunk>> chunk_all(size.threads * size.n);
  const Buffer<Chunk<H, 1>> step_all(size.threads * size.n);
  const Index tiles = T::count(size), numbers = size.m * size.n * T::kParts;
  const Index blocks = (size.l - 1) / kBlock;

  parallel_for(size.b * tiles, size.threads, [&](Index item, int thread) {
    const Index row = item / tiles, stop = array.rows.stop(row, size.l);
    const T tile(size, item % tiles);
    const Table<T> table = tables[item % tiles];
    const Index series = row * size.l * size.m;
    H* g = g_all.data() + thread * size.n;
    Chunk<H, kChunk>* chunk = chunk_all.data() + thread * size.n;
    Chunk<H, 1>* step = step_all.data() + thread * size.n;
    V gK[kChunk] = {}, gK_step[1] = {};
    Window<T, const Real*> inputs(tile, array.u + series, stop, -1);
    Window<T, const Real*> output_gradients(tile, array.gy + series, stop, -1);
    Window<T, Real*> input_gradients(tile, array.gu + series, stop, -1);
    H states[kBlock], gradients[kBlock];
    Run runs[kBlock];

    for (Index k = 0; k < tile.modes; ++k) {
      const H turn = conj(table.phase[k]);
      g[k] = array.gh_last ? tile.gather(array.gh_last + row * numbers, k) * turn : H{};
      chunk[k] = Chunk<H, kChunk>{};
      step[k] = Chunk<H, 1>{};
    }
    const Index last_block = stop > 0 ? (stop - 1) / kBlock * kBlock : -kBlock;
    inputs.read(last_block, 0, kBlock);
    output_gradients.read(last_block, 0, kBlock);
    for (Index from = last_block; from >= 0; from -= kBlock) {
      const V *u = inputs.block(from), *gy = output_gradients.block(from);
      V* gu = input_gradients.block(from);
      const Index count = split(array.rows, row, size.l, from, std::min(from + kBlock, stop), runs);
      for (const Run* run = runs; run < runs + count; ++run) {
        convolve<kChunk>(table.K, u, gy, gu, gK, run->start, run->rest);
        convolve<1>(table.K, u, gy, gu, gK_step, run->rest, run->stop);
      }
      const Real* checkpoint = array.checkpoints + (row * blocks + from / kBlock - 1) * numbers;
      for (Index k = 0; k < tile.modes; ++k) {
        const Index first = k * kBlock / tile.modes, last = (k + 1) * kBlock / tile.modes;
        inputs.read(from - kBlock, first, last);
        output_gradients.read(from - kBlock, first, last);
        input_gradients.write(from + kBlock, first, last);
        H s{};
        if (from > kBlock) tile.prefetch(checkpoint - numbers, k);
        if (from > 0)
          s = tile.recall(checkpoint, k);
        else if (array.h0)
          s = tile.gather(array.h0 + row * numbers, k) * conj(table.phase[k]);
        for (const Run* run = runs; run < runs + count; ++run) {
          if (run->fresh) s = H{};
          s = recompute(table.chunk[k], s, u, states, run->start, run->rest);
          if (run->rest < run->stop)
            s = recompute(table.step[k], s, u, states, run->rest, run->stop);
        }
        H gradient = g[k];
        for (const Run* run = runs + count - 1; run >= runs; --run) {
          if (run->rest < run->stop) {
            gradient = retreat(table.step[k], gradient, gy, gu, gradients, run->rest, run->stop);
            correlate(step[k], states, gradients, u, gy, run->rest, run->stop);
          }
          gradient = retreat(table.chunk[k], gradient, gy, gu, gradients, run->start, run->rest);
          correlate(chunk[k], states, gradients, u, gy, run->start, run->rest);
          if (run->fresh) gradient = H{};
        }
        g[k] = gradient;
      }
    }
    input_gradients.write(stop > 0 ? 0 : -kBlock, 0, kBlock);
    for (Index t = stop; t < size.l; ++t) tile.collect(V{}, array.gu + series + t * size.m);
    for (Index k = 0; k < tile.modes; ++k) {
      const H phase = table.phase[k], w = tile.gather(array.c, k) * phase * (V{} + T::kParts);
      const H e = tile.gather(array.b, k) * conj(phase);
      Gradient<H> sum;
      pull_back(chunk[k], gK, tile.gather(array.a, k), e, w, sum);
      pull_back(step[k], gK_step, tile.gather(array.a, k), e, w, sum);
      tile.scatter(array.ga + row * numbers, k, sum.a);
      tile.scatter(array.gb + row * numbers, k, sum.e * phase);
      tile.scatter(array.gc + row * numbers, k, sum.w * conj(phase) * (V{} + T::kParts));
      tile.scatter(array.gh0 + row * numbers, k, g[k] * phase);
    }
  });
}

template void diagonal_ssm_backward<float, false>(const SsmSize&, const SsmBackward<float>&);
template void diagonal_ssm_backward<float, true>(const SsmSize&, const SsmBackward<float>&);
template void diagonal_ssm_backward<double, false>(const SsmSize&, const SsmBackward<double>&);
template void diagonal_ssm_backward<double, true>(const SsmSize&, const SsmBackward<double>&);

}  // namespace resolvent
