// Threads.
#pragma once

#include <algorithm>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "vector.hpp"

namespace resolvent {

// Threads that so many multiplications are worth: waking one costs about as much as 2^16 of them.
inline int worthwhile(int threads, Index multiplications) {
  return static_cast<int>(std::clamp<Index>(multiplications >> 16, 1, threads));
}

// Calls body(item, thread) for every item, on at most `threads` threads. Items must not depend on
// each other; which thread runs which is not fixed, so that no result may depend on it.
template <class Body>
void parallel_for(Index items, int threads, const Body& body) {
#ifdef _OPENMP
  if (threads > 1 && items > 1) {
    const int team = static_cast<int>(std::min<Index>(threads, items));
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
    for (Index item = 0; item < items; ++item) body(item, omp_get_thread_num());
    return;
  }
#endif
  for (Index item = 0; item < items; ++item) body(item, 0);
}

// The sums of `parts` arrays that were computed apart and lie one after the other.
template <class Real>
void add_up(const Real* from, Index parts, Index count, Real* to) {
  for (Index i = 0; i < count; ++i) {
    Real total = 0;
    for (Index part = 0; part < parts; ++part) total += from[part * count + i];
    to[i] = total;
  }
}

}  // namespace resolvent
