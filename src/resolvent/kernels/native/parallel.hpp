// Threads.
#pragma once

#include <algorithm>

#if defined(__SANITIZE_THREAD__)
#include <atomic>
#include <thread>
#include <vector>
#elif defined(_OPENMP)
#include <omp.h>
#endif

#include "vector.hpp"

namespace resolvent {

#if defined(__SANITIZE_THREAD__)
// The thread sanitizer cannot see how OpenMP's threads wait for each other. Its build has threads that
// it can see, even for little work, and nothing but their start and end orders what they do.
inline int worthwhile(int, Index) { return 4; }

template <class Body>
void parallel_for(Index items, int threads, const Body& body) {
  std::atomic<Index> next{0};
  const auto work = [&](int thread) {
    for (Index item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;)
      body(item, thread);
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& other : others) other.join();
}
#else
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
#endif

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
