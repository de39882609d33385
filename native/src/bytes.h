// An axis of an image of bytes, resampled: sums in float32, rounded as if they were exact.
#pragma once
#include "call_bytes.h"
#include "memory.h"
#include "transpose.h"

namespace contconv::CONTCONV_ISA {

typedef double vd __attribute__((vector_size(8 * V)));

// Exact sums miss the half that they should be by about 1e-12.
constexpr double NUDGE = 1.0 / (int64_t(1) << 36);

// The numbers of an output, `load(t)` those of its taps, in double precision.
template <class Load>
static __attribute__((noinline)) void exact_sums(const Bytes& s, int64_t o, const Load& load,
                                                 vi& to) {
  const double* w = s.weight + o * s.taps;
  vd sum{};
  for (int64_t t = 0; t < s.taps; t++) sum += w[t] * __builtin_convertvector(load(t), vd);
  sum += 0.5 + NUDGE;
  sum = sum < 0 ? vd{} : sum;
  sum = sum > 255 ? vd{} + 255.0 : sum;
  to = __builtin_convertvector(sum, vi);
}

// In single precision, and again in double if a sum is too near to where it is decided.
template <class Load>
INLINE vi rounded_sums(const Bytes& s, int64_t o, const Load& load) {
  const float* w = s.rough + o * s.taps;
  vf even = zero(), odd = zero();
  int64_t t = 0;
  for (; t + 1 < s.taps; t += 2) {
    even += w[t] * load(t);
    odd += w[t + 1] * load(t + 1);
  }
  if (t < s.taps) even += w[t] * load(t);
  const vf sum = at_most(at_least((even + odd) * s.inverse + s.nudge, 0), 255);
  vi whole = __builtin_convertvector(sum + 0.5f, vi);
  const float doubt = s.doubt[o];
  if (doubt != 0) {
    const vf off = sum - __builtin_convertvector(whole, vf);
    const vf far = reinterpret_cast<vf>(reinterpret_cast<vi>(off) & 0x7fffffff);
    if (__builtin_expect(any(far > 0.5f - doubt), 0)) exact_sums(s, o, load, whole);
  }
  return whole;
}

constexpr int WORDS = V / 4;  // of four bytes, in as many bytes as a vector has lanes

// Bytes of V lines, V of each, to vectors of V lines and back.
INLINE void split_words(const vf (&word)[WORDS], float* to) {
  UNROLL
  for (int i = 0; i < WORDS; i++) {
    const vu all = reinterpret_cast<vu>(word[i]);
    UNROLL
    for (int k = 0; k < 4; k++) {
      const vi byte = reinterpret_cast<vi>(all >> (8 * k) & 255);
      store(to + (4 * i + k) * V, __builtin_convertvector(byte, vf));
    }
  }
}

INLINE void join_words(const vi (&byte)[V], vf (&word)[WORDS]) {
  UNROLL
  for (int i = 0; i < WORDS; i++) {
    const vi* four = byte + 4 * i;
    word[i] = reinterpret_cast<vf>(four[0] | four[1] << 8 | four[2] << 16 | four[3] << 24);
  }
}

// Vectors lie across the axis.
class BytesAcross {
 public:
  BytesAcross(const Bytes& call, Arena& arena) : s(call) {
    row = arena.take<const uint8_t*>(s.taps);
  }

  void run(int64_t item) {
    const int64_t o = item % s.out_size;
    const uint8_t* image = s.image + item / s.out_size * s.in * s.inner;
    // What is not there has no weight.
    for (int64_t t = 0; t < s.taps; t++)
      row[t] = image + larger(0, source_of(s.first[o] + t, s.in, s.padding)) * s.inner;
    uint8_t* out = s.out + item * s.inner;
    int64_t x = 0;
    for (; x + V <= s.inner; x += V) write(o, x, out);
    if (x < s.inner) write(o, s.inner - V, out);
  }

 private:
  ALWAYS_INLINE void write(int64_t o, int64_t x, uint8_t* out) const {
    const uint8_t* const* from = row;
    const auto load_tap = [from, x](int64_t t) ALWAYS_INLINE { return load(from[t] + x); };
    store(out + x, rounded_sums(s, o, load_tap));
  }

  const Bytes& s;
  const uint8_t** row;
};

// Vectors lie across V lines along the axis.
class BytesAlong {
 public:
  BytesAlong(const Bytes& call, Arena& arena) : s(call) {
    numbers = arena.take<float>(s.range * s.inner + V, V);
  }

  void run(int64_t item) {
    const int64_t begin = item % s.chunks() * s.chunk, line = item / s.chunks() * V;
    const int64_t end = smaller(begin + s.chunk, s.out_size);
    lines = smaller(V, s.before - line);
    low = s.first[begin];
    for (int64_t i = 0; i < V; i++)
      from[i] = s.image + (line + smaller(i, lines - 1)) * s.in * s.inner;
    read(s.first[end - 1] + s.taps);
    write(begin, end, s.out + (line * s.out_size + begin) * s.inner);
  }

 private:
  // Pixels low to high of all lines, those within the image first: blocks write too much.
  void read(int64_t high) {
    const int64_t stop = smaller(high, s.in) * s.inner, start = larger(low, 0) * s.inner;
    for (int64_t i = start; i < stop; i += V) {
      const int64_t at = larger(start, smaller(i, stop - V));
      vf word[WORDS];
      uint8_t* bytes = reinterpret_cast<uint8_t*>(word);
      if (stop - at >= V) {
        UNROLL
        for (int k = 0; k < V; k++) memcpy(bytes + k * V, from[k] + at, V);
      } else {
        for (int k = 0; k < V; k++)
          for (int64_t n = 0; n < V; n++) bytes[k * V + n] = at + n < stop ? from[k][at + n] : 0;
      }
      separate<WORDS>(word);
      split_words(word, numbers + (at - low * s.inner) * V);
    }
    for (int64_t pixel = low; pixel < smaller(high, 0); pixel++) read_outside(pixel);
    for (int64_t pixel = larger(low, s.in); pixel < high; pixel++) read_outside(pixel);
  }

  void read_outside(int64_t pixel) {
    const int64_t source = source_of(pixel, s.in, s.padding);
    float* to = numbers + (pixel - low) * s.inner * V;
    for (int64_t c = 0; c < s.inner; c++)
      for (int64_t k = 0; k < V; k++)
        to[c * V + k] = source < 0 ? 0.0f : float(from[k][source * s.inner + c]);
  }

  void write(int64_t begin, int64_t end, uint8_t* out) const {
    const int64_t all = (end - begin) * s.inner, stride = s.out_size * s.inner;
    int64_t o = begin, c = 0;
    for (int64_t i = 0; i < all; i += V) {
      const int64_t count = smaller(V, all - i);
      vi byte[V];
      for (int64_t k = 0; k < count; k++) {
        byte[k] = sums(o, c);
        if (++c == s.inner) c = 0, o++;
      }
      for (int64_t k = count; k < V; k++) byte[k] = vi{};
      vf word[WORDS];
      join_words(byte, word);
      interleave<WORDS>(word);
      const uint8_t* bytes = reinterpret_cast<const uint8_t*>(word);
      for (int64_t k = 0; k < lines; k++) {
        if (count == V)
          memcpy(out + k * stride + i, bytes + k * V, V);
        else
          memcpy(out + k * stride + i, bytes + k * V, size_t(count));
      }
    }
  }

  ALWAYS_INLINE vi sums(int64_t o, int64_t c) const {
    const float* at = numbers + ((s.first[o] - low) * s.inner + c) * V;
    const int64_t step = s.inner * V;
    const auto load_tap = [at, step](int64_t t) ALWAYS_INLINE { return load(at + t * step); };
    return rounded_sums(s, o, load_tap);
  }

  const Bytes& s;
  float* numbers;  // [pixels, inner, V]
  const uint8_t* from[V];
  int64_t low, lines;
};

}  // namespace contconv::CONTCONV_ISA
