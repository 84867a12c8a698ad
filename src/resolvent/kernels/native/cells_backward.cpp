#include "cell_rows.hpp"
#include "memory.hpp"

namespace resolvent {
namespace {

// Steps of a block run forward again, from the h that the forward pass gave and from the kept state;
// then back. That all h are known makes R h of the block one product.
template <class Cell, class Real>
class Pass {
  static constexpr int kGates = Cell::kGates, kStates = Cell::kStates;

 public:
  static Index numbers(const CellLayout<Cell, Real>& at, Index rows) {
    return rows * (kBlock * (kStates * at.n + at.forward().width()) + kStates * at.n +
                   kGates * at.n + at.backward().width());
  }
  Pass(const CellSize& size, const CellBackward<Real>& array, const Real* matrix,
       const Real* transposed, Real* scratch, Piece piece)
      : at_(size),
        array_(array),
        piece_(piece),
        matrix_(matrix),
        transposed_(transposed),
        before_(scratch),
        r_(before_ + piece.rows * kBlock * kState()),
        gstate_(r_ + piece.rows * kBlock * at_.forward().width()),
        gr_(gstate_ + piece.rows * kState()),
        gh_(gr_ + piece.rows * kGates * at_.n) {}

  void run() {
    Index longest = 0;
    for (Index j = 0; j < piece_.rows; ++j) {
      begin(j);
      longest = std::max(longest, stop(j));
    }
    for (Index from = (longest - 1) / kBlock * kBlock; longest && from >= 0; from -= kBlock) {
      for (Index j = 0; j < piece_.rows; ++j) recompute(j, from, std::min(from + kBlock, stop(j)));
      for (Index t = std::min(from + kBlock, longest) - 1; t >= from; --t) retreat(from, t);
    }
    for (Index j = 0; j < piece_.rows; ++j)
      for (int s = 0; s < kStates; ++s)
        copy(gstate(j) + s * at_.n, at_.n, array_.gh0 + at_.state(row(j), s, piece_.head));
  }

 private:
  Index kState() const { return kStates * at_.n; }
  Index row(Index j) const { return piece_.row + j; }
  Index stop(Index j) const { return array_.in.rows.stop(row(j), at_.l); }
  bool dropped(Index j, Index t) const {
    const bool* resets = array_.in.rows.resets;
    return resets && resets[row(j) * at_.l + t];
  }
  const Real* bias() const {
    return array_.in.bias ? array_.in.bias + piece_.head * at_.n : nullptr;
  }
  // of step i of a block
  Real* before(Index j, Index i) const { return before_ + (j * kBlock + i) * kState(); }
  Real* r(Index j, Index i) const { return r_ + (j * kBlock + i) * at_.forward().width(); }
  Real* gstate(Index j) const { return gstate_ + j * kState(); }
  Real* gr(Index j) const { return gr_ + j * kGates * at_.n; }

  // Gradients of the last state, and of padding.
  void begin(Index j) {
    for (int s = 0; s < kStates; ++s)
      read(array_.glast, at_.state(row(j), s, piece_.head), gstate(j) + s * at_.n);
    for (Index t = stop(j); t < at_.l; ++t)
      for (Index g = 0; g < kGates; ++g) {
        const Index at = at_.gates(row(j), t, piece_.head) + g * at_.d;
        fill(array_.gx + at, at_.n, Real{0});
        if (array_.gr) fill(array_.gr + at, at_.n, Real{0});
      }
  }

  // Units from an array, or zeros where there is none.
  void read(const Real* from, Index at, Real* to) const {
    if (from) return copy(from + at, at_.n, to);
    fill(to, at_.n, Real{0});
  }

  // The states before steps [from, to) and their R h.
  void recompute(Index j, Index from, Index to) {
    for (Index t = from; t < to; ++t) {
      if (dropped(j, t)) fill(before(j, t - from), kState(), Real{0});
      else if (t) read(array_.h, at_.units(row(j), t - 1, piece_.head), before(j, t - from));
      else read(array_.in.h0, at_.state(row(j), 0, piece_.head), before(j, 0));
    }
    if (to > from)
      at_.forward().multiply(matrix_, to - from, before(j, 0), kState(), r(j, 0),
                             at_.forward().width());
    if (kStates == 1 || to <= from) return;
    if (!dropped(j, from)) recall(j, from);
    for (Index t = from; t + 1 < to; ++t) {
      if (dropped(j, t + 1)) continue;
      step<Cell, Real>(at_.n, at_.d, array_.in.x + at_.gates(row(j), t, piece_.head),
                       r(j, t - from), bias(), before(j, t - from), before(j, t + 1 - from));
    }
  }

  void recall(Index j, Index from) {
    for (int s = 1; s < kStates; ++s) {
      Real* to = before(j, 0) + s * at_.n;
      if (from)
        copy(array_.checkpoints + at_.checkpoint(row(j), from / kBlock, s, piece_.head), at_.n, to);
      else
        read(array_.in.h0, at_.state(row(j), s, piece_.head), to);
    }
  }

  // From the gradient of the states after a step to that of the states before it.
  void retreat(Index from, Index t) {
    for (Index j = 0; j < piece_.rows; ++j) {
      if (t >= stop(j)) {
        fill(gr(j), kGates * at_.n, Real{0});
        continue;
      }
      if (array_.gh) add(array_.gh + at_.units(row(j), t, piece_.head), at_.n, gstate(j));
      differentiate(j, from, t);
    }
    at_.backward().multiply(transposed_, piece_.rows, gr(0), kGates * at_.n, gh_,
                            at_.backward().width());
    for (Index j = 0; j < piece_.rows; ++j) {
      if (t >= stop(j)) continue;
      if (dropped(j, t)) fill(gstate(j), kState(), Real{0});
      else add(gh_ + j * at_.backward().width(), at_.n, gstate(j));
    }
  }

  void differentiate(Index j, Index from, Index t) {
    const Index at = at_.gates(row(j), t, piece_.head), n = at_.n, d = at_.d;
    const Real *x = array_.in.x + at, *r = this->r(j, t - from), *s = before(j, t - from);
    const Real* c = bias();
    Real *gx = array_.gx + at, *gr = this->gr(j), *gs = gstate(j);
    Real* out = array_.gr ? array_.gr + at : nullptr;
    cover<kLanes<Real>>(0, n, [=](Index u, auto lanes) {
      using V = Vector<Real, decltype(lanes)::value>;
      V in[kGates], back[kGates], before[kStates], gt[kStates], gin[kGates], gback[kGates];
      for (int g = 0; g < kGates; ++g) {
        in[g] = load<V>(x + g * d + u);
        back[g] = load<V>(r + g * n + u);
        if (c) back[g] = back[g] + load<V>(c + g * d + u);
      }
      for (int i = 0; i < kStates; ++i) {
        before[i] = load<V>(s + i * n + u);
        gt[i] = load<V>(gs + i * n + u);
      }
      V gbefore[kStates];
      Cell::backward(in, back, before, gt, gin, gback, gbefore);
      for (int g = 0; g < kGates; ++g) {
        const V g_r = Cell::kSplit ? gback[g] : gin[g];
        store(gx + g * d + u, gin[g]);
        store(gr + g * n + u, g_r);
        if (out) store(out + g * d + u, g_r);
      }
      for (int i = 0; i < kStates; ++i) store(gs + i * n + u, gbefore[i]);
    });
  }

  CellLayout<Cell, Real> at_;
  const CellBackward<Real>& array_;
  Piece piece_;
  const Real *matrix_, *transposed_;
  Real *before_, *r_, *gstate_, *gr_, *gh_;
};

template <class Cell, class Real>
void run(const CellSize& size, const CellBackward<Real>& array) {
  const CellLayout<Cell, Real> at(size);
  const int threads =
      worthwhile(size.threads, 2 * size.b * size.l * Cell::kGates * size.units() * size.n);
  const Pieces pieces(size, Packed<Real>::kRows);
  const Index matrix = at.forward().numbers(), transposed = at.backward().numbers();
  const Index scratch = Pass<Cell, Real>::numbers(at, pieces.most());
  const Buffer<Real> matrices(size.m * matrix), turned(size.m * transposed);
  const Buffer<Real> scratches(threads * scratch);
  prefer_large_pages(array.gx, size.b * size.l * Cell::kGates * size.units());
  parallel_for(size.m, threads, [&](Index head, int) {
    at.pack(array.in.weight, head, matrices.data() + head * matrix);
    at.pack_transposed(array.in.weight, head, turned.data() + head * transposed);
  });
  parallel_for(size.m * pieces.count, threads, [&](Index item, int thread) {
    const Piece piece = pieces[item];
    Pass<Cell, Real>(size, array, matrices.data() + piece.head * matrix,
                     turned.data() + piece.head * transposed, scratches.data() + thread * scratch,
                     piece)
        .run();
  });
}

}  // namespace

template <class Real>
void cell_backward(const CellSize& size, const CellBackward<Real>& array) {
  with_cell(size.cell, [&](auto cell) { run<decltype(cell), Real>(size, array); });
}

template void cell_backward<float>(const CellSize&, const CellBackward<float>&);
template void cell_backward<double>(const CellSize&, const CellBackward<double>&);

}  // namespace resolvent
