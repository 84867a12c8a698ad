#include "diagonal_ssm.hpp"

namespace resolvent {
namespace {

// y_j = sum_{i <= j} K_{j-i} u_i within chunks of T steps
template <int T, class V>
inline void convolve(const V* K, const V* u, V* y, Index first, Index last) {
  for (Index t = first; t < last; t += T)
    for (int j = 0; j < T; ++j) {
      V sum = K[0] * u[t + j];
      for (int i = 0; i < j; ++i) sum = sum + K[j - i] * u[t + i];
      y[t + j] = sum;
    }
}

// Takes one mode of every lane through steps [first, last), adds its share to y, and returns the
// state after them.
template <int T, class H, class V>
inline H respond(const Chunk<H, T>& coefficients, H s, const V* u, V* y, Index first, Index last) {
  const Chunk<H, T> k = coefficients;
  for (Index t = first; t < last; t += T) {
    const H pushed = push(k, u + t);
    for (int j = 0; j < T; ++j) y[t + j] = madd_real(y[t + j], k.W[j], s);
    s = carry(pushed, k.P, s);
  }
  return s;
}

}  // namespace

template <class Real, bool is_complex>
void diagonal_ssm_forward(const SsmSize& size, const SsmForward<Real>& array) {
  if (size.l <= kShort) return diagonal_ssm_short<Real, is_complex>(size, array);
  using T = Tile<Real, is_complex>;
  using V = typename T::V;
  using H = typename T::H;
  const Tables<T> tables(size, array.a, array.b, array.c, array.d);
  const Buffer<H> states(size.threads * size.n);
  const Index tiles = T::count(size), numbers = size.m * size.n * T::kParts;
  const Index blocks = (size.l - 1) / kBlock;
  prefer_large_pages(array.y, size.b * size.l * size.m);
  prefer_large_pages(array.checkpoints, size.b * blocks * numbers);

  parallel_for(size.b * tiles, size.threads, [&](Index item, int thread) {
    const Index row = item / tiles, stop = array.rows.stop(row, size.l);
    const T tile(size, item % tiles);
    const Table<T> table = tables[item % tiles];
    H* s = states.data() + thread * size.n;
    Window<T, const Real*> inputs(tile, array.u + row * size.l * size.m, stop, +1);
    Window<T, Real*> outputs(tile, array.y + row * size.l * size.m, stop, +1);
    Run runs[kBlock];

    for (Index k = 0; k < tile.modes; ++k)
      s[k] = array.h0 ? tile.gather(array.h0 + row * numbers, k) * conj(table.phase[k]) : H{};
    inputs.read(0, 0, kBlock);
    for (Index from = 0; from < stop; from += kBlock) {
      const V* u = inputs.block(from);
      V* y = outputs.block(from);
      const Index count = split(array.rows, row, size.l, from, std::min(from + kBlock, stop), runs);
      for (const Run* run = runs; run < runs + count; ++run) {
        convolve<kChunk>(table.K, u, y, run->start, run->rest);
        convolve<1>(table.K, u, y, run->rest, run->stop);
      }
      const Index checkpoint = (row * blocks + from / kBlock - 1) * numbers;
      const auto copy = [&](Index first, Index last) {
        inputs.read(from + kBlock, first, last);
        outputs.write(from - kBlock, first, last);
      };
      if (!tile.modes) copy(0, kBlock);
      for (Index k = 0; k < tile.modes; ++k) {
        copy(k * kBlock / tile.modes, (k + 1) * kBlock / tile.modes);
        if (array.checkpoints && from > 0) tile.keep(array.checkpoints + checkpoint, k, s[k]);
        H state = s[k];
        for (const Run* run = runs; run < runs + count; ++run) {
          if (run->fresh) state = H{};
          state = table.compensated(state, k, (run->rest - run->start) / kChunk);
          state = respond(table.chunk[k], state, u, y, run->start, run->rest);
          if (run->rest < run->stop)
            state = respond(table.step[k], state, u, y, run->rest, run->stop);
        }
        s[k] = state;
      }
    }
    if (stop > 0) outputs.write((stop - 1) / kBlock * kBlock, 0, kBlock);
    for (Index t = stop; t < size.l; ++t)
      tile.collect(V{}, array.y + (row * size.l + t) * size.m);
    for (Index k = 0; k < tile.modes; ++k)
      tile.scatter(array.h_last + row * numbers, k, s[k] * table.phase[k]);
  });
}

template void diagonal_ssm_forward<float, false>(const SsmSize&, const SsmForward<float>&);
template void diagonal_ssm_forward<float, true>(const SsmSize&, const SsmForward<float>&);
template void diagonal_ssm_forward<double, false>(const SsmSize&, const SsmForward<double>&);
template void diagonal_ssm_forward<double, true>(const SsmSize&, const SsmForward<double>&);

}  // namespace resolvent
