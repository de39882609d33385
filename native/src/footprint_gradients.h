// The gradients of a warp by stretched kernels: of the image, and of where and how each
// pixel looks.
#pragma once
#include "footprint_taps.h"

namespace contconv::CONTCONV_ISA {

// Of a band of rows of the image, from all outputs in their order.
template <Classical K>
class FootprintImageGradient : FootprintTaps<K> {
  typedef FootprintTaps<K> Taps;
  using Taps::first_y;
  using Taps::s;
  using Taps::source;
  using Taps::taps_y;
  using Taps::to;
  using Taps::weight;

 public:
  FootprintImageGradient(const FootprintSums& call, Arena& arena) : Taps(call, arena) {}

  void run(int64_t band) {
    low = s.in_y * band / to.bands, high = s.in_y * (band + 1) / to.bands;
    for (int64_t pixel = 0; pixel < s.out_y * s.out_x; pixel++)
      if (this->look(pixel)) add(pixel);
  }

 private:
  void add(int64_t pixel) {
    int64_t from = 0, to_row = taps_y;
    const bool wraps = s.padding != Padding::zeros && (first_y < 0 || first_y + taps_y > s.in_y);
    if (!wraps) from = larger(0, low - first_y), to_row = smaller(taps_y, high - first_y);
    for (int64_t j = from; j < to_row; j++) {
      this->begin_row(j);
      if (source < low || source >= high) continue;
      for (int64_t k = this->begin; k < this->end; k += FOOTPRINT_TAPS) {
        const int64_t count = smaller(FOOTPRINT_TAPS, this->end - k);
        this->weigh(k, count);
        for (int64_t i = 0; i < count; i += V)
          store(weight + i, load(weight + i) * to.totals[pixel]);
        add_row(pixel, k, count);
      }
    }
  }

  void add_row(int64_t pixel, int64_t k, int64_t count) {
    const bool inside = this->is_inside(k, count);
    for (int64_t c = 0; c < s.planes; c++) {
      const float grad = to.grad[c * s.out_y * s.out_x + pixel];
      float* row = to.image + (c * s.in_y + source) * s.in_x;
      if (inside) {
        add_inside(row + this->first_x + k, grad, count);
        continue;
      }
      for (int64_t i = 0; i < count; i++)
        if (this->column[i] >= 0 && weight[i] != 0) row[this->column[i]] += grad * weight[i];
    }
  }

  void add_inside(float* row, float grad, int64_t count) const {
    for (int64_t i = 0; i < count; i += V) {
      const vf w = load(weight + i);
      // Where there is no weight, no gradient is too large to be none.
      const vf sum = this->numbers(row + i, count - i) + this->kept(grad * w, w != 0);
      if (count - i >= V)
        store(row + i, sum);
      else
        store_first(row + i, sum, count - i);
    }
  }

  int64_t low, high;
};

// Of the places of a row of outputs, and of the matrices that stretch.
template <Classical K>
class FootprintPlaceGradient : FootprintTaps<K> {
  typedef FootprintTaps<K> Taps;
  using Taps::begin;
  using Taps::end;
  using Taps::inverse;
  using Taps::s;
  using Taps::source;
  using Taps::to;
  using Taps::weight;

 public:
  FootprintPlaceGradient(const FootprintSums& call, Arena& arena) : Taps(call, arena) {
    value = arena.take<float>(FOOTPRINT_TAPS);
  }

  void run(int64_t item) {
    const int64_t row = to.of.row(item);
    if (row >= s.out_y) return;
    for (int64_t pixel = row * s.out_x; pixel < (row + 1) * s.out_x; pixel++) {
      float *point = to.points + 2 * pixel, *stretch = to.inverse + 4 * pixel;
      for (int i = 0; i < 4; i++) point[i % 2] = stretch[i] = 0;
      if (!this->look(pixel)) continue;
      sum(to.grad + pixel);
      const float u = slope(U), v = slope(VV);
      point[0] = u * inverse[0] + v * inverse[2];
      point[1] = u * inverse[1] + v * inverse[3];
      for (int i = 0; i < 4; i++) stretch[i] = slope(U_Y + i);
    }
  }

 private:
  // Sums over the neighbors of the slopes along the kernel's axes, plain and times the
  // distances; and of the weights.
  enum { U, VV, U_Y, U_X, V_Y, V_X, WEIGHTS, SUMS };

  // The weights are divided by their sum: what the values have in common does not count.
  float slope(int which) const {
    const float total = this->sum_of(plain[WEIGHTS]);
    const float mean = this->sum_of(valued[WEIGHTS]) / total;
    return (this->sum_of(valued[which]) - mean * this->sum_of(plain[which])) / total;
  }

  void sum(const float* grad) {
    for (int i = 0; i < SUMS; i++) plain[i] = valued[i] = zero();
    const float common = middle(grad);
    for (int64_t j = 0; j < this->taps_y; j++) {
      this->begin_row(j);
      for (int64_t k = begin; k < end; k += FOOTPRINT_TAPS) {
        const int64_t count = smaller(FOOTPRINT_TAPS, end - k);
        this->weigh(k, count);
        find_values(grad, common, k, count);
        for (int64_t i = 0; i < count; i += V) add(k, i, count);
      }
    }
  }

  // What a neighbor near the place adds: taken off all, or no digits might be left.
  float middle(const float* grad) const {
    const int64_t y = source_of(this->first_y + this->taps_y / 2, s.in_y, s.padding);
    const int64_t x = source_of(this->first_x + this->taps_x / 2, s.in_x, s.padding);
    if (y < 0 || x < 0) return 0;
    float sum = 0;
    for (int64_t c = 0; c < s.planes; c++)
      sum += grad[c * s.out_y * s.out_x] * s.image[(c * s.in_y + y) * s.in_x + x];
    return sum - sum == 0 ? sum : 0;
  }

  // The sums over the planes of the gradient times the pixels.
  void find_values(const float* grad, float common, int64_t k, int64_t count) {
    for (int64_t i = 0; i < count; i += V) store(value + i, splat(-common));
    if (source < 0) return;
    const bool inside = this->is_inside(k, count);
    for (int64_t c = 0; c < s.planes; c++) {
      const float* from = this->pixels(s.image + c * s.in_y * s.in_x, k, count, inside);
      const float share = grad[c * s.out_y * s.out_x];
      for (int64_t i = 0; i < count; i += V) {
        const vf pixel = this->numbers(from + i, count - i);
        // What is no number does not count without a weight; what is one may count soon.
        const vi counts = (load(weight + i) != 0) | (pixel - pixel == 0);
        store(value + i, load(value + i) + this->kept(pixel, counts) * share);
      }
    }
  }

  // Of a neighbor on the edge of the support, half counts.
  vf slope_at(vf d) const {
    const vf slope = classical_slope<K, V>(s, d);
    if constexpr (K != Classical::linear) return slope;
    const vf edge = float(s.support) / 2 - magnitude(d);
    return magnitude(edge) <= float(s.slack) ? slope * 0.5f : slope;
  }

  void add(int64_t k, int64_t i, int64_t count) {
    const vf x = this->off_x(k + i), y = splat(this->off_y);
    const vf u = inverse[0] * y + inverse[1] * x, v = inverse[2] * y + inverse[3] * x;
    const vf by_u = slope_at(u) * classical<K, V>(s, v);
    const vf by_v = classical<K, V>(s, u) * slope_at(v);
    const vi counted = this->lane < splat(float(count - i));
    const vf slopes[2] = {this->kept(by_u, counted), this->kept(by_v, counted)};
    const vf found = load(value + i);
    for (int a = 0; a < 2; a++) {
      const vf each[3] = {slopes[a], slopes[a] * y, slopes[a] * x};
      for (int b = 0; b < 3; b++) {
        const int at = b == 0 ? U + a : U_Y + 2 * a + b - 1;
        plain[at] += each[b];
        valued[at] += each[b] * found;
      }
    }
    plain[WEIGHTS] += load(weight + i);
    valued[WEIGHTS] += load(weight + i) * found;
  }

  vf plain[SUMS], valued[SUMS];
  float* value;
};

}  // namespace contconv::CONTCONV_ISA
