// Modes as they lie in memory, where a complex number is its real part before its imaginary part.
#pragma once

#include <algorithm>

#include "vector.hpp"

namespace resolvent {

// Numbers i_0, i_1, ... of the two vectors' lanes, one vector after the other.
template <class V, std::size_t... i>
inline V pick(V low, V high, std::index_sequence<i...>) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(low, high, i...);
#else
  constexpr std::size_t lanes = sizeof...(i);
  return V{(i < lanes ? low : high)[i % lanes]...};
#endif
}

template <class Lanes>
struct Pattern;  // which lanes to pick, for all of these lanes
template <std::size_t... i>
struct Pattern<std::index_sequence<i...>> {
  static constexpr std::size_t n = sizeof...(i);
  using Real = std::index_sequence<(2 * i)...>;
  using Imaginary = std::index_sequence<(2 * i + 1)...>;
  using Low = std::index_sequence<(i / 2 + i % 2 * n)...>;
  using High = std::index_sequence<((i + n) / 2 + i % 2 * n)...>;

  // Even or odd groups of numbers, within blocks of the registers: the low half of a block from the
  // first vector, the high half from the second.
  template <std::size_t group, std::size_t block, std::size_t odd>
  using Halves = std::index_sequence<(i % block < block / 2 ? 0 : n) + i / block * block +
                                     i % (block / 2) / group * 2 * group + odd * group +
                                     i % group...>;
};

// `lanes` consecutive modes.
template <class Real, bool is_complex, int lanes>
inline Mode<Vector<Real, lanes>, is_complex> load_modes(const Real* from) {
  using V = Vector<Real, lanes>;
  if constexpr (!is_complex) {
    return {load<V>(from)};
  } else if constexpr (lanes == 1) {
    return {from[0], from[1]};
  } else {
    using Lanes = Pattern<std::make_index_sequence<lanes>>;
    const V low = load<V>(from), high = load<V>(from + lanes);
    return {pick(low, high, typename Lanes::Real{}), pick(low, high, typename Lanes::Imaginary{})};
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
    using Lanes = Pattern<std::make_index_sequence<lanes>>;
    store(to, pick(x.re, x.im, typename Lanes::Low{}));
    store(to + lanes, pick(x.re, x.im, typename Lanes::High{}));
  }
}

// Adds neighbouring groups of lanes of neighbouring vectors, until one vector is left; within 16 bytes
// first, where numbers move freely.
template <class Real, int lanes, int left = lanes / 2>
inline void add_pairs(Vector<Real, lanes>* v) {
  if constexpr (left > 0) {
    using Lanes = Pattern<std::make_index_sequence<lanes>>;
    constexpr int kNear = std::min<int>(lanes, 16 / sizeof(Real)), kFar = std::min(kNear, lanes / 2);
    constexpr bool near = lanes / left <= kNear;
    constexpr int kGroup = near ? 1 : kFar, kWithin = near ? kNear : lanes;
    for (int i = 0; i < left; ++i)
      v[i] = pick(v[2 * i], v[2 * i + 1], typename Lanes::template Halves<kGroup, kWithin, 0>{}) +
             pick(v[2 * i], v[2 * i + 1], typename Lanes::template Halves<kGroup, kWithin, 1>{});
    add_pairs<Real, lanes, left / 2>(v);
  }
}

// The sums of the lanes of each of `lanes` vectors, in their order.
template <class Real, int lanes>
inline Vector<Real, lanes> sums_of(const Vector<Real, lanes>* v) {
  Vector<Real, lanes> sums[lanes];
  std::copy_n(v, lanes, sums);
  add_pairs<Real, lanes>(sums);
  return sums[0];
}

}  // namespace resolvent
