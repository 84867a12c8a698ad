// The Python module: one for each instruction set, from the same sources. A kernel is told the kind
// of its numbers, its sizes and the addresses of its arrays, in the order of diagonal.hpp.

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <tuple>
#include <type_traits>

#include "diagonal.hpp"

namespace nb = nanobind;

namespace {

using Kind = std::tuple<bool, bool, int>;  // double precision?, complex?, threads

template <std::size_t count>
using Sizes = std::array<resolvent::Index, count>;

// Addresses that turn into pointers of the type asked for.
template <std::size_t count>
class Arrays {
 public:
  struct Address {
    std::uintptr_t value;
    template <class T>
    operator T*() const {
      return reinterpret_cast<T*>(value);
    }
  };
  explicit Arrays(const std::array<std::uintptr_t, count>& addresses) : addresses_(addresses) {}
  Address operator[](std::size_t i) const { return {addresses_[i]}; }

 private:
  std::array<std::uintptr_t, count> addresses_;
};
template <std::size_t count>
using Addresses = std::array<std::uintptr_t, count>;

// Calls body(Real, is_complex) with the numbers that the arrays hold.
template <class Body>
void dispatch(const Kind& kind, const Body& body) {
  const auto [is_double, is_complex, threads] = kind;
  if (is_double && is_complex) return body(double{}, std::true_type{});
  if (is_double) return body(double{}, std::false_type{});
  if (is_complex) return body(float{}, std::true_type{});
  return body(float{}, std::false_type{});
}

void scan_forward(const Kind& kind, const Sizes<5>& n, const Addresses<7>& addresses) {
  const Arrays p(addresses);
  const resolvent::ScanSize size{n[0], n[1], n[2], n[3], n[4], std::get<2>(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    resolvent::diagonal_scan_forward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], {p[3], p[4]}, p[5], p[6]});
  });
}

void scan_backward(const Kind& kind, const Sizes<5>& n, const Addresses<10>& addresses) {
  const Arrays p(addresses);
  const resolvent::ScanSize size{n[0], n[1], n[2], n[3], n[4], std::get<2>(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    resolvent::diagonal_scan_backward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], {p[3], p[4]}, p[5], p[6], p[7], p[8], p[9]});
  });
}

void ssm_forward(const Kind& kind, const Sizes<4>& n, const Addresses<10>& addresses) {
  const Arrays p(addresses);
  const resolvent::SsmSize size{n[0], n[1], n[2], n[3], std::get<2>(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    resolvent::diagonal_ssm_forward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], {p[5], p[6]}, p[7], p[8], p[9]});
  });
}

void ssm_backward(const Kind& kind, const Sizes<4>& n, const Addresses<15>& addresses) {
  const Arrays p(addresses);
  const resolvent::SsmSize size{n[0], n[1], n[2], n[3], std::get<2>(kind)};
  dispatch(kind, [&](auto real, auto is_complex) {
    resolvent::diagonal_ssm_backward<decltype(real), is_complex.value>(
        size, {p[0], p[1], p[2], p[3], p[4], {p[5], p[6]}, p[7], p[8], p[9],  //
               p[10], p[11], p[12], p[13], p[14]});
  });
}

}  // namespace

NB_MODULE(RESOLVENT_MODULE, module) {
  const nb::call_guard<nb::gil_scoped_release> release;
  module.def("diagonal_scan_forward", scan_forward, release);
  module.def("diagonal_scan_backward", scan_backward, release);
  module.def("diagonal_ssm_forward", ssm_forward, release);
  module.def("diagonal_ssm_backward", ssm_backward, release);
  module.attr("block") = resolvent::kBlock;
#ifdef _OPENMP
  module.attr("openmp") = true;
#else
  module.attr("openmp") = false;
#endif
  // What this processor can run, whatever this module was compiled for.
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  module.attr("avx2") = avx2;
  module.attr("avx512") = avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl");
#else
  module.attr("avx2") = module.attr("avx512") = false;
#endif
}
