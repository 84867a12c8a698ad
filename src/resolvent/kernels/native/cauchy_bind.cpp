#include "bind.hpp"
#include "cauchy.hpp"

namespace resolvent {
namespace {

void forward(const Kind& kind, const Sizes<4>& n, const Addresses<4>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    cauchy_forward<decltype(real)>({n[0], n[1], n[2], n[3], threads(kind)},
                                   {p[0], p[1], p[2], p[3]});
  });
}

void backward(const Kind& kind, const Sizes<4>& n, const Addresses<6>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    cauchy_backward<decltype(real)>({n[0], n[1], n[2], n[3], threads(kind)},
                                    {p[0], p[1], p[2], p[3], p[4], p[5]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "cauchy_forward", forward);
  define(module, "cauchy_backward", backward);
});

}  // namespace
}  // namespace resolvent
