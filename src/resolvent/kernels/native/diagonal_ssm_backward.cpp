// Backward in time with g, the gradient of the state. Over T steps, with s before and g after them:
//
//   gu_j = Re(V_j^* g) + sum_{i >= j} K_{i-j} gy_i      gK_d = sum_j gy_{j+d} u_j
//   gP   = g s^*      gV_j = u_j g      gW_j = gy_j s^*
//   g'   = P^* g + sum_j W_j^* gy_j
//
// The states s are computed again, block by block, from those that the forward pass kept.

#include "diagonal_ssm.hpp"

namespace resolvent {
namespace {

// Pieces of work to aim for: enough for as many threads.
inline constexpr Index kItems = 16;

// gu_j = sum_{i >= j} K_{i-j} gy_i within chunks of T steps, and gK_d += sum_j gy_{j+d} u_j
template <int T, class V>
inline void convolve(const V* K, const V* u, const V* gy, V* gu, V* gK, Index first, Index last) {
  V total[T];
  for (int d = 0; d < T; ++d) total[d] = gK[d];
  for (Index t = first; t < last; t += T)
    for (int j = 0; j < T; ++j) {
      V sum{};
      for (int i = j; i < T; ++i) {
        sum = sum + K[i - j] * gy[t + i];
        total[i - j] = total[i - j] + gy[t + i] * u[t + j];
      }
      gu[t + j] = sum;
    }
  for (int d = 0; d < T; ++d) gK[d] = total[d];
}

// The states before each chunk of steps [first, last), from states[first] on; returns that after
// the last one.
template <int T, class H, class V>
inline H recompute(const Chunk<H, T>& coefficients, H s, const V* u, H* states, Index first,
                   Index last) {
  const Chunk<H, T> k = coefficients;
  for (Index t = first; t < last; t += T) {
    states[first + (t - first) / T] = s;
    s = carry(push(k, u + t), k.P, s);
  }
  return s;
}

// The gradients after each chunk, and the mode's share of gu; returns that before the first one.
template <int T, class H, class V>
inline H retreat(const Chunk<H, T>& coefficients, H g, const V* gy, V* gu, H* gradients,
                 Index first, Index last) {
  const Chunk<H, T> k = coefficients;
  for (Index t = last - T; t >= first; t -= T) {
    gradients[first + (t - first) / T] = g;
    for (int j = 0; j < T - 1; ++j) gu[t + j] = madd_real(gu[t + j], conj(k.V[j]), g);
    gu[t + T - 1] = gu[t + T - 1] + k.V[T - 1].re * g.re;
    H sum{};
    for (int j = 0; j < T; ++j) sum = madd(sum, conj(k.W[j]), gy[t + j]);
    g = carry(sum, conj(k.P), g);
  }
  return g;
}

// Adds to the gradients of the coefficients, of W apart from the others: all would not fit into the
// registers. What comes is summed before it is added, and gP, which makes up most of ga, is added with
// what its sum has lost so far.
template <int T, class H, class V>
inline void correlate(Chunk<H, T>& total, H& lost, const H* states, const H* gradients, const V* u,
                      const V* gy, Index first, Index last) {
  const auto chunk = [=](Index t) { return first + (t - first) / T; };
  Chunk<H, T> sum{};
  for (Index t = first; t < last; t += T) {
    const H g = gradients[chunk(t)];
    sum.P = madd(sum.P, g, conj(states[chunk(t)]));
    for (int j = 0; j < T; ++j) sum.V[j] = madd(sum.V[j], g, u[t + j]);
  }
  for (Index t = first; t < last; t += T)
    for (int j = 0; j < T; ++j) sum.W[j] = madd(sum.W[j], conj(states[chunk(t)]), gy[t + j]);
  const H more = sum.P - lost, grown = total.P + more;
  lost = (grown - total.P) - more;
  total.P = grown;
  for (int j = 0; j < T; ++j) {
    total.V[j] = total.V[j] + sum.V[j];
    total.W[j] = total.W[j] + sum.W[j];
  }
}

// Gradients of a, of e and of w.
template <class H>
struct Gradients {
  H a{}, e{}, w{};
};

// Adds what the gradients of P, V, W and K mean for those of a, e and w.
template <int T, class H, class V>
inline void pull_back(const Chunk<H, T>& g, const V* gK, H a, H e, H w, Gradients<H>& sum) {
  H power{}, slope{};  // a^j and its derivative j a^{j-1}
  power.re = V{} + 1;
  for (int j = 0; j < T; ++j) {
    const H gV = g.V[T - 1 - j];
    sum.e = madd(sum.e, gV, conj(power));
    sum.a = madd(sum.a, gV, conj(e * slope));
    sum.w = madd(sum.w, conj(power * e), gK[j]);
    sum.e = madd(sum.e, conj(power * w), gK[j]);
    sum.a = madd(sum.a, conj(slope * (e * w)), gK[j]);
    slope = madd(power, a, slope);
    power = power * a;
    sum.w = madd(sum.w, g.W[j], conj(power));
    sum.a = madd(sum.a, g.W[j], conj(w * slope));
  }
  sum.a = madd(sum.a, g.P, conj(slope));
}

// What one thread needs for the modes of a tile.
template <class H>
struct Scratch {
  H* g;                     // gradient of the state
  Chunk<H, kChunk>* chunk;  // gradients of the coefficients
  Chunk<H, 1>* step;
  H *lost, *step_lost;  // by the sums of gP
};

// One tile over several rows.
template <class T>
class Pass {
  using Real = typename T::Real;
  using V = typename T::V;
  using H = typename T::H;

 public:
  Pass(const SsmSize& size, const SsmBackward<Real>& array, Index number, const Table<T>& table,
       const Scratch<H>& scratch)
      : size_(size), array_(array), tile_(size, number), table_(table), sum_(scratch) {
    std::fill_n(sum_.chunk, tile_.modes, Chunk<H, kChunk>{});
    std::fill_n(sum_.step, tile_.modes, Chunk<H, 1>{});
    std::fill_n(sum_.lost, tile_.modes, H{});
    std::fill_n(sum_.step_lost, tile_.modes, H{});
  }

  // Backward through a row: writes gu and gh0, adds to the gradients of the coefficients.
  void run(Index row) {
    const Index stop = array_.rows.stop(row, size_.l), series = row * size_.l * size_.m;
    const Index numbers = size_.m * size_.n * T::kParts, state = row * numbers;
    const Index blocks = (size_.l - 1) / kBlock;
    const Index last = stop > 0 ? (stop - 1) / kBlock * kBlock : -kBlock;
    Window<T, const Real*> u(tile_, array_.u + series, stop, -1);
    Window<T, const Real*> gy(tile_, array_.gy + series, stop, -1);
    Window<T, Real*> gu(tile_, array_.gu + series, stop, -1);
    u.read(last, 0, kBlock);
    gy.read(last, 0, kBlock);
    for (Index k = 0; k < tile_.modes; ++k)
      sum_.g[k] = array_.gh_last ? turned(array_.gh_last + state, k) : H{};

    for (Index from = last; from >= 0; from -= kBlock) {
      count_ = split(array_.rows, row, size_.l, from, std::min(from + kBlock, stop), runs_);
      const Index checkpoint = (row * blocks + from / kBlock - 1) * numbers;
      within_chunks(u.block(from), gy.block(from), gu.block(from));
      const auto copy = [&](Index begin, Index end) {
        u.read(from - kBlock, begin, end);
        gy.read(from - kBlock, begin, end);
        gu.write(from + kBlock, begin, end);
      };
      if (!tile_.modes) copy(0, kBlock);
      for (Index k = 0; k < tile_.modes; ++k) {
        copy(k * kBlock / tile_.modes, (k + 1) * kBlock / tile_.modes);
        H before{};
        if (from > 0)
          before = tile_.recall(array_.checkpoints + checkpoint, k);
        else if (array_.h0)
          before = turned(array_.h0 + state, k);
        mode(k, before, u.block(from), gy.block(from), gu.block(from));
      }
    }
    gu.write(stop > 0 ? 0 : -kBlock, 0, kBlock);
    for (Index t = stop; t < size_.l; ++t) tile_.collect(V{}, array_.gu + series + t * size_.m);
    if (array_.gh0)
      for (Index k = 0; k < tile_.modes; ++k)
        tile_.scatter(array_.gh0 + state, k, sum_.g[k] * table_.phase[k]);
  }

  // Writes the gradients of a, b, c and d, summed over the rows so far.
  void finish(Real* ga, Real* gb, Real* gc, Real* gd) const {
    tile_.leave_first_lanes(gK_[0] + gK_step_[0], gd);
    for (Index k = 0; k < tile_.modes; ++k) {
      const H a = tile_.gather(array_.a, k), phase = table_.phase[k];
      const H e = tile_.gather(array_.b, k) * conj(phase);
      const H w = tile_.gather(array_.c, k) * phase * (V{} + T::kParts);
      Gradients<H> sum;
      pull_back(sum_.chunk[k], gK_, a, e, w, sum);
      pull_back(sum_.step[k], gK_step_, a, e, w, sum);
      tile_.scatter(ga, k, sum.a);
      tile_.scatter(gb, k, sum.e * phase);
      tile_.scatter(gc, k, sum.w * conj(phase) * (V{} + T::kParts));
    }
  }

 private:
  H turned(const Real* h, Index k) const { return tile_.gather(h, k) * conj(table_.phase[k]); }

  void within_chunks(const V* u, const V* gy, V* gu) {
    for (const Run* run = runs_; run < runs_ + count_; ++run) {
      convolve<kChunk>(table_.K, u, gy, gu, gK_, run->start, run->rest);
      convolve<1>(table_.K, u, gy, gu, gK_step_, run->rest, run->stop);
    }
  }

  // One mode of every lane through one block, with the state s before it.
  void mode(Index k, H s, const V* u, const V* gy, V* gu) {
    for (const Run* run = runs_; run < runs_ + count_; ++run) {
      if (run->fresh) s = H{};
      s = table_.compensated(s, k, (run->rest - run->start) / kChunk);
      s = recompute(table_.chunk[k], s, u, states_, run->start, run->rest);
      if (run->rest < run->stop)
        s = recompute(table_.step[k], s, u, states_, run->rest, run->stop);
    }
    H g = sum_.g[k];
    for (const Run* run = runs_ + count_ - 1; run >= runs_; --run) {
      if (run->rest < run->stop) {
        g = retreat(table_.step[k], g, gy, gu, gradients_, run->rest, run->stop);
        correlate(sum_.step[k], sum_.step_lost[k], states_, gradients_, u, gy, run->rest, run->stop);
      }
      g = conj(table_.compensated(conj(g), k, (run->rest - run->start) / kChunk));
      g = retreat(table_.chunk[k], g, gy, gu, gradients_, run->start, run->rest);
      correlate(sum_.chunk[k], sum_.lost[k], states_, gradients_, u, gy, run->start, run->rest);
      if (run->fresh) g = H{};
    }
    sum_.g[k] = g;
  }

  const SsmSize& size_;
  const SsmBackward<Real>& array_;
  T tile_;
  Table<T> table_;
  Scratch<H> sum_;
  V gK_[kChunk] = {}, gK_step_[1] = {};
  Index count_ = 0;
  Run runs_[kBlock];
  H states_[kBlock], gradients_[kBlock];
};

}  // namespace

template <class Real, bool is_complex>
void diagonal_ssm_backward(const SsmSize& size, const SsmBackward<Real>& array) {
  using T = Tile<Real, is_complex>;
  using H = typename T::H;
  const Tables<T> tables(size, array.a, array.b, array.c, array.d);
  const Buffer<H> g(size.threads * size.n);
  const Buffer<Chunk<H, kChunk>> chunk(size.threads * size.n);
  const Buffer<Chunk<H, 1>> step(size.threads * size.n);
  const Buffer<H> lost(size.threads * 2 * size.n);

  // Rows are summed in groups, so that there is work for many threads; how many groups depends on
  // the sizes alone, so that the sums do not depend on the threads.
  const Index tiles = T::count(size), numbers = size.m * size.n * T::kParts;
  const Index groups = std::min(size.b, (kItems + tiles - 1) / std::max<Index>(tiles, 1));
  const Index sizes[] = {numbers, numbers, numbers, size.m}, all = 3 * numbers + size.m;
  const Buffer<Real> partial(groups * all);
  prefer_large_pages(array.gu, size.b * size.l * size.m);
  parallel_for(groups * tiles, size.threads, [&](Index item, int thread) {
    const Index group = item / tiles, number = item % tiles, at = thread * size.n;
    const Scratch<H> scratch{g.data() + at, chunk.data() + at, step.data() + at,
                             lost.data() + 2 * at, lost.data() + 2 * at + size.n};
    Pass<T> pass(size, array, number, tables[number], scratch);
    const Index first = group * size.b / groups, last = (group + 1) * size.b / groups;
    for (Index row = first; row < last; ++row) pass.run(row);
    Real* sums = partial.data() + group * all;
    pass.finish(sums, sums + numbers, sums + 2 * numbers, sums + 3 * numbers);
  });
  Real* const totals[] = {array.ga, array.gb, array.gc, array.gd};
  const Real* from = partial.data();
  for (int which = 0; which < 4; from += sizes[which++])
    for (Index i = 0; i < sizes[which]; ++i) {
      Real total = 0;
      for (Index group = 0; group < groups; ++group) total += from[group * all + i];
      totals[which][i] = total;
    }
}

template void diagonal_ssm_backward<float, false>(const SsmSize&, const SsmBackward<float>&);
template void diagonal_ssm_backward<float, true>(const SsmSize&, const SsmBackward<float>&);
template void diagonal_ssm_backward<double, false>(const SsmSize&, const SsmBackward<double>&);
template void diagonal_ssm_backward<double, true>(const SsmSize&, const SsmBackward<double>&);

}  // namespace resolvent
