// Recurrences of nonlinear cells and their arguments; b batch, l length, g gate, m head, n unit of a
// head, d = m n units of a row; a state is s arrays of units, of which the first is h.
//
//   r_t = R h_{t-1} + c                              R has one block a head
//   (h_t, ...) = cell(x_t, r_t, (h_{t-1}, ...))      each unit by itself
#pragma once

#include "rows.hpp"

namespace resolvent {

struct CellSize {
  Index b, l, m, n;
  Index cell;  // which one: see cell_steps.hpp
  int threads;

  Index units() const { return m * n; }
};

template <class Real>
struct CellInputs {
  const Real* x;       // (b, l, g, d)
  const Real* weight;  // R (g, m, n, n), the last axis that of h
  const Real* bias;    // c (g, d), or null
  const Real* h0;      // (b, s, d), or null
  Rows rows;
};

template <class Real>
struct CellForward {
  CellInputs<Real> in;
  Real *h, *last;     // (b, l, d), (b, s, d)
  Real* checkpoints;  // (b, blocks but the first, s - 1, d), or null: h itself is kept
};

template <class Real>
struct CellBackward {
  CellInputs<Real> in;
  const Real *h, *checkpoints, *gh, *glast;  // gh and glast may be null
  Real *gx, *gr, *gh0;                       // gr (b, l, g, d), or null where it is gx
};

template <class Real>
void cell_forward(const CellSize&, const CellForward<Real>&);
template <class Real>
void cell_backward(const CellSize&, const CellBackward<Real>&);

}  // namespace resolvent
