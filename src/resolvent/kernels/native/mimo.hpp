// A diagonal system with dense input and output maps:
//
//   h_t = a h_{t-1} + B^T u_t      y_t = C^T h_t + d u_t
//
// Everything is real here. A complex state is its real parts before its imaginary parts, as are a,
// the columns of B and the rows of C; so all but the recurrence itself are products of real
// matrices, taken a block of steps at a time. b batch, l length, n mode, p inputs, q outputs.
#pragma once

#include "memory.hpp"
#include "parallel.hpp"
#include "multiply.hpp"
#include "rows.hpp"

namespace resolvent {

struct MimoSize {
  Index b, l, n, p, q;
  int threads;
};

template <class Real>
struct MimoForward {
  const Real *a, *b, *c, *d, *u, *h0;  // (parts, n), (p, parts n), (parts n, q), (q), ..., (b, parts n)
  Rows rows;
  Real *y, *h_last, *checkpoints;
};

template <class Real>
struct MimoBackward {
  const Real *a, *b, *c, *d, *u, *h0;
  Rows rows;
  const Real *checkpoints, *gy, *gh_last;
  Real *ga, *gb, *gc, *gd, *gu, *gh0;
};

template <class Real, bool is_complex>
void diagonal_mimo_forward(const MimoSize&, const MimoForward<Real>&);
template <class Real, bool is_complex>
void diagonal_mimo_step(const MimoSize&, const MimoForward<Real>&);
template <class Real, bool is_complex>
void diagonal_mimo_backward(const MimoSize&, const MimoBackward<Real>&);

// Sizes padded to whole vectors: of the modes, of a state and of the inputs and outputs; and the
// distance of two states, a cache line more, so that a column of them falls into all cache sets.
template <class Real, bool is_complex>
struct MimoLayout {
  static constexpr Index kParts = is_complex ? 2 : 1;
  using H = Mode<Vector<Real>, is_complex>;
  Index n, modes, states, inputs, outputs, stride;

  explicit MimoLayout(const MimoSize& size)
      : n(size.n), modes(padded(size.n)), states(kParts * modes), inputs(padded(size.p)),
        outputs(padded(size.q)), stride(states + 64 / static_cast<Index>(sizeof(Real))) {}

  static Index padded(Index count) {
    return (count + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>;
  }
  // Where real state i lies among the padded ones.
  Index place(Index i) const { return i / n * modes + i % n; }

  // A state from its place in an array, with zeros for padding, and back.
  void widen(const Real* from, Real* to) const {
    fill(to, states, Real{});
    for (Index part = 0; part < kParts && from; ++part) copy(from + part * n, n, to + part * modes);
  }
  void narrow(const Real* from, Real* to) const {
    for (Index part = 0; part < kParts; ++part) copy(from + part * modes, n, to + part * n);
  }

  // h_t = a h_{t-1} + x_t in place of x, steps of `stride`, from the state `h` on, which moves along.
  void advance(const Real* a, const bool* resets, Index steps, Real* x, Real* h) const {
    each_mode([&](Index k) {
      const H decay = at(a + k);
      H state = at(h + k);
      for (Index t = 0; t < steps; ++t) {
        if (resets && resets[t]) state = H{};
        state = madd(at(x + t * stride + k), decay, state);
        put(state, x + t * stride + k);
      }
      put(state, h + k);
    });
  }

  // Calls body(first) for every vector of modes.
  template <class Body>
  void each_mode(const Body& body) const {
    for (Index k = 0; k < modes; k += kLanes<Real>) body(k);
  }
  // The modes of a vector, from and to a padded state.
  H at(const Real* from) const {
    H h;
    h.re = load<Vector<Real>>(from);
    if constexpr (is_complex) h.im = load<Vector<Real>>(from + modes);
    return h;
  }
  void put(H h, Real* to) const {
    store(to, h.re);
    if constexpr (is_complex) store(to + modes, h.im);
  }
};

// The maps with padded rows, and transposed if asked for.
template <class Real, bool is_complex>
class MimoMaps {
 public:
  MimoMaps(const MimoLayout<Real, is_complex>& layout, const MimoSize& size, const Real* a,
           const Real* b, const Real* c)
      : layout_(layout), size_(size), a_(layout.states), b_(size.p * layout.stride),
        c_(layout.states * layout.outputs) {
    layout.widen(a, a_.data());
    for (Index i = 0; i < size.p; ++i)
      layout.widen(b + i * layout.kParts * size.n, b_.data() + i * layout.stride);
    fill(c_.data(), layout.states * layout.outputs, Real{});
    for (Index i = 0; i < layout.kParts * size.n; ++i)
      copy(c + i * size.q, size.q, c_.data() + layout.place(i) * layout.outputs);
  }
  const Real* a() const { return a_.data(); }
  View<const Real> b() const { return {b_.data(), layout_.stride}; }
  View<const Real> c() const { return {c_.data(), layout_.outputs}; }

 private:
  MimoLayout<Real, is_complex> layout_;
  MimoSize size_;
  Buffer<Real> a_, b_, c_;
};

// (rows, columns) to (columns, rows), whose rows lie `stride` apart; what pads them is zero.
template <class Real>
inline void transpose(View<const Real> from, Index rows, Index columns, Real* to, Index stride) {
  fill(to, columns * stride, Real{});
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) to[j * stride + i] = from.data[i * from.row + j];
}

// to_t = from_t + d x_t over steps of padded and of plain rows.
template <class Real>
inline void skip(const Real* from, Index padded, const Real* d, const Real* x, Index steps,
                 Index width, Real* to) {
  for (Index t = 0; t < steps; ++t)
    cover<kLanes<Real>>(0, width, [&](Index i, auto lanes) {
      using V = Vector<Real, decltype(lanes)::value>;
      V y = load<V>(from + t * padded + i);
      if (d) y = y + load<V>(d + i) * load<V>(x + t * width + i);
      store(to + t * width + i, y);
    });
}

}  // namespace resolvent
