// The Python module: one for each instruction set, compiled from the same sources. Arrays come as addresses.

#include <nanobind/nanobind.h>

#include "diagonal.hpp"

namespace nb = nanobind;
using resolvent::Index;

namespace {

template <class Pointer>
Pointer pointer(std::uintptr_t address) {
  return reinterpret_cast<Pointer>(address);
}

// An array's address as what the field it fills expects.
struct Address {
  std::uintptr_t value;
  template <class T>
  operator T*() const {
    return reinterpret_cast<T*>(value);
  }
};

// Calls body(Real, is_complex) with the number type that the arrays hold.
template <class Body>
void dispatch(bool is_double, bool is_complex, const Body& body) {
  const auto real = [&](auto number) {
    if (is_complex)
      body(number, std::true_type{});
    else
      body(number, std::false_type{});
  };
  if (is_double)
    real(double{});
  else
    real(float{});
}

using Arg = std::uintptr_t;

void scan_forward(bool is_double, bool is_complex, int threads, Index b, Index l, Index n, Index a_row, Index a_step,
                  Arg a, Arg x, Arg h0, Arg resets, Arg lengths, Arg h, Arg h_last) {
  dispatch(is_double, is_complex, [&](auto real, auto complex) {
    resolvent::diagonal_scan_forward<decltype(real), complex.value>(
        {b, l, n, a_row, a_step, threads},
        {Address{a}, Address{x}, Address{h0}, {Address{resets}, Address{lengths}}, Address{h}, Address{h_last}});
  });
}

void scan_backward(bool is_double, bool is_complex, int threads, Index b, Index l, Index n, Index a_row, Index a_step,
                   Arg a, Arg h, Arg h0, Arg resets, Arg lengths, Arg gh, Arg gh_last, Arg ga, Arg gx, Arg gh0) {
  dispatch(is_double, is_complex, [&](auto real, auto complex) {
    resolvent::diagonal_scan_backward<decltype(real), complex.value>(
        {b, l, n, a_row, a_step, threads},
        {Address{a}, Address{h}, Address{h0}, {Address{resets}, Address{lengths}}, Address{gh}, Address{gh_last},
         Address{ga}, Address{gx}, Address{gh0}});
  });
}

void ssm_forward(bool is_double, bool is_complex, int threads, Index b, Index l, Index m, Index n, Arg a, Arg b_in,
                 Arg c, Arg u, Arg h0, Arg resets, Arg lengths, Arg y, Arg h_last, Arg checkpoints) {
  dispatch(is_double, is_complex, [&](auto real, auto complex) {
    resolvent::diagonal_ssm_forward<decltype(real), complex.value>(
        {b, l, m, n, threads},
        {Address{a}, Address{b_in}, Address{c}, Address{u}, Address{h0}, {Address{resets}, Address{lengths}},
         Address{y}, Address{h_last}, Address{checkpoints}});
  });
}

void ssm_backward(bool is_double, bool is_complex, int threads, Index b, Index l, Index m, Index n, Arg a, Arg b_in,
                  Arg c, Arg u, Arg h0, Arg resets, Arg lengths, Arg checkpoints, Arg gy, Arg gh_last, Arg ga, Arg gb,
                  Arg gc, Arg gu, Arg gh0) {
  dispatch(is_double, is_complex, [&](auto real, auto complex) {
    resolvent::diagonal_ssm_backward<decltype(real), complex.value>(
        {b, l, m, n, threads},
        {Address{a}, Address{b_in}, Address{c}, Address{u}, Address{h0}, {Address{resets}, Address{lengths}},
         Address{checkpoints}, Address{gy}, Address{gh_last}, Address{ga}, Address{gb}, Address{gc}, Address{gu},
         Address{gh0}});
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
#if defined(__x86_64__)
  __builtin_cpu_init();
  module.attr("avx2") = bool(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  module.attr("avx512") = bool(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"));
#else
  module.attr("avx2") = module.attr("avx512") = false;
#endif
}
