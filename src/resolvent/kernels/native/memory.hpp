// Scratch memory, large pages for large arrays, and where to put what is asked for ahead.
#pragma once

#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "vector.hpp"

namespace resolvent {

// An array of trivial values from a cache line's boundary on, not initialised. It may throw, so it
// is made outside of parallel_for.
template <class T>
class Buffer {
 public:
  explicit Buffer(Index size)
      : data_(static_cast<T*>(::operator new(size * sizeof(T), kAlignment))) {}
  ~Buffer() { ::operator delete(data_, kAlignment); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* data() const { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  T* data_;
};

// The cache that __builtin_prefetch is to fill. Steps that lie a power of two apart share few places of
// the first one, and would drive each other out of it.
inline constexpr int kSecondCache = 2;

// Asks for large pages under an output that nobody has written to yet: a fresh array costs one page
// fault for every 4 KiB otherwise, which can take longer than the arithmetic that fills it.
template <class T>
inline void prefer_large_pages(T* data, Index count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = 1 << 21;
  const auto start = (reinterpret_cast<std::uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const auto stop = reinterpret_cast<std::uintptr_t>(data + count) / kPage * kPage;
  if (data && start < stop)
    madvise(reinterpret_cast<void*>(start), stop - start, MADV_HUGEPAGE);
#else
  (void)data, (void)count;
#endif
}

}  // namespace resolvent
