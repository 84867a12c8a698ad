#include "bind.hpp"
#include "zoh.hpp"

namespace resolvent {
namespace {

void forward(const Kind& kind, const Sizes<2>& n, const Addresses<5>& addresses) {
  const Arrays p(addresses);
  dispatch(kind, [&](auto real, auto is_complex) {
    zoh_forward<decltype(real), is_complex.value>({n[0], n[1], threads(kind)},
                                                  {p[0], p[1], p[2], p[3], p[4]});
  });
}

void backward(const Kind& kind, const Sizes<2>& n, const Addresses<8>& addresses) {
  const Arrays p(addresses);
  dispatch(kind, [&](auto real, auto is_complex) {
    zoh_backward<decltype(real), is_complex.value>(
        {n[0], n[1], threads(kind)}, {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "zoh_forward", forward);
  define(module, "zoh_backward", backward);
});

}  // namespace
}  // namespace resolvent
