#include "functions.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "selective.hpp"
#include "strip.hpp"

namespace resolvent {
namespace {

// Modes that a pass over a block keeps in registers.
inline constexpr int kModes = kVectorBytes == 64 ? 16 : 8;

// The steps of a block, as the modes see them.
template <class Real>
struct Steps {
  Vector<Real> dt[kBlock], push[kBlock], y[kBlock];  // push = dt u
  Index count;
  const bool* resets;
  const Real *B, *C;
  Index stride;
};

// Takes `modes` modes through a block, with rates A log2(e), and adds their share to y.
template <int modes, class Real, class V>
inline void advance(Steps<Real>& steps, Index first, const V* rates, V* states) {
  V rate[modes], h[modes];
  for (int i = 0; i < modes; ++i) {
    rate[i] = rates[first + i];
    h[i] = states[first + i];
  }
  for (Index t = 0; t < steps.count; ++t) {
    if (steps.resets && steps.resets[t]) std::fill_n(h, modes, V{});
    const V dt = steps.dt[t], push = steps.push[t];
    const Real *B = steps.B + t * steps.stride + first, *C = steps.C + t * steps.stride + first;
    V y = steps.y[t];
#pragma GCC unroll 16
    for (int i = 0; i < modes; ++i) {
      h[i] = exp2(dt * rate[i]) * h[i] + push * B[i];
      y = y + h[i] * C[i];
    }
    steps.y[t] = y;
  }
  for (int i = 0; i < modes; ++i) states[first + i] = h[i];
}

}  // namespace

template <class Real>
void selective_forward(const SelectiveSize& size, const SelectiveForward<Real>& array) {
  using V = Vector<Real>;
  const SelectiveInput<Real>& in = array.in;
  const Index m = size.m, n = size.n, strips = Strip<Real>::count(m, size.g);
  const Index blocks = std::max<Index>(size.l - 1, 0) / kBlock;
  const int threads = worthwhile(size.threads, size.b * size.l * m * n * 8);
  const Buffer<V> rate_buffer(threads * n), state_buffer(threads * n);

  parallel_for(size.b * strips, threads, [&](Index item, int thread) {
    const Index row = item / strips, stop = in.rows.stop(row, size.l);
    const Strip<Real> strip(m, size.g, item % strips);
    V *rates = rate_buffer.data() + thread * n, *states = state_buffer.data() + thread * n;
    for (Index k = 0; k < n; ++k) {
      rates[k] = strip.gather(in.A, n, k) * static_cast<Real>(kLog2E);
      states[k] = in.h0 ? strip.gather(in.h0 + row * m * n, n, k) : V{};
    }
    const V D = in.D ? strip.read(in.D) : V{}, bias = in.bias ? strip.read(in.bias) : V{};
    Steps<Real> steps;
    steps.stride = size.g * n;
    for (Index from = 0; from < stop; from += kBlock) {
      const Index at = row * size.l + from;
      steps.count = std::min(kBlock, stop - from);
      steps.resets = in.rows.resets ? in.rows.resets + at : nullptr;
      steps.B = in.B + (at * size.g + strip.group) * n;
      steps.C = in.C + (at * size.g + strip.group) * n;
      if (array.checkpoints && from > 0)
        for (Index k = 0; k < n; ++k)
          strip.write(array.checkpoints + ((row * blocks + from / kBlock - 1) * n + k) * m, states[k]);
      for (Index t = 0; t < steps.count; ++t) {
        const V u = strip.read(in.u + (at + t) * m), dt = strip.read(in.dt + (at + t) * m);
        steps.dt[t] = in.bias ? softplus(dt + bias) : dt;
        steps.push[t] = steps.dt[t] * u;
        steps.y[t] = D * u;
      }
      cover<kModes>(0, n, [&](Index first, auto modes) {
        advance<modes.value>(steps, first, rates, states);
      });
      for (Index t = 0; t < steps.count; ++t) {
        V y = steps.y[t];
        if (in.z) {
          const V z = strip.read(in.z + (at + t) * m);
          y = y * (z * sigmoid(z));
        }
        strip.write(array.y + (at + t) * m, y);
      }
    }
    for (Index t = stop; t < size.l; ++t) strip.write(array.y + (row * size.l + t) * m, V{});
    for (Index k = 0; k < n; ++k) strip.scatter(array.h_last + row * m * n, n, k, states[k]);
  });
}

template void selective_forward<float>(const SelectiveSize&, const SelectiveForward<float>&);
template void selective_forward<double>(const SelectiveSize&, const SelectiveForward<double>&);

}  // namespace resolvent
