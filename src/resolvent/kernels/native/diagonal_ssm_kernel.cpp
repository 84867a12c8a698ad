// Gradients of the diagonal state-space kernel through its convolution kernel K, which is what it answers
// to an impulse: y = K * u with K_t = Re sum_n w_n a_n^t, and d at first, where w = b c, or 2 b c if complex.
//
//   gK_j = sum_t gy_{t+j} u_t    gu_t = sum_j K_j gy_{t+j}    gb = c^* gw    gc = b^* gw    gd = gK_0

#include <algorithm>

#include "diagonal.hpp"
#include "long_convolution.hpp"
#include "memory.hpp"

namespace resolvent {

template <class Real, bool is_complex>
void diagonal_ssm_kernel_backward(const SsmSize& size, const SsmKernelBackward<Real>& array) {
  using X = Mode<Real, is_complex>;
  const Index numbers = size.m * size.n, taps = size.l * size.m;
  const Buffer<X> w(numbers), gw(numbers);
  const Buffer<Real> impulse(taps), K(taps), gK(taps);
  const auto as_modes = [](const Real* from) { return reinterpret_cast<const X*>(from); };
  const auto as_reals = [](const Buffer<X>& of) { return reinterpret_cast<Real*>(of.data()); };
  const X *const b = as_modes(array.b), *const c = as_modes(array.c);
  X *const gb = reinterpret_cast<X*>(array.gb), *const gc = reinterpret_cast<X*>(array.gc);

  std::fill_n(impulse.data(), taps, Real{});
  std::fill_n(impulse.data(), size.m, Real{1});
  diagonal_ssm_forward<Real, is_complex>(
      {1, size.l, size.m, size.n, size.threads},
      {array.a, array.b, array.c, array.d, impulse.data(), nullptr, {}, K.data(), as_reals(gw), nullptr});
  long_convolution_backward<Real>({size.b, size.l, size.m, size.l, size.threads},
                                  {K.data(), array.u, array.gy, gK.data(), array.gu});
  for (Index i = 0; i < numbers; ++i) w.data()[i] = b[i] * c[i];
  vandermonde_backward<Real, is_complex>(size,
                                         {array.a, as_reals(w), gK.data(), array.ga, as_reals(gw)});
  for (Index i = 0; i < numbers; ++i) {
    gb[i] = conj(c[i]) * gw.data()[i];
    gc[i] = conj(b[i]) * gw.data()[i];
  }
  std::copy_n(gK.data(), size.m, array.gd);
}

template void diagonal_ssm_kernel_backward<float, false>(const SsmSize&, const SsmKernelBackward<float>&);
template void diagonal_ssm_kernel_backward<float, true>(const SsmSize&, const SsmKernelBackward<float>&);
template void diagonal_ssm_kernel_backward<double, false>(const SsmSize&,
                                                          const SsmKernelBackward<double>&);
template void diagonal_ssm_kernel_backward<double, true>(const SsmSize&,
                                                         const SsmKernelBackward<double>&);

}  // namespace resolvent
