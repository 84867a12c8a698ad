#include "bind.hpp"
#include "parallel.hpp"
#include "program.hpp"

namespace resolvent {
namespace {

// Weights as Python describes them: storage, n, k, stride; data, scales.
template <std::size_t count, std::size_t arrays>
Stored stored(const Sizes<count>& n, const Arrays<arrays>& p) {
  return {p[0], p[1], n[1], n[2], n[3], static_cast<Storage>(n[0])};
}

template <std::size_t count>
Linear linear_of(const Sizes<8>& n, const Arrays<count>& p) {
  return {stored(n, p), p[2], n[4], {p[3], n[5]}, {p[4], n[6]}, n[7] != 0};
}

// sizes: the weights', b, strides of x and y, adds; arrays: the weights', bias, x, y
void linear(int threads, const Sizes<8>& n, const Addresses<5>& addresses) {
  const Linear step = linear_of(n, Arrays(addresses));
  const int useful = worthwhile(threads, step.b * step.weight.n * step.weight.k);
  parallel_for(step.items(), useful, [&](Index item, int) { step.run(item); });
}

void add_linear(Program& program, const Sizes<8>& n, const Addresses<5>& addresses) {
  program.add(linear_of(n, Arrays(addresses)));
}

// the weights', b, stride of y; the weights', tokens, y
void add_embed(Program& program, const Sizes<6>& n, const Addresses<4>& addresses) {
  const Arrays p(addresses);
  program.add(Embed{stored(n, p), n[4], p[2], {p[3], n[5]}});
}

// b, groups, d, strides of x and y; weight, x, y
void add_norm(Program& program, float eps, const Sizes<5>& n, const Addresses<3>& addresses) {
  const Arrays p(addresses);
  program.add(Norm{n[0], n[1], n[2], eps, p[0], {p[1], n[3]}, {p[2], n[4]}});
}

// b, d, w, strides of x and y; weight, bias, live, x, y, tail
void add_convolve(Program& program, const Sizes<5>& n, const Addresses<6>& addresses) {
  const Arrays p(addresses);
  program.add(
      Convolve{n[0], n[1], n[2], p[0], p[1], p[2], {p[3], n[3]}, {p[4], n[4]}, p[5]});
}

// b, m, n, strides of u, dt, B, C, z, y; A, D, bias, live, u, dt, B, C, z, y, h
void add_selective(Program& program, const Sizes<9>& n, const Addresses<11>& addresses) {
  const Arrays p(addresses);
  program.add(SelectiveStep{n[0], n[1], n[2], p[0], p[1], p[2], p[3], {p[4], n[3]},
                            {p[5], n[4]}, {p[6], n[5]}, {p[7], n[6]}, {p[8], n[7]},
                            {p[9], n[8]}, p[10]});
}

// b, m, groups, n, p, strides and arrays as for the selective step
void add_matrix(Program& program, float low, float high, const Sizes<11>& n,
                const Addresses<11>& addresses) {
  const Arrays p(addresses);
  program.add(MatrixStep{n[0], n[1], n[2], n[3], n[4], low, high, p[0], p[1], p[2], p[3],
                         {p[4], n[5]}, {p[5], n[6]}, {p[6], n[7]}, {p[7], n[8]},
                         {p[8], n[9]}, {p[9], n[10]}, p[10]});
}

const Binding binding([](nanobind::module_& module) {
  define(module, "linear", linear);
  nanobind::class_<Program>(module, "Program")
      .def(nanobind::init<>())
      .def("embed", add_embed)
      .def("linear", add_linear)
      .def("norm", add_norm)
      .def("convolve", add_convolve)
      .def("selective", add_selective)
      .def("matrix", add_matrix)
      .def("run", &Program::run, nanobind::call_guard<nanobind::gil_scoped_release>());
});

}  // namespace
}  // namespace resolvent
