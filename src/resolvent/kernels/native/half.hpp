// Numbers of two bytes on their way into vectors of float32 and back.
#pragma once

#include "stored.hpp"

namespace resolvent {

// bfloat16 numbers into vectors, zeros beyond the last one.
template <class V>
inline void widen(const std::uint16_t* from, Index count, V* to) {
  if constexpr (std::is_same_v<Element<V>, float>) {
    for_vectors<kLanes<float>>(0, count, [&](Index i, auto part) {
      to[i / kLanes<float>] = BFloat16::widen(part.read(from + i));
    });
  } else {
    __builtin_unreachable();
  }
}

// And back, rounded to the nearest, of two the even one, as PyTorch does.
template <class V>
inline void narrow(const V* from, Index count, std::uint16_t* to) {
  if constexpr (std::is_same_v<Element<V>, float>) {
    using Word = Vector<std::uint32_t>;
    for_vectors<kLanes<float>>(0, count, [&](Index i, auto part) {
      const V x = from[i / kLanes<float>];
      const Word word = bits<Word>(x), rounded = (word + 0x7fff + (word >> 16 & 1)) >> 16;
      const Word chosen = x == x ? rounded : Word{} + 0x7fc0;
      part.write(to + i, __builtin_convertvector(chosen, Vector<std::uint16_t, kLanes<float>>));
    });
  } else {
    __builtin_unreachable();
  }
}

}  // namespace resolvent
