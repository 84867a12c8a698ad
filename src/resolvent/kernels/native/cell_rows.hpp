// How the work on cells is cut up: pieces of a few rows of one head, which run side by side through
// time, so that every number of the head's matrix that is read serves all of them.
#pragma once

#include <algorithm>

#include "cell_steps.hpp"
#include "panel.hpp"
#include "parallel.hpp"
#include "product.hpp"

namespace resolvent {

struct Piece {
  Index row, rows, head;
};

// Few rows a piece where there are more threads than heads.
struct Pieces {
  Index b, count;  // of each head

  Pieces(const CellSize& size, Index most)
      : b(size.b),
        count(std::max((b + most - 1) / most,
                       std::min<Index>(b, (size.threads + size.m - 1) / std::max<Index>(size.m, 1)))) {}
  Piece operator[](Index i) const {
    const Index part = i % count, first = part * b / count;
    return {first, (part + 1) * b / count - first, i / count};
  }
  Index most() const { return count ? (b + count - 1) / count : 0; }
};

// Where the arrays of one head of the rows lie.
template <class Cell, class Real>
struct CellLayout {
  static constexpr int kGates = Cell::kGates, kStates = Cell::kStates;
  Index l, n, d;

  explicit CellLayout(const CellSize& size) : l(size.l), n(size.n), d(size.units()) {}

  Index units(Index row, Index t, Index head) const { return (row * l + t) * d + head * n; }
  Index gates(Index row, Index t, Index head) const {
    return (row * l + t) * kGates * d + head * n;
  }
  Index state(Index row, Index s, Index head) const { return (row * kStates + s) * d + head * n; }
  // arrays 1, 2, ... of the state before a block; the one before the first block is h0
  Index checkpoint(Index row, Index block, Index s, Index head) const {
    const Index kept = (l - 1) / kBlock;
    return ((row * kept + block - 1) * (kStates - 1) + s - 1) * d + head * n;
  }
  // columns of R h are (gate, unit), and row (gate, unit) of R holds what a unit takes from others
  Packed<Real> forward() const { return {n, kGates * n}; }
  Packed<Real> backward() const { return {kGates * n, n}; }

  // R h as it lies: for so few steps that packing R would take longer than they do.
  static constexpr Index kFewSteps = 4;
  void multiply(const Real* weight, Index head, Index count, const Real* x, Index x_stride, Real* y,
                Index y_stride) const {
    for (Index i = 0; i < kGates * n; ++i)
      for (Index j = 0; j < count; ++j)
        y[j * y_stride + i] = dot(unit(weight, head, i), x + j * x_stride, n);
  }

  // The matrix of one head, for products with h, or for products with gradients of the gates.
  void pack(const Real* weight, Index head, Real* to) const {
    forward().pack_columns(to, [&](Index column) { return unit(weight, head, column); });
  }
  void pack_transposed(const Real* weight, Index head, Real* to) const {
    backward().pack_rows(to, [&](Index row) { return unit(weight, head, row); });
  }

 private:
  const Real* unit(const Real* weight, Index head, Index i) const {
    return weight + (i / n * d + head * n + i % n) * n;
  }
};

// One step of n units: x and the bias have gates d apart, r and the states n apart.
template <class Cell, class Real>
inline void step(Index n, Index d, const Real* x, const Real* r, const Real* bias,
                 const Real* before, Real* after) {
  cover<kLanes<Real>>(0, n, [=](Index u, auto lanes) {
    using V = Vector<Real, decltype(lanes)::value>;
    V in[Cell::kGates], back[Cell::kGates], s[Cell::kStates], t[Cell::kStates];
    for (int g = 0; g < Cell::kGates; ++g) {
      in[g] = load<V>(x + g * d + u);
      back[g] = load<V>(r + g * n + u);
      if (bias) back[g] = back[g] + load<V>(bias + g * d + u);
    }
    for (int i = 0; i < Cell::kStates; ++i) s[i] = load<V>(before + i * n + u);
    Cell::forward(in, back, s, t);
    for (int i = 0; i < Cell::kStates; ++i) store(after + i * n + u, t[i]);
  });
}

}  // namespace resolvent
