// Vectors of floats, as wide as the instruction set has them. Included by unit.cpp only,
// once for each set: everything here is in the namespace of the set, so that no code
// compiled for one is ever merged with that for another. No standard library template
// may be used here: it would be.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif
#include "call.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

namespace contconv::CONTCONV_ISA {

#if defined(__AVX512F__)
constexpr int V = 16;
#elif defined(__AVX__)
constexpr int V = 8;
#else
constexpr int V = 4;
#endif

typedef float vf __attribute__((vector_size(4 * V)));
typedef float vf_unaligned __attribute__((vector_size(4 * V), aligned(4), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * V)));
typedef int32_t vi __attribute__((vector_size(4 * V)));
typedef uint16_t vh __attribute__((vector_size(2 * V)));
typedef uint8_t vb __attribute__((vector_size(V)));
typedef uint16_t vh_unaligned __attribute__((vector_size(2 * V), aligned(2), may_alias));

INLINE int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

INLINE vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
INLINE void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
INLINE vf zero() { return vf{}; }
// The same number in all lanes: less zero, which is the number itself, also of -0.
INLINE vf splat(float x) { return x - vf{}; }

// The first `n` < V numbers, zeros after them.
INLINE vf load_first(const float* p, int64_t n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), lane));
#else
  vf v = zero();
  for (int64_t i = 0; i < n; i++) v[i] = p[i];
  return v;
#endif
}

// Store the first `n` < V numbers.
INLINE void store_first(float* p, vf v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), lane), v);
#else
  for (int64_t i = 0; i < n; i++) p[i] = v[i];
#endif
}

// bfloat16 is the upper half of a float.
INLINE vf load(const uint16_t* p) {
  const vh half = *reinterpret_cast<const vh_unaligned*>(p);
  return reinterpret_cast<vf>(__builtin_convertvector(half, vu) << 16);
}

INLINE vh to_bfloat16(vf v) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<vh>(_mm512_cvtneps_pbh(v));
#else
  const vu bits = reinterpret_cast<vu>(v);
  const vu rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const vu nan = (bits >> 16) | 0x40;
  return __builtin_convertvector(v != v ? nan : rounded, vh);
#endif
}

INLINE void store(uint16_t* p, vf v) {
  *reinterpret_cast<vh_unaligned*>(p) = to_bfloat16(v);
}

INLINE float widen(float x) { return x; }
INLINE float widen(uint16_t x) {
  const uint32_t bits = uint32_t(x) << 16;
  float out;
  memcpy(&out, &bits, 4);
  return out;
}

INLINE vf load_first(const uint16_t* p, int64_t n) {
  uint16_t all[V] = {};
  for (int64_t i = 0; i < n; i++) all[i] = p[i];
  return load(all);
}

INLINE void store_first(uint16_t* p, vf v, int64_t n) {
  uint16_t all[V];
  store(all, v);
  for (int64_t i = 0; i < n; i++) p[i] = all[i];
}

// Bytes are whole numbers, of 0 to 255.
INLINE vf load(const uint8_t* p) {
#if defined(__AVX512F__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const vi whole = reinterpret_cast<vi>(_mm512_maskz_cvtepu8_epi32(0xffff, bytes));
#elif defined(__AVX2__)
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const vi whole = reinterpret_cast<vi>(_mm256_cvtepu8_epi32(bytes));
#else
  vb bytes;
  memcpy(&bytes, p, V);
  const vi whole = __builtin_convertvector(bytes, vi);
#endif
  return __builtin_convertvector(whole, vf);
}

INLINE void store(uint8_t* p, vi v) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i low = _mm256_set1_epi32(0x0c080400);  // the lowest byte of each number
  const __m256i four = _mm256_shuffle_epi8(reinterpret_cast<__m256i>(v), low);
  const __m128i all =
      _mm_unpacklo_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), all);
#else
  const vb bytes = __builtin_convertvector(v, vb);
  memcpy(p, &bytes, V);
#endif
}

INLINE vf at_least(vf a, float least) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xffff, a, splat(least));
#elif defined(__AVX2__)
  return _mm256_max_ps(a, splat(least));
#else
  return a > least ? a : splat(least);
#endif
}

INLINE vf at_most(vf a, float most) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xffff, a, splat(most));
#elif defined(__AVX2__)
  return _mm256_min_ps(a, splat(most));
#else
  return a < most ? a : splat(most);
#endif
}

// Whether any lane of a comparison is true.
INLINE bool any(vi lanes) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(lanes)) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(reinterpret_cast<__m256>(lanes)) != 0;
#else
  int32_t found = 0;
  UNROLL
  for (int i = 0; i < V; i++) found |= lanes[i];
  return found != 0;
#endif
}

template <class E>
INLINE E narrow(float x) {
  if constexpr (sizeof(E) == 4) {
    return x;
  } else {
    const vh all = to_bfloat16(splat(x));
    return all[0];
  }
}

}  // namespace contconv::CONTCONV_ISA
