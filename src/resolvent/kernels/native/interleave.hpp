// Modes as they lie in memory, where a complex number is its real part before its imaginary part.
#pragma once

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

}  // namespace resolvent
