// Tables of a convolution with a table for each pixel, checked; and the other way round.
#pragma once
#include <vector>

#include "arguments.h"
#include "call_pixelwise.h"

namespace contconv {

// Sources within the image, -1 for those that do not count, and phases within the table. An
// axis that is not there has one output of one tap.
inline Neighbors checked_neighbors(const Tensor& source, const Tensor& phase, int64_t in,
                                   const char* axis) {
  static const int32_t first = 0;
  if (source.numel() == 0 && source.size(0) == 0 && source.size(1) == 0)
    return {&first, nullptr, 1, 1, 1, 1};
  check_tensor(source, "source", 2, ScalarType::Int);
  check_tensor(phase, "phase", 1, ScalarType::Int);
  Neighbors n{source.const_data_ptr<int32_t>(), nullptr, in, source.size(0), source.size(1),
              source.size(0)};
  STD_TORCH_CHECK(n.taps > 0, "contconv_native: ", axis, " has no taps");
  int32_t most = -1, least = 0;
  for (int64_t i = 0; i < n.out * n.taps; i++) {
    most = n.source[i] > most ? n.source[i] : most;
    least = n.source[i] < least ? n.source[i] : least;
  }
  STD_TORCH_CHECK(most < in && least >= -1, "contconv_native: a source of ", axis,
                  " outside of its ", in, " pixels");
  if (phase.numel() == 0) return n;
  STD_TORCH_CHECK(phase.numel() == n.out, "contconv_native: the phases of ", axis,
                  " do not fit its sources");
  n.phase = phase.const_data_ptr<int32_t>();
  n.phases = 0;
  for (int64_t i = 0; i < n.out; i++) {
    STD_TORCH_CHECK(n.phase[i] >= 0, "contconv_native: a negative phase of ", axis);
    n.phases = n.phase[i] >= n.phases ? n.phase[i] + 1 : n.phases;
  }
  return n;
}

// Whether outputs share parts of the table.
inline bool shares_table(const NeighborTable& t) { return t.z.phase || t.y.phase || t.x.phase; }

// For each input pixel the outputs that it counts in, in their order.
struct Reversed {
  std::vector<int64_t> begin, place;
  std::vector<int32_t> pixel;
  NeighborTable table;
};

// visit(input pixel, output, place) of each tap that counts, of one image.
template <class Visit>
void each_tap(const NeighborTable& t, int64_t n, const Visit& visit) {
  const auto phase = [](const Neighbors& axis, int64_t o) { return axis.phase ? axis.phase[o] : o; };
  for (int64_t q = 0; q < t.outputs; q++) {
    const int64_t ox = t.each ? n * t.outputs + q : q % t.x.out;
    const int64_t row = t.each ? 0 : q / t.x.out, oy = row % t.y.out, oz = row / t.y.out;
    int64_t place = ((phase(t.z, oz) * t.y.phases + phase(t.y, oy)) * t.x.phases +
                     phase(t.x, ox)) * t.taps;
    for (int64_t i = 0; i < t.z.taps; i++)
      for (int64_t j = 0; j < t.y.taps; j++)
        for (int64_t k = 0; k < t.x.taps; k++, place++) {
          const int64_t z = t.z.source[oz * t.z.taps + i], y = t.y.source[oy * t.y.taps + j];
          const int64_t x = t.x.source[ox * t.x.taps + k];
          if (z >= 0 && y >= 0 && x >= 0) visit((z * t.y.in + y) * t.x.in + x, q, place);
        }
  }
}

inline Reversed reversed(const NeighborTable& t, int64_t batch) {
  const int64_t inputs = t.z.in * t.y.in * t.x.in, images = t.each ? batch : 1;
  STD_TORCH_CHECK(t.outputs < (int64_t(1) << 31), "contconv_native: ", t.outputs, " outputs");
  Reversed to;
  to.begin.assign(checked_product({images, inputs}) + 1, 0);
  for (int64_t n = 0; n < images; n++)
    each_tap(t, n, [&](int64_t m, int64_t, int64_t) { to.begin[n * inputs + m + 1]++; });
  to.table = t;
  to.table.most = 1;
  for (int64_t i = 1; i <= images * inputs; i++) {
    to.table.most = to.begin[i] > to.table.most ? to.begin[i] : to.table.most;
    to.begin[i] += to.begin[i - 1];
  }
  to.pixel.resize(to.begin.back());
  to.place.resize(to.begin.back());
  std::vector<int64_t> at(to.begin.begin(), to.begin.end() - 1);
  for (int64_t n = 0; n < images; n++)
    each_tap(t, n, [&](int64_t m, int64_t q, int64_t place) {
      const int64_t i = at[n * inputs + m]++;
      to.pixel[i] = int32_t(q);
      to.place[i] = place;
    });
  to.table.outputs = inputs;
  to.table.begin = to.begin.data();
  to.table.pixel = to.pixel.data();
  to.table.place = to.place.data();
  return to;
}

}  // namespace contconv
