// An activation at a finer sampling: a thread takes as many channels as fill a vector, and
// holds the rows of the image, and those that are made of them, which are still needed.
//
// For a row of the fine pixels: the rows of the image combined, enlarged along x, activated
// and made small along x again. For one of the output: those combined. Backward the same,
// with what the gradient is at the fine pixels times the slope there.
#pragma once
#include "activations.h"
#include "memory.h"
#include "rows.h"

namespace contconv::CONTCONV_ISA {

constexpr int FINER_PIXELS = 8;  // at a time: as many sums as keep both multipliers busy

// What becomes of the sums at the fine pixels.
template <Activation A>
struct Activates {
  float parameter;
  ALWAYS_INLINE vf operator()(vf sum, int64_t) const { return activated<A>(sum, parameter); }
};

template <Activation A>
struct TimesSlope {
  const float* before;  // the fine pixels, not activated
  float parameter;
  ALWAYS_INLINE vf operator()(vf sum, int64_t x) const {
    return sum * slope_of<A>(load(before + x * V), parameter);
  }
};

struct Keeps {
  ALWAYS_INLINE vf operator()(vf sum, int64_t) const { return sum; }
};

template <class Then>
static void filter_one(const Filter& f, const float* from, float* to, int64_t x,
                       const Then& then) {
  vf sum = zero();
  for (int64_t i = f.begin[x]; i < f.begin[x + 1]; i++)
    sum += load(from + f.source[i] * int64_t(V)) * f.weight[i];
  store(to + x * V, then(sum, x));
}

// B periods from the n-th on, of those that have the same weights.
template <int B, class Then>
static void filter_some(const Filter& f, const float* from, float* to, int64_t n,
                        const Then& then) {
  const float* p = from + (n - f.first) * f.step * V;
  for (int64_t phase = 0; phase < f.period; phase++) {
    const int64_t like = f.first * f.period + phase;
    vf sum[B] = {};
    for (int64_t i = f.begin[like]; i < f.begin[like + 1]; i++) {
      const float* at = p + f.source[i] * int64_t(V);
      const vf w = splat(f.weight[i]);
      UNROLL
      for (int b = 0; b < B; b++) sum[b] += load(at + b * f.step * V) * w;
    }
    UNROLL
    for (int b = 0; b < B; b++) {
      const int64_t x = (n + b) * f.period + phase;
      store(to + x * V, then(sum[b], x));
    }
  }
}

// A row along x.
template <class Then>
static void filter_row(const Filter& f, const float* from, float* to, const Then& then) {
  for (int64_t x = 0; x < f.first * f.period; x++) filter_one(f, from, to, x, then);
  int64_t n = f.first;
  for (; n + FINER_PIXELS <= f.last; n += FINER_PIXELS)
    filter_some<FINER_PIXELS>(f, from, to, n, then);
  if (n + 4 <= f.last) filter_some<4>(f, from, to, n, then), n += 4;
  if (n + 2 <= f.last) filter_some<2>(f, from, to, n, then), n += 2;
  for (int64_t x = n * f.period; x < f.out; x++) filter_one(f, from, to, x, then);
}

template <class E, bool BACKWARD>
class FinerRows {
 public:
  FinerRows(const Finer& call, Arena& arena)
      : s(call), in(call.fall.out), read_pitch((call.fall.out + V) * V), pitch((in + 1) * V) {
    image_rows = arena.take<float>(s.image_rows, read_pitch);
    if (BACKWARD) gradient_rows = arena.take<float>(s.gradient_rows, read_pitch);
    fine_rows = arena.take<float>(s.fine_rows, pitch);
    line = arena.take<float>(in + V, V);
    fine = arena.take<float>(s.rise.out, V);
    if (BACKWARD) slopes = arena.take<float>(s.rise.out, V);
  }

  void run(int64_t task) {
    const int64_t band = task % s.bands, blocks = (s.channels + V - 1) / V;
    const int64_t n = task / s.bands / blocks, c = task / s.bands % blocks * V;
    present = smaller(V, s.channels - c);
    const E* image = at(s.image, n, c);
    const E* gradient = BACKWARD ? at(s.gradient, n, c) : nullptr;
    E* out = const_cast<E*>(at(s.out, n, c));
    const Step* end = s.steps + s.band_begin[band + 1];
    for (const Step* one = s.steps + s.band_begin[band]; one < end; one++) {
      switch (one->work) {
        case Work::read_image: read(image, s.image, *one, image_rows); break;
        case Work::read_gradient: read(gradient, s.gradient, *one, gradient_rows); break;
        case Work::make: make(*one); break;
        default:
          combine(fine_rows, pitch, one->begin[0], one->count[0]);
          write_row(Pixels{line, V}, present, in, out + one->row * s.out.y, s.out.c, s.out.x);
      }
    }
  }

 private:
  static const E* at(const Strided& image, int64_t n, int64_t c) {
    return static_cast<const E*>(image.data) + n * image.n + c * image.c;
  }

  void read(const E* from, const Strided& image, const Step& one, float* rows) const {
    float* to = rows + one.slot * read_pitch;
    const Pixels row = read_row(from + one.row * image.y, image.c, image.x, present, in, to);
    if (row.data == to) return;
    for (int64_t x = 0; x < in; x++) store(to + x * V, load(row.data + x * row.pitch));
  }

  // The line: rows that are held, each times its weight.
  void combine(const float* rows, int64_t row_pitch, int64_t begin, int64_t count) const {
    const int32_t* slot = s.slot + begin;
    const float* weight = s.weight + begin;
    int64_t x = 0;
    for (; x + FINER_PIXELS <= in; x += FINER_PIXELS) {
      vf sum[FINER_PIXELS] = {};
      for (int64_t t = 0; t < count; t++) {
        const float* p = rows + slot[t] * row_pitch + x * V;
        const vf w = splat(weight[t]);
        UNROLL
        for (int b = 0; b < FINER_PIXELS; b++) sum[b] += load(p + b * V) * w;
      }
      UNROLL
      for (int b = 0; b < FINER_PIXELS; b++) store(line + (x + b) * V, sum[b]);
    }
    for (; x < in; x++) {
      vf sum = zero();
      for (int64_t t = 0; t < count; t++)
        sum += load(rows + slot[t] * row_pitch + x * V) * weight[t];
      store(line + x * V, sum);
    }
  }

  void make(const Step& one) const {
    switch (s.activation) {
      case Activation::relu: make_by<Activation::relu>(one); break;
      case Activation::leaky_relu: make_by<Activation::leaky_relu>(one); break;
      case Activation::gelu: make_by<Activation::gelu>(one); break;
      case Activation::gelu_tanh: make_by<Activation::gelu_tanh>(one); break;
      case Activation::silu: make_by<Activation::silu>(one); break;
      case Activation::tanh: make_by<Activation::tanh>(one); break;
      default: make_by<Activation::sigmoid>(one);
    }
  }

  template <Activation A>
  void make_by(const Step& one) const {
    float* to = fine_rows + one.slot * pitch;
    combine(image_rows, read_pitch, one.begin[0], one.count[0]);
    if constexpr (BACKWARD) {
      filter_row(s.rise, line, fine, Keeps{});
      combine(gradient_rows, read_pitch, one.begin[1], one.count[1]);
      filter_row(s.back, line, slopes, TimesSlope<A>{fine, s.parameter});
      filter_row(s.fall, slopes, to, Keeps{});
    } else {
      filter_row(s.rise, line, fine, Activates<A>{s.parameter});
      filter_row(s.fall, fine, to, Keeps{});
    }
  }

  const Finer& s;
  const int64_t in, read_pitch, pitch;
  int64_t present = 0;  // channels in the vector
  float *image_rows, *gradient_rows = nullptr, *fine_rows, *line, *fine, *slopes = nullptr;
};

template <class E>
using FinerForward = FinerRows<E, false>;
template <class E>
using FinerBackward = FinerRows<E, true>;

}  // namespace contconv::CONTCONV_ISA
