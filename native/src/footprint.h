// An image sampled through a map by stretched kernels.
#pragma once
#include "footprint_taps.h"

namespace contconv::CONTCONV_ISA {

// Rows of outputs; the weights of a pixel are divided by their sum.
template <Classical K>
class FootprintOutput : FootprintTaps<K> {
  typedef FootprintTaps<K> Taps;
  using Taps::begin;
  using Taps::end;
  using Taps::s;
  using Taps::to;
  using Taps::weight;

 public:
  FootprintOutput(const FootprintSums& call, Arena& arena) : Taps(call, arena) {
    sums = arena.take<float>(s.planes, V);
  }

  void run(int64_t item) {
    const int64_t row = to.of.row(item), out = s.out_y * s.out_x;
    if (row >= s.out_y) return;
    for (int64_t pixel = row * s.out_x; pixel < (row + 1) * s.out_x; pixel++) {
      for (int64_t i = 0; i < s.planes * V; i++) sums[i] = 0;
      const bool seen = this->look(pixel);
      const float total = seen ? sum() : 1;
      for (int64_t c = 0; c < s.planes; c++)
        s.out[c * out + pixel] = this->sum_of(load(sums + c * V)) / total;
    }
  }

 private:
  float sum() {
    vf total = zero();
    for (int64_t j = 0; j < this->taps_y; j++) {
      this->begin_row(j);
      for (int64_t k = begin; k < end; k += FOOTPRINT_TAPS) {
        const int64_t count = smaller(FOOTPRINT_TAPS, end - k);
        total += this->weigh(k, count);
        if (this->source >= 0) add(k, count);
      }
    }
    return this->sum_of(total);
  }

  void add(int64_t k, int64_t count) {
    const bool inside = this->is_inside(k, count);
    for (int64_t c = 0; c < s.planes; c++) {
      const float* from = this->pixels(s.image + c * s.in_y * s.in_x, k, count, inside);
      vf total = load(sums + c * V);
      for (int64_t i = 0; i < count; i += V) {
        const vf w = load(weight + i);
        // What has no weight may be no number.
        total += this->kept(this->numbers(from + i, count - i), w != 0) * w;
      }
      store(sums + c * V, total);
    }
  }

  float* sums;  // a vector for each plane
};

// For the gradient of the image: by what the weights of each pixel are multiplied.
template <Classical K>
class FootprintTotals : FootprintTaps<K> {
  typedef FootprintTaps<K> Taps;
  using Taps::s;
  using Taps::to;

 public:
  FootprintTotals(const FootprintSums& call, Arena& arena) : Taps(call, arena) {}

  void run(int64_t item) {
    const int64_t row = to.of.row(item);
    if (row >= s.out_y) return;
    for (int64_t pixel = row * s.out_x; pixel < (row + 1) * s.out_x; pixel++)
      to.totals[pixel] = this->look(pixel) ? 1 / this->sum_of(sum()) : 0;
  }

 private:
  vf sum() {
    vf total = zero();
    for (int64_t j = 0; j < this->taps_y; j++) {
      this->begin_row(j);
      for (int64_t k = this->begin; k < this->end; k += FOOTPRINT_TAPS)
        total += this->weigh(k, smaller(FOOTPRINT_TAPS, this->end - k));
    }
    return total;
  }
};

}  // namespace contconv::CONTCONV_ISA
