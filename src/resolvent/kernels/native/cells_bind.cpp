#include "bind.hpp"
#include "cells.hpp"

namespace resolvent {
namespace {

CellSize size_of(const Kind& kind, const Sizes<5>& n) {
  return {n[0], n[1], n[2], n[3], n[4], threads(kind)};
}

void forward(const Kind& kind, const Sizes<5>& n, const Addresses<9>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    cell_forward<decltype(real)>(size_of(kind, n),
                                 {{p[0], p[1], p[2], p[3], {p[4], p[5]}}, p[6], p[7], p[8]});
  });
}

void backward(const Kind& kind, const Sizes<5>& n, const Addresses<13>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    cell_backward<decltype(real)>(size_of(kind, n),
                                  {{p[0], p[1], p[2], p[3], {p[4], p[5]}}, p[6], p[7], p[8], p[9],
                                   p[10], p[11], p[12]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "cell_forward", forward);
  define(module, "cell_backward", backward);
});

}  // namespace
}  // namespace resolvent
