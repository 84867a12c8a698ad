// A causal convolution of n real steps as one circular one of complex numbers: step t is turned by
// R = e^(-pi i t / (2 n)) beforehand and back afterwards, so that what comes round the end has made a
// quarter of a turn and is imaginary. With F the Fourier transform,
//
//   y  = Re R^* F^-1 (F R K) (F R u)
//   gu = Re R^* F^-1 (F R K)^* (F R gy)
//   gK = Re R^* F^-1 (F R u)^* (F R gy)

#include "long_convolution.hpp"

#include <algorithm>

#include "fourier.hpp"
#include "parallel.hpp"

namespace resolvent {
namespace {

// Pieces of work to aim for: enough for as many threads.
inline constexpr Index kItems = 16;

// Steps between asking for one and using it: enough for the memory to answer, and not too many for the
// first cache, where steps of many channels fall on few of its places.
inline constexpr Index kAhead = 24;

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

// The turned series of a line of channels and their spectra, one vector after the other.
template <class Real>
class Turned {
 public:
  using V = Vector<Real>;
  using X = Mode<V, true>;

  explicit Turned(Index steps) : fourier_(power_of_two(steps)), turns_(fourier_.size()) {
    const UnitRoots w(4 * fourier_.size());
    for (Index t = 0; t < fourier_.size(); ++t) turns_.data()[t] = w.template at<Real>(t);
  }
  // Numbers of all vectors.
  Index size() const { return Line<Real>::kVectors * fourier_.size(); }

  // F R of a row of so many steps.
  void read(const Line<Real>& line, const Real* row, Index steps, X* x) const {
    const Index n = fourier_.size();
    for (Index t = 0; t < steps; ++t, row += line.m)
      for (Index i = 0; i < line.kVectors; ++i) {
        const auto turn = turns_.data()[t];
        const V value = line.read(row, i);
        __builtin_prefetch(row + line.first + kAhead * line.m, 0, 0);  // the second cache is for spectra
        x[i * n + t] = {value * turn.re, value * turn.im};
      }
    for (X* series = x; series < x + size(); series += n) {
      std::fill(series + steps, series + n, X{});
      fourier_.forward(series);
    }
  }

  // And back: Re R^* F^-1.
  void write(const Line<Real>& line, X* x, Index steps, Real* row) const {
    const Index n = fourier_.size();
    const Real scale = 1 / static_cast<Real>(n);
    for (X* series = x; series < x + size(); series += n) fourier_.backward(series);
    for (Index t = 0; t < steps; ++t, row += line.m)
      for (Index i = 0; i < line.kVectors; ++i) {
        const auto turn = turns_.data()[t];
        const X value = x[i * n + t];
        __builtin_prefetch(row + line.first + kAhead * line.m, 1);
        line.write(row, i, value.re * (turn.re * scale) + value.im * (turn.im * scale));
      }
  }

 private:
  Fourier<Real> fourier_;
  Buffer<Mode<Real, true>> turns_;
};

// Items of work: a line of channels in a group of rows. Gradients of K are summed over the rows of a
// group; how many groups there are depends on the sizes alone, so that no sum depends on the threads.
template <class Real>
class Items {
 public:
  explicit Items(const LongSize& size)
      : size_(size), lines_(Line<Real>::count(size.m)),
        groups_(std::min(size.b, (kItems + lines_ - 1) / std::max<Index>(lines_, 1))) {}
  Index count() const { return groups_ * lines_; }
  Index groups() const { return groups_; }
  Index group(Index item) const { return item / lines_; }
  Line<Real> line(Index item) const { return {item % lines_ * Line<Real>::kChannels, size_.m}; }

  // Calls body(start) with where each row of the group begins.
  template <class Body>
  void for_each_row(Index item, const Body& body) const {
    const Index last = (group(item) + 1) * size_.b / groups_;
    for (Index row = group(item) * size_.b / groups_; row < last; ++row)
      body(row * size_.l * size_.m);
  }

 private:
  const LongSize& size_;
  Index lines_, groups_;
};

}  // namespace

template <class Real>
void long_convolution_forward(const LongSize& size, const LongForward<Real>& array) {
  using X = typename Turned<Real>::X;
  const Items<Real> items(size);
  const Turned<Real> turned(size.l);
  const Index n = turned.size();
  const Buffer<X> scratch(size.threads * 2 * n);
  prefer_large_pages(scratch.data(), size.threads * 2 * n);
  prefer_large_pages(array.y, size.b * size.l * size.m);

  parallel_for(items.count(), size.threads, [&](Index item, int thread) {
    const Line<Real> line = items.line(item);
    X *const K = scratch.data() + thread * 2 * n, *const x = K + n;
    turned.read(line, array.K, std::min(size.k, size.l), K);
    items.for_each_row(item, [&](Index row) {
      turned.read(line, array.u + row, size.l, x);
      for (Index i = 0; i < n; ++i) x[i] = K[i] * x[i];
      turned.write(line, x, size.l, array.y + row);
    });
  });
}

template <class Real>
void long_convolution_backward(const LongSize& size, const LongBackward<Real>& array) {
  using X = typename Turned<Real>::X;
  const Items<Real> items(size);
  const Turned<Real> turned(size.l);
  const Index n = turned.size(), taps = std::min(size.k, size.l), numbers = size.k * size.m;
  const Buffer<X> scratch(size.threads * 4 * n);
  const Buffer<Real> partial(items.groups() * numbers);
  std::fill_n(partial.data(), items.groups() * numbers, Real{});
  prefer_large_pages(scratch.data(), size.threads * 4 * n);
  prefer_large_pages(array.gu, size.b * size.l * size.m);

  parallel_for(items.count(), size.threads, [&](Index item, int thread) {
    const Line<Real> line = items.line(item);
    X *const K = scratch.data() + thread * 4 * n, *const gK = K + n, *const x = gK + n;
    X* const g = x + n;
    turned.read(line, array.K, taps, K);
    std::fill_n(gK, n, X{});
    items.for_each_row(item, [&](Index row) {
      turned.read(line, array.u + row, size.l, x);
      turned.read(line, array.gy + row, size.l, g);
      for (Index i = 0; i < n; ++i) {
        gK[i] = madd(gK[i], conj(x[i]), g[i]);
        g[i] = conj(K[i]) * g[i];
      }
      turned.write(line, g, size.l, array.gu + row);
    });
    turned.write(line, gK, taps, partial.data() + items.group(item) * numbers);
  });
  add_up(partial.data(), items.groups(), numbers, array.gK);
}

template void long_convolution_forward<float>(const LongSize&, const LongForward<float>&);
template void long_convolution_forward<double>(const LongSize&, const LongForward<double>&);
template void long_convolution_backward<float>(const LongSize&, const LongBackward<float>&);
template void long_convolution_backward<double>(const LongSize&, const LongBackward<double>&);

}  // namespace resolvent
