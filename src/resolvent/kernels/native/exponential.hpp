// e^z and e^z - 1 of real and complex numbers, in double precision; of vectors, or of single numbers.
#pragma once

#include "functions.hpp"

namespace resolvent {

// Taylor series: (e^x - 1) / x for |x| <= log(2) / 2; for |x| <= pi / 4 and in x^2, (sin x - x) / x^3 and
// (cos x - 1) / x^2. pi / 2 in parts, the first two of them short.
constexpr double over_factorial(int n) { return n ? over_factorial(n - 1) / n : 1; }
inline constexpr double kExpSlopes[] = {
    over_factorial(1), over_factorial(2),  over_factorial(3),  over_factorial(4), over_factorial(5),
    over_factorial(6), over_factorial(7),  over_factorial(8),  over_factorial(9), over_factorial(10),
    over_factorial(11), over_factorial(12), over_factorial(13)};
inline constexpr double kSinSlopes[] = {
    -over_factorial(3),  over_factorial(5),  -over_factorial(7),  over_factorial(9),
    -over_factorial(11), over_factorial(13), -over_factorial(15), over_factorial(17)};
inline constexpr double kCosSlopes[] = {
    -over_factorial(2),  over_factorial(4),  -over_factorial(6),  over_factorial(8),
    -over_factorial(10), over_factorial(12), -over_factorial(14), over_factorial(16)};
inline constexpr double kHalfPi[] = {0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};

// e^x and e^x - 1; the latter is right to its last bits near x = 0 too.
template <class X>
struct Exponential {
  X value, less_one;
};
template <class V>
inline Exponential<V> exponential(V x) {
  const auto [k, rest] = split(x);
  const V power = scaled(all<V>(1), k);  // 2^k
  const V more = rest * polynomial(kExpSlopes, rest);
  return {power + power * more, power * more + (power - 1)};
}

// sin x, cos x and cos x - 1; the last is right to its last bits near x = 0 too.
template <class V>
struct Turn {
  V sin, cos, cos_less_one;
};
template <class V>
inline Turn<V> turn_by(V x) {
  const Whole<V> k = nearest_integer(x * 0x1.45f306dc9c883p-1);  // quarters
  const V rest = ((x - k.value * kHalfPi[0]) - k.value * kHalfPi[1]) - k.value * kHalfPi[2];
  const V square = rest * rest, sine = rest + rest * square * polynomial(kSinSlopes, square);
  const V less_one = square * polynomial(kCosSlopes, square), cosine = 1 + less_one;
  const auto quarter = bits<Integers<V>>(k.raised);
  const auto odd = (quarter & 1) != 0;
  const V sin = odd ? cosine : sine, cos = odd ? sine : cosine;
  const V turned_cos = ((quarter + 1) & 2) != 0 ? -cos : cos;
  return {(quarter & 2) != 0 ? -sin : sin, turned_cos,
          (quarter & 3) == 0 ? less_one : turned_cos - 1};
}

// The same of modes.
template <class V>
inline Exponential<Mode<V, false>> exponential(Mode<V, false> z) {
  const Exponential<V> e = exponential(z.re);
  return {{e.value}, {e.less_one}};
}
template <class V>
inline Exponential<Mode<V, true>> exponential(Mode<V, true> z) {
  const Exponential<V> e = exponential(z.re);
  const Turn<V> turn = turn_by(z.im);
  const V im = e.value * turn.sin;
  return {{e.value * turn.cos, im}, {e.less_one * turn.cos + turn.cos_less_one, im}};
}

}  // namespace resolvent
