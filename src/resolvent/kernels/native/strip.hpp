// Neighbouring channels, one in each lane.
#pragma once

#include <algorithm>

#include "half.hpp"
#include "memory.hpp"
#include "rows.hpp"

namespace resolvent {

// From a place in a series on, step by step: what can be asked for before it is needed.
struct Track {
  const char* first;
  Index stride;
  void fetch(Index t) const { __builtin_prefetch(first + t * stride, 0, kSecondCache); }
};

// A series (b, l, m) of a kernel's numbers, or of bfloat16 ones that become such when they are read and
// are rounded when they are written. Which of both is a flag: it is asked once a step, and a kernel is
// compiled once.
template <class Number>
struct Series {
  Number* data = nullptr;
  bool bfloat16 = false;

  explicit operator bool() const { return data; }
  Index bytes() const { return bfloat16 ? sizeof(std::uint16_t) : sizeof(Number); }
  // Where number i lies.
  template <class Stored = Number>
  auto at(Index i) const {
    using Bytes = std::conditional_t<std::is_const_v<Number>, const char, char>;
    using As = std::conditional_t<std::is_const_v<Number>, const Stored, Stored>;
    return reinterpret_cast<As*>(reinterpret_cast<Bytes*>(data) + i * bytes());
  }
  // From number i on, steps of m numbers.
  Track track(Index i, Index m) const { return {at<char>(i), m * bytes()}; }
};

// A vector for each step, from numbers that lie `stride` apart.
template <class Number>
struct Lines {
  using V = Vector<std::remove_const_t<Number>>;
  Number* first;
  Index stride;

  V operator[](Index t) const { return load<V>(first + t * stride); }
  void set(Index t, V value) const { store(first + t * stride, value); }
};

// At most as many channels as a vector has lanes, none of them in another group of channels than
// the others. Lanes without a channel are zero when read, and not written.
template <class Scalar>
struct Strip {
  using Real = Scalar;
  using V = Vector<Real>;
  static constexpr Index kWidth = kLanes<Real>;

  Index group, first, channels;

  Strip() = default;
  Strip(Index m, Index groups, Index number) {
    const Index size = m / groups, strips = in_group(size);
    group = number / strips;
    first = group * size + number % strips * kWidth;
    channels = std::min(kWidth, (group + 1) * size - first);
  }
  static Index in_group(Index size) { return (size + kWidth - 1) / kWidth; }
  static Index count(Index m, Index groups) { return groups * in_group(m / groups); }

  // From and to an array (m).
  V read(const Real* from) const {
    if (channels == kWidth) return load<V>(from + first);
    Real lanes[kWidth]{};
    std::copy_n(from + first, channels, lanes);
    return load<V>(lanes);
  }
  void write(Real* to, V value) const {
    if (channels == kWidth) return store(to + first, value);
    Real lanes[kWidth];
    store(lanes, value);
    std::copy_n(lanes, channels, to + first);
  }

  // Steps of a series (l, m), the first of which begins at number `start`: as they lie there, or in a copy.
  Lines<const Real> read(Series<const Real> series, Index start, Index m, Index steps, V* copy) const {
    if (in_place(series)) return {series.at(start + first), m};
    for (Index t = 0; t < steps; ++t) {
      const Index at = start + t * m + first;
      copy[t] = V{};
      if (series.bfloat16)
        widen(series.template at<std::uint16_t>(at), channels, copy + t);
      else
        std::memcpy(copy + t, series.at(at), channels * sizeof(Real));
    }
    return {reinterpret_cast<const Real*>(copy), kWidth};
  }
  // Where to write steps, and what brings them to their place if that was the copy.
  Lines<Real> place(Series<Real> series, Index start, Index m, V* copy) const {
    if (in_place(series)) return {series.at(start + first), m};
    return {reinterpret_cast<Real*>(copy), kWidth};
  }
  void write(Series<Real> series, Index start, Index m, Index steps, const V* copy) const {
    if (in_place(series)) return;
    for (Index t = 0; t < steps; ++t) {
      const Index at = start + t * m + first;
      if (series.bfloat16)
        narrow(copy + t, channels, series.template at<std::uint16_t>(at));
      else
        std::memcpy(series.at(at), copy + t, channels * sizeof(Real));
    }
  }
  void clear(Series<Real> series, Index start, Index m, Index steps) const {
    for (Index t = 0; t < steps; ++t)
      std::memset(series.at(start + t * m + first), 0, channels * series.bytes());
  }

  // Column k of an array (m, n).
  V gather(const Real* from, Index n, Index k) const {
    Real lanes[kWidth]{};
    for (Index i = 0; i < channels; ++i) lanes[i] = from[(first + i) * n + k];
    return load<V>(lanes);
  }
  void scatter(Real* to, Index n, Index k, V value) const {
    Real lanes[kWidth];
    store(lanes, value);
    for (Index i = 0; i < channels; ++i) to[(first + i) * n + k] = lanes[i];
  }

 private:
  template <class Number>
  bool in_place(Series<Number> series) const {
    return channels == kWidth && !series.bfloat16;
  }
};

// A value for each step, one every so many vectors.
template <class V, Index stride>
struct Column {
  V* first;
  V& operator[](Index t) const { return first[t * stride]; }
};

// Neighbouring strips of one group. The steps of a wide series (l, m) lie on different pages, and to
// find a page takes longer than to read it; so a block of steps is visited once for many strips, which
// work on a copy, block[strip][step], in the order of the series.
template <class Scalar>
struct Ribbon {
  using Real = Scalar;
  using V = Vector<Real>;
  static constexpr Index kMost = 512 / kVectorBytes;
  // a cache line more than the strips take, so that steps do not compete for the same places
  static constexpr Index kRow = kMost + 64 / kVectorBytes;
  struct Block {
    V rows[kBlock][kRow];
    Column<V, kRow> operator[](Index strip) { return {rows[0] + strip}; }
  };

  Index m, begin, count;          // of the whole series; the first strip, and how many
  Index first = 0, channels = 0;  // the first channel, and how many
  Index next = 0, turns = 0;      // the first channel of what comes next; 1 if that is another block
  Strip<Real> strips[kMost];

  // Strips [begin, end) of all strips, at most kMost.
  Ribbon(Index m, Index groups, Index begin, Index end) : m(m), begin(begin), count(end - begin) {
    for (Index i = 0; i < count; ++i) {
      strips[i] = Strip<Real>(m, groups, begin + i);
      channels += strips[i].channels;
    }
    if (count > 0) first = strips[0].first;
  }
  void read(Series<const Real> series, Index start, Index steps, Block& block) const {
    for (Index t = 0; t < steps; ++t) {
      const Index at = start + t * m + first;
      if (series.bfloat16) {
        widen(series.template at<std::uint16_t>(at), channels, block.rows[t]);
        continue;
      }
      const Real* const from = series.at(at);
      if (whole()) {
        for (Index i = 0; i < count; ++i) block.rows[t][i] = load<V>(from + i * kLanes<Real>);
      } else {
        Real* const row = reinterpret_cast<Real*>(block.rows[t]);
        std::copy_n(from, channels, row);
        std::fill(row + channels, row + count * kLanes<Real>, Real{});
      }
    }
  }
  void write(Series<Real> series, Index start, Index steps, const Block& block) const {
    for (Index t = 0; t < steps; ++t) {
      const Index at = start + t * m + first;
      if (series.bfloat16) {
        narrow(block.rows[t], channels, series.template at<std::uint16_t>(at));
        continue;
      }
      Real* const to = series.at(at);
      if (whole())
        for (Index i = 0; i < count; ++i) store(to + i * kLanes<Real>, block.rows[t][i]);
      else
        std::copy_n(reinterpret_cast<const Real*>(block.rows[t]), channels, to);
    }
  }
  // From a strip to its fellow in what comes next, where the next block is `blocks` blocks ahead.
  Index to_next(Index blocks) const { return next - first + turns * blocks * kBlock * m; }
  void clear(Series<Real> series, Index start, Index steps) const {
    for (Index t = 0; t < steps; ++t)
      std::memset(series.at(start + t * m + first), 0, channels * series.bytes());
  }

 private:
  bool whole() const { return channels == count * kLanes<Real>; }
};

// One of some equal parts of a group's strips, as ribbons of about the same width. They pass a block of
// steps one after the other: what lies on one page is wanted soon again.
template <class Scalar>
struct Band {
  Index m, groups, begin, end;

  Band(Index m, Index groups, Index group, Index part, Index parts) : m(m), groups(groups) {
    const Index strips = Strip<Scalar>::in_group(m / groups);
    begin = group * strips + part * strips / parts;
    end = group * strips + (part + 1) * strips / parts;
  }

  // Calls body(strip, its number in the band, how many numbers of a series further the next one begins), where
  // after the last strip comes the first one's next block.
  template <class Body>
  void for_strips(const Body& body) const {
    for (Index i = begin; i < end; ++i) {
      const bool last = i + 1 == end;
      const Strip<Scalar> strip(m, groups, i), next(m, groups, last ? begin : i + 1);
      body(strip, i - begin, next.first - strip.first + last * kBlock * m);
    }
  }

  // Calls body(ribbon).
  template <class Body>
  void for_ribbons(const Body& body) const {
    const Index strips = end - begin;
    const Index count = (strips + Ribbon<Scalar>::kMost - 1) / Ribbon<Scalar>::kMost;
    const auto at = [&](Index i) { return begin + i * strips / count; };
    for (Index i = 0; i < count; ++i) {
      Ribbon<Scalar> ribbon(m, groups, at(i), at(i + 1));
      ribbon.turns = i + 1 == count;
      ribbon.next = Strip<Scalar>(m, groups, at((i + 1) % count)).first;
      body(ribbon);
    }
  }
};

}  // namespace resolvent
