#include "bind.hpp"
#include "long_convolution.hpp"

namespace resolvent {
namespace {

void forward(const Kind& kind, const Sizes<4>& n, const Addresses<3>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    long_convolution_forward<decltype(real)>({n[0], n[1], n[2], n[3], threads(kind)},
                                             {p[0], p[1], p[2]});
  });
}

void backward(const Kind& kind, const Sizes<4>& n, const Addresses<5>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    long_convolution_backward<decltype(real)>({n[0], n[1], n[2], n[3], threads(kind)},
                                              {p[0], p[1], p[2], p[3], p[4]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "long_convolution_forward", forward);
  define(module, "long_convolution_backward", backward);
});

}  // namespace
}  // namespace resolvent
