// h_t = a_t h_{t-1} + x_t, one vector lane for each mode, and its gradient:
//
//   g_t = gh_t + conj(a_{t+1}) g_{t+1}        gx_t = g_t        ga_t = g_t conj(h_{t-1})
//
// Both passes read and write every number once: memory bandwidth is their limit.

#include "diagonal.hpp"
#include "interleave.hpp"
#include "memory.hpp"
#include "parallel.hpp"

namespace resolvent {
namespace {

// Some neighbouring columns of one row.
template <class Real, bool is_complex, int lanes>
class Columns {
  using H = Mode<Vector<Real, lanes>, is_complex>;
  static constexpr Index kParts = is_complex ? 2 : 1;

 public:
  Columns(const ScanSize& size, const Rows& rows, Index row, Index column)
      : length_(size.l), stop_(rows.stop(row, size.l)), a_step_(size.a_step * kParts),
        step_(size.n * kParts), a_((row * size.a_row + column) * kParts),
        series_((row * size.l * size.n + column) * kParts), state_((row * size.n + column) * kParts),
        resets_(rows.resets ? rows.resets + row * size.l : nullptr) {}

  void forward(const ScanForward<Real>& array) const {
    H h = array.h0 ? load(array.h0 + state_) : H{};
    H a = a_step_ ? H{} : load(array.a + a_);
    for (Index t = 0; t < stop_; ++t) {
      if (a_step_) a = load(array.a + a_ + t * a_step_);
      if (dropped(t)) h = H{};
      h = madd(load(array.x + at(t)), a, h);
      store(array.h + at(t), h);
    }
    for (Index t = stop_; t < length_; ++t) store(array.h + at(t), H{});
    store(array.h_last + state_, h);
  }

  void backward(const ScanBackward<Real>& array) const {
    const H h0 = array.h0 ? load(array.h0 + state_) : H{};
    H g = array.gh_last ? load(array.gh_last + state_) : H{};
    H a = a_step_ ? H{} : load(array.a + a_), ga_block{}, ga_sum{};
    for (Index t = stop_; t < length_; ++t) {
      store(array.gx + at(t), H{});
      if (a_step_) store(array.ga + at(t), H{});
    }
    for (Index t = stop_ - 1; t >= 0; --t) {
      if (a_step_) a = load(array.a + a_ + t * a_step_);
      if (array.gh) g = g + load(array.gh + at(t));
      store(array.gx + at(t), g);
      H ga{};
      if (dropped(t)) {
        g = H{};
      } else {
        ga = g * conj(t > 0 ? load(array.h + at(t - 1)) : h0);
        g = g * conj(a);
      }
      if (a_step_) {
        store(array.ga + at(t), ga);
      } else {
        ga_block = ga_block + ga;
        if (t % kBlock == 0) {  // sums of sums lose fewer bits
          ga_sum = ga_sum + ga_block;
          ga_block = H{};
        }
      }
    }
    if (!a_step_) store(array.ga + state_, ga_sum);
    store(array.gh0 + state_, g);
  }

 private:
  static H load(const Real* from) { return load_modes<Real, is_complex, lanes>(from); }
  static void store(Real* to, H h) { store_modes<Real, is_complex, lanes>(to, h); }
  Index at(Index t) const { return series_ + t * step_; }
  bool dropped(Index t) const { return resets_ && resets_[t]; }

  Index length_, stop_, a_step_, step_, a_, series_, state_;
  const bool* resets_;
};

// Calls body(row, column, lanes) for all columns; a full vector, and what a row leaves over, are one
// item each.
template <class Real, class Body>
void for_each_column(const ScanSize& size, const Body& body) {
  constexpr Index kWide = kLanes<Real>;
  const Index vectors = (size.n + kWide - 1) / kWide;
  const int threads = worthwhile(size.threads, size.b * size.l * size.n);
  parallel_for(size.b * vectors, threads, [&](Index item, int) {
    const Index row = item / vectors, column = item % vectors * kWide;
    cover<kWide>(column, std::min(column + kWide, size.n),
                 [&](Index first, auto lanes) { body(row, first, lanes); });
  });
}

}  // namespace

template <class Real, bool is_complex>
void diagonal_scan_forward(const ScanSize& size, const ScanForward<Real>& array) {
  prefer_large_pages(array.h, size.b * size.l * size.n * (is_complex ? 2 : 1));
  for_each_column<Real>(size, [&](Index row, Index column, auto lanes) {
    Columns<Real, is_complex, lanes.value>(size, array.rows, row, column).forward(array);
  });
}

template <class Real, bool is_complex>
void diagonal_scan_backward(const ScanSize& size, const ScanBackward<Real>& array) {
  const Index numbers = size.b * size.l * size.n * (is_complex ? 2 : 1);
  prefer_large_pages(array.gx, numbers);
  if (size.a_step) prefer_large_pages(array.ga, numbers);
  for_each_column<Real>(size, [&](Index row, Index column, auto lanes) {
    Columns<Real, is_complex, lanes.value>(size, array.rows, row, column).backward(array);
  });
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
