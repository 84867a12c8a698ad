#include "bind.hpp"
#include "matrix.hpp"

namespace resolvent {
namespace {

template <std::size_t count>
MatrixSize size_of(const Kind& kind, const Sizes<count>& n) {
  return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], threads(kind)};
}

void forward(const Kind& kind, const Sizes<8>& n, const Addresses<11>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    matrix_scan_forward<decltype(real)>(
        size_of(kind, n),
        {{p[0], p[1], p[2], p[3], p[4], p[5], {p[6], p[7]}}, p[8], p[9], p[10]});
  });
}

void backward(const Kind& kind, const Sizes<10>& n, const Addresses<17>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    matrix_scan_backward<decltype(real)>(
        size_of(kind, n), {{p[0], p[1], p[2], p[3], p[4], p[5], {p[6], p[7]}}, p[8], p[9], p[10],
                           n[8], n[9], p[11], p[12], p[13], p[14], p[15], p[16]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "matrix_scan_forward", forward);
  define(module, "matrix_scan_backward", backward);
});

}  // namespace
}  // namespace resolvent
