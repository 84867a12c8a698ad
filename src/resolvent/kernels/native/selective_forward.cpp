#include "memory.hpp"
#include "parallel.hpp"
#include "selective_steps.hpp"

namespace resolvent {
namespace {

// Some strips of one group in one row.
template <class Real>
class Pass {
  using V = Vector<Real>;
  using Block = typename Ribbon<Real>::Block;

 public:
  static Index scratch(Index n) {
    return 4 * sizeof(Block) / sizeof(V) + 2 * n * Ribbon<Real>::kMost;
  }

  Pass(const SelectiveSize& size, const SelectiveForward<Real>& array, Index row,
       const Ribbon<Real>& ribbon, V* scratch)
      : size_(size), array_(array), in_(array.in), row_(row), stop_(in_.rows.stop(row, size.l)),
        n_(size.n), ribbon_(ribbon), u_(*reinterpret_cast<Block*>(scratch)), dt_((&u_)[1]),
        z_((&u_)[2]), y_((&u_)[3]), rates_(reinterpret_cast<V*>(&u_ + 4)),
        states_(rates_ + ribbon.kMost * n_) {}

  void run() {
    for (Index i = 0; i < ribbon_.count; ++i)
      for (Index k = 0; k < n_; ++k) {
        const Strip<Real>& strip = ribbon_.strips[i];
        rates_[i * n_ + k] = strip.gather(in_.A, n_, k) * static_cast<Real>(kLog2E);
        states_[i * n_ + k] = in_.h0 ? strip.gather(in_.h0 + state(), n_, k) : V{};
      }
    for (Index from = 0; from < stop_; from += kBlock) block(from, std::min(kBlock, stop_ - from));
    ribbon_.clear(array_.y + step(stop_), size_.l - stop_);
    for (Index i = 0; i < ribbon_.count; ++i)
      for (Index k = 0; k < n_; ++k)
        ribbon_.strips[i].scatter(array_.h_last + state(), n_, k, states_[i * n_ + k]);
  }

 private:
  Index state() const { return row_ * size_.m * n_; }
  Index step(Index t) const { return (row_ * size_.l + t) * size_.m; }

  void block(Index from, Index count) {
    if (array_.checkpoints && from > 0) keep(from);
    ribbon_.read(in_.u + step(from), count, u_);
    ribbon_.read(in_.dt + step(from), count, dt_);
    if (in_.z) ribbon_.read(in_.z + step(from), count, z_);
    const Real* const series[] = {in_.u, in_.dt, array_.y, in_.z};
    for (Index i = 0; i < ribbon_.count; ++i) {
      const Strip<Real>& strip = ribbon_.strips[i];
      const V D = in_.D ? strip.read(in_.D) : V{};
      if (in_.bias) soften<V>(strip.read(in_.bias), dt_[i], count, nullptr);
      for (Index t = 0; t < count; ++t) {
        y_[i][t] = D * u_[i][t];
        u_[i][t] = dt_[i][t] * u_[i][t];
      }
      cover<kModes>(0, n_, [&](Index first, auto modes) {
        const Real* const next = ahead(series, first, step(from + kBlock) + strip.first);
        advance<modes.value>(i, from, count, first, next);
      });
      if (!in_.z) continue;
      gate<V>(z_[i], count, nullptr);
      for (Index t = 0; t < count; ++t) y_[i][t] = y_[i][t] * z_[i][t];
    }
    ribbon_.write(array_.y + step(from), count, y_);
  }

  // Takes `modes` modes of strip i through a block, and adds their share to y; what lies at `next` in a
  // series is fetched meanwhile.
  template <int modes>
  void advance(Index i, Index from, Index count, Index first, const Real* next) {
    const Index at = row_ * size_.l + from, stride = size_.g * n_;
    const Index group = ribbon_.strips[i].group;
    const Real *B = in_.B + (at * size_.g + group) * n_ + first;
    const Real *C = in_.C + (at * size_.g + group) * n_ + first;
    const bool* resets = in_.rows.resets ? in_.rows.resets + at : nullptr;
    V decays[kBlock][modes], h[modes];
    decay(dt_[i], count, rates_ + i * n_ + first, decays);
    std::copy_n(states_ + i * n_ + first, modes, h);
    for (Index t = 0; t < count; ++t, B += stride, C += stride) {
      __builtin_prefetch(next + t * size_.m);
      if (resets && resets[t]) std::fill_n(h, modes, V{});
      const V push = u_[i][t];
      V y = y_[i][t];
      for (int k = 0; k < modes; ++k) {
        h[k] = decays[t][k] * h[k] + push * B[k];
        y = y + h[k] * C[k];
      }
      y_[i][t] = y;
    }
    std::copy_n(h, modes, states_ + i * n_ + first);
  }

  // The states before a block.
  void keep(Index from) const {
    const Index blocks = (size_.l - 1) / kBlock, block = row_ * blocks + from / kBlock - 1;
    for (Index k = 0; k < n_; ++k)
      for (Index i = 0; i < ribbon_.count; ++i)
        ribbon_.strips[i].write(array_.checkpoints + (block * n_ + k) * size_.m, states_[i * n_ + k]);
  }

  const SelectiveSize& size_;
  const SelectiveForward<Real>& array_;
  const SelectiveInput<Real>& in_;
  Index row_, stop_, n_;
  const Ribbon<Real>& ribbon_;
  Block &u_, &dt_, &z_, &y_;  // u becomes dt u
  V *rates_, *states_;
};

}  // namespace

template <class Real>
void selective_forward(const SelectiveSize& size, const SelectiveForward<Real>& array) {
  const Index strips = Strip<Real>::in_group(size.m / std::max<Index>(size.g, 1));
  const Index scratch = Pass<Real>::scratch(size.n);
  const int threads = worthwhile(size.threads, size.b * size.l * size.m * size.n * 8);
  // as wide as the threads allow
  const Index wanted = std::max<Index>(1, 2 * threads / std::max<Index>(1, size.b * size.g));
  const Index most = std::clamp<Index>(strips / wanted, 1, Ribbon<Real>::kMost);
  const Index parts = (strips + most - 1) / most;
  const Buffer<Vector<Real>> buffer(threads * scratch);
  prefer_large_pages(array.y, size.b * size.l * size.m);
  parallel_for(size.b * size.g * parts, threads, [&](Index item, int thread) {
    const Index part = item % parts, group = item / parts % size.g, row = item / parts / size.g;
    const Index first = group * strips + part * strips / parts;
    const Ribbon<Real> ribbon(size.m, size.g, first, group * strips + (part + 1) * strips / parts);
    Pass<Real>(size, array, row, ribbon, buffer.data() + thread * scratch).run();
  });
}

template void selective_forward<float>(const SelectiveSize&, const SelectiveForward<float>&);
template void selective_forward<double>(const SelectiveSize&, const SelectiveForward<double>&);

}  // namespace resolvent
