#include "matrix_steps.hpp"

namespace resolvent {
namespace {

// Some heads of a row, from head `at.head` on.
template <class Real>
class Pass {
 public:
  static Index numbers(const PanelSize& size, Index heads) {
    return Steps<Real>::numbers(size) + heads * size.numbers() + 4 * kWrites * size.width;
  }

  Pass(const MatrixSize& all, const MatrixForward<Real>& array, const Head& at, Index heads,
       const PanelSize& size, Store<Real> store)
      : all_(all), array_(array), at_(at), heads_(heads), size_(size),
        steps_(all, array.in, size, store), states_(store.take(heads * size.numbers())),
        x_(store.take(2 * kWrites * size.width)),
        d_(store.take(kWrites * size.width)), y_(store.take(kWrites * size.width)) {
    std::fill_n(states_, heads * size.numbers(), Real{0});
    std::fill_n(scales_, kTogether, Real{1});
  }

  void run(Chunk* chunks) {
    const Index stop = array_.in.rows.stop(at_.row, all_.l), blocks = (all_.l - 1) / kBlock;
    const Index head = all_.n * all_.p, first = at_.row * all_.m;
    if (array_.in.h0)
      for_heads([&] {
        enter(size_, array_.in.h0 + (first + at_.head) * head + at_.first, all_.p, at_.width, state_);
      });
    for (Index from = 0; from < stop; from += kBlock) {
      const Index to = std::min(from + kBlock, stop);
      const Index count = split(array_.in.rows, at_.row, all_, from, to, chunks);
      for_heads([&] {
        if (array_.checkpoints && from > 0) {
          const Index block = at_.row * blocks + from / kBlock - 1;
          keep(array_.checkpoints + (block * all_.m + at_.head) * head);
        }
        for (Index i = 0; i < count; ++i) advance(chunks[i]);
      });
    }
    for_heads([&] {
      for (Index t = stop; t < all_.l; ++t)
        std::fill_n(array_.y + output(at_.row * all_.l + t), at_.width, Real{0});
      keep(array_.h_last + (first + at_.head) * head);
    });
  }

 private:
  template <class Body>
  void for_heads(const Body& body) {
    const Index first = at_.head;
    state_ = states_;
    for (scale_ = scales_; at_.head < first + heads_; ++at_.head, ++scale_, state_ += size_.numbers())
      body();
    at_.head = first;
  }

  Index output(Index step) const { return (step * all_.m + at_.head) * all_.p + at_.first; }

  void keep(Real* to) {
    for (Index i = 0; *scale_ != 1 && i < size_.numbers(); i += kLanes<Real>)
      store(state_ + i, *scale_ * load<Vector<Real>>(state_ + i));
    *scale_ = 1;
    leave(size_, state_, to + at_.first, all_.p, at_.width);
  }

  void advance(const Chunk& chunk) {
    if (chunk.state == 0) {
      std::fill_n(state_, size_.numbers(), Real{0});
      *scale_ = 1;
    }
    steps_.load(at_, chunk, kAhead, scale_);
    steps_.load_values(at_, kAhead);
    const bool padded = at_.width < size_.width;
    Real* y[kWrites];
    for (int j = 0; j < steps_.count; ++j) {
      if (steps_.reading[j] < 0) continue;
      Real* const to = array_.y + output(steps_.step[j]);
      y[j] = padded ? y_ + j * size_.width : to;
      steps_.wanted.add(to + kAhead * all_.m * all_.p, at_.width);  // what is written is read first
    }
    read_rows(size_, state_, steps_, x_);
    with_count<kWrites>(steps_.count, [&](auto count) {
      solve<count.value>(steps_, size_, x_, static_cast<Real*>(nullptr), d_, y);
      update<count.value>(size_, state_, state_, steps_.through, steps_.write, d_, steps_.wanted);
    });
    for (int j = 0; padded && j < steps_.count; ++j)
      if (steps_.reading[j] >= 0) copy(y[j], at_.width, array_.y + output(steps_.step[j]));
  }

  const MatrixSize& all_;
  const MatrixForward<Real>& array_;
  Head at_;
  Index heads_;
  PanelSize size_;
  Steps<Real> steps_;
  Real scales_[kTogether], *scale_ = scales_;  // what the states are divided by
  Real *states_, *x_, *d_, *y_, *state_ = states_;
};

}  // namespace

template <class Real>
void matrix_scan_forward(const MatrixSize& size, const MatrixForward<Real>& array) {
  const Index heads = size.b * size.m, columns = kHeld * kLanes<Real>;
  const int threads = worthwhile(size.threads, heads * size.l * size.r * size.n * size.p);
  // columns do not depend on each other: where heads are few, they are shared between threads
  const Index slices = std::clamp<Index>(threads / std::max<Index>(heads, 1), 1,
                                         std::max<Index>(1, size.p / columns));
  const PanelSize panel = PanelSize::of<Real>(size.n, (size.p + slices - 1) / slices);
  // and where they are many, a thread takes some of a row together
  const Index together = std::max<Index>(1, std::min({kTogether, size.m, heads / threads}));
  const Index groups = (size.m + together - 1) / together;
  const Index numbers = Pass<Real>::numbers(panel, together);
  const Buffer<Real> scratch(threads * numbers);
  const Buffer<Chunk> chunks(threads * most_chunks(size));
  prefer_large_pages(array.y, size.b * size.l * size.m * size.p);
  prefer_large_pages(array.checkpoints, heads * ((size.l - 1) / kBlock) * size.n * size.p);
  parallel_for(size.b * groups * slices, threads, [&](Index item, int thread) {
    const Index group = item / slices % groups, first = item % slices * size.p / slices;
    const Index last = (item % slices + 1) * size.p / slices;
    const Index head = group * size.m / groups, end = (group + 1) * size.m / groups;
    const Head at{item / slices / groups, head, first, last - first};
    Pass<Real>(size, array, at, end - head, panel, Store<Real>(scratch.data() + thread * numbers))
        .run(chunks.data() + thread * most_chunks(size));
  });
}

template void matrix_scan_forward<float>(const MatrixSize&, const MatrixForward<float>&);
template void matrix_scan_forward<double>(const MatrixSize&, const MatrixForward<double>&);

}  // namespace resolvent
