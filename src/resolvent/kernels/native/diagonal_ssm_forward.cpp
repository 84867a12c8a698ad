#include "diagonal_ssm.hpp"

namespace resolvent {
namespace {

// Takes one mode of every lane through `chunks` chunks, adds its share to y, and returns the state after them.
template <int T, class H, class V>
inline H advance(const Chunk<H, T>& coefficient, H h, const V* u, V* y, index chunks) {
  const Chunk<H, T> k = coefficient;
  for (index s = 0; s < chunks; ++s, u += T, y += T) {
    H next = k.V[0] * u[0];
    for (int j = 1; j < T; ++j) next = madd(next, k.V[j], u[j]);
    for (int j = 0; j < T; ++j) y[j] = madd_real(y[j], k.W[j], h);
    h = madd(next, k.P, h);
  }
  return h;
}

}  // namespace

template <class Real, bool is_complex>
void diagonal_ssm_forward(const SsmSize& size, const SsmForward<Real>& array) {
  using T = Tile<Real, is_complex>;
  using V = typename T::V;
  using H = typename T::H;
  Tables<Real, is_complex> tables(size, array.a, array.b, array.c);
  Buffer<H> states(size.threads * size.n);
  const index tiles = T::count(size), blocks = (size.l - 1) / kBlock, parts = T::kParts;

  parallel_for(size.b * tiles, size.threads, [&](index item, int thread) {
    const index row = item / tiles;
    const T tile(size, item % tiles);
    const Table<Real, is_complex> table = tables.at(size, item % tiles);
    const index state = row * size.m * size.n * parts, series = row * size.l * size.m;
    const index stop = array.rows.stop(row, size.l);
    H* h = states.data() + thread * size.n;
    V u[kBlock], y[kBlock];
    Run runs[kBlock];

    for (index k = 0; k < tile.modes; ++k) h[k] = array.h0 ? tile.gather(array.h0 + state, k) : H{};
    for (index from = 0; from < stop; from += kBlock) {
      if (array.checkpoints && from > 0)
        for (index k = 0; k < tile.modes; ++k)
          tile.scatter(array.checkpoints + state * blocks + (from / kBlock - 1) * size.m * size.n * parts, k, h[k]);
      const index to = std::min(from + kBlock, stop);
      tile.pack(array.u + series + from * size.m, to - from, u);
      const index count = split(array.rows, row, size.l, from, to, runs);
      for (index r = 0; r < count; ++r) {
        const Run run = runs[r];
        const index start = run.start - from, rest = start + run.chunks * kChunk;
        convolve<kChunk>(table.K, u + start, y + start, run.chunks);
        convolve<1>(table.K, u + rest, y + rest, run.rest);
        for (index k = 0; k < tile.modes; ++k) {
          if (run.fresh) h[k] = H{};
          h[k] = advance(table.chunk[k], h[k], u + start, y + start, run.chunks);
          h[k] = advance(table.step[k], h[k], u + rest, y + rest, run.rest);
        }
      }
      tile.unpack(y, to - from, array.y + series + from * size.m);
    }
    tile.clear(size.l - stop, array.y + series + stop * size.m);
    for (index k = 0; k < tile.modes; ++k) tile.scatter(array.h_last + state, k, h[k]);
  });
}

template void diagonal_ssm_forward<float, false>(const SsmSize&, const SsmForward<float>&);
template void diagonal_ssm_forward<float, true>(const SsmSize&, const SsmForward<float>&);
template void diagonal_ssm_forward<double, false>(const SsmSize&, const SsmForward<double>&);
template void diagonal_ssm_forward<double, true>(const SsmSize&, const SsmForward<double>&);

}  // namespace resolvent
