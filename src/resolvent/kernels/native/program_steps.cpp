#include <algorithm>
#include <cmath>

#include "program.hpp"

namespace resolvent {
namespace {

using V = Vector<float>;
inline constexpr int kWide = kLanes<float>;

// Channels of an item: enough work to be worth taking.
inline constexpr Index kChannels = 128;

Index parts(Index channels) { return (channels + kChannels - 1) / kChannels; }

// Item `item` of b rows of channels: its row, and its channels [first, last).
struct Part {
  Index row, first, last;
  Part(Index item, Index channels)
      : row(item / parts(channels)), first(item % parts(channels) * kChannels),
        last(std::min(first + kChannels, channels)) {}
};

template <class W>
inline W silu(W x) {
  return x * sigmoid(x);
}

}  // namespace

void Norm::run(Index item) const {
  const Index first = item % groups * d;
  const float* from = x[item / groups] + first;
  float* to = y[item / groups] + first;
  V squares{};
  for_vectors<kWide>(0, d, [&](Index i, auto part) {
    const V v = part.read(from + i);
    squares = squares + v * v;
  });
  const float scale = 1 / std::sqrt(sum<float, kWide>(squares) / d + eps);
  for_vectors<kWide>(0, d, [&](Index i, auto part) {
    const V v = part.read(from + i) * scale;
    part.write(to + i, weight ? v * part.read(weight + first + i) : v);
  });
}

Index Convolve::items() const { return b * parts(d); }

void Convolve::run(Index item) const {
  const Part part(item, d);
  if (live && !live[part.row]) return;
  float* past = tail + part.row * (w - 1) * d;
  for_vectors<kWide>(part.first, part.last, [&](Index i, auto lanes) {
    V v = bias ? lanes.read(bias + i) : V{};
    for (Index j = 0; j < w; ++j) {
      const V entry = lanes.read(j < w - 1 ? past + j * d + i : x[part.row] + i);
      v = v + lanes.read(weight + j * d + i) * entry;
      if (j > 0) lanes.write(past + (j - 1) * d + i, entry);
    }
    lanes.write(y[part.row] + i, silu(v));
  });
}

Index SelectiveStep::items() const { return b * parts(m); }

void SelectiveStep::run(Index item) const {
  const Part part(item, m);
  const Index row = part.row;
  if (live && !live[row]) return;
  float step[kChannels], out[kChannels];
  for_vectors<kWide>(part.first, part.last, [&](Index i, auto lanes) {
    lanes.write(step + i - part.first, softplus(lanes.read(dt[row] + i) + lanes.read(bias + i)));
  });
  for (Index i = part.first; i < part.last; ++i) {
    const float delta = step[i - part.first], push = delta * u[row][i];
    const float* rates = A + i * n;
    float* state = h + (row * m + i) * n;
    V found{};
    for_vectors<kWide>(0, n, [&](Index k, auto lanes) {
      const V decay = exp(delta * lanes.read(rates + k));
      const V next = decay * lanes.read(state + k) + push * lanes.read(B[row] + k);
      lanes.write(state + k, next);
      found = found + next * lanes.read(C[row] + k);
    });
    out[i - part.first] = sum<float, kWide>(found);
  }
  for_vectors<kWide>(part.first, part.last, [&](Index i, auto lanes) {
    const V v = lanes.read(out + i - part.first) + lanes.read(D + i) * lanes.read(u[row] + i);
    lanes.write(y[row] + i, v * silu(lanes.read(z[row] + i)));
  });
}

void MatrixStep::run(Index item) const {
  const Index row = item / m, head = item % m, group = head / (m / groups);
  if (live && !live[row]) return;
  const float delta = std::clamp(softplus(dt[row][head] + bias[head]), low, high);
  const float decay = exp(delta * A[head]);
  const float *input = u[row] + head * p, *write = B[row] + group * n, *read = C[row] + group * n;
  float* state = h + item * n * p;
  // some columns of the state, so few that what they read stays in registers
  const auto columns = [&](Index first, auto count, auto lanes) {
    V push[count.value], out[count.value];
    for (int c = 0; c < count.value; ++c) {
      const V x = lanes.read(input + first + c * kWide);
      push[c] = delta * x;
      out[c] = D[head] * x;
    }
    for (Index k = 0; k < n; ++k)
      for (int c = 0; c < count.value; ++c) {
        float* at = state + k * p + first + c * kWide;
        const V next = decay * lanes.read(at) + write[k] * push[c];
        lanes.write(at, next);
        out[c] = out[c] + read[k] * next;
      }
    for (int c = 0; c < count.value; ++c) {
      const Index at = head * p + first + c * kWide;
      lanes.write(y[row] + at, out[c] * silu(lanes.read(z[row] + at)));
    }
  };
  const Index whole = p / kWide;
  cover<4>(0, whole, [&](Index at, auto count) {
    columns(at * kWide, count, WholeVector<kWide>{});
  });
  for_vectors<kWide>(whole * kWide, p, [&](Index at, auto lanes) {
    columns(at, std::integral_constant<int, 1>{}, lanes);
  });
}

}  // namespace resolvent
