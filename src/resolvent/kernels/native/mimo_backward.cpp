// Backward in time with g, the gradient of the state:
//
//   g_t = C gy_t + a^* g_{t+1}      gu_t = B g_t + d gy_t
//   ga  = sum_t g_t h_{t-1}^*       gB = sum_t u_t g_t^T      gC = sum_t h_t gy_t^T      gd = sum_t gy_t u_t
//
// The states are computed again, block by block, from those that the forward pass kept.

#include "mimo.hpp"

namespace resolvent {
namespace {

// Rows are summed in at most so many groups: enough for as many threads, whatever their number.
inline constexpr Index kGroups = 16;

// Some rows, and the gradients of the coefficients, summed over them.
template <class Real, bool is_complex>
class MimoPass {
  using Layout = MimoLayout<Real, is_complex>;
  using Maps = MimoMaps<Real, is_complex>;
  using H = typename Layout::H;

 public:
  // The gradients that lie in `sums`, one after the other: of a, b, c and d, all padded.
  static Index numbers(const Layout& layout, const MimoSize& size) {
    return layout.states + size.p * layout.stride + layout.states * layout.outputs + layout.outputs;
  }
  // Scratch memory for one pass.
  static Index room(const Layout& layout) {
    return (2 * kBlock + 1) * layout.stride + kBlock * (layout.outputs + layout.inputs) +
           2 * layout.states;
  }

  MimoPass(const MimoSize& size, const MimoBackward<Real>& array, const Layout& layout,
           const Maps& maps, View<const Real> B, View<const Real> C, Real* scratch, Real* sums)
      : size_(size), array_(array), layout_(layout), maps_(maps), B_(B), C_(C), h_(scratch),
        g_(h_ + (kBlock + 1) * layout.stride), gy_(g_ + kBlock * layout.stride),
        gu_(gy_ + kBlock * layout.outputs), carry_(gu_ + kBlock * layout.inputs),
        state_(carry_ + layout.states), ga_(sums), gb_(ga_ + layout.states),
        gc_(gb_ + size.p * layout.stride), gd_(gc_ + layout.states * layout.outputs) {
    fill(sums, numbers(layout, size), Real{});
    fill(gy_, kBlock * layout.outputs, Real{});
  }

  // Backward through a row: writes gu and gh0, adds to the sums.
  void run(Index row) {
    const Index n = layout_.kParts * size_.n, stop = array_.rows.stop(row, size_.l);
    const Index blocks = (size_.l - 1) / kBlock;
    layout_.widen(array_.gh_last ? array_.gh_last + row * n : nullptr, carry_);
    for (Index from = stop > 0 ? (stop - 1) / kBlock * kBlock : -1; from >= 0; from -= kBlock) {
      const Real* before = array_.h0 ? array_.h0 + row * n : nullptr;
      if (from > 0) before = array_.checkpoints + (row * blocks + from / kBlock - 1) * n;
      layout_.widen(before, h_);
      block(row * size_.l + from, std::min(kBlock, stop - from));
    }
    fill(array_.gu + (row * size_.l + stop) * size_.p, (size_.l - stop) * size_.p, Real{});
    layout_.narrow(carry_, array_.gh0 + row * n);
  }

 private:
  // Steps from `at` on, counted over all rows; h_ begins with the state before them.
  void block(Index at, Index steps) {
    const Index stride = layout_.stride, outputs = layout_.outputs;
    const Real *u = array_.u + at * size_.p, *gy = array_.gy + at * size_.q;
    const bool* resets = array_.rows.resets ? array_.rows.resets + at : nullptr;
    Real* const after = h_ + stride;
    copy(h_, layout_.states, state_);
    multiply<false, Real>(steps, size_.p, layout_.states, {u, size_.p}, maps_.b(), {after, stride});
    layout_.advance(maps_.a(), resets, steps, after, state_);
    for (Index t = 0; t < steps; ++t) copy(gy + t * size_.q, size_.q, gy_ + t * outputs);
    multiply<false, Real>(steps, size_.q, layout_.states, {gy, size_.q}, C_, {g_, stride});
    retreat(resets, steps);
    multiply<false, Real>(steps, layout_.states, layout_.inputs, {g_, stride}, B_,
                          {gu_, layout_.inputs});
    skip(gu_, layout_.inputs, array_.d, gy, steps, size_.p, array_.gu + at * size_.p);
    multiply<true, Real>(size_.p, steps, layout_.states, {u, 1, size_.p}, {g_, stride},
                         {gb_, stride});
    multiply<true, Real>(layout_.states, steps, outputs, {after, 1, stride}, {gy_, outputs},
                         {gc_, outputs});
    for (Index t = 0; t < steps && array_.d; ++t)
      cover<kLanes<Real>>(0, size_.q, [&](Index i, auto lanes) {
        using V = Vector<Real, decltype(lanes)::value>;
        const Index from = t * size_.q + i;
        store(gd_ + i, load<V>(gd_ + i) + load<V>(gy + from) * load<V>(u + from));
      });
  }

  // From what the outputs ask of the states to the gradients of the states, in place.
  void retreat(const bool* resets, Index steps) {
    layout_.each_mode([&](Index k) {
      const auto decay = conj(layout_.at(maps_.a() + k));
      auto carry = layout_.at(carry_ + k), sum = layout_.at(ga_ + k);
      for (Index t = steps - 1; t >= 0; --t) {
        const auto g = layout_.at(g_ + t * layout_.stride + k) + carry;
        layout_.put(g, g_ + t * layout_.stride + k);
        const bool fresh = resets && resets[t];
        carry = H{};
        if (fresh) continue;
        sum = madd(sum, g, conj(layout_.at(h_ + t * layout_.stride + k)));
        carry = decay * g;
      }
      layout_.put(carry, carry_ + k);
      layout_.put(sum, ga_ + k);
    });
  }

  const MimoSize& size_;
  const MimoBackward<Real>& array_;
  const Layout& layout_;
  const Maps& maps_;
  View<const Real> B_, C_;                            // transposed
  Real *h_, *g_, *gy_, *gu_, *carry_, *state_;        // of a block
  Real *ga_, *gb_, *gc_, *gd_;
};

}  // namespace

template <class Real, bool is_complex>
void diagonal_mimo_backward(const MimoSize& size, const MimoBackward<Real>& array) {
  using Pass = MimoPass<Real, is_complex>;
  const MimoLayout<Real, is_complex> layout(size);
  const MimoMaps<Real, is_complex> maps(layout, size, array.a, array.b, array.c);
  const Buffer<Real> B(layout.states * layout.inputs), C(size.q * layout.stride);
  transpose(maps.b(), size.p, layout.states, B.data(), layout.inputs);
  transpose(maps.c(), layout.states, size.q, C.data(), layout.stride);

  const Index count = Pass::numbers(layout, size), room = Pass::room(layout);
  const Index groups = std::min(size.b, kGroups);
  const int threads = worthwhile(size.threads, size.b * size.l * layout.states * (size.p + size.q));
  const Buffer<Real> scratch(threads * room), partial(groups * count), total(count);
  prefer_large_pages(array.gu, size.b * size.l * size.p);
  parallel_for(groups, threads, [&](Index group, int thread) {
    Pass pass(size, array, layout, maps, {B.data(), layout.inputs}, {C.data(), layout.stride},
              scratch.data() + thread * room, partial.data() + group * count);
    const Index last = (group + 1) * size.b / groups;
    for (Index row = group * size.b / groups; row < last; ++row) pass.run(row);
  });

  add_up(partial.data(), groups, count, total.data());
  const Real* sum = total.data();
  layout.narrow(sum, array.ga);
  sum += layout.states;
  for (Index i = 0; i < size.p; ++i, sum += layout.stride)
    layout.narrow(sum, array.gb + i * layout.kParts * size.n);
  for (Index i = 0; i < layout.kParts * size.n; ++i)
    copy(sum + layout.place(i) * layout.outputs, size.q, array.gc + i * size.q);
  copy(sum + layout.states * layout.outputs, size.q, array.gd);
}

template void diagonal_mimo_backward<float, false>(const MimoSize&, const MimoBackward<float>&);
template void diagonal_mimo_backward<float, true>(const MimoSize&, const MimoBackward<float>&);
template void diagonal_mimo_backward<double, false>(const MimoSize&, const MimoBackward<double>&);
template void diagonal_mimo_backward<double, true>(const MimoSize&, const MimoBackward<double>&);

}  // namespace resolvent
