// A program: stages that run one after the other, each in parts that do not depend on each other. It
// is how a whole model takes a step, at the cost of one call.
#pragma once

#include <atomic>
#include <deque>
#include <functional>

#include "linear.hpp"

namespace resolvent {

class Program {
 public:
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Adds a stage: body(item) for every item.
  void add(Index items, std::function<void(Index)> body);
  // Adds a stage that knows its own items.
  template <class Step>
  void add(const Step& step) {
    add(step.items(), [step](Index item) { step.run(item); });
  }
  // Goes through all stages. Threads take items as they come: one that the system keeps waiting
  // finds its share done by the others, and nobody waits for a thread that has not begun.
  void run(int threads);

 private:
  struct Stage {
    Index items;
    std::function<void(Index)> body;
    alignas(64) std::atomic<Index> taken{0};
    alignas(64) std::atomic<Index> done{0};
  };
  void work();
  std::deque<Stage> stages_;
};

// The stages besides `Linear`. b rows; a row that is not `live` keeps its state.

// y = row `token` of the weights
struct Embed {
  Stored weight;
  Index b;
  const Index* tokens;
  RowsOf<float> y;

  Index items() const { return b; }
  void run(Index row) const { expand(weight, tokens[row], y[row]); }
};

// y = x / sqrt(mean x^2 + eps) * weight over each of `groups` parts of d features
struct Norm {
  Index b, groups, d;
  float eps;
  const float* weight;  // (groups d), optional
  RowsOf<const float> x;
  RowsOf<float> y;

  Index items() const { return b * groups; }
  void run(Index item) const;
};

// y = v sigmoid(v) with v = bias + sum_j weight_j tail_j + weight_(w-1) x; then x enters the tail
struct Convolve {
  Index b, d, w;
  const float *weight, *bias;  // (w, d), (d) or null
  const bool* live;
  RowsOf<const float> x;
  RowsOf<float> y;
  float* tail;  // (b, w - 1, d)

  Index items() const;
  void run(Index item) const;
};

// h <- exp(dt A) h + dt B u,  y = (C h + D u) z sigmoid(z), dt = softplus(dt + bias), in m channels
struct SelectiveStep {
  Index b, m, n;
  const float *A, *D, *bias;  // (m, n), (m), (m)
  const bool* live;
  RowsOf<const float> u, dt, B, C, z;
  RowsOf<float> y;
  float* h;  // (b, m, n)

  Index items() const;
  void run(Index item) const;
};

// The same for matrix states: one A, D and dt for each of m heads of p channels, `groups` of which
// share B and C; dt is clamped to [low, high].
struct MatrixStep {
  Index b, m, groups, n, p;
  float low, high;
  const float *A, *D, *bias;  // (m)
  const bool* live;
  RowsOf<const float> u, dt, B, C, z;
  RowsOf<float> y;
  float* h;  // (b, m, n, p)

  Index items() const { return b * m; }
  void run(Index item) const;
};

}  // namespace resolvent
