#include "bind.hpp"
#include "convolution.hpp"

namespace resolvent {
namespace {

ConvolutionSize size_of(const Kind& kind, const Sizes<5>& n) {
  return {n[0], n[1], n[2], n[3], n[4] != 0, threads(kind)};
}

template <class Real, std::size_t count>
ConvolutionInput<Real> input_of(const Arrays<count>& p) {
  return {p[0], p[1], p[2], p[3], {p[4], p[5]}};
}

void forward(const Kind& kind, const Sizes<5>& n, const Addresses<8>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    using Real = decltype(real);
    convolution_forward<Real>(size_of(kind, n), {input_of<Real>(p), p[6], p[7]});
  });
}

void backward(const Kind& kind, const Sizes<5>& n, const Addresses<12>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    using Real = decltype(real);
    convolution_backward<Real>(size_of(kind, n),
                               {input_of<Real>(p), p[6], p[7], p[8], p[9], p[10], p[11]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "convolution_forward", forward);
  define(module, "convolution_backward", backward);
});

}  // namespace
}  // namespace resolvent
