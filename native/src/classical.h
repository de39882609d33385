// The classical kernels, at vectors of distances.
#pragma once
#include "call_warp.h"
#include "simd.h"

namespace contconv::CONTCONV_ISA {

// Vectors of N floats, whatever the instruction set has.
template <int N>
struct Lanes {
  typedef float type __attribute__((vector_size(4 * N)));
  typedef float unaligned __attribute__((vector_size(4 * N), aligned(4), may_alias));
  typedef int32_t mask __attribute__((vector_size(4 * N)));
};

template <class T>
INLINE T magnitude(T d) {
  return d < 0 ? -d : d;
}

// sin(pi f) / (pi f), by its series, for |f| <= 1/2.
template <class T>
INLINE T near_sinc(T f) {
  const T x = f * f * 9.869604401089358f;
  T sum = x * (1.0f / 6227020800.0f) - 1.0f / 39916800.0f;
  sum = sum * x + 1.0f / 362880.0f;
  sum = sum * x - 1.0f / 5040.0f;
  sum = sum * x + 1.0f / 120.0f;
  sum = sum * x - 1.0f / 6.0f;
  return sum * x + 1.0f;
}

template <int N>
INLINE typename Lanes<N>::type sinc(typename Lanes<N>::type d) {
  typedef typename Lanes<N>::type T;
  const auto whole = __builtin_convertvector(d + (d < 0 ? T{} - 0.5f : T{} + 0.5f),
                                             typename Lanes<N>::mask);
  const T f = d - __builtin_convertvector(whole, T);
  const T ratio = near_sinc(f) * f / d;
  const T value = (whole & 1) != 0 ? -ratio : ratio;
  return d == 0 ? T{} + 1.0f : value;
}

// The kernel, not yet made to sum to one.
template <Classical K, int N>
INLINE typename Lanes<N>::type classical(const Warp& s, typename Lanes<N>::type d) {
  typedef typename Lanes<N>::type T;
  const T far = magnitude(d);
  if constexpr (K == Classical::box) {
    const T edge = float(s.support) / 2 - far;
    const T inside = edge > 0 ? T{} + 1.0f : T{};
    return magnitude(edge) <= float(s.slack) ? T{} + 0.5f : inside;
  } else if constexpr (K == Classical::linear) {
    return far < 1 ? 1 - far : T{};
  } else if constexpr (K == Classical::cubic) {
    const float a = float(s.parameter);
    const T near = ((a + 2) * far - (a + 3)) * far * far + 1;
    const T outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a;
    return far <= 1 ? near : far < 2 ? outer : T{};
  } else {
    const float lobes = float(s.parameter);
    return far < lobes ? sinc<N>(d) * sinc<N>(d / lobes) : T{};
  }
}

// The derivative of sinc: by its series up to 1/2, beyond by sine and cosine.
template <int N>
INLINE typename Lanes<N>::type sinc_slope(typename Lanes<N>::type d) {
  typedef typename Lanes<N>::type T;
  constexpr float pi2 = 9.869604401089358f;
  const auto whole = __builtin_convertvector(d + (d < 0 ? T{} - 0.5f : T{} + 0.5f),
                                             typename Lanes<N>::mask);
  const T f = d - __builtin_convertvector(whole, T), x = f * f * pi2;
  T near = 1 - x * (1.0f / 130);
  near = 1 - x * (1.0f / 88) * near;
  near = 1 - x * (1.0f / 54) * near;
  near = 1 - x * (1.0f / 28) * near;
  near = (1 - x * (1.0f / 10) * near) * d * (-pi2 / 3);
  T cosine = x * (1.0f / 479001600.0f) - 1.0f / 3628800.0f;
  cosine = cosine * x + 1.0f / 40320.0f;
  cosine = cosine * x - 1.0f / 720.0f;
  cosine = cosine * x + 1.0f / 24.0f;
  cosine = cosine * x - 0.5f;
  cosine = cosine * x + 1.0f;
  const T beyond = ((whole & 1) != 0 ? -cosine : cosine) - sinc<N>(d);
  return whole == 0 ? near : beyond / d;
}

// The derivative of the kernel; at a corner, that of PyTorch's operators.
template <Classical K, int N>
INLINE typename Lanes<N>::type classical_slope(const Warp& s, typename Lanes<N>::type d) {
  typedef typename Lanes<N>::type T;
  const T far = magnitude(d), sign = d < 0 ? T{} - 1.0f : d > 0 ? T{} + 1.0f : T{};
  if constexpr (K == Classical::box) {
    return T{};
  } else if constexpr (K == Classical::linear) {
    return far <= 1 ? -sign : T{};
  } else if constexpr (K == Classical::cubic) {
    const float a = float(s.parameter);
    const T near = (3 * (a + 2) * far - 2 * (a + 3)) * far;
    const T outer = (3 * a * far - 10 * a) * far + 8 * a;
    return sign * (far <= 1 ? near : far < 2 ? outer : T{});
  } else {
    const float lobes = float(s.parameter);
    const T slope = sinc_slope<N>(d) * sinc<N>(d / lobes) +
                    sinc<N>(d) * sinc_slope<N>(d / lobes) / lobes;
    return far < lobes ? slope : T{};
  }
}

}  // namespace contconv::CONTCONV_ISA
