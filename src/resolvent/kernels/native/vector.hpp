// The number types of the kernels: a vector of reals, and a mode (a real or complex number) in each
// of its lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace resolvent {

using Index = std::int64_t;

// Bytes of a vector register.
#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class Real>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(Real));

template <class Real, int lanes>
struct VectorOf {
  typedef Real type __attribute__((vector_size(sizeof(Real) * lanes)));
};
template <class Real>
struct VectorOf<Real, 1> {
  using type = Real;
};
template <class Real, int lanes = kLanes<Real>>
using Vector = typename VectorOf<Real, lanes>::type;

template <class V, class Real>
inline V load(const Real* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class V, class Real>
inline void store(Real* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

// The sum of all lanes, pair by pair.
template <class Real, int lanes>
inline Real sum(Vector<Real, lanes> v) {
  if constexpr (lanes == 1) {
    return v;
  } else {
    Vector<Real, lanes / 2> half[2];
    std::memcpy(half, &v, sizeof v);
    return sum<Real, lanes / 2>(half[0] + half[1]);
  }
}

// Calls body(column, lanes) for vectors of at most `widest` lanes that cover columns [first, last).
template <int widest, class Body>
inline void cover(Index first, Index last, const Body& body) {
  for (; last - first >= widest; first += widest)
    body(first, std::integral_constant<int, widest>{});
  if constexpr (widest > 1) cover<widest / 2>(first, last, body);
}

// Calls body(i) with constants i from 0 to count - 1: a loop that is unrolled however large it is.
template <class Body, int... i>
inline void each(const Body& body, std::integer_sequence<int, i...>) {
  (body(std::integral_constant<int, i>{}), ...);
}
template <int count, class Body>
inline void each(const Body& body) {
  each(body, std::make_integer_sequence<int, count>{});
}

// Calls body(count) with a constant, 1 <= count <= most.
template <int most, class Body>
inline void with_count(int count, const Body& body) {
  if (count == most) return body(std::integral_constant<int, most>{});
  if constexpr (most > 1) with_count<most - 1>(count, body);
}

// Vectors of any kind of numbers at a time, whole ones or, at the end, their first numbers: what lies
// beyond is zero when read, and not written.
template <int lanes>
struct WholeVector {
  template <class Number>
  Vector<Number, lanes> read(const Number* from) const {
    return load<Vector<Number, lanes>>(from);
  }
  template <class Number>
  void write(Number* to, Vector<Number, lanes> v) const {
    store(to, v);
  }
};
template <int lanes>
struct PartVector {
  Index count;
  template <class Number>
  Vector<Number, lanes> read(const Number* from) const {
    Vector<Number, lanes> v{};
    std::memcpy(&v, from, count * sizeof(Number));
    return v;
  }
  template <class Number>
  void write(Number* to, Vector<Number, lanes> v) const {
    std::memcpy(to, &v, count * sizeof(Number));
  }
};

// Calls body(column, part) for the vectors that cover columns [first, last).
template <int lanes, class Body>
inline void for_vectors(Index first, Index last, const Body& body) {
  for (; last - first >= lanes; first += lanes) body(first, WholeVector<lanes>{});
  if (first < last) body(first, PartVector<lanes>{last - first});
}

// A mode: what a state is, and what multiplies it. V is a real number or a vector of them.
template <class V, bool is_complex>
struct Mode {
  V re, im;
};
template <class V>
struct Mode<V, false> {
  V re;
};

// The same numbers in lanes of another precision.
template <class To, class V>
inline To convert(V x) {
  if constexpr (std::is_arithmetic_v<To>)
    return static_cast<To>(x);
  else
    return __builtin_convertvector(x, To);
}
template <class To, class V, bool is_complex>
inline Mode<To, is_complex> convert(Mode<V, is_complex> x) {
  Mode<To, is_complex> y;
  y.re = convert<To>(x.re);
  if constexpr (is_complex) y.im = convert<To>(x.im);
  return y;
}

template <class V, bool is_complex>
inline Mode<V, is_complex> conj(Mode<V, is_complex> x) {
  if constexpr (is_complex) x.im = -x.im;
  return x;
}

// sum + x y, one fused operation for each product of real numbers
template <class V, bool is_complex>
inline Mode<V, is_complex> madd(Mode<V, is_complex> sum, Mode<V, is_complex> x,
                                Mode<V, is_complex> y) {
  sum.re = sum.re + x.re * y.re;
  if constexpr (is_complex) {
    sum.im = sum.im + x.re * y.im;
    sum.re = sum.re - x.im * y.im;
    sum.im = sum.im + x.im * y.re;
  }
  return sum;
}

// sum + x y with a real y
template <class V, bool is_complex>
inline Mode<V, is_complex> madd(Mode<V, is_complex> sum, Mode<V, is_complex> x, V y) {
  sum.re = sum.re + x.re * y;
  if constexpr (is_complex) sum.im = sum.im + x.im * y;
  return sum;
}

// sum + Re(x y)
template <class V, bool is_complex>
inline V madd_real(V sum, Mode<V, is_complex> x, Mode<V, is_complex> y) {
  sum = sum + x.re * y.re;
  if constexpr (is_complex) sum = sum - x.im * y.im;
  return sum;
}

template <class V, bool is_complex>
inline Mode<V, is_complex> operator*(Mode<V, is_complex> x, Mode<V, is_complex> y) {
  return madd(Mode<V, is_complex>{}, x, y);
}
template <class V, bool is_complex>
inline Mode<V, is_complex> operator*(Mode<V, is_complex> x, V y) {
  return madd(Mode<V, is_complex>{}, x, y);
}
template <class V, bool is_complex>
inline Mode<V, is_complex> operator+(Mode<V, is_complex> x, Mode<V, is_complex> y) {
  x.re = x.re + y.re;
  if constexpr (is_complex) x.im = x.im + y.im;
  return x;
}
template <class V, bool is_complex>
inline Mode<V, is_complex> operator-(Mode<V, is_complex> x, Mode<V, is_complex> y) {
  x.re = x.re - y.re;
  if constexpr (is_complex) x.im = x.im - y.im;
  return x;
}

}  // namespace resolvent
