// An image sampled through a map: the sums of some pixels of a row, one plane after the
// other.
#pragma once
#include "warp_places.h"

namespace contconv::CONTCONV_ISA {

template <int L>
class Warped : WarpPlaces<L> {
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
  Warped(const Warp& call, Arena& arena) : Places(call, arena) {}

  void run(int64_t item) {
    const int64_t m = item / s.out_y, oy = item % s.out_y;
    const int64_t in = s.in_y * s.in_x, out = s.out_y * s.out_x;
    for (int64_t begin = 0; begin < s.out_x; begin += WARP_PIXELS) {
      const int64_t count = smaller(WARP_PIXELS, s.out_x - begin);
      this->look(m, oy, begin, count);
      this->weigh(count);
      for (int64_t c = 0; c < s.planes; c++)
        sum(s.image + (m * s.planes + c) * in, count,
            s.out + (m * s.planes + c) * out + oy * s.out_x + begin);
    }
  }

 private:
  void sum(const float* plane, int64_t count, float* out) const {
    const int64_t taps = s.taps();
    if (taps == 4) {
      sum_taps<4>(plane, count, out);
    } else if (taps == 2) {
      sum_taps<2>(plane, count, out);
    } else {
      sum_taps<0>(plane, count, out);
    }
  }

  typedef Lanes<4>::type four;

  // The sums of four pixels, each of its own four numbers.
  static four sums_of(four a, four b, four c, four d) {
    const four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  }

  // T rows, or as many as there are taps if it is 0.
  template <int T>
  void sum_taps(const float* plane, int64_t count, float* out) const {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
      const int64_t* at = place + i;
      if ((at[0] | at[1] | at[2] | at[3]) < 0) {
        for (int64_t j = i; j < i + 4; j++) out[j] = one<T>(plane, j);
        continue;
      }
      const four sums = sums_of(numbers<T>(plane, i), numbers<T>(plane, i + 1),
                                numbers<T>(plane, i + 2), numbers<T>(plane, i + 3));
      *reinterpret_cast<Lanes<4>::unaligned*>(out + i) = sums;
    }
    for (; i < count; i++) out[i] = one<T>(plane, i);
  }

  template <int T>
  float one(const float* plane, int64_t i) const {
    if (place[i] == NOWHERE) return 0;
    if (place[i] == SLOW) return at_edge(plane, i);
    const four sums = numbers<T>(plane, i);
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
  }

  // Four numbers whose sum is that of the pixel.
  template <int T>
  ALWAYS_INLINE four numbers(const float* plane, int64_t i) const {
    const int64_t taps = T ? T : s.taps();
    const float *from = plane + place[i], *wy = weight + i * 2 * L;
    vector total{};
    UNROLL
    for (int64_t j = 0; j < taps; j++) {
      vector row = *reinterpret_cast<const unaligned*>(from + j * s.in_x);
      // What lies behind the last tap may be no number.
      if constexpr (T != L) row = reinterpret_cast<vector>(reinterpret_cast<mask>(row) & within);
      total += row * wy[j];
    }
    total *= vector(*reinterpret_cast<const unaligned*>(wy + L));
    if constexpr (L == 4) {
      return total;
    } else {
      return __builtin_shufflevector(total, total, 0, 1, 2, 3) +
             __builtin_shufflevector(total, total, 4, 5, 6, 7);
    }
  }

  float at_edge(const float* plane, int64_t i) const {
    const float *wy = weight + i * 2 * L, *wx = wy + L;
    float total = 0;
    for (int64_t j = 0; j < s.taps(); j++) {
      const int64_t row = source_of(first_y[i] + j, s.in_y, s.padding);
      if (row < 0 || wy[j] == 0) continue;
      float line = 0;
      for (int64_t k = 0; k < s.taps(); k++) {
        const int64_t column = source_of(first_x[i] + k, s.in_x, s.padding);
        if (column >= 0 && wx[k] != 0) line += plane[row * s.in_x + column] * wx[k];
      }
      total += line * wy[j];
    }
    return total;
  }
};

}  // namespace contconv::CONTCONV_ISA
