#include "memory.hpp"
#include "parallel.hpp"
#include "selective_steps.hpp"

namespace resolvent {
namespace {

// A band in one row.
template <class Real>
class Pass {
  using V = Vector<Real>;
  using Block = typename Ribbon<Real>::Block;

 public:
  static Index scratch(Index n, Index strips) {
    return 4 * sizeof(Block) / sizeof(V) + 2 * n * strips;
  }

  Pass(const SelectiveSize& size, const SelectiveForward<Real>& array, Index row,
       const Band<Real>& band, V* scratch)
      : size_(size), array_(array), in_(array.in), row_(row), stop_(in_.rows.stop(row, size.l)),
        n_(size.n), band_(band), u_(*reinterpret_cast<Block*>(scratch)), dt_((&u_)[1]),
        z_((&u_)[2]), y_((&u_)[3]), own_(reinterpret_cast<V*>(&u_ + 4)) {}

  void run() {
    band_.for_ribbons([&](const auto& ribbon) { start(ribbon); });
    for (Index from = 0; from < stop_; from += kBlock)
      band_.for_ribbons([&](const auto& ribbon) {
        block(ribbon, from, std::min(kBlock, stop_ - from));
      });
    band_.for_ribbons([&](const auto& ribbon) { finish(ribbon); });
  }

 private:
  // What strip i of a ribbon carries from block to block.
  V* rates(const Ribbon<Real>& ribbon, Index i) const {
    return own_ + 2 * n_ * (ribbon.begin - band_.begin + i);
  }
  V* states(const Ribbon<Real>& ribbon, Index i) const { return rates(ribbon, i) + n_; }
  Index state() const { return row_ * size_.m * n_; }
  Index step(Index t) const { return (row_ * size_.l + t) * size_.m; }

  void start(const Ribbon<Real>& ribbon) {
    for (Index i = 0; i < ribbon.count; ++i)
      for (Index k = 0; k < n_; ++k) {
        const Strip<Real>& strip = ribbon.strips[i];
        rates(ribbon, i)[k] = strip.gather(in_.A, n_, k) * static_cast<Real>(kLog2E);
        states(ribbon, i)[k] = in_.h0 ? strip.gather(in_.h0 + state(), n_, k) : V{};
      }
  }
  void finish(const Ribbon<Real>& ribbon) {
    ribbon.clear({array_.y}, step(stop_), size_.l - stop_);
    for (Index i = 0; i < ribbon.count; ++i)
      for (Index k = 0; k < n_; ++k)
        ribbon.strips[i].scatter(array_.h_last + state(), n_, k, states(ribbon, i)[k]);
  }

  void block(const Ribbon<Real>& ribbon, Index from, Index count) {
    if (array_.checkpoints && from > 0) keep(ribbon, from);
    ribbon.read(in_.u, step(from), count, u_);
    ribbon.read(in_.dt, step(from), count, dt_);
    if (in_.z) ribbon.read(in_.z, step(from), count, z_);
    const Series<const Real> series[] = {in_.u, in_.dt, in_.z};
    for (Index i = 0; i < ribbon.count; ++i) {
      const Strip<Real>& strip = ribbon.strips[i];
      const V D = in_.D ? strip.read(in_.D) : V{};
      if (in_.bias) soften<V>(strip.read(in_.bias), dt_[i], count, nullptr);
      for (Index t = 0; t < count; ++t) {
        y_[i][t] = D * u_[i][t];
        u_[i][t] = dt_[i][t] * u_[i][t];
      }
      V* const rates = this->rates(ribbon, i);
      const Index here = step(from) + strip.first, next = here + ribbon.to_next(1);
      const Track written = Series<Real>{array_.y}.track(here, size_.m);
      for_modes(n_, are_normal(dt_[i], count, rates, n_), [&](Index k, auto modes, auto normal) {
        const Steps<Real> steps{from, count, strip.group, k, turn(series, k).track(next, size_.m), written};
        advance<modes.value, normal.value>(i, rates + k, steps);
      });
      if (!in_.z) continue;
      gate<V>(z_[i], count, nullptr);
      for (Index t = 0; t < count; ++t) y_[i][t] = y_[i][t] * z_[i][t];
    }
    ribbon.write({array_.y}, step(from), count, y_);
  }

  // Takes `modes` modes of strip i through a block, and adds their share to y.
  template <int modes, bool normal>
  [[gnu::noinline]] void advance(Index i, V* own, const Steps<Real>& steps) {
    const Real *B = steps.of(in_.B, row_, size_), *C = steps.of(in_.C, row_, size_);
    const bool* resets = in_.rows.resets ? in_.rows.resets + row_ * size_.l + steps.from : nullptr;
    const Index stride = size_.g * n_;
    const auto dt = dt_[i], u = u_[i], ys = y_[i];
    V rates[modes], h[modes];
    std::copy_n(own, modes, rates);
    std::copy_n(own + n_, modes, h);
    for (Index t = 0; t < steps.count; ++t, B += stride, C += stride) {
      steps.fetch(t);
      if (resets && resets[t]) std::fill_n(h, modes, V{});
      V decays[modes], y = ys[t];
      decay<normal>(dt[t], rates, decays);
      for (int k = 0; k < modes; ++k) {
        h[k] = decays[k] * h[k] + u[t] * B[k];
        y = y + h[k] * C[k];
      }
      ys[t] = y;
    }
    std::copy_n(h, modes, own + n_);
  }

  // The states before a block.
  void keep(const Ribbon<Real>& ribbon, Index from) const {
    const Index blocks = (size_.l - 1) / kBlock, block = row_ * blocks + from / kBlock - 1;
    for (Index k = 0; k < n_; ++k)
      for (Index i = 0; i < ribbon.count; ++i)
        ribbon.strips[i].write(array_.checkpoints + (block * n_ + k) * size_.m,
                               states(ribbon, i)[k]);
  }

  const SelectiveSize& size_;
  const SelectiveForward<Real>& array_;
  const SelectiveInput<Real>& in_;
  Index row_, stop_, n_;
  const Band<Real>& band_;
  Block &u_, &dt_, &z_, &y_;  // of a ribbon; u becomes dt u
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
