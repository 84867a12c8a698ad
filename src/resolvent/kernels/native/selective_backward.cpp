// Backward in time with g, the gradient of the state. At each step, with h' the state before it,
// a = exp(dt A) and gy the gradient of y before the gate:
//
//   g += gy C         gC = sum_m gy h     gB = sum_m g dt u     gu = D gy + dt sum_n g B
//   q  = g a h'       gA = sum_t q dt     gdt = sum_n q A + u sum_n g B
//   g  = g a
//
// The states are computed again, block by block, from those that the forward pass kept.
#include "interleave.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "selective_steps.hpp"

namespace resolvent {
namespace {

// Pieces of work to aim for, and the least strips that make one.
inline constexpr Index kItems = 8, kStrips = 4;

// A band in one row.
template <class Real>
class Part {
  using V = Vector<Real>;
  using Block = typename Ribbon<Real>::Block;

 public:
  static Index scratch(Index n, Index strips) {
    return 4 * sizeof(Block) / sizeof(V) + strips * (4 * n + 2) + 2 * n * kBlock / kLanes<Real>;
  }

  Part(const SelectiveSize& size, const SelectiveBackward<Real>& array, Index row,
       const Band<Real>& band, V* scratch)
      : size_(size), array_(array), in_(array.in), row_(row), stop_(in_.rows.stop(row, size.l)),
        n_(size.n), band_(band), u_(*reinterpret_cast<Block*>(scratch)), dt_((&u_)[1]),
        gy_((&u_)[2]), z_((&u_)[3]), own_(reinterpret_cast<V*>(&u_ + 4)),
        gB_(reinterpret_cast<Real*>(own_ + (band.end - band.begin) * (4 * n_ + 2))),
        gC_(gB_ + n_ * kBlock) {}

  // Gradients of B and C, summed over the band, go to (l, stride).
  void run(Real* gB, Real* gC, Index stride) {
    band_.for_ribbons([&](const auto& ribbon) {
      for (Index i = 0; i < ribbon.count; ++i) start(ribbon.strips[i], own(ribbon, i));
      for (const Series<Real>& series : {array_.gu, array_.gdt, array_.gz})
        if (series) ribbon.clear(series, step(stop_), size_.l - stop_);
    });
    for (Real* sums : {gB, gC})
      for (Index t = stop_; t < size_.l; ++t) std::fill_n(sums + t * stride, n_, Real{});
    for (Index from = (stop_ - 1) / kBlock * kBlock; from >= 0 && stop_ > 0; from -= kBlock) {
      std::fill_n(gB_, 2 * n_ * kBlock, Real{});
      const Index count = std::min(kBlock, stop_ - from);
      band_.for_ribbons([&](const auto& ribbon) { block(ribbon, from, count); });
      for (Index t = 0; t < count; ++t)
        for (Index k = 0; k < n_; ++k) {
          gB[(from + t) * stride + k] = gB_[k * kBlock + t];
          gC[(from + t) * stride + k] = gC_[k * kBlock + t];
        }
    }
    band_.for_ribbons([&](const auto& ribbon) {
      for (Index i = 0; i < ribbon.count; ++i) finish(ribbon.strips[i], own(ribbon, i));
    });
  }

 private:
  // What a strip carries from block to block.
  struct Own {
    V *rates, *states, *g, *gA, *gD, *gbias;
  };
  Own own(const Ribbon<Real>& ribbon, Index i) const {
    V* at = own_ + (ribbon.begin - band_.begin + i) * (4 * n_ + 2);
    return {at, at + n_, at + 2 * n_, at + 3 * n_, at + 4 * n_, at + 4 * n_ + 1};
  }
  Index state() const { return row_ * size_.m * n_; }
  Index step(Index t) const { return (row_ * size_.l + t) * size_.m; }

  void start(const Strip<Real>& strip, const Own& own) {
    for (Index k = 0; k < n_; ++k) {
      own.rates[k] = strip.gather(in_.A, n_, k) * static_cast<Real>(kLog2E);
      own.g[k] = array_.gh_last ? strip.gather(array_.gh_last + state(), n_, k) : V{};
      own.gA[k] = V{};
    }
    *own.gD = *own.gbias = V{};
  }
  void finish(const Strip<Real>& strip, const Own& own) {
    for (Index k = 0; k < n_; ++k) {
      strip.scatter(array_.gh0 + state(), n_, k, own.g[k]);
      strip.scatter(array_.gA + state(), n_, k, own.gA[k]);
    }
    strip.write(array_.gD + row_ * size_.m, *own.gD);
    strip.write(array_.gbias + row_ * size_.m, *own.gbias);
  }

  void block(const Ribbon<Real>& ribbon, Index from, Index count) {
    ribbon.read(in_.u, step(from), count, u_);
    ribbon.read(in_.dt, step(from), count, dt_);
    ribbon.read({array_.gy}, step(from), count, gy_);
    if (in_.z) ribbon.read(in_.z, step(from), count, z_);
    recall(ribbon, from);
    for (Index i = 0; i < ribbon.count; ++i) {
      const Strip<Real>& strip = ribbon.strips[i];
      const Own own = this->own(ribbon, i);
      prepare(strip, i, count);
      const Index here = step(from) + strip.first, next = here + (from > 0 ? ribbon.to_next(-1) : 0);
      Tracks tracks(n_);
      for (const Series<const Real>& series : {in_.u, in_.dt, {array_.gy}, in_.z}) tracks.add(series, next, size_.m);
      for (const Series<Real>& series : {array_.gu, array_.gdt, array_.gz}) tracks.add(series, here, size_.m);
      for_modes(n_, are_normal(longest<V>(dt_[i], count), own.rates, n_), [&](Index k, auto modes, auto normal) {
        sweep<modes.value, normal.value>(own, i, {from, count, strip.group, k, tracks});
      });
      conclude(strip, own, i, count);
    }
    ribbon.write(array_.gu, step(from), count, u_);
    ribbon.write(array_.gdt, step(from), count, dt_);
    if (in_.z) ribbon.write(array_.gz, step(from), count, z_);
  }

  // The states before a block.
  void recall(const Ribbon<Real>& ribbon, Index from) const {
    const Index blocks = (size_.l - 1) / kBlock, block = row_ * blocks + from / kBlock - 1;
    for (Index k = 0; k < n_; ++k)
      for (Index i = 0; i < ribbon.count; ++i) {
        const Strip<Real>& strip = ribbon.strips[i];
        V& h = own(ribbon, i).states[k];
        if (from > 0)
          h = strip.read(array_.checkpoints + (block * n_ + k) * size_.m);
        else
          h = in_.h0 ? strip.gather(in_.h0 + state(), n_, k) : V{};
      }
  }

  // What all modes of strip i read: dt, and gy before the gate.
  void prepare(const Strip<Real>& strip, Index i, Index count) {
    for (V* sums : {read_, gread_, grate_}) std::fill_n(sums, count, V{});
    if (in_.bias) soften(strip.read(in_.bias), dt_[i], count, slope_);
    if (!in_.z) return;
    gate(z_[i], count, gate_);
    for (Index t = 0; t < count; ++t) {
      gate_[t] = gate_[t] * gy_[i][t];
      gy_[i][t] = gy_[i][t] * z_[i][t];
    }
  }

  // The gradients of strip i, in the place of its inputs.
  void conclude(const Strip<Real>& strip, const Own& own, Index i, Index count) {
    const V D = in_.D ? strip.read(in_.D) : V{};
    V gD{}, gbias{};
    for (Index t = 0; t < count; ++t) {
      const V u = u_[i][t], dt = dt_[i][t], gy = gy_[i][t];
      V gdt = grate_[t] * static_cast<Real>(1 / kLog2E) + u * gread_[t];
      if (in_.bias) gdt = gdt * slope_[t];
      if (in_.z) z_[i][t] = gate_[t] * (read_[t] + D * u);
      u_[i][t] = dt * gread_[t] + D * gy;
      dt_[i][t] = gdt;
      gbias = gbias + gdt;
      gD = gD + gy * u;
    }
    *own.gD = *own.gD + gD;
    *own.gbias = *own.gbias + gbias;
  }

  // `modes` modes of strip i through a block, there and back.
  template <int modes, bool normal>
  [[gnu::noinline]] void sweep(const Own& own, Index i, const BlockSteps<Real>& steps) {
    const Real *B = steps.of(in_.B, row_, size_), *C = steps.of(in_.C, row_, size_);
    const bool* resets = in_.rows.resets ? in_.rows.resets + row_ * size_.l + steps.from : nullptr;
    const Index stride = size_.g * n_, count = steps.count, k = steps.first;
    const auto dt = dt_[i], u = u_[i], gy = gy_[i];
    V decays[kBlock][modes], rates[modes], h[modes];
    V states[kBlock][modes];  // before each step, whether or not it is dropped
    std::copy_n(own.rates + k, modes, rates);
    std::copy_n(own.states + k, modes, h);
    for (Index t = 0; t < count; ++t) {
      steps.fetch(t);
      for (int j = 0; j < modes; ++j) states[t][j] = h[j];
      V a[modes], read = read_[t];
      decay<normal>(dt[t], rates, a);
      if (resets && resets[t])
        for (int j = 0; j < modes; ++j) h[j] = a[j] = V{};
      const V push = dt[t] * u[t];
      for (int j = 0; j < modes; ++j) {
        decays[t][j] = a[j];
        h[j] = a[j] * h[j] + push * B[t * stride + j];
        read = read + h[j] * C[t * stride + j];
      }
      read_[t] = read;
    }
    V g[modes], gA[modes] = {};
    std::copy_n(own.g + k, modes, g);
    constexpr Index kSteps = kLanes<Real>;
    V gB[modes][kSteps], gC[modes][kSteps];  // of some steps, by channel
    for (Index t = count % kSteps; t % kSteps; ++t)
      for (int j = 0; j < modes; ++j) gB[j][t] = gC[j][t] = V{};
    for (Index last = count; last > 0;) {
      const Index first = (last - 1) / kSteps * kSteps;
      for (Index t = last - 1; t >= first; --t) {
        const V push = dt[t] * u[t];
        V gread = gread_[t], grate = grate_[t], q[modes];
        for (int j = 0; j < modes; ++j) g[j] = g[j] + gy[t] * C[t * stride + j];
        for (int j = 0; j < modes; ++j) {
          gC[j][t - first] = gy[t] * h[j];
          gB[j][t - first] = g[j] * push;
          gread = gread + g[j] * B[t * stride + j];
        }
        for (int j = 0; j < modes; ++j) {
          h[j] = states[t][j];
          g[j] = g[j] * decays[t][j];
          q[j] = g[j] * h[j];
        }
        for (int j = 0; j < modes; ++j) {
          grate = grate + q[j] * rates[j];
          gA[j] = gA[j] + q[j] * dt[t];
        }
        gread_[t] = gread;
        grate_[t] = grate;
      }
      for (int j = 0; j < modes; ++j) {
        add_sums(gB[j], gB_ + (k + j) * kBlock + first);
        add_sums(gC[j], gC_ + (k + j) * kBlock + first);
      }
      last = first;
    }
    for (int j = 0; j < modes; ++j) {
      own.g[k + j] = g[j];
      own.gA[k + j] = own.gA[k + j] + gA[j];
    }
  }
  // Adds the sums over channels.
  static void add_sums(const V* steps, Real* to) {
    store(to, load<V>(to) + sums_of<Real, kLanes<Real>>(steps));
  }

  const SelectiveSize& size_;
  const SelectiveBackward<Real>& array_;
  const SelectiveInput<Real>& in_;
  Index row_, stop_, n_;
  const Band<Real>& band_;
  Block &u_, &dt_, &gy_, &z_;  // of a ribbon; inputs, then their gradients
  V* own_;
  Real *gB_, *gC_;  // of a block, (n, kBlock)
  V slope_[kBlock];  // of dt in what was given, if there is a bias
  V gate_[kBlock];   // gz / y, if there is a gate
  V read_[kBlock], gread_[kBlock], grate_[kBlock];  // sum_n of C h, g B and q A log2(e)
};

}  // namespace

template <class Real>
void selective_backward(const SelectiveSize& size, const SelectiveBackward<Real>& array) {
  using V = Vector<Real>;
  const Index strips = Strip<Real>::in_group(size.m / std::max<Index>(size.g, 1)), n = size.n;
  // How many parts there are depends on the sizes alone, so that the sums do not depend on threads.
  const Index wanted = std::max<Index>(1, kItems / std::max<Index>(size.b * size.g, 1));
  const Index most = std::max(strips / wanted, kStrips);
  const Index parts = std::max<Index>(1, (strips + most - 1) / most), items = size.b * size.g * parts;
  const int threads = worthwhile(size.threads, size.b * size.l * size.m * n * 16);
  const Index series = size.l * n, parameters = size.m * n;
  SelectiveBackward<Real> own = array;
  if (!own.in.z) own.gz = {};
  for (const Series<Real>& series : {own.gu, own.gdt, own.gz})
    prefer_large_pages(series.template at<char>(0), size.b * size.l * size.m * series.bytes());
  const Index own_scratch = Part<Real>::scratch(n, most);
  const Buffer<V> scratch(threads * own_scratch);
  const Buffer<Real> split(parts > 1 ? 2 * items * series : 0);
  const Buffer<Real> sums(size.b * (parameters + 2 * size.m));
  own.gA = sums.data();
  own.gD = own.gA + size.b * parameters;
  own.gbias = own.gD + size.b * size.m;

  parallel_for(items, threads, [&](Index item, int thread) {
    const Index part = item % parts, group = item / parts % size.g, row = item / parts / size.g;
    const Band<Real> band(size.m, size.g, group, part, parts);
    Part<Real> pass(size, own, row, band, scratch.data() + thread * own_scratch);
    if (parts > 1) {
      Real* at = split.data() + 2 * item * series;
      pass.run(at, at + series, n);
    } else {
      const Index at = (row * size.l * size.g + group) * n;
      pass.run(array.gB + at, array.gC + at, size.g * n);
    }
  });
  if (parts > 1)
    parallel_for(size.b * size.l, threads, [&](Index step, int) {
      const Index row = step / size.l, t = step % size.l;
      for (Index group = 0; group < size.g; ++group)
        for (Index k = 0; k < n; ++k) {
          const Real* from = split.data() + 2 * (row * size.g + group) * parts * series + t * n + k;
          Real sums[2] = {};
          for (Index i = 0; i < 2 * parts; ++i) sums[i % 2] += from[i * series];
          array.gB[(step * size.g + group) * n + k] = sums[0];
          array.gC[(step * size.g + group) * n + k] = sums[1];
        }
    });
  add_up(own.gA, size.b, parameters, array.gA);
  if (array.in.D) add_up(own.gD, size.b, size.m, array.gD);
  if (array.in.bias) add_up(own.gbias, size.b, size.m, array.gbias);
}

template void selective_backward<float>(const SelectiveSize&, const SelectiveBackward<float>&);
template void selective_backward<double>(const SelectiveSize&, const SelectiveBackward<double>&);

}  // namespace resolvent
