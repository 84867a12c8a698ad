// h_t = a_t h_{t-1} + x_t, one vector lane for each mode n, and its gradient:
//
//   g_t = gh_t + conj(a_{t+1}) g_{t+1}        gx_t = g_t        ga_t = g_t conj(h_{t-1})
//
// Both passes read and write every number once: memory bandwidth is their limit.

#include "diagonal.hpp"
#include "parallel.hpp"

namespace resolvent {
namespace {

template <class Real, bool is_complex>
struct Scan {
  static constexpr Index kParts = is_complex ? 2 : 1;
  ScanSize size;

  // The columns [column, column + lanes) of one row.
  template <int lanes>
  void forward(const ScanForward<Real>& array, Index row, Index column) const {
    using H = Mode<Vector<Real, lanes>, is_complex>;
    const auto at = [](auto* from) { return load_modes<Real, is_complex, lanes>(from); };
    const Index stop = array.rows.stop(row, size.l);
    const Real* a = array.a + (row * size.a_row + column) * kParts;
    const Index first = (row * size.l * size.n + column) * kParts, step = size.n * kParts;
    const Index state = (row * size.n + column) * kParts;

    H h = array.h0 ? at(array.h0 + state) : H{};
    H decay = size.a_step ? H{} : at(a);
    for (Index t = 0; t < stop; ++t) {
      if (size.a_step) decay = at(a + t * size.a_step * kParts);
      if (array.rows.resets && array.rows.resets[row * size.l + t]) h = H{};
      h = madd(at(array.x + first + t * step), decay, h);
      store_modes<Real, is_complex, lanes>(array.h + first + t * step, h);
    }
    for (Index t = stop; t < size.l; ++t) store_modes<Real, is_complex, lanes>(array.h + first + t * step, H{});
    store_modes<Real, is_complex, lanes>(array.h_last + state, h);
  }

  template <int lanes>
  void backward(const ScanBackward<Real>& array, Index row, Index column) const {
    using H = Mode<Vector<Real, lanes>, is_complex>;
    const auto at = [](auto* from) { return load_modes<Real, is_complex, lanes>(from); };
    const auto put = [](Real* to, H value) { store_modes<Real, is_complex, lanes>(to, value); };
    const Index stop = array.rows.stop(row, size.l);
    const Real* a = array.a + (row * size.a_row + column) * kParts;
    const Index first = (row * size.l * size.n + column) * kParts, step = size.n * kParts;
    const Index state = (row * size.n + column) * kParts;

    const H h0 = array.h0 ? at(array.h0 + state) : H{};
    H g = array.gh_last ? at(array.gh_last + state) : H{};
    H decay = size.a_step ? H{} : at(a), sum{}, block_sum{};
    for (Index t = size.l - 1; t >= stop; --t) {
      put(array.gx + first + t * step, H{});
      if (size.a_step) put(array.ga + first + t * step, H{});
    }
    for (Index t = stop - 1; t >= 0; --t) {
      if (size.a_step) decay = at(a + t * size.a_step * kParts);
      if (array.gh) g = g + at(array.gh + first + t * step);
      put(array.gx + first + t * step, g);
      H ga{};
      if (array.rows.resets && array.rows.resets[row * size.l + t]) {
        g = H{};
      } else {
        ga = g * conj(t > 0 ? at(array.h + first + (t - 1) * step) : h0);
        g = g * conj(decay);
      }
      if (size.a_step) {
        put(array.ga + first + t * step, ga);
      } else {
        block_sum = block_sum + ga;
        if (t % kBlock == 0) sum = sum + block_sum, block_sum = H{};  // sums of sums lose fewer bits
      }
    }
    if (!size.a_step) put(array.ga + state, sum);
    put(array.gh0 + state, g);
  }

  // Calls body(row, column, lanes) for all columns; full vectors and what is left over of a row
  // are one item each.
  template <class Body>
  void for_each_column(const Body& body) const {
    constexpr Index kWide = kLanes<Real>;
    const Index vectors = (size.n + kWide - 1) / kWide;
    const int threads = worthwhile(size.threads, size.b * size.l * size.n);
    parallel_for(size.b * vectors, threads, [&](Index item, int) {
      const Index row = item / vectors, column = item % vectors * kWide;
      cover<kWide>(column, std::min(column + kWide, size.n),
                   [&](Index first, auto lanes) { body(row, first, lanes); });
    });
  }
};

}  // namespace

template <class Real, bool is_complex>
void diagonal_scan_forward(const ScanSize& size, const ScanForward<Real>& array) {
  const Scan<Real, is_complex> scan{size};
  scan.for_each_column(
      [&](Index row, Index column, auto lanes) { scan.template forward<lanes.value>(array, row, column); });
}

template <class Real, bool is_complex>
void diagonal_scan_backward(const ScanSize& size, const ScanBackward<Real>& array) {
  const Scan<Real, is_complex> scan{size};
  scan.for_each_column(
      [&](Index row, Index column, auto lanes) { scan.template backward<lanes.value>(array, row, column); });
}

template void diagonal_scan_forward<float, false>(const ScanSize&, const ScanForward<float>&);
template void diagonal_scan_forward<float, true>(const ScanSize&, const ScanForward<float>&);
template void diagonal_scan_forward<double, false>(const ScanSize&, const ScanForward<double>&);
template void diagonal_scan_forward<double, true>(const ScanSize&, const ScanForward<double>&);
template void diagonal_scan_backward<float, false>(const ScanSize&, const ScanBackward<float>&);
template void diagonal_scan_backward<float, true>(const ScanSize&, const ScanBackward<float>&);
template void diagonal_scan_backward<double, false>(const ScanSize&, const ScanBackward<double>&);
template void diagonal_scan_backward<double, true>(const ScanSize&, const ScanBackward<double>&);

}  // namespace resolvent
