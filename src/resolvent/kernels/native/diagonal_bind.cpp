#include "bind.hpp"
#include "diagonal.hpp"

namespace resolvent {
namespace {

void scan_forward(const Kind& kind, const Sizes<5>& n, const Addresses<7>& addresses) {
  const Arrays p(addresses);
  const ScanSize size{n[0], n[1], n[2], n[3], n[4], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_scan_forward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], {p[3], p[4]}, p[5], p[6]});
  });
}

void scan_backward(const Kind& kind, const Sizes<5>& n, const Addresses<10>& addresses) {
  const Arrays p(addresses);
  const ScanSize size{n[0], n[1], n[2], n[3], n[4], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_scan_backward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], {p[3], p[4]}, p[5], p[6], p[7], p[8], p[9]});
  });
}

void ssm_forward(const Kind& kind, const Sizes<4>& n, const Addresses<11>& addresses) {
  const Arrays p(addresses);
  const SsmSize size{n[0], n[1], n[2], n[3], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_ssm_forward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], p[5], {p[6], p[7]}, p[8], p[9], p[10]});
  });
}

void ssm_backward(const Kind& kind, const Sizes<4>& n, const Addresses<17>& addresses) {
  const Arrays p(addresses);
  const SsmSize size{n[0], n[1], n[2], n[3], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_ssm_backward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], p[5], {p[6], p[7]}, p[8], p[9], p[10],  //
               p[11], p[12], p[13], p[14], p[15], p[16]});
  });
}

void ssm_kernel_backward(const Kind& kind, const Sizes<4>& n, const Addresses<11>& addresses) {
  const Arrays p(addresses);
  const SsmSize size{n[0], n[1], n[2], n[3], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    diagonal_ssm_kernel_backward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10]});
  });
}

void vandermonde_gradients(const Kind& kind, const Sizes<3>& n, const Addresses<5>& addresses) {
  const Arrays p(addresses);
  const SsmSize size{1, n[0], n[1], n[2], threads(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    vandermonde_backward<decltype(real), is_complex.value>(size, {p[0], p[1], p[2], p[3], p[4]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "diagonal_scan_forward", scan_forward);
  define(module, "diagonal_scan_backward", scan_backward);
  define(module, "diagonal_ssm_forward", ssm_forward);
  define(module, "diagonal_ssm_backward", ssm_backward);
  define(module, "diagonal_ssm_kernel_backward", ssm_kernel_backward);
  define(module, "vandermonde_backward", vandermonde_gradients);
});

}  // namespace
}  // namespace resolvent
