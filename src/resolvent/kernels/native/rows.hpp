// What every kernel over time shares: what may interrupt a row, and how far apart kept states are.
#pragma once

#include "vector.hpp"

namespace resolvent {

// What may interrupt the recurrence of a row.
struct Rows {
  const bool* resets;    // (b, l): the state is dropped before this step
  const Index* lengths;  // (b,): steps from here on are padding

  Index stop(Index row, Index length) const {
    if (!lengths) return length;
    return lengths[row] < 0 ? 0 : lengths[row] < length ? lengths[row] : length;
  }
};

// Steps between two states that a forward pass keeps for its backward pass.
inline constexpr Index kBlock = 64;

}  // namespace resolvent
