// A few steps of the diagonal state-space kernel, as they are defined: lanes over the modes of one
// channel, no coefficients to prepare. This is what streaming runs.

#include "diagonal.hpp"
#include "interleave.hpp"
#include "parallel.hpp"

namespace resolvent {

template <class Real, bool is_complex>
void diagonal_ssm_short(const SsmSize& size, const SsmForward<Real>& array) {
  constexpr Index kParts = is_complex ? 2 : 1;
  const int threads = worthwhile(size.threads, size.b * size.l * size.m * size.n * 4);
  constexpr Index kChannels = 16;  // to an item, and to a cache line of y
  const Index groups = (size.m + kChannels - 1) / kChannels;

  parallel_for(size.b * groups, threads, [&](Index item, int) {
    const Index row = item / groups, first = item % groups * kChannels;
    const Index stop = array.rows.stop(row, size.l);
    const bool* resets = array.rows.resets ? array.rows.resets + row * size.l : nullptr;
    for (Index channel = first; channel < std::min(first + kChannels, size.m); ++channel) {
      const Real* u = array.u + row * size.l * size.m + channel;
      Real y[kShort] = {};
      for (Index t = 0; array.d && t < stop; ++t) y[t] = array.d[channel] * u[t * size.m];
      cover<kLanes<Real>>(0, size.n, [&](Index mode, auto lanes) {
        constexpr int n = lanes.value;
        using H = Mode<Vector<Real, n>, is_complex>;
        const auto at = [](const Real* from) { return load_modes<Real, is_complex, n>(from); };
        const Index system = (channel * size.n + mode) * kParts;
        const Index state = row * size.m * size.n * kParts + system;
        const H a = at(array.a + system), b = at(array.b + system), c = at(array.c + system);
        H h = array.h0 ? at(array.h0 + state) : H{};
        for (Index t = 0; t < stop; ++t) {
          if (resets && resets[t]) h = H{};
          h = madd(b * (Vector<Real, n>{} + u[t * size.m]), a, h);
          y[t] += kParts * sum<Real, n>(madd_real(Vector<Real, n>{}, c, h));
        }
        store_modes<Real, is_complex, n>(array.h_last + state, h);
      });
      for (Index t = 0; t < size.l; ++t) array.y[(row * size.l + t) * size.m + channel] = y[t];
    }
  });
}

template void diagonal_ssm_short<float, false>(const SsmSize&, const SsmForward<float>&);
template void diagonal_ssm_short<float, true>(const SsmSize&, const SsmForward<float>&);
template void diagonal_ssm_short<double, false>(const SsmSize&, const SsmForward<double>&);
template void diagonal_ssm_short<double, true>(const SsmSize&, const SsmForward<double>&);

}  // namespace resolvent
