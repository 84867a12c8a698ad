// One step of the system with dense maps, with nothing to prepare: what streaming runs. Here the
// real and the imaginary part of a mode are neighbours, in a, in states, in the columns of B and in
// the rows of C.

#include "mimo.hpp"

namespace resolvent {
namespace {

// to_j = sum_i w_i from_ij for some vectors of columns, whose sums do not wait for each other
template <class V, int vectors, class Real>
inline void combine_columns(Index rows, Index columns, const Real* w, const Real* from, Real* to) {
  constexpr Index kWidth = sizeof(V) / sizeof(Real);
  V sum[vectors] = {};
  for (Index i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v)
      sum[v] = sum[v] + w[i] * load<V>(from + i * columns + v * kWidth);
  for (int v = 0; v < vectors; ++v) store(to + v * kWidth, sum[v]);
}

template <class Real>
inline void combine(Index rows, Index columns, const Real* w, const Real* from, Real* to) {
  constexpr Index kMany = 8, kWide = kMany * kLanes<Real>;
  Index j = 0;
  for (; columns - j >= kWide; j += kWide)
    combine_columns<Vector<Real>, kMany>(rows, columns, w, from + j, to + j);
  cover<kLanes<Real>>(j, columns, [=](Index k, auto lanes) {
    combine_columns<Vector<Real, lanes.value>, 1>(rows, columns, w, from + k, to + k);
  });
}

}  // namespace

template <class Real, bool is_complex>
void diagonal_mimo_step(const MimoSize& size, const MimoForward<Real>& array) {
  constexpr Index kParts = is_complex ? 2 : 1;
  const Index states = kParts * size.n;
  const int threads = worthwhile(size.threads, size.b * states * (size.p + size.q));
  parallel_for(size.b, threads, [&](Index row, int) {
    const Real *u = array.u + row * size.p, *before = array.h0 + row * states;
    Real *h = array.h_last + row * states, *y = array.y + row * size.q;
    combine(size.p, states, u, array.b, h);
    cover<kLanes<Real>>(0, size.n, [&](Index mode, auto lanes) {
      constexpr int n = decltype(lanes)::value;
      const Index k = mode * kParts;
      const auto at = [](const Real* from) { return load_modes<Real, is_complex, n>(from); };
      store_modes<Real, is_complex, n>(h + k, madd(at(h + k), at(array.a + k), at(before + k)));
    });
    combine(states, size.q, h, array.c, y);
    for (Index i = 0; i < size.q && array.d; ++i) y[i] += array.d[i] * u[i];
  });
}

template void diagonal_mimo_step<float, false>(const MimoSize&, const MimoForward<float>&);
template void diagonal_mimo_step<float, true>(const MimoSize&, const MimoForward<float>&);
template void diagonal_mimo_step<double, false>(const MimoSize&, const MimoForward<double>&);
template void diagonal_mimo_step<double, true>(const MimoSize&, const MimoForward<double>&);

}  // namespace resolvent
