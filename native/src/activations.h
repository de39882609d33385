// Activations of vectors, and their derivatives: within a few units of the last place.
#pragma once
#include "call_finer.h"
#include "simd.h"

namespace contconv::CONTCONV_ISA {

// Cephes' expf; what overflows is 2e38, NaN is NaN.
INLINE vf exp_of(vf x) {
  x = x < -87.0f ? splat(-87.0f) : x;
  x = x > 88.0f ? splat(88.0f) : x;
  const vf magic = splat(12582912.0f);  // 1.5 * 2^23: the sum is rounded to a whole number
  const vf shifted = x * 1.44269504089f + magic, n = shifted - magic;
  const vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const vf power = reinterpret_cast<vf>((reinterpret_cast<vu>(shifted) << 23) + 0x3f800000u);
  return (p * (r * r) + r + 1.0f) * power;
}

INLINE vf size_of(vf x) { return reinterpret_cast<vf>(reinterpret_cast<vu>(x) & 0x7fffffffu); }
INLINE vf with_sign_of(vf x, vf sign) {
  const vu bits = reinterpret_cast<vu>(sign) & 0x80000000u;
  return reinterpret_cast<vf>((reinterpret_cast<vu>(x) & 0x7fffffffu) | bits);
}

INLINE vf sigmoid_of(vf x) { return 1.0f / (1.0f + exp_of(-x)); }

// Cephes' tanhf.
INLINE vf tanh_of(vf x) {
  const vf s = x * x, t = size_of(x);
  vf p = splat(-5.70498872745e-3f);
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const vf far = 1.0f - 2.0f / (exp_of(t + t) + 1.0f);
  return t < 0.625f ? x + x * (s * p) : with_sign_of(far, x);
}

// Minimax polynomials on both sides of 0.93.
INLINE vf erf_of(vf x) {
  vf t = size_of(x);
  t = t > 4.0f ? splat(4.0f) : t;
  const vf s = t * t;
  vf far = t * -1.72853470e-5f + 3.83197126e-4f;
  far = far * s + (t * -3.88396438e-3f + 2.42546219e-2f);
  far = far * t - 1.06777877e-1f;
  far = far * t - 6.34846687e-1f;
  far = far * t - 1.28717512e-1f;
  far = 1.0f - exp_of(far * t - t);
  vf near = s * -5.96761703e-4f + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  return with_sign_of(t > 0.927734375f ? far : near * t + t, x);
}

constexpr float GELU_SCALE = 0.7978845608f, GELU_CUBE = 0.044715f;  // sqrt(2 / pi)

template <Activation A>
INLINE vf activated(vf x, float parameter) {
  switch (A) {
    case Activation::relu: return x < 0 ? zero() : x;  // NaN stays
    case Activation::leaky_relu: return x > 0 ? x : x * parameter;
    case Activation::gelu: return x * 0.5f * (1.0f + erf_of(x * 0.7071067812f));
    case Activation::gelu_tanh:
      return x * 0.5f * (1.0f + tanh_of(GELU_SCALE * (x + GELU_CUBE * (x * x * x))));
    case Activation::silu: return x * sigmoid_of(x);
    case Activation::tanh: return tanh_of(x);
    default: return sigmoid_of(x);
  }
}

template <Activation A>
INLINE vf slope_of(vf x, float parameter) {
  switch (A) {
    case Activation::relu: return x <= 0 ? zero() : splat(1.0f);
    case Activation::leaky_relu: return x > 0 ? splat(1.0f) : splat(parameter);
    case Activation::gelu: {
      const vf below = 0.5f * (1.0f + erf_of(x * 0.7071067812f));
      return below + x * (exp_of(x * x * -0.5f) * 0.3989422804f);
    }
    case Activation::gelu_tanh: {
      const vf t = tanh_of(GELU_SCALE * (x + GELU_CUBE * (x * x * x)));
      const vf inner = GELU_SCALE * (1.0f + 3 * GELU_CUBE * (x * x));
      return 0.5f * (1.0f + t) + x * 0.5f * (1.0f - t * t) * inner;
    }
    case Activation::silu: {
      const vf s = sigmoid_of(x);
      return s * (1.0f + x * (1.0f - s));
    }
    case Activation::tanh: {
      const vf t = tanh_of(x);
      return 1.0f - t * t;
    }
    default: {
      const vf s = sigmoid_of(x);
      return s * (1.0f - s);
    }
  }
}

}  // namespace contconv::CONTCONV_ISA
