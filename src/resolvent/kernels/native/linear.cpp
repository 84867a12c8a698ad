#include "linear.hpp"

#include <algorithm>

#include "panel.hpp"

namespace resolvent {
namespace {

// Rows of x that are multiplied at once; bytes of weights that an item reads, that are asked for before
// they are needed, and that come at once. One row of weights is read after the other: memory is
// fastest from one end to the other.
inline constexpr int kInputs = 8;
inline constexpr Index kItemBytes = 1 << 17, kAhead = 1 << 11, kLine = 64;

using V = Vector<float>;

// Asks for what will be needed where these weights, of one block, are now.
template <class Number>
inline void prefetch(const Number* weights) {
  const auto ahead = reinterpret_cast<std::uintptr_t>(weights) + kAhead;
  for (Index line = 0; line < kScaled * static_cast<Index>(sizeof(Number)); line += kLine)
    __builtin_prefetch(reinterpret_cast<const void*>(ahead + line));
}

template <class Kind, int inputs>
inline void products(const Linear& linear, Index input, Index output) {
  const Stored& weight = linear.weight;
  const auto* weights = static_cast<const typename Kind::Number*>(weight.data) + output * weight.stride;
  V sums[inputs]{};
  for (Index from = 0; from < weight.k; from += kScaled) {
    prefetch(weights + from);
    V block[inputs]{};
    for_vectors<kLanes<float>>(from, std::min(from + kScaled, weight.k), [&](Index column, auto part) {
      const V w = Kind::widen(part.read(weights + column));
      for (int i = 0; i < inputs; ++i)
        block[i] = block[i] + w * part.read(linear.x[input + i] + column);
    });
    const float scale = Kind::kScales ? weight.scales[(output * weight.stride + from) / kScaled] : 1;
    for (int i = 0; i < inputs; ++i) sums[i] = sums[i] + block[i] * scale;
  }
  for (int i = 0; i < inputs; ++i) {
    float* to = linear.y[input + i] + output;
    const float y = sum<float, kLanes<float>>(sums[i]) + (linear.bias ? linear.bias[output] : 0);
    *to = linear.adds ? *to + y : y;
  }
}

Index number_bytes(Storage storage) {
  return storage == Storage::int8 ? 1 : storage == Storage::bfloat16 ? 2 : 4;
}

// Outputs of an item.
Index span(const Stored& weight) {
  return std::max<Index>(1, kItemBytes / std::max<Index>(1, weight.stride * number_bytes(weight.storage)));
}

}  // namespace

Index Linear::items() const { return (weight.n + span(weight) - 1) / span(weight); }

void Linear::run(Index item) const {
  const Index first = item * span(weight), last = std::min(first + span(weight), weight.n);
  dispatch_stored(weight.storage, [&](auto kind) {
    using Kind = decltype(kind);
    for (Index output = first; output < last; ++output)
      cover<kInputs>(0, b, [&](Index input, auto inputs) {
        products<Kind, inputs.value>(*this, input, output);
      });
  });
}

void expand(const Stored& weight, Index index, float* to) {
  dispatch_stored(weight.storage, [&](auto kind) {
    using Kind = decltype(kind);
    const auto* row = static_cast<const typename Kind::Number*>(weight.data) + index * weight.stride;
    for_vectors<kLanes<float>>(0, weight.k, [&](Index column, auto part) {
      V x = Kind::widen(part.read(row + column));
      if constexpr (Kind::kScales)
        x = x * weight.scales[(index * weight.stride + column) / kScaled];
      part.write(to + column, x);
    });
  });
}

}  // namespace resolvent
