// One step of each cell and its gradient, for one vector of units: from the share x of the input and
// the share r of the last h in each gate, and the state s, to the next state t.
#pragma once

#include "cells.hpp"
#include "functions.hpp"

namespace resolvent {

// t = tanh(x + r)
struct Elman {
  static constexpr int kGates = 1, kStates = 1;
  static constexpr bool kSplit = false;  // whether gradients of x and r differ

  template <class V>
  static void forward(const V* x, const V* r, const V*, V* t) {
    t[0] = tanh(x[0] + r[0]);
  }
  template <class V>
  static void backward(const V* x, const V* r, const V*, const V* gt, V* gx, V*, V* gs) {
    const V t = tanh(x[0] + r[0]);
    gx[0] = gt[0] * (1 - t * t);
    gs[0] = V{};
  }
};

// c' = sigma(f) c + sigma(i) tanh(g), h' = sigma(o) tanh(c')
struct Lstm {
  static constexpr int kGates = 4, kStates = 2;
  static constexpr bool kSplit = false;

  template <class V>
  static void forward(const V* x, const V* r, const V* s, V* t) {
    const V i = sigmoid(x[0] + r[0]), f = sigmoid(x[1] + r[1]);
    const V g = tanh(x[2] + r[2]), o = sigmoid(x[3] + r[3]);
    t[1] = f * s[1] + i * g;
    t[0] = o * tanh(t[1]);
  }
  template <class V>
  static void backward(const V* x, const V* r, const V* s, const V* gt, V* gx, V*, V* gs) {
    const V i = sigmoid(x[0] + r[0]), f = sigmoid(x[1] + r[1]);
    const V g = tanh(x[2] + r[2]), o = sigmoid(x[3] + r[3]);
    const V out = tanh(f * s[1] + i * g), gc = gt[1] + gt[0] * o * (1 - out * out);
    gx[0] = gc * g * i * (1 - i);
    gx[1] = gc * s[1] * f * (1 - f);
    gx[2] = gc * i * (1 - g * g);
    gx[3] = gt[0] * out * o * (1 - o);
    gs[0] = V{};
    gs[1] = gc * f;
  }
};

// n = tanh(x_n + sigma(reset) r_n), h' = z h + (1 - z) n
struct Gru {
  static constexpr int kGates = 3, kStates = 1;
  static constexpr bool kSplit = true;

  template <class V>
  static void forward(const V* x, const V* r, const V* s, V* t) {
    const V reset = sigmoid(x[0] + r[0]), z = sigmoid(x[1] + r[1]), n = tanh(x[2] + reset * r[2]);
    t[0] = n + z * (s[0] - n);
  }
  template <class V>
  static void backward(const V* x, const V* r, const V* s, const V* gt, V* gx, V* gr, V* gs) {
    const V reset = sigmoid(x[0] + r[0]), z = sigmoid(x[1] + r[1]), n = tanh(x[2] + reset * r[2]);
    gx[2] = gt[0] * (1 - z) * (1 - n * n);
    gx[1] = gr[1] = gt[0] * (s[0] - n) * z * (1 - z);
    gx[0] = gr[0] = gx[2] * r[2] * reset * (1 - reset);
    gr[2] = gx[2] * reset;
    gs[0] = gt[0] * z;
  }
};

// m' = max(log sigma(f) + m, i), c' and n' gather tanh(z) and 1 at scale e^-m', h' = sigma(o) c' / n';
// an empty memory, n = 0, has no scale of its own
struct Slstm {
  static constexpr int kGates = 4, kStates = 4;
  static constexpr bool kSplit = false;

  template <class V>
  struct Memory {
    V left, in, top, keep, add, z, c, n;
    Memory(const V* x, const V* r, const V* s) {
      in = x[0] + r[0];
      left = s[3] - softplus(-(x[1] + r[1]));
      top = s[2] == 0 ? in : larger(left, in);
      keep = s[2] == 0 ? V{} : exp(left - top);
      add = exp(in - top);
      z = tanh(x[2] + r[2]);
      c = keep * s[1] + add * z;
      n = keep * s[2] + add;
    }
  };

  template <class V>
  static void forward(const V* x, const V* r, const V* s, V* t) {
    const Memory<V> m(x, r, s);
    t[0] = sigmoid(x[3] + r[3]) * m.c / m.n;
    t[1] = m.c;
    t[2] = m.n;
    t[3] = m.top;
  }
  template <class V>
  static void backward(const V* x, const V* r, const V* s, const V* gt, V* gx, V*, V* gs) {
    const Memory<V> m(x, r, s);
    const V o = sigmoid(x[3] + r[3]), mean = m.c / m.n, gmean = gt[0] * o / m.n;
    const V gc = gt[1] + gmean, gn = gt[2] - gmean * mean;
    const V gkeep = (gc * s[1] + gn * s[2]) * m.keep, gadd = (gc * m.z + gn) * m.add;
    const V gtop = gt[3] - gkeep - gadd, zero{};
    const V passed = s[2] == 0 ? zero : m.left > m.in ? gtop : zero;  // the larger one has the slope
    const V gleft = gkeep + passed;
    gx[0] = gadd + gtop - passed;
    gx[1] = gleft * sigmoid(-(x[1] + r[1]));
    gx[2] = gc * m.add * (1 - m.z * m.z);
    gx[3] = gt[0] * mean * o * (1 - o);
    gs[0] = zero;
    gs[1] = gc * m.keep;
    gs[2] = gn * m.keep;
    gs[3] = gleft;
  }
};

// Calls body(cell) with the cell of that number.
template <class Body>
inline void with_cell(Index number, const Body& body) {
  if (number == 0) return body(Elman{});
  if (number == 1) return body(Lstm{});
  if (number == 2) return body(Gru{});
  body(Slstm{});
}

}  // namespace resolvent
