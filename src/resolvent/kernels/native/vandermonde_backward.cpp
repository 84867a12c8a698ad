// Gradients of K_t = Re sum_n v_n a_n^t, with v = 2w where a is complex, else w:
//
//   gv = s^*,  s = sum_t gK_t a^t          ga = (v s')^*,  s' = ds / da
//
// A polynomial is evaluated block by block of t = kBlock k + j, with a table of the powers a^j, and the
// blocks' values x and slopes x' by Horner's rule: s <- A s + x, s' <- A s' + A' s + x', A = a^kBlock. That
// and the powers are in double precision: no rounding grows with the length.

#include "memory.hpp"
#include "parallel.hpp"
#include "tile.hpp"

namespace resolvent {
namespace {

// Blocks that share what is loaded of the table.
inline constexpr Index kShare = kVectorBytes == 64 ? 4 : 2;

// One mode of every lane.
template <class T>
class Polynomial {
 public:
  using V = typename T::V;
  using H = typename T::H;

  explicit Polynomial(H a) {
    const Exact base = convert<D>(a);
    power_.re = D{} + 1;
    D next = power_.re;  // j + 1, in all lanes: compilers would make each of them apart
    for (Index j = 0; j < kBlock; ++j, next = next + 1) {
      table_[j] = {convert<V>(power_), convert<V>(slope_)};
      slope_ = power_ * next;
      power_ = power_ * base;
    }
  }

  // s and s', for coefficients of whole groups of blocks.
  void evaluate(const V* coefficients, Index blocks, H& value, H& slope) const {
    Exact s{}, ds{};
    for (Index first = blocks - kShare; first >= 0; first -= kShare) {
      H x[kShare] = {}, dx[kShare] = {};
      for (Index j = 0; j < kBlock; ++j) {
        const Entry at = table_[j];
        for (Index i = 0; i < kShare; ++i) {
          const V c = coefficients[(first + i) * kBlock + j];
          x[i] = madd(x[i], at.power, c);
          dx[i] = madd(dx[i], at.slope, c);
        }
      }
      for (Index i = kShare - 1; i >= 0; --i) {
        ds = madd(madd(convert<D>(dx[i]), slope_, s), power_, ds);
        s = madd(convert<D>(x[i]), power_, s);
      }
    }
    value = convert<V>(s);
    slope = convert<V>(ds);
  }

 private:
  using D = Vector<double, T::kWidth>;
  using Exact = Mode<D, T::is_complex>;
  struct Entry {
    H power, slope;
  };

  Exact power_{}, slope_{};  // of a block: A and A'
  Entry table_[kBlock];
};

}  // namespace

template <class Real, bool is_complex>
void vandermonde_backward(const SsmSize& size, const VandermondeBackward<Real>& array) {
  using T = Tile<Real, is_complex>;
  using V = typename T::V;
  using H = typename T::H;
  const Index group = kShare * kBlock, steps = (size.l + group - 1) / group * group;
  const Buffer<V> scratch(size.threads * steps);
  parallel_for(T::count(size), size.threads, [&](Index item, int thread) {
    const T tile(size, item);
    V* const coefficients = scratch.data() + thread * steps;
    for (Index t = 0; t < size.l; ++t) coefficients[t] = tile.spread(array.gK + t * size.m);
    std::fill(coefficients + size.l, coefficients + steps, V{});
    for (Index k = 0; k < tile.modes; ++k) {
      H s, ds;
      Polynomial<T>(tile.gather(array.a, k)).evaluate(coefficients, steps / kBlock, s, ds);
      const V scale = V{} + T::kParts;
      tile.scatter(array.gw, k, conj(s) * scale);
      tile.scatter(array.ga, k, conj(ds * tile.gather(array.w, k)) * scale);
    }
  });
}

template void vandermonde_backward<float, false>(const SsmSize&, const VandermondeBackward<float>&);
template void vandermonde_backward<float, true>(const SsmSize&, const VandermondeBackward<float>&);
template void vandermonde_backward<double, false>(const SsmSize&, const VandermondeBackward<double>&);
template void vandermonde_backward<double, true>(const SsmSize&, const VandermondeBackward<double>&);

}  // namespace resolvent
