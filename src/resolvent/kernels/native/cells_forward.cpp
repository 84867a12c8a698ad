#include "cell_rows.hpp"
#include "memory.hpp"

namespace resolvent {
namespace {

template <class Cell, class Real>
class Pass {
 public:
  static Index numbers(const CellLayout<Cell, Real>& at, Index rows) {
    return rows * (Cell::kStates * at.n + at.forward().width());
  }
  Pass(const CellSize& size, const CellForward<Real>& array, const Real* matrix, Real* scratch,
       Piece piece)
      : at_(size),
        array_(array),
        piece_(piece),
        matrix_(matrix),
        state_(scratch),
        r_(scratch + piece.rows * kState()) {}

  void run() {
    Index longest = 0;
    for (Index j = 0; j < piece_.rows; ++j) {
      for (int s = 0; s < Cell::kStates; ++s) begin(j, s);
      longest = std::max(longest, stop(j));
    }
    for (Index t = 0; t < longest; ++t) {
      for (Index j = 0; j < piece_.rows; ++j) interrupt(j, t);
      multiply();
      for (Index j = 0; j < piece_.rows; ++j)
        if (t < stop(j)) advance(j, t);
    }
    for (Index j = 0; j < piece_.rows; ++j) end(j);
  }

 private:
  Index kState() const { return Cell::kStates * at_.n; }
  Index row(Index j) const { return piece_.row + j; }
  Index stop(Index j) const { return array_.in.rows.stop(row(j), at_.l); }
  Real* state(Index j, Index s) const { return state_ + j * kState() + s * at_.n; }

  void multiply() {
    const Index width = at_.forward().width();
    if (matrix_) return at_.forward().multiply(matrix_, piece_.rows, state_, kState(), r_, width);
    at_.multiply(array_.in.weight, piece_.head, piece_.rows, state_, kState(), r_, width);
  }

  void begin(Index j, Index s) {
    const Real* h0 = array_.in.h0;
    if (h0) return copy(h0 + at_.state(row(j), s, piece_.head), at_.n, state(j, s));
    fill(state(j, s), at_.n, Real{0});
  }

  void interrupt(Index j, Index t) {
    const Rows& rows = array_.in.rows;
    if (t >= stop(j)) return;
    if (array_.checkpoints && t && t % kBlock == 0)
      for (int s = 1; s < Cell::kStates; ++s)
        copy(state(j, s), at_.n,
             array_.checkpoints + at_.checkpoint(row(j), t / kBlock, s, piece_.head));
    if (rows.resets && rows.resets[row(j) * at_.l + t]) fill(state(j, 0), kState(), Real{0});
  }

  void advance(Index j, Index t) {
    const CellInputs<Real>& in = array_.in;
    step<Cell, Real>(at_.n, at_.d, in.x + at_.gates(row(j), t, piece_.head),
                     r_ + j * at_.forward().width(), in.bias ? in.bias + piece_.head * at_.n : nullptr,
                     state(j, 0), state(j, 0));
    copy(state(j, 0), at_.n, array_.h + at_.units(row(j), t, piece_.head));
  }

  void end(Index j) {
    for (int s = 0; s < Cell::kStates; ++s)
      copy(state(j, s), at_.n, array_.last + at_.state(row(j), s, piece_.head));
    for (Index t = stop(j); t < at_.l; ++t)
      fill(array_.h + at_.units(row(j), t, piece_.head), at_.n, Real{0});
  }

  CellLayout<Cell, Real> at_;
  const CellForward<Real>& array_;
  Piece piece_;
  const Real* matrix_;
  Real *state_, *r_;
};

template <class Cell, class Real>
void run(const CellSize& size, const CellForward<Real>& array) {
  const CellLayout<Cell, Real> at(size);
  const int threads =
      worthwhile(size.threads, size.b * size.l * Cell::kGates * size.units() * size.n);
  const Pieces pieces(size, Packed<Real>::kRows);
  const bool packs = size.l > at.kFewSteps;
  const Index matrix = at.forward().numbers(), scratch = Pass<Cell, Real>::numbers(at, pieces.most());
  const Buffer<Real> matrices(packs ? size.m * matrix : 0), scratches(threads * scratch);
  prefer_large_pages(array.h, size.b * size.l * size.units());
  parallel_for(packs ? size.m : 0, threads, [&](Index head, int) {
    at.pack(array.in.weight, head, matrices.data() + head * matrix);
  });
  parallel_for(size.m * pieces.count, threads, [&](Index item, int thread) {
    const Piece piece = pieces[item];
    Pass<Cell, Real>(size, array, packs ? matrices.data() + piece.head * matrix : nullptr,
                     scratches.data() + thread * scratch, piece)
        .run();
  });
}

}  // namespace

template <class Real>
void cell_forward(const CellSize& size, const CellForward<Real>& array) {
  with_cell(size.cell, [&](auto cell) { run<decltype(cell), Real>(size, array); });
}

template void cell_forward<float>(const CellSize&, const CellForward<float>&);
template void cell_forward<double>(const CellSize&, const CellForward<double>&);

}  // namespace resolvent
