// The number types of the kernels: a vector of reals, and a mode (a real or complex number) in each of its lanes.
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

// A mode: what multiplies a state. `Mode<V, true>` is complex, `Mode<V, false>` real; V is a real number or a vector.
template <class V, bool is_complex>
struct Mode {
  V re, im;
};
template <class V>
struct Mode<V, false> {
  V re;
};

template <class V, bool is_complex>
inline Mode<V, is_complex> conj(Mode<V, is_complex> x) {
  if constexpr (is_complex) x.im = -x.im;
  return x;
}

// sum + x * y, one fused operation for each product
template <class V, bool is_complex>
inline Mode<V, is_complex> madd(Mode<V, is_complex> sum, Mode<V, is_complex> x, Mode<V, is_complex> y) {
  if constexpr (is_complex) {
    sum.re = sum.re + x.re * y.re;
    sum.im = sum.im + x.re * y.im;
    sum.re = sum.re - x.im * y.im;
    sum.im = sum.im + x.im * y.re;
  } else {
    sum.re = sum.re + x.re * y.re;
  }
  return sum;
}

// sum + x * y with a real y
template <class V, bool is_complex>
inline Mode<V, is_complex> madd(Mode<V, is_complex> sum, Mode<V, is_complex> x, V y) {
  sum.re = sum.re + x.re * y;
  if constexpr (is_complex) sum.im = sum.im + x.im * y;
  return sum;
}

// sum + x * y with a real y and an x that is known to be real
template <class V, bool is_complex>
inline Mode<V, is_complex> madd_known_real(Mode<V, is_complex> sum, Mode<V, is_complex> x, V y) {
  sum.re = sum.re + x.re * y;
  return sum;
}

// sum + Re(x * y)
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

// Lanes first, first + 2, ... of the 2 * lanes numbers in (low, high); and its inverse.
template <class V, std::size_t... i>
inline V every_second(V low, V high, int first, std::index_sequence<i...>) {
#if __has_builtin(__builtin_shufflevector)
  return first == 0 ? __builtin_shufflevector(low, high, (2 * i)...) : __builtin_shufflevector(low, high, (2 * i + 1)...);
#else
  return V{(2 * i < sizeof...(i) ? low : high)[(2 * i + first) % sizeof...(i)]...};
#endif
}
template <class V, std::size_t... i>
inline V alternate(V even, V odd, int first, std::index_sequence<i...>) {
  constexpr std::size_t lanes = sizeof...(i);
#if __has_builtin(__builtin_shufflevector)
  return first == 0 ? __builtin_shufflevector(even, odd, (i / 2 + i % 2 * lanes)...)
                    : __builtin_shufflevector(even, odd, ((i + lanes) / 2 + i % 2 * lanes)...);
#else
  return V{(i % 2 == 0 ? even : odd)[(i + first * lanes) / 2]...};
#endif
}

// `lanes` consecutive modes from memory, where a complex number is its real part followed by its imaginary part.
template <class Real, bool is_complex, int lanes>
inline Mode<Vector<Real, lanes>, is_complex> load_modes(const Real* from) {
  using V = Vector<Real, lanes>;
  if constexpr (!is_complex) {
    return {load<V>(from)};
  } else if constexpr (lanes == 1) {
    return {from[0], from[1]};
  } else {
    const V low = load<V>(from), high = load<V>(from + lanes);
    constexpr std::make_index_sequence<lanes> all{};
    return {every_second(low, high, 0, all), every_second(low, high, 1, all)};
  }
}
template <class Real, bool is_complex, int lanes>
inline void store_modes(Real* to, Mode<Vector<Real, lanes>, is_complex> x) {
  if constexpr (!is_complex) {
    store(to, x.re);
  } else if constexpr (lanes == 1) {
    to[0] = x.re;
    to[1] = x.im;
  } else {
    constexpr std::make_index_sequence<lanes> all{};
    store(to, alternate(x.re, x.im, 0, all));
    store(to + lanes, alternate(x.re, x.im, lanes > 1, all));
  }
}

// Calls body(column, lanes) for vectors of at most `widest` lanes that together cover [first, last).
template <int widest, class Body>
inline void cover(Index first, Index last, const Body& body) {
  for (; last - first >= widest; first += widest) body(first, std::integral_constant<int, widest>{});
  if constexpr (widest > 1) cover<widest / 2>(first, last, body);
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

}  // namespace resolvent
