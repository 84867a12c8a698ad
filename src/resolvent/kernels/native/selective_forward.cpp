#include "memory.hpp"
#include "parallel.hpp"
#include "selective_steps.hpp"

namespace resolvent {
namespace {

// A band in one row.
template <class Real>
class Pass {
  using V = Vector<Real>;
  // What the modes of a strip read, dt and dt u, and add to, y before the gate; and a copy of z.
  struct Block {
    V dt[kBlock], push[kBlock], y[kBlock], z[kBlock];
  };

 public:
  static Index scratch(Index n, Index strips) { return sizeof(Block) / sizeof(V) + 2 * n * strips; }

  Pass(const SelectiveSize& size, const SelectiveForward<Real>& array, Index row,
       const Band<Real>& band, V* scratch)
      : size_(size), array_(array), in_(array.in), row_(row), stop_(in_.rows.stop(row, size.l)),
        n_(size.n), band_(band), block_(*reinterpret_cast<Block*>(scratch)),
        own_(reinterpret_cast<V*>(&block_ + 1)) {}

  void run() {
    band_.for_strips([&](const auto& strip, Index i, Index) { start(strip, own(i)); });
    for (Index from = 0; from < stop_; from += kBlock)
      band_.for_strips([&](const auto& strip, Index i, Index to_next) {
        block(strip, own(i), from, to_next);
      });
    band_.for_strips([&](const auto& strip, Index i, Index) { finish(strip, own(i)); });
  }

 private:
  // What a strip carries from block to block: rates, then states.
  V* own(Index i) const { return own_ + 2 * n_ * i; }
  Index state() const { return row_ * size_.m * n_; }
  Index step(Index t) const { return (row_ * size_.l + t) * size_.m; }

  void start(const Strip<Real>& strip, V* own) {
    for (Index k = 0; k < n_; ++k) {
      own[k] = strip.gather(in_.A, n_, k) * static_cast<Real>(kLog2E);
      own[n_ + k] = in_.h0 ? strip.gather(in_.h0 + state(), n_, k) : V{};
    }
  }
  void finish(const Strip<Real>& strip, const V* own) {
    strip.clear({array_.y}, step(stop_), size_.m, size_.l - stop_);
    for (Index k = 0; k < n_; ++k) strip.scatter(array_.h_last + state(), n_, k, own[n_ + k]);
  }

  void block(const Strip<Real>& strip, V* own, Index from, Index to_next) {
    const Index count = std::min(kBlock, stop_ - from), start = step(from), m = size_.m;
    if (array_.checkpoints && from > 0) keep(strip, own + n_, from);
    const auto u = strip.read(in_.u, start, m, count, block_.push), dt = strip.read(in_.dt, start, m, count, block_.dt);
    const V D = in_.D ? strip.read(in_.D) : V{}, bias = in_.bias ? strip.read(in_.bias) : V{};
    const V longest = in_.bias ? prepare<true>(u, dt, bias, D, count) : prepare<false>(u, dt, bias, D, count);
    Tracks tracks(n_);
    for (const Series<const Real>& series : {in_.u, in_.dt, in_.z, {array_.y}})
      tracks.add(series, start + strip.first + to_next, m);
    for_modes(n_, are_normal(longest, own, n_), [&](Index k, auto modes, auto normal) {
      advance<modes.value, normal.value>(own + k, {from, count, strip.group, k, tracks});
    });
    const auto y = strip.place({array_.y}, start, m, block_.y);
    if (in_.z)
      conclude<true>(strip.read(in_.z, start, m, count, block_.z), y, count);
    else
      conclude<false>({}, y, count);
    strip.write({array_.y}, start, m, count, block_.y);
  }

  // What the modes read and add to, a few steps at once: dt, the longest of which is returned, dt u and D u.
  template <bool soft>
  [[gnu::noinline]] V prepare(Lines<const Real> u, Lines<const Real> dt, V bias, V D, Index count) {
    V longest{};
    cover<kAbreast>(0, count, [&](Index first, auto steps) __attribute__((always_inline)) {
      V lengths[steps.value];
      for (int i = 0; i < steps.value; ++i) lengths[i] = dt[first + i] + bias;
      if (soft) softplus(lengths);
      for (int i = 0; i < steps.value; ++i) {
        const V now = u[first + i], length = lengths[i];
        block_.dt[first + i] = length;
        block_.push[first + i] = length * now;
        block_.y[first + i] = D * now;
        longest = larger(longest, magnitude(length));
      }
    });
    return longest;
  }
  template <bool gated>
  [[gnu::noinline]] void conclude(Lines<const Real> z, Lines<Real> y, Index count) {
    cover<kAbreast>(0, count, [&](Index first, auto steps) __attribute__((always_inline)) {
      V gates[steps.value];
      for (int i = 0; i < steps.value; ++i) gates[i] = gated ? z[first + i] : 1 + V{};
      if (gated) silu(gates);
      for (int i = 0; i < steps.value; ++i) y.set(first + i, block_.y[first + i] * gates[i]);
    });
  }

  // Takes `modes` modes of a strip through a block, and adds their share to y.
  template <int modes, bool normal>
  [[gnu::noinline]] void advance(V* own, const BlockSteps<Real>& steps) {
    const Real *B = steps.of(in_.B, row_, size_), *C = steps.of(in_.C, row_, size_);
    const bool* resets = in_.rows.resets ? in_.rows.resets + row_ * size_.l + steps.from : nullptr;
    const Index stride = size_.g * n_;
    Block& block = block_;
    V rates[modes], h[modes];
    std::copy_n(own, modes, rates);
    std::copy_n(own + n_, modes, h);
    for (Index t = 0; t < steps.count; ++t, B += stride, C += stride) {
      steps.fetch(t);
      if (resets && resets[t]) std::fill_n(h, modes, V{});
      V decays[modes], y = block.y[t];
      decay<normal>(block.dt[t], rates, decays);
      for (int k = 0; k < modes; ++k) {
        h[k] = decays[k] * h[k] + block.push[t] * B[k];
        y = y + h[k] * C[k];
      }
      block.y[t] = y;
    }
    std::copy_n(h, modes, own + n_);
  }

  // The states before a block.
  void keep(const Strip<Real>& strip, const V* states, Index from) const {
    const Index blocks = (size_.l - 1) / kBlock, block = row_ * blocks + from / kBlock - 1;
    for (Index k = 0; k < n_; ++k) strip.write(array_.checkpoints + (block * n_ + k) * size_.m, states[k]);
  }

  const SelectiveSize& size_;
  const SelectiveForward<Real>& array_;
  const SelectiveInput<Real>& in_;
  Index row_, stop_, n_;
  const Band<Real>& band_;
  Block& block_;
  V* own_;
};

}  // namespace

template <class Real>
void selective_forward(const SelectiveSize& size, const SelectiveForward<Real>& array) {
  const Index strips = Strip<Real>::in_group(size.m / std::max<Index>(size.g, 1));
  const int threads = worthwhile(size.threads, size.b * size.l * size.m * size.n * 8);
  // as wide as lets a thread that is slowed down leave work to the others
  const Index wanted = std::max<Index>(1, 4 * threads / std::max<Index>(1, size.b * size.g));
  const Index parts = std::min(wanted, strips);
  const Index scratch = Pass<Real>::scratch(size.n, strips / std::max<Index>(parts, 1) + 1);
  const Buffer<Vector<Real>> buffer(threads * scratch);
  prefer_large_pages(array.y, size.b * size.l * size.m);
  parallel_for(size.b * size.g * parts, threads, [&](Index item, int thread) {
    const Index part = item % parts, group = item / parts % size.g, row = item / parts / size.g;
    const Band<Real> band(size.m, size.g, group, part, parts);
    Pass<Real>(size, array, row, band, buffer.data() + thread * scratch).run();
  });
}

template void selective_forward<float>(const SelectiveSize&, const SelectiveForward<float>&);
template void selective_forward<double>(const SelectiveSize&, const SelectiveForward<double>&);

}  // namespace resolvent
