// How kernels reach Python: a kernel is told the kind of its numbers, its sizes and the addresses of
// its arrays, in the order of its header. Every *_bind.cpp adds its own to the module.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <tuple>
#include <type_traits>

#include "rows.hpp"

namespace resolvent {

using Kind = std::tuple<bool, bool, int>;  // double precision?, complex?, threads
inline int threads(const Kind& kind) { return std::get<2>(kind); }

template <std::size_t count>
using Sizes = std::array<Index, count>;

template <std::size_t count>
using Addresses = std::array<std::uintptr_t, count>;

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
  explicit Arrays(const Addresses<count>& addresses) : addresses_(addresses) {}
  Address operator[](std::size_t i) const { return {addresses_[i]}; }

 private:
  Addresses<count> addresses_;
};

// Calls body(Real) with the real numbers that the arrays hold.
template <class Body>
void dispatch_real(const Kind& kind, const Body& body) {
  if (std::get<0>(kind)) return body(double{});
  return body(float{});
}

// Calls body(Real, is_complex) with the numbers that the arrays hold.
template <class Body>
void dispatch(const Kind& kind, const Body& body) {
  dispatch_real(kind, [&](auto real) {
    if (std::get<1>(kind)) return body(real, std::true_type{});
    return body(real, std::false_type{});
  });
}

// Functions for the module. A static object of this type in a source file adds them when the module
// is made, so that a new kernel is new files and nothing else.
class Binding {
 public:
  explicit Binding(void (*add)(nanobind::module_&)) : add_(add), next_(first()) { first() = this; }
  static void add_all(nanobind::module_& module) {
    for (const Binding* binding = first(); binding; binding = binding->next_) binding->add_(module);
  }

 private:
  static const Binding*& first() {
    static const Binding* binding = nullptr;
    return binding;
  }
  void (*add_)(nanobind::module_&);
  const Binding* next_;
};

// A function for Python; no kernel needs the interpreter while it runs.
template <class Function>
void define(nanobind::module_& module, const char* name, Function function) {
  module.def(name, function, nanobind::call_guard<nanobind::gil_scoped_release>());
}

}  // namespace resolvent
