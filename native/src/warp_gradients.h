// The gradients of a warp: of the image, whose pixels are each summed in one place, and of
// the places where the outputs look.
#pragma once
#include "warp_places.h"

namespace contconv::CONTCONV_ISA {

// Of a band of rows of the image, from all outputs in their order.
template <int L>
class WarpImageGradient : WarpPlaces<L> {
  typedef WarpPlaces<L> Places;
  using typename Places::mask;
  using typename Places::unaligned;
  using typename Places::vector;
  using Places::first_x;
  using Places::first_y;
  using Places::place;
  using Places::s;
  using Places::weight;
  using Places::within;

 public:
  WarpImageGradient(const WarpGradients& call, Arena& arena)
      : Places(call.warp, arena), to(call) {}

  void run(int64_t item) {
    const int64_t m = item / to.bands, band = item % to.bands;
    low = s.in_y * band / to.bands, high = s.in_y * (band + 1) / to.bands;
    const int64_t in = s.in_y * s.in_x, out = s.out_y * s.out_x;
    image = to.image + m * s.planes * in;
    for (int64_t oy = 0; oy < s.out_y; oy++)
      for (int64_t begin = 0; begin < s.out_x; begin += WARP_PIXELS) {
        const int64_t count = smaller(WARP_PIXELS, s.out_x - begin);
        this->look(m, oy, begin, count);
        if (!touches(count)) continue;
        this->weigh(count);
        const float* grad = to.grad + m * s.planes * out + oy * s.out_x + begin;
        for (int64_t i = 0; i < count; i++)
          if (place[i] != NOWHERE)
            for (int64_t c = 0; c < s.planes; c++) add(image + c * in, i, grad[c * out + i]);
      }
  }

 private:
  // Whether any of the pixels may have neighbors in the band.
  bool touches(int64_t count) const {
    const int64_t taps = s.taps();
    bool any = false;
    for (int64_t i = 0; i < count; i++) {
      const int64_t first = first_y[i];
      const bool wraps = (s.padding != Padding::zeros) & ((first < 0) | (first + taps > s.in_y));
      any |= (place[i] != NOWHERE) & (wraps | ((first < high) & (first + taps > low)));
    }
    return any;
  }

  void add(float* plane, int64_t i, float grad) const {
    const float *wy = weight + i * 2 * L, *wx = wy + L;
    if (place[i] == SLOW) return add_at_edge(plane, i, grad);
    const vector along = *reinterpret_cast<const unaligned*>(wx);
    const int64_t begin = larger(0, low - first_y[i]);
    const int64_t end = smaller(s.taps(), high - first_y[i]);
    for (int64_t j = begin; j < end; j++) {
      unaligned* at = reinterpret_cast<unaligned*>(plane + place[i] + j * s.in_x);
      // Behind the last tap, no gradient is too large to be none.
      const vector share = along * (grad * wy[j]);
      *at += reinterpret_cast<vector>(reinterpret_cast<mask>(share) & within);
    }
  }

  void add_at_edge(float* plane, int64_t i, float grad) const {
    const float *wy = weight + i * 2 * L, *wx = wy + L;
    for (int64_t j = 0; j < s.taps(); j++) {
      const int64_t row = source_of(first_y[i] + j, s.in_y, s.padding);
      if (row < low || row >= high || wy[j] == 0) continue;
      for (int64_t k = 0; k < s.taps(); k++) {
        const int64_t column = source_of(first_x[i] + k, s.in_x, s.padding);
        if (column >= 0 && wx[k] != 0) plane[row * s.in_x + column] += grad * wy[j] * wx[k];
      }
    }
  }

  const WarpGradients& to;
  float* image;
  int64_t low, high;
};

// Of the places of a row of outputs.
template <int L>
class WarpPlaceGradient : WarpPlaces<L> {
  typedef WarpPlaces<L> Places;
  using typename Places::mask;
  using typename Places::unaligned;
  using typename Places::vector;
  using Places::first_x;
  using Places::first_y;
  using Places::place;
  using Places::s;
  using Places::weight;
  using Places::within;

 public:
  WarpPlaceGradient(const WarpGradients& call, Arena& arena)
      : Places(call.warp, arena), to(call) {
    slope = arena.take<float>(WARP_PIXELS, 2 * L);
  }

  void run(int64_t item) {
    const int64_t m = item / s.out_y, oy = item % s.out_y, out = s.out_y * s.out_x;
    const float* image = s.image + m * s.planes * s.in_y * s.in_x;
    for (int64_t begin = 0; begin < s.out_x; begin += WARP_PIXELS) {
      const int64_t count = smaller(WARP_PIXELS, s.out_x - begin);
      this->look(m, oy, begin, count);
      this->weigh(count);
      switch (s.kernel) {
        case Classical::box: this->template slopes<Classical::box>(count, slope); break;
        case Classical::linear: this->template slopes<Classical::linear>(count, slope); break;
        case Classical::cubic: this->template slopes<Classical::cubic>(count, slope); break;
        default: this->template slopes<Classical::lanczos>(count, slope);
      }
      const float* grad = to.grad + m * s.planes * out + oy * s.out_x + begin;
      float* at = to.places + (item * s.out_x + begin) * 2;
      for (int64_t i = 0; i < count; i++, at += 2) {
        at[0] = at[1] = 0;
        if (place[i] == SLOW)
          at_edge(image, grad + i, i, at);
        else if (place[i] != NOWHERE)
          inside(image, grad + i, i, at);
      }
    }
  }

 private:
  void inside(const float* image, const float* grad, int64_t i, float* out) const {
    const float *wy = weight + i * 2 * L, *sy = slope + i * 2 * L;
    const int64_t in = s.in_y * s.in_x, step = s.out_y * s.out_x;
    vector of_y{}, of_x{};
    for (int64_t c = 0; c < s.planes; c++) {
      const float* from = image + c * in + place[i];
      const float first = *from;
      vector weighed{}, sloped{};
      for (int64_t j = 0; j < s.taps(); j++) {
        vector row = *reinterpret_cast<const unaligned*>(from + j * s.in_x);
        // The slopes sum to zero: what all have in common must not leave a rest.
        row = reinterpret_cast<vector>(reinterpret_cast<mask>(row - first) & within);
        weighed += row * wy[j];
        sloped += row * sy[j];
      }
      of_y += sloped * grad[c * step];
      of_x += weighed * grad[c * step];
    }
    of_y *= vector(*reinterpret_cast<const unaligned*>(wy + L));
    of_x *= vector(*reinterpret_cast<const unaligned*>(sy + L));
    for (int k = 0; k < L; k++) out[0] += of_y[k], out[1] += of_x[k];
  }

  // Whether all neighbors count, those that stand for others, too.
  bool is_whole(int64_t i) const {
    const int64_t last = s.taps() - 1;
    return s.padding != Padding::zeros ||
           (first_y[i] >= 0 && first_x[i] >= 0 && first_y[i] + last < s.in_y &&
            first_x[i] + last < s.in_x);
  }

  void at_edge(const float* image, const float* grad, int64_t i, float* out) const {
    const int64_t in = s.in_y * s.in_x, step = s.out_y * s.out_x;
    const int64_t row = source_of(first_y[i], s.in_y, s.padding);
    const int64_t column = source_of(first_x[i], s.in_x, s.padding);
    for (int64_t c = 0; c < s.planes; c++) {
      const float* plane = image + c * in;
      const float first = is_whole(i) ? plane[row * s.in_x + column] : 0;
      add_at_edge(plane, first - first == 0 ? first : 0, grad[c * step], i, out);
    }
  }

  void add_at_edge(const float* plane, float first, float grad, int64_t i, float* out) const {
    const float *wy = weight + i * 2 * L, *sy = slope + i * 2 * L;
    for (int64_t j = 0; j < s.taps(); j++)
      for (int64_t k = 0; k < s.taps(); k++) {
        const int64_t row = source_of(first_y[i] + j, s.in_y, s.padding);
        const int64_t column = source_of(first_x[i] + k, s.in_x, s.padding);
        if (row < 0 || column < 0) continue;
        const float pixel = plane[row * s.in_x + column] - first;
        // Without weight, what is no number does not count; what is one may count soon.
        if (pixel - pixel != 0 && wy[j] * wy[L + k] == 0) continue;
        if (sy[j] * wy[L + k] != 0) out[0] += pixel * grad * (sy[j] * wy[L + k]);
        if (wy[j] * sy[L + k] != 0) out[1] += pixel * grad * (wy[j] * sy[L + k]);
      }
  }

  const WarpGradients& to;
  float* slope;  // like the weights
};

}  // namespace contconv::CONTCONV_ISA
