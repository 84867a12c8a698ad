// The recurrence of matrix states and its arguments; b batch, l length, m head, g group of heads that
// share their keys and queries, r write of a step, n row of a state, p column of a state.
//
//   S_t = diag(a_t) S_{t-1} + k_t v_t^T                                            y_t = S_t^T q_t
//   S_t = H_r ... H_1 diag(a_t) S_{t-1} + writes, H_j = I - beta_j k_j k_j^T       (with beta)
//
// where, with beta, write j puts beta_j k_j v_j^T where H_j has forgotten: one after the other,
// S <- S + beta_j k_j (v_j - S^T k_j)^T.
#pragma once

#include "rows.hpp"

namespace resolvent {

struct MatrixSize {
  Index b, l, m, g, r, n, p;
  Index decays;  // n, or 1 where all rows of a state decay alike
  int threads;
};

template <class Real>
struct MatrixInputs {
  const Real* a;     // (b, l, m, decays)
  const Real* k;     // (b, l, g, r, n)
  const Real* v;     // (b, l, m, r, p)
  const Real* q;     // (b, l, g, n)
  const Real* beta;  // (b, l, m, r), or null
  const Real* h0;    // (b, m, n, p)
  Rows rows;
};

// Columns [first, first + width) of the state of one head of one row.
struct Head {
  Index row, head, first, width;
};

// Heads that a thread takes together, a block of steps of each in turn: their inputs lie side by side.
inline constexpr Index kTogether = 4;

template <class Real>
struct MatrixForward {
  MatrixInputs<Real> in;
  Real *y, *h_last;   // (b, l, m, p), (b, m, n, p)
  Real* checkpoints;  // (b, blocks but the first, m, n, p)
};

template <class Real>
struct MatrixBackward {
  MatrixInputs<Real> in;
  const Real *checkpoints, *gy, *gh_last;
  Index slices, parts;  // what one kind of gradients is summed over afterwards, and the other
  Real *ga, *gbeta;     // (slices, b, l, m, ...): slices of the columns p
  Real *gk, *gq;        // (parts, b, l, g, ...): parts of the heads and slices of a group
  Real *gv, *gh0;
};

template <class Real>
void matrix_scan_forward(const MatrixSize&, const MatrixForward<Real>&);
template <class Real>
void matrix_scan_backward(const MatrixSize&, const MatrixBackward<Real>&);

}  // namespace resolvent
