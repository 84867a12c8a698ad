// Backward in time with g, the gradient of the state. At each step, with h' the state before it,
// a = exp(dt A) and gy the gradient of y before the gate:
//
//   g += gy C         gC = sum_m gy h     gB = sum_m g dt u     gu = D gy + dt sum_n g B
//   q  = g a h'       gA = sum_t q dt     gdt = sum_n q A + u sum_n g B
//   g  = g a
//
// The states are computed again, block by block, from those that the forward pass kept.

#include "functions.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "selective.hpp"
#include "strip.hpp"

namespace resolvent {
namespace {

// Modes that a pass over a block keeps in registers.
inline constexpr int kModes = kVectorBytes == 64 ? 4 : 2;

// Pieces of work to aim for, and the least strips that make one.
inline constexpr Index kItems = 16, kStrips = 4;

// The numbers of one strip over a block.
template <class V>
struct Block {
  V u[kBlock], dt[kBlock], gy[kBlock];
  V read[kBlock];    // sum_n C h
  V gread[kBlock];   // sum_n g B
  V grate[kBlock];   // sum_n q A log2(e)
};

// Some strips of one group in one row.
template <class Real>
class Part {
  using V = Vector<Real>;

 public:
  static Index scratch(Index strips, Index n) { return strips * (3 * n + 2) + 2 * n * kBlock; }

  Part(const SelectiveSize& size, const SelectiveBackward<Real>& array, Index row, V* scratch)
      : size_(size), array_(array), in_(array.in), row_(row), stop_(in_.rows.stop(row, size.l)),
        n_(size.n), scratch_(scratch) {}

  // Strips [first, last) of all strips; gradients of B and C go to (l, stride).
  void run(Index first, Index last, Real* gB, Real* gC, Index stride) {
    const Index strips = last - first;
    gB_ = scratch_ + strips * (3 * n_ + 2);
    gC_ = gB_ + n_ * kBlock;
    for (Index i = 0; i < strips; ++i) start(strip(first + i), own(i));
    for (Index t = stop_; t < size_.l; ++t) {
      std::fill_n(gB + t * stride, n_, Real{});
      std::fill_n(gC + t * stride, n_, Real{});
    }
    for (Index from = (stop_ - 1) / kBlock * kBlock; from >= 0 && stop_ > 0; from -= kBlock) {
      std::fill_n(gB_, 2 * n_ * kBlock, V{});
      const Index count = std::min(kBlock, stop_ - from);
      for (Index i = 0; i < strips; ++i) block(strip(first + i), own(i), from, count);
      for (Index t = 0; t < count; ++t)
        for (Index k = 0; k < n_; ++k) {
          gB[(from + t) * stride + k] = sum<Real, kLanes<Real>>(gB_[k * kBlock + t]);
          gC[(from + t) * stride + k] = sum<Real, kLanes<Real>>(gC_[k * kBlock + t]);
        }
    }
    for (Index i = 0; i < strips; ++i) finish(strip(first + i), own(i));
  }

 private:
  // What a strip carries from block to block.
  struct Own {
    V *rates, *g, *gA, *gD, *gbias;
  };
  Strip<Real> strip(Index number) const { return {size_.m, size_.g, number}; }
  Own own(Index i) const {
    V* at = scratch_ + i * (3 * n_ + 2);
    return {at, at + n_, at + 2 * n_, at + 3 * n_, at + 3 * n_ + 1};
  }
  Index state() const { return row_ * size_.m * n_; }
  Index step(Index t) const { return (row_ * size_.l + t) * size_.m; }

  void start(const Strip<Real>& strip, const Own& own) {
    for (Index k = 0; k < n_; ++k) {
      own.rates[k] = strip.gather(in_.A, n_, k) * static_cast<Real>(kLog2E);
      own.g[k] = array_.gh_last ? strip.gather(array_.gh_last + state(), n_, k) : V{};
      own.gA[k] = V{};
    }
    *own.gD = *own.gbias = V{};
    for (Index t = stop_; t < size_.l; ++t) {
      strip.write(array_.gu + step(t), V{});
      strip.write(array_.gdt + step(t), V{});
      if (in_.z) strip.write(array_.gz + step(t), V{});
    }
  }
  void finish(const Strip<Real>& strip, const Own& own) {
    for (Index k = 0; k < n_; ++k) {
      strip.scatter(array_.gh0 + state(), n_, k, own.g[k]);
      strip.scatter(array_.gA + state(), n_, k, own.gA[k]);
    }
    strip.write(array_.gD + row_ * size_.m, *own.gD);
    strip.write(array_.gbias + row_ * size_.m, *own.gbias);
  }

  void block(const Strip<Real>& strip, const Own& own, Index from, Index count) {
    const V D = in_.D ? strip.read(in_.D) : V{}, bias = in_.bias ? strip.read(in_.bias) : V{};
    for (Index t = 0; t < count; ++t) {
      const Index at = step(from + t);
      const V dt = strip.read(in_.dt + at), gy = strip.read(array_.gy + at);
      block_.u[t] = strip.read(in_.u + at);
      block_.dt[t] = in_.bias ? softplus(dt + bias) : dt;
      block_.gy[t] = gy;
      if (in_.z) {
        const V z = strip.read(in_.z + at);
        block_.gy[t] = gy * (z * sigmoid(z));
      }
      block_.read[t] = block_.gread[t] = block_.grate[t] = V{};
    }
    cover<kModes>(0, n_, [&](Index k, auto modes) {
      sweep<modes.value>(strip, own, from, count, k);
    });
    V gD{}, gbias{};
    for (Index t = 0; t < count; ++t) {
      const Index at = step(from + t);
      const V u = block_.u[t], gy = block_.gy[t];
      V gdt = block_.grate[t] * static_cast<Real>(1 / kLog2E) + u * block_.gread[t];
      if (in_.bias) gdt = gdt * sigmoid(strip.read(in_.dt + at) + bias);
      if (in_.z) {
        const V z = strip.read(in_.z + at), s = sigmoid(z), y = block_.read[t] + D * u;
        strip.write(array_.gz + at, strip.read(array_.gy + at) * y * (s * (1 + z * (1 - s))));
      }
      strip.write(array_.gdt + at, gdt);
      strip.write(array_.gu + at, block_.dt[t] * block_.gread[t] + D * gy);
      gbias = gbias + gdt;
      gD = gD + gy * u;
    }
    *own.gD = *own.gD + gD;
    *own.gbias = *own.gbias + gbias;
  }

  // `modes` modes of a strip through a block, there and back.
  template <int modes>
  void sweep(const Strip<Real>& strip, const Own& own, Index from, Index count, Index k) {
    const Index at = row_ * size_.l + from, stride = size_.g * n_;
    const Real *B = in_.B + (at * size_.g + strip.group) * n_ + k;
    const Real *C = in_.C + (at * size_.g + strip.group) * n_ + k;
    const bool* resets = in_.rows.resets ? in_.rows.resets + at : nullptr;
    V states[kBlock][modes], decays[kBlock][modes];  // before each step, whether or not it is dropped
    V rate[modes], h[modes];
    for (int i = 0; i < modes; ++i) {
      rate[i] = own.rates[k + i];
      h[i] = before(strip, from, k + i);
    }
    for (Index t = 0; t < count; ++t) {
      std::copy_n(h, modes, states[t]);
      if (resets && resets[t]) std::fill_n(h, modes, V{});
      const V dt = block_.dt[t], push = dt * block_.u[t];
      V read = block_.read[t];
      for (int i = 0; i < modes; ++i) {
        decays[t][i] = exp2(dt * rate[i]);
        h[i] = decays[t][i] * h[i] + push * B[t * stride + i];
        read = read + h[i] * C[t * stride + i];
      }
      block_.read[t] = read;
    }
    V g[modes], gA[modes];
    for (int i = 0; i < modes; ++i) {
      g[i] = own.g[k + i];
      gA[i] = V{};
    }
    for (Index t = count - 1; t >= 0; --t) {
      const V dt = block_.dt[t], push = dt * block_.u[t], gy = block_.gy[t];
      V gread = block_.gread[t], grate = block_.grate[t];
      for (int i = 0; i < modes; ++i) {
        V& gB = gB_[(k + i) * kBlock + t];
        V& gC = gC_[(k + i) * kBlock + t];
        gC = gC + gy * h[i];
        g[i] = g[i] + gy * C[t * stride + i];
        gB = gB + g[i] * push;
        gread = gread + g[i] * B[t * stride + i];
        h[i] = states[t][i];
      }
      if (resets && resets[t]) {
        std::fill_n(g, modes, V{});
      } else {
        for (int i = 0; i < modes; ++i) {
          g[i] = g[i] * decays[t][i];
          const V q = g[i] * h[i];
          grate = grate + q * rate[i];
          gA[i] = gA[i] + q * dt;
        }
      }
      block_.gread[t] = gread;
      block_.grate[t] = grate;
    }
    for (int i = 0; i < modes; ++i) {
      own.g[k + i] = g[i];
      own.gA[k + i] = own.gA[k + i] + gA[i];
    }
  }

  // The state before a block.
  V before(const Strip<Real>& strip, Index from, Index k) const {
    if (from == 0) return in_.h0 ? strip.gather(in_.h0 + state(), n_, k) : V{};
    const Index blocks = (size_.l - 1) / kBlock, block = from / kBlock - 1;
    return strip.read(array_.checkpoints + ((row_ * blocks + block) * n_ + k) * size_.m);
  }

  const SelectiveSize& size_;
  const SelectiveBackward<Real>& array_;
  const SelectiveInput<Real>& in_;
  Index row_, stop_, n_;
  V *scratch_, *gB_ = nullptr, *gC_ = nullptr;
  Block<V> block_;
};

}  // namespace

template <class Real>
void selective_backward(const SelectiveSize& size, const SelectiveBackward<Real>& array) {
  using V = Vector<Real>;
  const Index strips = Strip<Real>::in_group(size.m / std::max<Index>(size.g, 1)), n = size.n;
  // How many parts there are depends on the sizes alone, so that the sums do not depend on threads.
  const Index wanted = kItems / std::max<Index>(size.b * size.g, 1);
  const Index parts = std::max<Index>(1, std::min(wanted, strips / kStrips));
  const Index most = (strips + parts - 1) / parts, items = size.b * size.g * parts;
  const int threads = worthwhile(size.threads, size.b * size.l * size.m * n * 16);
  const Index series = size.l * n, parameters = size.m * n;
  const Buffer<V> scratch(threads * Part<Real>::scratch(most, n));
  const Buffer<Real> split(parts > 1 ? 2 * items * series : 0);
  const Buffer<Real> sums(size.b * (parameters + 2 * size.m));
  SelectiveBackward<Real> own = array;
  own.gA = sums.data();
  own.gD = own.gA + size.b * parameters;
  own.gbias = own.gD + size.b * size.m;

  parallel_for(items, threads, [&](Index item, int thread) {
    const Index part = item % parts, group = item / parts % size.g, row = item / parts / size.g;
    Part<Real> pass(size, own, row, scratch.data() + thread * Part<Real>::scratch(most, n));
    const Index first = group * strips + part * strips / parts;
    const Index last = group * strips + (part + 1) * strips / parts;
    if (parts > 1) {
      Real* at = split.data() + 2 * item * series;
      pass.run(first, last, at, at + series, n);
    } else {
      const Index at = (row * size.l * size.g + group) * n;
      pass.run(first, last, array.gB + at, array.gC + at, size.g * n);
    }
  });
  if (parts > 1) {
    parallel_for(size.b * size.g * size.l, threads, [&](Index item, int) {
      const Index t = item % size.l, group = item / size.l % size.g, row = item / size.l / size.g;
      const Real* from = split.data() + 2 * (row * size.g + group) * parts * series + t * n;
      const Index to = ((row * size.l + t) * size.g + group) * n;
      for (Index k = 0; k < n; ++k) {
        Real gB = 0, gC = 0;
        for (Index part = 0; part < parts; ++part) {
          gB += from[2 * part * series + k];
          gC += from[(2 * part + 1) * series + k];
        }
        array.gB[to + k] = gB;
        array.gC[to + k] = gC;
      }
    });
  }
  add_up(own.gA, size.b, parameters, array.gA);
  if (array.in.D) add_up(own.gD, size.b, size.m, array.gD);
  if (array.in.bias) add_up(own.gbias, size.b, size.m, array.gbias);
}

template void selective_backward<float>(const SelectiveSize&, const SelectiveBackward<float>&);
template void selective_backward<double>(const SelectiveSize&, const SelectiveBackward<double>&);

}  // namespace resolvent
