#include "linear.hpp"

#include <algorithm>

#include "panel.hpp"

namespace resolvent {
namespace {

// Outputs and rows whose sums are in registers at once; bytes of weights that an item reads, that
// are asked for before they are needed (of short rows the processor does not foresee them), and
// that come at once.
inline constexpr int kOutputs = 4, kInputs = 2;
inline constexpr Index kItemBytes = 1 << 17, kAhead = 1 << 12, kLine = 64;

using V = Vector<float>;

template <class Kind, int inputs, int outputs>
struct Sums {
  V of[inputs][outputs]{};

  // Adds the products of columns [from, to).
  void add(const Linear& linear, Index input, const typename Kind::Number* weights, Index from,
           Index to) {
    for_vectors<kLanes<float>>(from, to, [&](Index column, auto part) {
      V x[inputs];
      for (int i = 0; i < inputs; ++i) x[i] = part.read(linear.x[input + i] + column);
      for (int o = 0; o < outputs; ++o) {
        const V w = Kind::widen(part.read(weights + o * linear.weight.stride + column));
        for (int i = 0; i < inputs; ++i) of[i][o] = of[i][o] + w * x[i];
      }
    });
  }
};

// Asks for what will be needed where these weights, of one block, are now.
template <class Number>
inline void prefetch(const Number* weights) {
  const auto ahead = reinterpret_cast<std::uintptr_t>(weights) + kAhead;
  for (Index line = 0; line < kScaled * static_cast<Index>(sizeof(Number)); line += kLine)
    __builtin_prefetch(reinterpret_cast<const void*>(ahead + line));
}

template <class Kind, int inputs, int outputs>
inline void products(const Linear& linear, Index input, Index output) {
  const Stored& weight = linear.weight;
  const auto* weights = static_cast<const typename Kind::Number*>(weight.data);
  weights += output * weight.stride;
  Sums<Kind, inputs, outputs> sums;
  for (Index from = 0; from < weight.k; from += kScaled) {
    const Index to = std::min(from + kScaled, weight.k);
    for (int o = 0; o < outputs; ++o) prefetch(weights + o * weight.stride + from);
    if constexpr (Kind::kScales) {
      Sums<Kind, inputs, outputs> part;
      part.add(linear, input, weights, from, to);
      for (int o = 0; o < outputs; ++o) {
        const float scale = weight.scales[((output + o) * weight.stride + from) / kScaled];
        for (int i = 0; i < inputs; ++i)
          sums.of[i][o] = sums.of[i][o] + part.of[i][o] * scale;
      }
    } else {
      sums.add(linear, input, weights, from, to);
    }
  }
  for (int i = 0; i < inputs; ++i) {
    float y[outputs];
    resolvent::sums<float, outputs>(sums.of[i], y);
    float* to = linear.y[input + i] + output;
    for (int o = 0; o < outputs; ++o) {
      if (linear.bias) y[o] += linear.bias[output + o];
      to[o] = linear.adds ? to[o] + y[o] : y[o];
    }
  }
}

Index number_bytes(Storage storage) {
  return storage == Storage::int8 ? 1 : storage == Storage::bfloat16 ? 2 : 4;
}

// Outputs of an item.
Index span(const Stored& weight) {
  const Index row = std::max<Index>(1, weight.stride * number_bytes(weight.storage));
  return std::max<Index>(1, kItemBytes / row / kOutputs) * kOutputs;
}

}  // namespace

Index Linear::items() const { return (weight.n + span(weight) - 1) / span(weight); }

void Linear::run(Index item) const {
  const Index first = item * span(weight), last = std::min(first + span(weight), weight.n);
  dispatch_stored(weight.storage, [&](auto kind) {
    using Kind = decltype(kind);
    cover<kOutputs>(first, last, [&](Index output, auto outputs) {
      cover<kInputs>(0, b, [&](Index input, auto inputs) {
        products<Kind, inputs.value, outputs.value>(*this, input, output);
      });
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
