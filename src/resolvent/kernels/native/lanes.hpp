// What a vector's lanes hold, for vectors and for single numbers alike.
#pragma once

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "vector.hpp"

namespace resolvent {

// What a vector's lanes hold, and integers of the same size in a vector of the same shape.
template <class V, bool scalar = std::is_arithmetic_v<V>>
struct Lane {
  using Real = V;
};
template <class V>
struct Lane<V, false> {
  using Real = std::remove_reference_t<decltype(std::declval<V&>()[0])>;
};
template <class V>
using Element = typename Lane<V>::Real;
template <class V>
using Integers = Vector<std::conditional_t<sizeof(Element<V>) == 4, std::uint32_t, std::uint64_t>,
                        static_cast<int>(sizeof(V) / sizeof(Element<V>))>;

template <class To, class From>
inline To bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// The same number in every lane.
template <class V>
inline V all(Element<V> x) {
  return V{} + x;
}

template <class V>
inline V larger(V x, V y) {
  return x < y ? y : x;
}
template <class V>
inline V smaller(V x, V y) {
  return x > y ? y : x;
}
#ifdef __AVX512F__
// Single instructions that compilers do not find by themselves.
inline Vector<float> larger(Vector<float> x, Vector<float> y) { return _mm512_maskz_max_ps(-1, y, x); }
inline Vector<double> larger(Vector<double> x, Vector<double> y) { return _mm512_maskz_max_pd(-1, y, x); }
inline Vector<float> smaller(Vector<float> x, Vector<float> y) { return _mm512_maskz_min_ps(-1, y, x); }
inline Vector<double> smaller(Vector<double> x, Vector<double> y) { return _mm512_maskz_min_pd(-1, y, x); }
#elif defined(__AVX2__)
inline Vector<float> larger(Vector<float> x, Vector<float> y) { return _mm256_max_ps(y, x); }
inline Vector<double> larger(Vector<double> x, Vector<double> y) { return _mm256_max_pd(y, x); }
inline Vector<float> smaller(Vector<float> x, Vector<float> y) { return _mm256_min_ps(y, x); }
inline Vector<double> smaller(Vector<double> x, Vector<double> y) { return _mm256_min_pd(y, x); }
#endif

// Whether a comparison of vectors holds in all of their lanes.
template <class Mask>
inline bool everywhere(Mask mask) {
  using Word = Vector<std::int64_t, sizeof(Mask) / sizeof(std::int64_t)>;
  bool holds = true;
  for (std::size_t i = 0; i < sizeof(Mask) / 8; ++i) holds = holds && bits<Word>(mask)[i] == -1;
  return holds;
}

template <class V>
inline V magnitude(V x) {
  return larger(x, -x);
}

}  // namespace resolvent
