// Products of stored weights with few rows of float32 numbers: every weight is read once, so that
// memory is the limit.
//
//   y_ri = bias_i + sum_k W_ik x_rk      or added to what y holds
#pragma once

#include "stored.hpp"

namespace resolvent {

// Rows of numbers, each of them contiguous, `stride` apart.
template <class Real>
struct RowsOf {
  Real* data;
  Index stride;
  Real* operator[](Index row) const { return data + row * stride; }
};

struct Linear {
  Stored weight;
  const float* bias;  // (n), optional
  Index b;            // rows of x and y
  RowsOf<const float> x;
  RowsOf<float> y;
  bool adds;

  // Parts of the work that do not depend on each other, some outputs of all rows each.
  Index items() const;
  void run(Index item) const;
};

// Row `index` of a matrix as float32 numbers.
void expand(const Stored&, Index index, float* to);

}  // namespace resolvent
