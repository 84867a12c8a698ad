// How a row is cut into chunks of writes, whose states lie one after the other in a block.
#pragma once

#include <algorithm>

#include "matrix.hpp"

namespace resolvent {

// Writes taken at once, and the steps from one whose inputs are read to one whose inputs are asked for:
// measured best.
inline constexpr int kWrites = 4;
inline constexpr Index kAhead = 4;

// Hands out parts of a buffer.
template <class Real>
class Store {
 public:
  explicit Store(Real* from) : at_(from) {}
  Real* take(Index count) {
    at_ += count;
    return at_ - count;
  }

 private:
  Real* at_;
};

// Writes [first, last) of a row. The states before the chunks of a block are numbered from 1; a state
// that was dropped before its chunk has number 0.
struct Chunk {
  Index first, last, state;
};

// Splits steps [from, to) of a row into chunks that no reset interrupts.
inline Index split(const Rows& rows, Index row, const MatrixSize& size, Index from, Index to,
                   Chunk* chunks) {
  const bool* resets = rows.resets ? rows.resets + row * size.l : nullptr;
  Index count = 0, states = 0;
  for (Index start = from, stop; start < to; start = stop) {
    for (stop = start + 1; stop < to && !(resets && resets[stop]);) ++stop;
    bool dropped = resets && resets[start];
    for (Index at = start * size.r; at < stop * size.r; at += kWrites, dropped = false)
      chunks[count++] = {at, std::min<Index>(at + kWrites, stop * size.r), dropped ? 0 : ++states};
  }
  return count;
}
// At most so many chunks and states in a block.
inline Index most_chunks(const MatrixSize& size) {
  return kBlock * ((size.r + kWrites - 1) / kWrites);
}
inline Index most_states(const MatrixSize& size) { return kBlock * size.r / kWrites + 2; }

}  // namespace resolvent
