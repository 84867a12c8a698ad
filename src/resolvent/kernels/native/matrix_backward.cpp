// Backward in time with G, the gradient of the state after a chunk (see matrix_steps.hpp). With e_j
// what v_j was corrected to, d_j = beta_j e_j, the gradients of what was written come first:
//
//   gd_s = G^T (w_{s,last} k_s) + sum_{j >= s} Q_js gy_j + sum_{j > s} K_js c_j      c_j = -beta_j gd_j
//   gQ_js = gy_j . d_s      gK_js = c_j . d_s      gv_s = beta_s gd_s      gbeta_s = gd_s . e_s
//
// (without beta: gv_s = gd_s and c = 0), then those of keys, queries and decays: the loop of
// Steps::weigh in reverse. The states before all chunks of a block are computed again.

#include "matrix_steps.hpp"

namespace resolvent {
namespace {

template <class Real>
class Pass {
  using V = Vector<Real>;
  static constexpr int T = kWrites;

 public:
  static Index numbers(const MatrixSize& all, const PanelSize& size) {
    return Steps<Real>::numbers(size) + (most_states(all) + 1) * size.numbers() +
           (2 * (kBlock * all.r + T) + 4 * T) * size.width + (6 * T + 1) * size.rows;
  }

  Pass(const MatrixSize& all, const MatrixBackward<Real>& array, const Head& at,
       const PanelSize& size, Store<Real> store)
      : all_(all), array_(array), at_(at), size_(size), steps_(all, array.in, size, store) {
    const Index block = (kBlock * all.r + T) * size.width;
    Real* const first = store.take(0);
    states_ = store.take(most_states(all) * size.numbers());
    g_ = store.take(size.numbers());
    for (Real** x : {&errors_, &writes_}) *x = store.take(block);
    for (Real** x : {&x_, &gd_}) *x = store.take(T * size.width);
    c_ = store.take(2 * T * size.width);
    for (Real** x : {&read_gy_, &read_c_, &read_d_, &gk_, &gq_, &ga_})
      *x = store.take(T * size.rows);
    overlap_ = store.take(size.rows);
    std::fill_n(first, store.take(0) - first, Real{0});
  }

  // Writes to one slice of ga and gbeta; to one part of gk and gq if it is its first job, else adds.
  void run(Index slice, Index part, bool first, Chunk* chunks) {
    slice_ = slice * all_.b * all_.l;
    part_ = part * all_.b * all_.l;
    first_ = first;
    group_ = at_.head / (all_.m / all_.g);
    const Index stop = array_.in.rows.stop(at_.row, all_.l), blocks = (all_.l - 1) / kBlock;
    const Index head = all_.n * all_.p, state = (at_.row * all_.m + at_.head) * head + at_.first;
    if (array_.gh_last) enter(size_, array_.gh_last + state, all_.p, at_.width, g_);
    for (Index from = stop > 0 ? (stop - 1) / kBlock * kBlock : -1; from >= 0; from -= kBlock) {
      const Index block = (at_.row * blocks + from / kBlock - 1) * all_.m + at_.head;
      if (from > 0)
        enter(size_, array_.checkpoints + block * head + at_.first, all_.p, at_.width, panel(1));
      else if (array_.in.h0)
        enter(size_, array_.in.h0 + state, all_.p, at_.width, panel(1));
      else
        std::fill_n(panel(1), size_.numbers(), Real{0});
      const Index to = std::min(from + kBlock, stop);
      const Index count = split(array_.in.rows, at_.row, all_, from, to, chunks);
      block_ = from * all_.r;
      for (Index i = 0; i < count; ++i)
        advance(chunks[i], i + 1 < count ? chunks[i + 1].state : 0);
      for (Index i = count - 1; i >= 0; --i) retreat(chunks[i]);
    }
    leave(size_, g_, array_.gh0 + state, all_.p, at_.width);
    if (stop < all_.l) clear(stop);
  }

 private:
  Real* panel(Index state) const { return states_ + state * size_.numbers(); }
  Real* of_chunk(Real* block, const Chunk& chunk) const {
    return block + (chunk.first - block_) * size_.width;
  }

  // The forward pass again, up to the state numbered `next` if there is one.
  void advance(const Chunk& chunk, Index next) {
    steps_.load(at_, chunk, kAhead);
    steps_.load_values(at_, kAhead);
    Real *const e = of_chunk(errors_, chunk), *const d = of_chunk(writes_, chunk);
    with_count<T>(steps_.count, [&](auto count) {
      if (steps_.corrects())
        read<count.value>(size_, panel(chunk.state), steps_.read, x_, steps_.wanted);
      solve<count.value, Real>(steps_, size_, x_, e, d, nullptr);
      if (next)
        update<count.value>(size_, panel(chunk.state), panel(next), steps_.through, steps_.write, d);
    });
  }

  void retreat(const Chunk& chunk) {
    steps_.load(at_, chunk, -kAhead);
    const Real *const state = panel(chunk.state), *const d = of_chunk(writes_, chunk);
    const bool corrects = steps_.corrects();
    gy_ = c_ + steps_.count * size_.width;
    for (int j = 0; j < steps_.count; ++j) {
      if (steps_.reading[j] < 0) continue;
      const Real* const gy = array_.gy + (steps_.step[j] * all_.m + at_.head) * all_.p + at_.first;
      Real* const to = gy_ + steps_.reading[j] * size_.width;
      copy(gy, at_.width, to);
      fill(to + at_.width, size_.width - at_.width, Real{0});
      steps_.wanted.add(gy - kAhead * all_.m * all_.p, at_.width);
    }
    with_count<T>(steps_.count, [&](auto count) {
      read<count.value>(size_, g_, steps_.write, gd_, steps_.wanted);
    });
    differentiate_writes(of_chunk(errors_, chunk), d);

    with_count<T>(steps_.count, [&](auto count) {
      project<count.value>(size_, g_, d, read_d_);
      if (corrects) project<count.value>(size_, state, c_, read_c_);
    });
    with_count<T>(steps_.readings,
                  [&](auto count) { project<count.value>(size_, state, gy_, read_gy_); });
    overlap(size_, state, g_, overlap_);
    differentiate_weights();

    if (chunk.state == 0) {
      std::fill_n(g_, size_.numbers(), Real{0});
      return;
    }
    const Real* decay = steps_.through;
    steps_.for_reads([&](int first, auto count) {
      update<count.value>(size_, g_, g_, decay, steps_.read + first, c_ + first * size_.width);
      decay = nullptr;
    });
  }

  // In place of gd: gv. Also c, and the gradients of beta, of Q and of K.
  void differentiate_writes(const Real* e, const Real* d) {
    V gbeta[T] = {};
    Couplings<V> gains;
    each<T * T>([&](auto i) { gains.at[i] = V{}; });
    for (Index column = 0; column < size_.width; column += kLanes<Real>) {
      V gy[T], c[T];
      for (int s = steps_.count - 1; s >= 0; --s) {
        const Index at = s * size_.width + column;
        const V write = load<V>(d + at);
        V gd = load<V>(gd_ + at);
        if (steps_.reading[s] >= 0)
          gy[s] = load<V>(gy_ + steps_.reading[s] * size_.width + column);
        for (int j = s; j < steps_.count; ++j) {
          if (j > s) {
            gd = gd + steps_.between.keys(j, s) * c[j];
            gains.keys(j, s) = gains.keys(j, s) + c[j] * write;
          }
          if (steps_.reading[j] >= 0) {
            gd = gd + steps_.between.queries(j, s) * gy[j];
            gains.queries(j, s) = gains.queries(j, s) + gy[j] * write;
          }
        }
        c[s] = V{};
        if (array_.in.beta) {
          gbeta[s] = gbeta[s] + gd * load<V>(e + at);
          gd = steps_.beta[s] * gd;
          c[s] = -gd;
        }
        store(gd_ + at, gd);
        store(c_ + at, c[s]);
      }
    }
    sums<Real>(gains, g_between_);
    for (int s = 0; s < steps_.count; ++s) {
      copy(gd_ + s * size_.width, at_.width,
           array_.gv + steps_.write_of(s, at_.head) * all_.p + at_.first);
      if (array_.in.beta)
        array_.gbeta[(slice_ * all_.m) * all_.r + steps_.write_of(s, at_.head)] = sum<Real, kLanes<Real>>(gbeta[s]);
    }
  }

  // The gradients of keys, queries and decays.
  void differentiate_weights() {
    V ga_sum[T] = {};
    for (Index i = 0; i < size_.rows; i += kLanes<Real>) {
      V w[T + 1], written[T + 1][T];  // before every write, and after the last
      w[0] = V{} + 1;
      for (int j = 0; j < T; ++j) {
        const V a = steps_.decay(j, i);
        w[j + 1] = w[j] * a;
        for (int s = 0; s < j; ++s) written[j + 1][s] = written[j][s] * a;
        written[j + 1][j] = load<V>(steps_.key[j] + i);
      }
      V gw = load<V>(overlap_ + i), gs[T];
      for (int s = 0; s < steps_.count; ++s) gs[s] = at(read_d_, s, i);
      for (int j = steps_.count - 1; j >= 0; --j) {
        const V a = steps_.decay(j, i), k = load<V>(steps_.key[j] + i), z = at(read_c_, j, i);
        if (steps_.reading[j] >= 0) {
          const V q = load<V>(steps_.query[j] + i), x = at(read_gy_, steps_.reading[j], i);
          V gq = w[j + 1] * x;
          for (int s = 0; s <= j; ++s) {
            gq = gq + g_between_.queries(j, s) * written[j + 1][s];
            gs[s] = gs[s] + g_between_.queries(j, s) * q;
          }
          gw = gw + q * x;
          store(gq_ + j * size_.rows + i, gq);
        }
        V gk = gs[j] + w[j + 1] * z;
        gw = gw + k * z;
        for (int s = 0; s < j; ++s) {
          gk = gk + g_between_.keys(j, s) * written[j + 1][s];
          gs[s] = gs[s] + g_between_.keys(j, s) * k;
        }
        store(gk_ + j * size_.rows + i, gk);
        V ga = gw * w[j];
        for (int s = 0; s < j; ++s) {
          ga = ga + gs[s] * written[j][s];
          gs[s] = gs[s] * a;
        }
        gw = gw * a;
        store(ga_ + j * size_.rows + i, ga);
        ga_sum[j] = ga_sum[j] + ga;
      }
    }
    give_weights(ga_sum);
  }

  void give_weights(const V* ga_sum) {
    for (int j = 0; j < steps_.count; ++j) {
      const Index row = j * size_.rows, now = (part_ + steps_.step[j]) * all_.g + group_;
      give(gk_ + row, array_.gk + (now * all_.r + steps_.factor(j)) * size_.n);
      if (steps_.reading[j] >= 0) give(gq_ + row, array_.gq + now * size_.n);
      if (!steps_.decays(j)) continue;
      Real* const ga = array_.ga + ((slice_ + steps_.step[j]) * all_.m + at_.head) * all_.decays;
      if (all_.decays == all_.n)
        copy(ga_ + row, size_.n, ga);
      else
        *ga = sum<Real, kLanes<Real>>(ga_sum[j]);
    }
  }
  void give(const Real* from, Real* to) const {
    first_ ? copy(from, size_.n, to) : add(from, size_.n, to);
  }

  // Steps from here on are padding, which has no gradients.
  void clear(Index from) const {
    for (Index t = at_.row * all_.l + from; t < (at_.row + 1) * all_.l; ++t) {
      const Index head = t * all_.m + at_.head, cut = slice_ * all_.m + head;
      const Index group = (part_ + t) * all_.g + group_;
      for (Index j = 0; j < all_.r; ++j)
        std::fill_n(array_.gv + (head * all_.r + j) * all_.p + at_.first, at_.width, Real{0});
      std::fill_n(array_.ga + cut * all_.decays, all_.decays, Real{0});
      if (array_.in.beta) std::fill_n(array_.gbeta + cut * all_.r, all_.r, Real{0});
      if (!first_) continue;
      std::fill_n(array_.gk + group * all_.r * all_.n, all_.r * all_.n, Real{0});
      std::fill_n(array_.gq + group * all_.n, all_.n, Real{0});
    }
  }

  V at(const Real* array, int j, Index i) const { return load<V>(array + j * size_.rows + i); }

  const MatrixSize& all_;
  const MatrixBackward<Real>& array_;
  Head at_;
  PanelSize size_;
  Steps<Real> steps_;
  Index slice_ = 0, part_ = 0;  // where these begin in (slices or parts, b, l)
  Index group_ = 0, block_ = 0;  // the head's, and the first write of the block
  bool first_ = true;
  Real *states_, *g_, *errors_, *writes_;
  Real *x_, *gd_, *c_, *gy_;  // gy follows c
  Real *read_gy_, *read_c_, *read_d_, *gk_, *gq_, *ga_, *overlap_;
  Couplings<Real> g_between_;
};

}  // namespace

template <class Real>
void matrix_scan_backward(const MatrixSize& size, const MatrixBackward<Real>& array) {
  const Index groups = size.b * size.g, heads = size.m / std::max<Index>(size.g, 1);
  const Index jobs = heads * array.slices;  // of a group
  const int threads = worthwhile(size.threads, size.b * size.m * size.l * size.r * size.n * size.p);
  const PanelSize panel = PanelSize::of<Real>(size.n, (size.p + array.slices - 1) / array.slices);
  const Index numbers = Pass<Real>::numbers(size, panel);
  const Buffer<Real> scratch(threads * numbers);
  const Buffer<Chunk> chunks(threads * most_chunks(size));
  const Index steps = size.b * size.l;
  prefer_large_pages(array.gv, steps * size.m * size.r * size.p);
  prefer_large_pages(array.gk, array.parts * steps * size.g * size.r * size.n);
  prefer_large_pages(array.gq, array.parts * steps * size.g * size.n);
  prefer_large_pages(array.ga, array.slices * steps * size.m * size.decays);
  parallel_for(groups * array.parts, threads, [&](Index item, int thread) {
    const Index group = item / array.parts, part = item % array.parts;
    const Index begin = part * jobs / array.parts, end = (part + 1) * jobs / array.parts;
    for (Index job = begin; job < end; ++job) {
      const Index slice = job % array.slices, first = slice * size.p / array.slices;
      const Index last = (slice + 1) * size.p / array.slices;
      const Head at{group / size.g, group % size.g * heads + job / array.slices, first, last - first};
      Pass<Real>(size, array, at, panel, Store<Real>(scratch.data() + thread * numbers))
          .run(slice, part, job == begin, chunks.data() + thread * most_chunks(size));
    }
  });
}

template void matrix_scan_backward<float>(const MatrixSize&, const MatrixBackward<float>&);
template void matrix_scan_backward<double>(const MatrixSize&, const MatrixBackward<double>&);

}  // namespace resolvent
