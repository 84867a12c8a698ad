#include "mimo.hpp"

namespace resolvent {

template <class Real, bool is_complex>
void diagonal_mimo_forward(const MimoSize& size, const MimoForward<Real>& array) {
  const MimoLayout<Real, is_complex> layout(size);
  const MimoMaps<Real, is_complex> maps(layout, size, array.a, array.b, array.c);
  const Index numbers = layout.kParts * size.n, blocks = size.l > 0 ? (size.l - 1) / kBlock : 0;
  const Index longest = std::min(size.l, kBlock);
  const Index room = longest * (layout.stride + layout.outputs) + layout.states;
  const int threads = worthwhile(size.threads, size.b * size.l * numbers * (size.p + size.q));
  const Buffer<Real> scratch(threads * room);
  prefer_large_pages(array.y, size.b * size.l * size.q);

  parallel_for(size.b, threads, [&](Index row, int thread) {
    Real* const h = scratch.data() + thread * room;  // the states of a block
    Real* const y = h + longest * layout.stride;
    Real* const last = y + longest * layout.outputs;
    const Index stop = array.rows.stop(row, size.l);
    layout.widen(array.h0 ? array.h0 + row * numbers : nullptr, last);
    for (Index from = 0; from < stop; from += kBlock) {
      const Index steps = std::min(kBlock, stop - from), at = row * size.l + from;
      if (from > 0 && array.checkpoints)
        layout.narrow(last, array.checkpoints + (row * blocks + from / kBlock - 1) * numbers);
      const Real* u = array.u + at * size.p;
      multiply<false, Real>(steps, size.p, layout.states, {u, size.p}, maps.b(),
                            {h, layout.stride});
      layout.advance(maps.a(), array.rows.resets ? array.rows.resets + at : nullptr, steps, h, last);
      multiply<false, Real>(steps, layout.states, layout.outputs, {h, layout.stride}, maps.c(),
                            {y, layout.outputs});
      skip(y, layout.outputs, array.d, u, steps, size.q, array.y + at * size.q);
    }
    fill(array.y + (row * size.l + stop) * size.q, (size.l - stop) * size.q, Real{});
    layout.narrow(last, array.h_last + row * numbers);
  });
}

template void diagonal_mimo_forward<float, false>(const MimoSize&, const MimoForward<float>&);
template void diagonal_mimo_forward<float, true>(const MimoSize&, const MimoForward<float>&);
template void diagonal_mimo_forward<double, false>(const MimoSize&, const MimoForward<double>&);
template void diagonal_mimo_forward<double, true>(const MimoSize&, const MimoForward<double>&);

}  // namespace resolvent
