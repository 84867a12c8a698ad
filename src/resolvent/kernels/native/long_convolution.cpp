// A causal convolution of n steps is the mean of two circular ones: what comes round the end counts
// once as it is and once with the other sign, where step t is turned by e^(-pi i t / n) beforehand
// and back afterwards. With R u = (u, turned u), and F the Fourier transform of both halves:
//
//   y = R^* F^* (F R K)(F R u)   gu = R^* F^* (F R K)^*(F R gy)   gK = R^* F^* (F R u)^*(F R gy)
//
// each over 2n. K is real, so that two rows pass as the real and the imaginary part of one.

#include "long_convolution.hpp"

#include <algorithm>

#include "fourier.hpp"
#include "parallel.hpp"

namespace resolvent {
namespace {

// Pieces of work to aim for: enough for as many threads.
inline constexpr Index kItems = 16;

inline Index power_of_two(Index at_least) {
  Index n = 1;
  while (n < at_least) n *= 2;
  return n;
}

// The channels of one cache line, of m, as some vectors; fewer at the end, zeros beyond.
template <class Real>
struct Line {
  using V = Vector<Real>;
  static constexpr Index kWidth = kLanes<Real>;
  static constexpr Index kChannels = 64 / sizeof(Real), kVectors = kChannels / kWidth;
  Index first, m;

  static Index count(Index m) { return (m + kChannels - 1) / kChannels; }
  // One step's, from and to an array (m).
  V read(const Real* from, Index vector) const {
    const Index at = first + vector * kWidth;
    if (m - at >= kWidth) return load<V>(from + at);
    return m > at ? PartVector<kWidth>{m - at}.read(from + at) : V{};
  }
  void write(Real* to, Index vector, V value) const {
    const Index at = first + vector * kWidth;
    if (m - at >= kWidth) return store(to + at, value);
    if (m > at) PartVector<kWidth>{m - at}.write(to + at, value);
  }
};

// Both halves of the series of a line of channels, one vector after the other.
template <class Real>
class Halves {
 public:
  using V = Vector<Real>;
  using X = Mode<V, true>;

  explicit Halves(Index steps) : fourier_(power_of_two(steps)), turns_(fourier_.size()) {
    const UnitRoots w(2 * fourier_.size());
    for (Index t = 0; t < fourier_.size(); ++t) turns_.data()[t] = w.template at<Real>(t);
  }
  // Numbers of all halves, and of one.
  Index size() const { return 2 * Line<Real>::kVectors * fourier_.size(); }
  Index half() const { return fourier_.size(); }
  const Fourier<Real>& fourier() const { return fourier_; }

  // From two rows of so many steps; from one where `second` is null.
  void read(const Line<Real>& line, const Real* first, const Real* second, Index steps,
            X* x) const {
    const Index n = half();
    for (Index t = 0; t < steps; ++t)
      for (Index i = 0; i < line.kVectors; ++i) {
        const V im = second ? line.read(second + t * line.m, i) : V{};
        const X value{line.read(first + t * line.m, i), im};
        x[2 * i * n + t] = value;
        x[(2 * i + 1) * n + t] = fourier_.times(value, turns_.data()[t]);
      }
    for (X* at = x; at < x + size(); at += n) std::fill(at + steps, at + n, X{});
  }

  // And back, after F^* F.
  void write(const Line<Real>& line, const X* x, Index steps, Real* first, Real* second) const {
    const Index n = half();
    const V scale = V{} + static_cast<Real>(0.5) / static_cast<Real>(n);
    for (Index t = 0; t < steps; ++t)
      for (Index i = 0; i < line.kVectors; ++i) {
        const X turned = fourier_.times(x[(2 * i + 1) * n + t], conj(turns_.data()[t]));
        const X value = (x[2 * i * n + t] + turned) * scale;
        line.write(first + t * line.m, i, value.re);
        if (second) line.write(second + t * line.m, i, value.im);
      }
  }

  // Calls body(at) with where each half begins.
  template <class Body>
  void for_each(const Body& body) const {
    for (Index at = 0; at < size(); at += half()) body(at);
  }

 private:
  Fourier<Real> fourier_;
  Buffer<Mode<Real, true>> turns_;
};

// Items of work: a line of channels in a group of pairs of rows. Gradients of K are summed over the
// rows of a group; how many groups there are depends on the sizes alone, so that no sum depends on
// the threads.
template <class Real>
class Items {
 public:
  explicit Items(const LongSize& size)
      : size_(size), lines_(Line<Real>::count(size.m)), pairs_((size.b + 1) / 2),
        groups_(std::min(pairs_, (kItems + lines_ - 1) / std::max<Index>(lines_, 1))) {}
  Index count() const { return groups_ * lines_; }
  Index groups() const { return groups_; }
  Index group(Index item) const { return item / lines_; }
  Line<Real> line(Index item) const { return {item % lines_ * Line<Real>::kChannels, size_.m}; }

  // Calls body(first, second) with where the rows of each pair begin; the last row may be alone,
  // and the second 0.
  template <class Body>
  void for_each_pair(Index item, const Body& body) const {
    const Index row = size_.l * size_.m, last = (group(item) + 1) * pairs_ / groups_;
    for (Index pair = group(item) * pairs_ / groups_; pair < last; ++pair)
      body(2 * pair * row, 2 * pair + 1 < size_.b ? (2 * pair + 1) * row : 0);
  }

 private:
  const LongSize& size_;
  Index lines_, pairs_, groups_;
};

template <class T>
T* row_at(T* series, Index start) {
  return start ? series + start : nullptr;
}

}  // namespace

template <class Real>
void long_convolution_forward(const LongSize& size, const LongForward<Real>& array) {
  using X = typename Halves<Real>::X;
  const Items<Real> items(size);
  const Halves<Real> halves(size.l);
  const Fourier<Real>& F = halves.fourier();
  const Index n = halves.size();
  const Buffer<X> scratch(size.threads * 2 * n);
  prefer_large_pages(scratch.data(), size.threads * 2 * n);
  prefer_large_pages(array.y, size.b * size.l * size.m);

  parallel_for(items.count(), size.threads, [&](Index item, int thread) {
    const Line<Real> line = items.line(item);
    X *const K = scratch.data() + thread * 2 * n, *const x = K + n;
    halves.read(line, array.K, nullptr, std::min(size.k, size.l), K);
    halves.for_each([&](Index at) { F.forward(K + at); });
    items.for_each_pair(item, [&](Index first, Index second) {
      halves.read(line, array.u + first, row_at(array.u, second), size.l, x);
      halves.for_each([&](Index at) {
        F.forward(x + at);
        for (Index i = at; i < at + halves.half(); ++i) x[i] = K[i] * x[i];
        F.backward(x + at);
      });
      halves.write(line, x, size.l, array.y + first, row_at(array.y, second));
    });
  });
}

template <class Real>
void long_convolution_backward(const LongSize& size, const LongBackward<Real>& array) {
  using X = typename Halves<Real>::X;
  const Items<Real> items(size);
  const Halves<Real> halves(size.l);
  const Fourier<Real>& F = halves.fourier();
  const Index n = halves.size(), taps = std::min(size.k, size.l), numbers = size.k * size.m;
  const Buffer<X> scratch(size.threads * 4 * n);
  const Buffer<Real> partial(items.groups() * numbers);
  std::fill_n(partial.data(), items.groups() * numbers, Real{});
  prefer_large_pages(scratch.data(), size.threads * 4 * n);
  prefer_large_pages(array.gu, size.b * size.l * size.m);

  parallel_for(items.count(), size.threads, [&](Index item, int thread) {
    const Line<Real> line = items.line(item);
    X *const K = scratch.data() + thread * 4 * n, *const gK = K + n, *const x = gK + n;
    X* const g = x + n;
    halves.read(line, array.K, nullptr, taps, K);
    halves.for_each([&](Index at) { F.forward(K + at); });
    std::fill_n(gK, n, X{});
    items.for_each_pair(item, [&](Index first, Index second) {
      halves.read(line, array.u + first, row_at(array.u, second), size.l, x);
      halves.read(line, array.gy + first, row_at(array.gy, second), size.l, g);
      halves.for_each([&](Index at) {
        F.forward(x + at);
        F.forward(g + at);
        for (Index i = at; i < at + halves.half(); ++i) {
          gK[i] = madd(gK[i], conj(x[i]), g[i]);
          g[i] = conj(K[i]) * g[i];
        }
        F.backward(g + at);
      });
      halves.write(line, g, size.l, array.gu + first, row_at(array.gu, second));
    });
    halves.for_each([&](Index at) { F.backward(gK + at); });
    halves.write(line, gK, taps, partial.data() + items.group(item) * numbers, nullptr);
  });
  add_up(partial.data(), items.groups(), numbers, array.gK);
}

template void long_convolution_forward<float>(const LongSize&, const LongForward<float>&);
template void long_convolution_forward<double>(const LongSize&, const LongForward<double>&);
template void long_convolution_backward<float>(const LongSize&, const LongBackward<float>&);
template void long_convolution_backward<double>(const LongSize&, const LongBackward<double>&);

}  // namespace resolvent
