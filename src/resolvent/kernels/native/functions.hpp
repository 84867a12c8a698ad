// Elementary functions of vectors, or of single numbers: exponentials and what is made of them. For
// float32 they are right to about one unit in the last place, as those of PyTorch are.
#pragma once

#include "lanes.hpp"

namespace resolvent {

// Constants. kRound is so large that numbers near it are integers, which its lowest bits show.
// kExp2: 2^x for |x| <= 1/2; its value and its slope at 0 are exact, so that slow decays, which are
// products of many factors close to 1, stay right; kExp2Short ends a term earlier. kLog1p: log(1 + x) / s as a polynomial in s^2,
// s = x / (2 + x), for 0 <= x <= 1. float32: least largest relative error; float64: Taylor series.
template <class Real>
struct Constants;
constexpr double taylor(int n) { return n ? taylor(n - 1) * 0x1.62e42fefa39efp-1 / n : 1; }
template <>
struct Constants<float> {
  static constexpr int kMantissa = 23;
  static constexpr float kRound = 0x1.8p23f, kLowest = -126, kHighest = 0x1.fffffep6f;
  static constexpr float kLn2High = 0x1.62ep-1f, kLn2Low = 0x1.0bfbe8p-15f;
  static constexpr float kExp2[] = {1, 0x1.62e430p-1f, 0x1.ebfbdcp-3f, 0x1.c6af88p-5f,
                                    0x1.3b2e0cp-7f, 0x1.5f03dap-10f, 0x1.414ed2p-13f};
  static constexpr float kExp2Short[] = {1, 0x1.62e430p-1f, 0x1.ebf9f2p-3f, 0x1.c6b3a6p-5f,
                                         0x1.3cdb42p-7f, 0x1.5caadep-10f};
  static constexpr float kLog1p[] = {2, 0.66666676f, 0.39998888f, 0.28616599f, 0.21430711f,
                                     0.2428968f};
};
template <>
struct Constants<double> {
  static constexpr int kMantissa = 52;
  static constexpr double kRound = 0x1.8p52, kLowest = -1022, kHighest = 0x1.fffffffffffffp9;
  static constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kExp2[] = {
      taylor(0), taylor(1), taylor(2), taylor(3),  taylor(4),  taylor(5),  taylor(6),
      taylor(7), taylor(8), taylor(9), taylor(10), taylor(11), taylor(12), taylor(13)};
  static constexpr const auto& kExp2Short = kExp2;
  static constexpr double kLog1p[] = {2.,      2. / 3,  2. / 5,  2. / 7,  2. / 9,  2. / 11,
                                      2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21, 2. / 23,
                                      2. / 25, 2. / 27, 2. / 29, 2. / 31, 2. / 33};
};

// c[0] + x (c[1] + x (c[2] + ...
template <class V, std::size_t count>
inline V polynomial(const Element<V> (&c)[count], V x) {
  V sum = all<V>(c[count - 1]);
  for (std::size_t i = count - 1; i-- > 0;) sum = sum * x + c[i];
  return sum;
}

// The same of several vectors, each operation for all of them before the next: a processor looks only
// so far ahead for what need not wait.
template <class V, std::size_t count, std::size_t vectors>
inline void polynomial(const Element<V> (&c)[count], const V (&x)[vectors], V (&sums)[vectors]) {
  for (V& sum : sums) sum = all<V>(c[count - 1]);
  for (std::size_t i = count - 1; i-- > 0;)
    for (std::size_t j = 0; j < vectors; ++j) sums[j] = sums[j] * x[j] + c[i];
}

// An integer, and how it looks when it is added to kRound: in the lowest bits.
template <class V>
struct Whole {
  V value, raised;
};
template <class V>
inline Whole<V> nearest_integer(V x, Element<V> round = Constants<Element<V>>::kRound) {
  const V raised = x + round;
  return {raised - round, raised};
}

// x 2^k for k from kLowest to kHighest.
template <class V>
inline V scaled(V x, Whole<V> k) {
  using K = Constants<Element<V>>;
  return bits<V>(bits<Integers<V>>(x) + (bits<Integers<V>>(k.raised) << K::kMantissa));
}

#ifdef __AVX512F__
inline Vector<float> scaled(Vector<float> x, Whole<Vector<float>> k) {
  return _mm512_maskz_scalef_ps(-1, x, k.value);
}
inline Vector<double> scaled(Vector<double> x, Whole<Vector<double>> k) {
  return _mm512_maskz_scalef_pd(-1, x, k.value);
}
#endif

// Exponents of 2 up to this size give a normal number.
template <class Real>
inline constexpr Real kNormal = -Constants<Real>::kLowest;

// 2^x for |x| <= kNormal; float32 within 2.1 units in the last place, less the closer x is to 0.
template <class V>
inline V exp2_normal(V x) {
  const Whole<V> k = nearest_integer(x);
  return scaled(polynomial(Constants<Element<V>>::kExp2Short, x - k.value), k);
}

// The same in place of several vectors.
template <class V, std::size_t vectors>
inline void exp2_normal(V (&x)[vectors]) {
  Whole<V> k[vectors];
  V sums[vectors];
  for (std::size_t j = 0; j < vectors; ++j) k[j] = nearest_integer(x[j]);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = x[j] - k[j].value;
  polynomial(Constants<Element<V>>::kExp2Short, x, sums);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = scaled(sums[j], k[j]);
}

#ifdef __AVX512F__
// Here a register holds 2^(j / 16) for all j, so that x is rounded to sixteenths, whose last four bits are
// j, and a term less than half as high is left of the polynomial.
inline constexpr float kSixteenths[] = {
    0x1p0f,        0x1.0b5586p0f, 0x1.172b84p0f, 0x1.2387a6p0f, 0x1.306fe0p0f, 0x1.3dea64p0f,
    0x1.4bfdaep0f, 0x1.5ab07ep0f, 0x1.6a09e6p0f, 0x1.7a1148p0f, 0x1.8ace54p0f, 0x1.9c4918p0f,
    0x1.ae89fap0f, 0x1.c199bep0f, 0x1.d5818ep0f, 0x1.ea4afap0f};
inline constexpr float kToSixteenths = Constants<float>::kRound / 16;

// Keeps a product from becoming part of multiply-adds: what adds and subtracts is idle otherwise.
inline void keep_apart(Vector<float>& product) { asm("" : "+v"(product)); }

// 2^k (1 + rest polynomial(rest)) in place of the rest, for k in whole sixteenths; `scaled` rounds down.
template <std::size_t count, std::size_t vectors>
inline void exp2_near(const float (&c)[count], const Whole<Vector<float>> (&k)[vectors],
                      Vector<float> (&rest)[vectors]) {
  Vector<float> sums[vectors];
  polynomial(c, rest, sums);
  for (std::size_t j = 0; j < vectors; ++j) {
    const Vector<float> near = _mm512_maskz_permutexvar_ps(-1, bits<__m512i>(k[j].raised),
                                                           load<Vector<float>>(kSixteenths));
    rest[j] = scaled(near * rest[j] * sums[j] + near, k[j]);
  }
}
template <std::size_t vectors>
inline void exp2_normal(Vector<float> (&x)[vectors]) {
  constexpr float kSlopes[] = {static_cast<float>(taylor(1)), static_cast<float>(taylor(2)),
                               static_cast<float>(taylor(3))};
  Whole<Vector<float>> k[vectors];
  for (Vector<float>& product : x) keep_apart(product);
  for (std::size_t j = 0; j < vectors; ++j) k[j] = nearest_integer(x[j], kToSixteenths);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = x[j] - k[j].value;
  exp2_near(kSlopes, k, x);
}
#endif

// 2^x; what is too small or too large for a normal number is the smallest or the largest one.
template <class V>
inline V exp2(V x) {
  using K = Constants<Element<V>>;
  x = smaller(larger(x, all<V>(K::kLowest)), all<V>(K::kHighest));
  const Whole<V> k = nearest_integer(x);
  return scaled(polynomial(K::kExp2, x - k.value), k);
}

inline constexpr double kLog2E = 0x1.71547652b82fep0;

template <class Real>
inline constexpr Real kTurn = static_cast<Real>(kLog2E);

// x = k ln 2 + rest, after x was brought within the same limits; k as `round` makes it.
template <class V>
struct Split {
  Whole<V> k;
  V rest;
};
template <class V>
inline Split<V> split(V x, Element<V> round = Constants<Element<V>>::kRound) {
  using Real = Element<V>;
  using K = Constants<Real>;
  x = smaller(larger(x, all<V>(K::kLowest / kTurn<Real>)), all<V>(K::kHighest / kTurn<Real>));
  const Whole<V> k = nearest_integer(x * kTurn<Real>, round);
  return {k, (x - k.value * K::kLn2High) - k.value * K::kLn2Low};
}

// e^x, within the same limits.
template <class V, std::size_t vectors>
[[gnu::always_inline]] inline void exp(V (&x)[vectors]) {
  using Real = Element<V>;
  Whole<V> k[vectors];
  V sums[vectors];
  for (std::size_t j = 0; j < vectors; ++j) {
    const Split<V> parts = split(x[j]);
    k[j] = parts.k;
    x[j] = parts.rest * kTurn<Real>;
  }
  polynomial(Constants<Real>::kExp2, x, sums);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = scaled(sums[j], k[j]);
}
#ifdef __AVX512F__
template <std::size_t vectors>
[[gnu::always_inline]] inline void exp(Vector<float> (&x)[vectors]) {
  constexpr float kSlopes[] = {1, 0x1p-1f, 0x1.555556p-3f};
  Whole<Vector<float>> k[vectors];
  for (std::size_t j = 0; j < vectors; ++j) {
    const Split<Vector<float>> parts = split(x[j], kToSixteenths);
    k[j] = parts.k;
    x[j] = parts.rest;
  }
  exp2_near(kSlopes, k, x);
}
#endif
template <class V>
inline V exp(V x) {
  V one[] = {x};
  exp(one);
  return one[0];
}

template <class V>
inline V sigmoid(V x) {
  return 1 / (1 + exp(-x));
}

// x sigmoid(x)
template <class V, std::size_t vectors>
[[gnu::always_inline]] inline void silu(V (&x)[vectors]) {
  V e[vectors];
  for (std::size_t j = 0; j < vectors; ++j) e[j] = -x[j];
  exp(e);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = x[j] / (1 + e[j]);
}

// tanh(x); odd, and exact near 0 only to an absolute error of one unit.
template <class V>
inline V tanh(V x) {
  return 1 - 2 / (exp(2 * x) + 1);
}

// log(1 + x) for 0 <= x <= 1
template <class V, std::size_t vectors>
[[gnu::always_inline]] inline void log1p(V (&x)[vectors]) {
  V squares[vectors], sums[vectors];
  for (V& s : x) s = s / (2 + s);
  for (std::size_t j = 0; j < vectors; ++j) squares[j] = x[j] * x[j];
  polynomial(Constants<Element<V>>::kLog1p, squares, sums);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = x[j] * sums[j];
}
template <class V>
inline V log1p(V x) {
  V one[] = {x};
  log1p(one);
  return one[0];
}

// log(1 + e^x)
template <class V, std::size_t vectors>
[[gnu::always_inline]] inline void softplus(V (&x)[vectors]) {
  V e[vectors];
  for (std::size_t j = 0; j < vectors; ++j) e[j] = -magnitude(x[j]);
  exp(e);
  log1p(e);
  for (std::size_t j = 0; j < vectors; ++j) x[j] = larger(x[j], V{}) + e[j];
}
template <class V>
inline V softplus(V x) {
  V one[] = {x};
  softplus(one);
  return one[0];
}

}  // namespace resolvent
