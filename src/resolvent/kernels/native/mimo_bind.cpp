#include "bind.hpp"
#include "mimo.hpp"

namespace resolvent {
namespace {

void forward(const Kind& kind, const Sizes<5>& n, const Addresses<11>& addresses) {
  const Arrays p(addresses);
  const MimoSize size{n[0], n[1], n[2], n[3], n[4], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_mimo_forward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], p[5], {p[6], p[7]}, p[8], p[9], p[10]});
  });
}

void step(const Kind& kind, const Sizes<4>& n, const Addresses<8>& addresses) {
  const Arrays p(addresses);
  const MimoSize size{n[0], 1, n[1], n[2], n[3], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_mimo_step<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], p[5], {}, p[6], p[7], nullptr});
  });
}

void backward(const Kind& kind, const Sizes<5>& n, const Addresses<17>& addresses) {
  const Arrays p(addresses);
  const MimoSize size{n[0], n[1], n[2], n[3], n[4], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_mimo_backward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], p[5], {p[6], p[7]}, p[8], p[9], p[10],  //
               p[11], p[12], p[13], p[14], p[15], p[16]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "diagonal_mimo_forward", forward);
  define(module, "diagonal_mimo_backward", backward);
  define(module, "diagonal_mimo_step", step);
});

}  // namespace
}  // namespace resolvent
