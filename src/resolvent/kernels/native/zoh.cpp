// With z = dt l, and as ds/ddt = a and dphi/dz = phi'(z) for phi(z) = (e^z - 1) / z,
//
//   gs = B^* gb    gB = s^* gb    gl = (dt a)^* ga + (dt^2 phi'(z))^* gs    gdt = Re((l a)^* ga + a^* gs)
//
// All in double precision: there is little of it, and nothing cancels.

#include "zoh.hpp"

#include <numeric>

#include "exponential.hpp"
#include "interleave.hpp"
#include "memory.hpp"
#include "parallel.hpp"

namespace resolvent {
namespace {

// Numbers to an item of work.
inline constexpr Index kPiece = 1024;

// |x|^2
template <class V, bool is_complex>
V square(Mode<V, is_complex> x) {
  return madd_real(V{}, x, conj(x));
}
// x / l, where |l|^2 is not too small
template <class V, bool is_complex>
Mode<V, is_complex> quotient(Mode<V, is_complex> x, Mode<V, is_complex> l) {
  return x * conj(l) * (1 / square(l));
}
template <class Mask, class V, bool is_complex>
Mode<V, is_complex> select(Mask mask, Mode<V, is_complex> x, Mode<V, is_complex> y) {
  x.re = mask ? x.re : y.re;
  if constexpr (is_complex) x.im = mask ? x.im : y.im;
  return x;
}

// s, given e^z - 1
template <class V, class H>
H held(H less_one, H l, V dt) {
  H step{};
  step.re = dt;
  return select(square(l) > 1e-290, quotient(less_one, l), step);
}

// dt^2 phi'(z): by (dt a - s) / l, or by its series sum_k z^k / (k! (k + 2)) where that cancels
template <class V, class H>
H slope(H z, H a, H s, H l, V dt) {
  constexpr int kTerms = 12;  // |z|^12 / (12! 14) is below the unit roundoff
  H series{};
  for (int k = kTerms; k >= 0; --k) {
    series = series * z * (V{} + 1. / (k + 1));
    series.re = series.re + 1. / (k + 2);
  }
  return select(square(z) < 0.04, series * (dt * dt), quotient(a * dt - s, l));
}

// Calls body(at, lanes) for vectors that cover all numbers.
template <class Body>
void for_numbers(const ZohSize& size, const Body& body) {
  const Index count = size.steps * size.share, pieces = (count + kPiece - 1) / kPiece;
  parallel_for(pieces, worthwhile(size.threads, count * 64), [&](Index piece, int) {
    cover<kLanes<double>>(piece * kPiece, std::min(count, (piece + 1) * kPiece), body);
  });
}

// Numbers of an array from and to double precision.
template <class Real, bool is_complex, int lanes>
Mode<Vector<double, lanes>, is_complex> read(const Real* from, Index at) {
  constexpr Index kParts = is_complex ? 2 : 1;
  return convert<Vector<double, lanes>>(load_modes<Real, is_complex, lanes>(from + at * kParts));
}
template <class Real, bool is_complex, int lanes>
Mode<Vector<double, lanes>, is_complex> read_or_one(const Real* from, Index at) {
  if (from) return read<Real, is_complex, lanes>(from, at);
  Mode<Vector<double, lanes>, is_complex> one{};
  one.re = one.re + 1;
  return one;
}
// The step sizes of numbers from `at` on.
template <int lanes, class Real>
Vector<double, lanes> read_steps(const ZohSize& size, const Real* dt, Index at) {
  if (size.share == 1) return read<Real, false, lanes>(dt, at).re;
  double steps[lanes];
  for (int lane = 0; lane < lanes; ++lane) steps[lane] = dt[(at + lane) / size.share];
  return load<Vector<double, lanes>>(steps);
}
template <class Real, bool is_complex, int lanes>
void write(Real* to, Index at, Mode<Vector<double, lanes>, is_complex> x) {
  constexpr Index kParts = is_complex ? 2 : 1;
  store_modes<Real, is_complex, lanes>(to + at * kParts, convert<Vector<Real, lanes>>(x));
}

}  // namespace

template <class Real, bool is_complex>
void zoh_forward(const ZohSize& size, const ZohForward<Real>& array) {
  for_numbers(size, [&](Index at, auto lanes) {
    constexpr int n = lanes.value;
    const auto l = read<Real, is_complex, n>(array.values, at);
    const auto B = read_or_one<Real, is_complex, n>(array.B, at);
    const auto dt = read_steps<n>(size, array.dt, at);
    const auto e = exponential(l * dt);
    write<Real, is_complex, n>(array.a, at, e.value);
    write<Real, is_complex, n>(array.b, at, held(e.less_one, l, dt) * B);
  });
}

template <class Real, bool is_complex>
void zoh_backward(const ZohSize& size, const ZohBackward<Real>& array) {
  const Buffer<double> each(size.steps * size.share);  // dt's gradients, number by number
  for_numbers(size, [&](Index at, auto lanes) {
    constexpr int n = lanes.value;
    const auto l = read<Real, is_complex, n>(array.values, at);
    const auto B = read_or_one<Real, is_complex, n>(array.B, at);
    const auto ga = read<Real, is_complex, n>(array.ga, at);
    const auto gb = read<Real, is_complex, n>(array.gb, at);
    const auto gs = conj(B) * gb;
    const auto dt = read_steps<n>(size, array.dt, at);
    const auto z = l * dt;
    const auto e = exponential(z);
    const auto a = e.value, s = held(e.less_one, l, dt);
    write<Real, is_complex, n>(array.gvalues, at,
                               conj(a * dt) * ga + conj(slope(z, a, s, l, dt)) * gs);
    const auto gdt = madd_real(madd_real(Vector<double, n>{}, conj(l * a), ga), conj(a), gs);
    store(each.data() + at, gdt);
    write<Real, is_complex, n>(array.gB, at, conj(s) * gb);
  });
  for (Index step = 0; step < size.steps; ++step) {
    const double* const from = each.data() + step * size.share;
    array.gdt[step] = static_cast<Real>(std::accumulate(from, from + size.share, 0.));
  }
}

template void zoh_forward<float, false>(const ZohSize&, const ZohForward<float>&);
template void zoh_forward<float, true>(const ZohSize&, const ZohForward<float>&);
template void zoh_forward<double, false>(const ZohSize&, const ZohForward<double>&);
template void zoh_forward<double, true>(const ZohSize&, const ZohForward<double>&);
template void zoh_backward<float, false>(const ZohSize&, const ZohBackward<float>&);
template void zoh_backward<float, true>(const ZohSize&, const ZohBackward<float>&);
template void zoh_backward<double, false>(const ZohSize&, const ZohBackward<double>&);
template void zoh_backward<double, true>(const ZohSize&, const ZohBackward<double>&);

}  // namespace resolvent
