#include "bind.hpp"
#include "selective.hpp"

namespace resolvent {
namespace {

SelectiveSize size_of(const Kind& kind, const Sizes<6>& n) {
  return {n[0], n[1], n[2], n[3], n[4], threads(kind)};
}

// Which of u, dt and z are bfloat16, as bits of the last size.
bool is_half(const Sizes<6>& n, int which) { return n[5] >> which & 1; }

template <class Real, std::size_t count>
SelectiveInput<Real> input_of(const Sizes<6>& n, const Arrays<count>& p) {
  return {{p[0], is_half(n, 0)}, {p[1], is_half(n, 1)}, p[2], p[3], p[4], p[5], p[6],
          {p[7], is_half(n, 2)}, p[8], {p[9], p[10]}};
}

void forward(const Kind& kind, const Sizes<6>& n, const Addresses<14>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    using Real = decltype(real);
    selective_forward<Real>(size_of(kind, n), {input_of<Real>(n, p), p[11], p[12], p[13]});
  });
}

void backward(const Kind& kind, const Sizes<6>& n, const Addresses<23>& addresses) {
  const Arrays p(addresses);
  dispatch_real(kind, [&](auto real) {
    using Real = decltype(real);
    selective_backward<Real>(
        size_of(kind, n), {input_of<Real>(n, p), p[11], p[12], p[13],  //
                           {p[14], is_half(n, 0)}, {p[15], is_half(n, 1)}, p[16], p[17], p[18],
                           p[19], p[20], {p[21], is_half(n, 2)}, p[22]});
  });
}

const Binding binding([](nanobind::module_& module) {
  define(module, "selective_forward", forward);
  define(module, "selective_backward", backward);
});

}  // namespace
}  // namespace resolvent
