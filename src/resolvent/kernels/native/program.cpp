#include "program.hpp"

#include <thread>

#include "parallel.hpp"

namespace resolvent {
namespace {

// How often a thread looks whether the others are done before it lets somebody else run.
inline constexpr int kLooks = 1 << 12;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

void Program::add(Index items, std::function<void(Index)> body) {
  Stage& stage = stages_.emplace_back();
  stage.items = items;
  stage.body = std::move(body);
}

void Program::run(int threads) {
  for (Stage& stage : stages_) stage.taken = stage.done = 0;
  parallel_for(threads, threads, [this](Index, int) { work(); });
}

void Program::work() {
  for (Stage& stage : stages_) {
    Index item;
    while ((item = stage.taken.fetch_add(1, std::memory_order_relaxed)) < stage.items) {
      stage.body(item);
      stage.done.fetch_add(1, std::memory_order_release);
    }
    for (int looks = 0; stage.done.load(std::memory_order_acquire) < stage.items; ++looks)
      looks < kLooks ? relax() : std::this_thread::yield();
  }
}

}  // namespace resolvent
