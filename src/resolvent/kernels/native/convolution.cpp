// A block of steps is worked on in a window that begins w - 1 steps earlier: entry t + j of it meets
// tap j of step t. The gradients of a window's entries are complete once the next w - 1 steps have
// added theirs, so they leave it w - 1 steps later than the entries themselves.

#include "convolution.hpp"

#include "functions.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "strip.hpp"

namespace resolvent {
namespace {

// Some neighbouring features of one row.
template <class Real>
class Features {
 public:
  using V = Vector<Real>;
  static Index scratch(Index w) { return 4 * w + 2 * kBlock; }

  Features(const ConvolutionSize& size, const ConvolutionInput<Real>& in, Index row, Index number,
           V* scratch)
      : size_(size), in_(in), row_(row), stop_(in.rows.stop(row, size.l)), before_(size.w - 1),
        strip_(size.d, 1, number), weight_(scratch), sums_(weight_ + size.w),
        window_(sums_ + size.w), gradients_(window_ + kBlock + size.w) {
    for (Index j = 0; j < size.w; ++j) weight_[j] = strip_.gather(in.weight, size.w, j);
    bias_ = in.bias ? strip_.read(in.bias) : V{};
  }

  void forward(const ConvolutionForward<Real>& array) {
    fill_past();
    for (Index from = 0; from < stop_; from += kBlock) {
      const Index count = read(from);
      for (Index t = 0; t < count; ++t) {
        const V y = respond(t);
        strip_.write(array.y + at(from + t), size_.silu ? y * sigmoid(y) : y);
      }
      std::copy_n(window_ + count, before_, window_);
    }
    for (Index t = stop_; t < size_.l; ++t) strip_.write(array.y + at(t), V{});
    for (Index j = 0; j < before_; ++j)
      strip_.write(array.tail + past(j), j < first(stop_) ? V{} : window_[j]);
  }

  // The sums over the row go to gweight (d, w) and gbias (d) of its own.
  void backward(const ConvolutionBackward<Real>& array, Real* gweight, Real* gbias) {
    fill_past();
    std::fill_n(sums_, size_.w, V{});
    std::fill_n(gradients_, kBlock + size_.w, V{});
    V bias{};
    for (Index from = 0; from < stop_; from += kBlock) {
      const Index count = read(from);
      V block_bias{};
      for (Index t = 0; t < count; ++t) {
        V g = strip_.read(array.gy + at(from + t));
        if (size_.silu) {
          const V y = respond(t), s = sigmoid(y);
          g = g * (s * (1 + y * (1 - s)));
        }
        block_bias = block_bias + g;
        for (Index j = first_[t]; j < size_.w; ++j) {
          gradients_[t + j] = gradients_[t + j] + weight_[j] * g;
          sums_[j] = sums_[j] + window_[t + j] * g;
        }
      }
      bias = bias + block_bias;
      for (Index t = 0; t < count; ++t) write_gradient(array, from + t - before_, gradients_[t]);
      std::copy_n(window_ + count, before_, window_);
      std::copy_n(gradients_ + count, before_, gradients_);
      std::fill_n(gradients_ + before_, kBlock, V{});
    }
    for (Index j = 0; j < before_; ++j) {
      const bool kept = array.gtail && j >= first(stop_);
      const V g = kept ? strip_.read(array.gtail + past(j)) : V{};
      write_gradient(array, stop_ + j - before_, gradients_[j] + g);
    }
    for (Index t = stop_; t < size_.l; ++t) strip_.write(array.gx + at(t), V{});
    for (Index j = 0; j < size_.w; ++j) strip_.scatter(gweight, size_.w, j, sums_[j]);
    strip_.write(gbias, bias);
  }

 private:
  Index at(Index t) const { return (row_ * size_.l + t) * size_.d; }
  Index past(Index j) const { return (row_ * before_ + j) * size_.d; }

  void fill_past() {
    for (Index j = 0; j < before_; ++j)
      window_[j] = in_.tail ? strip_.read(in_.tail + past(j)) : V{};
  }
  // The inputs of a block of steps, and the first tap of each.
  Index read(Index from) {
    const Index count = std::min(kBlock, stop_ - from);
    for (Index t = 0; t < count; ++t) {
      window_[before_ + t] = strip_.read(in_.x + at(from + t));
      if (in_.rows.resets && in_.rows.resets[row_ * size_.l + from + t]) reset_ = from + t;
      first_[t] = first(from + t);
    }
    return count;
  }
  // The first tap of step t that meets an input after the last reset.
  Index first(Index t) const {
    return reset_ < 0 ? 0 : std::max<Index>(0, before_ - (t - reset_));
  }
  V respond(Index t) const {
    V y = bias_;
    for (Index j = first_[t]; j < size_.w; ++j) y = y + weight_[j] * window_[t + j];
    return y;
  }
  void write_gradient(const ConvolutionBackward<Real>& array, Index t, V g) const {
    if (t < 0)
      strip_.write(array.gpast + past(before_ + t), g);
    else
      strip_.write(array.gx + at(t), g);
  }

  const ConvolutionSize& size_;
  const ConvolutionInput<Real>& in_;
  Index row_, stop_, before_, reset_ = -1;
  Strip<Real> strip_;
  V *weight_, *sums_, *window_, *gradients_, bias_;
  Index first_[kBlock];
};

// Calls body(features, row) for all rows and features.
template <class Real, class Body>
void for_each_row(const ConvolutionSize& size, const ConvolutionInput<Real>& in, const Body& body) {
  using F = Features<Real>;
  const Index strips = Strip<Real>::count(size.d, 1), scratch = F::scratch(size.w);
  const int threads = worthwhile(size.threads, size.b * size.l * size.d * size.w);
  const Buffer<typename F::V> buffer(threads * scratch);
  parallel_for(size.b * strips, threads, [&](Index item, int thread) {
    const Index row = item / strips;
    F features(size, in, row, item % strips, buffer.data() + thread * scratch);
    body(features, row);
  });
}

}  // namespace

template <class Real>
void convolution_forward(const ConvolutionSize& size, const ConvolutionForward<Real>& array) {
  prefer_large_pages(array.y, size.b * size.l * size.d);
  for_each_row(size, array.in, [&](Features<Real>& features, Index) { features.forward(array); });
}

template <class Real>
void convolution_backward(const ConvolutionSize& size, const ConvolutionBackward<Real>& array) {
  prefer_large_pages(array.gx, size.b * size.l * size.d);
  const Index weights = size.d * size.w;
  const Buffer<Real> sums(size.b * (weights + size.d));
  Real* biases = sums.data() + size.b * weights;
  for_each_row(size, array.in, [&](Features<Real>& features, Index row) {
    features.backward(array, sums.data() + row * weights, biases + row * size.d);
  });
  add_up(sums.data(), size.b, weights, array.gweight);
  add_up(biases, size.b, size.d, array.gbias);
}

template void convolution_forward<float>(const ConvolutionSize&, const ConvolutionForward<float>&);
template void convolution_forward<double>(const ConvolutionSize&,
                                          const ConvolutionForward<double>&);
template void convolution_backward<float>(const ConvolutionSize&,
                                          const ConvolutionBackward<float>&);
template void convolution_backward<double>(const ConvolutionSize&,
                                           const ConvolutionBackward<double>&);

}  // namespace resolvent
