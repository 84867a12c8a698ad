// Matrices of weights, stored in few bits: what decoding reads once for every token.
#pragma once

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "functions.hpp"

namespace resolvent {

enum class Storage { float32, bfloat16, int8 };

// Columns of a row that share a scale.
inline constexpr Index kScaled = 64;

// Weights (n, k), in rows that lie `stride` numbers apart. int8: the numbers times scales (n, blocks
// of kScaled columns), rows padded with zeros to whole blocks.
struct Stored {
  const void* data;
  const float* scales;
  Index n, k, stride;
  Storage storage;
};

// Vectors of small integers as vectors of integers of four bytes: an instruction that not every
// compiler finds by itself.
inline Vector<std::int32_t> wide(Vector<std::int8_t, kLanes<float>> x) {
#if defined(__AVX512F__)
  return bits<Vector<std::int32_t>>(_mm512_maskz_cvtepi8_epi32(-1, bits<__m128i>(x)));
#elif defined(__AVX2__)
  return bits<Vector<std::int32_t>>(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bits<long long>(x))));
#else
  return __builtin_convertvector(x, Vector<std::int32_t>);
#endif
}
inline Vector<std::int32_t> wide(Vector<std::uint16_t, kLanes<float>> x) {
#if defined(__AVX512F__)
  return bits<Vector<std::int32_t>>(_mm512_maskz_cvtepu16_epi32(-1, bits<__m256i>(x)));
#elif defined(__AVX2__)
  return bits<Vector<std::int32_t>>(_mm256_cvtepu16_epi32(bits<__m128i>(x)));
#else
  return __builtin_convertvector(x, Vector<std::int32_t>);
#endif
}

// How vectors of a kind of stored numbers become float32.
struct Float32 {
  using Number = float;
  static constexpr bool kScales = false;
  static Vector<float> widen(Vector<float> x) { return x; }
};
struct BFloat16 {
  using Number = std::uint16_t;
  static constexpr bool kScales = false;
  static Vector<float> widen(Vector<Number, kLanes<float>> x) {
    return bits<Vector<float>>(wide(x) << 16);
  }
};
struct Int8 {
  using Number = std::int8_t;
  static constexpr bool kScales = true;
  static Vector<float> widen(Vector<Number, kLanes<float>> x) {
    return __builtin_convertvector(wide(x), Vector<float>);
  }
};

// Calls body(Kind) with the kind of numbers that are stored.
template <class Body>
void dispatch_stored(Storage storage, const Body& body) {
  if (storage == Storage::int8) return body(Int8{});
  if (storage == Storage::bfloat16) return body(BFloat16{});
  return body(Float32{});
}

}  // namespace resolvent
