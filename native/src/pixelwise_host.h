// What the operators of a convolution with a table for each pixel share: arguments, fields
// and packed heads.
#pragma once
#include <algorithm>

#include "instruction_sets.h"
#include "neighbors.h"
#include "parallel.h"
#include "separable.h"

namespace contconv {

// A convolution, its arguments checked.
struct PixelwiseCall {
  Strided image;
  Type type;
  int64_t batch, groups, in_channels, out_channels, z, y, x;
  int64_t shape[3];  // of the output
  bool is_last;      // channels-last
  const float* head;
  NeighborTable table;

  bool is_depthwise() const { return groups > 1 && in_channels == 1 && out_channels == 1; }
  int64_t in_pixels() const { return z * y * x; }
  // Images that are worked on at once, so that their numbers stay few.
  int64_t some() const {
    const int64_t larger = std::max(in_pixels() * in_channels, table.outputs * out_channels);
    return std::max<int64_t>(1, (int64_t(1) << 21) / std::max<int64_t>(1, larger * groups));
  }
};

inline PixelwiseCall checked_pixelwise(const Tensor& image, const Tensor& head,
                                       const Tensor& z_source, const Tensor& z_phase,
                                       const Tensor& y_source, const Tensor& y_phase,
                                       const Tensor& x_source, const Tensor& x_phase,
                                       const Tensor& table, const std::vector<int64_t>& shape,
                                       int64_t groups) {
  const int64_t ndim = image.dim() - 2;
  STD_TORCH_CHECK(ndim >= 1 && ndim <= 3 && image.is_cpu() && int64_t(shape.size()) == ndim,
                  "contconv_native: an image of ", image.dim(), " dimensions, or not on the CPU");
  check_tensor(head, "head", 3, ScalarType::Float);
  check_tensor(table, "table", 3, ScalarType::Float);
  PixelwiseCall c{};
  c.type = checked_type(image);
  c.image = strided(image);
  c.batch = image.size(0), c.groups = groups, c.in_channels = head.size(1);
  STD_TORCH_CHECK(groups > 0 && image.size(1) == checked_product({groups, c.in_channels}) &&
                      head.size(0) > 0 && head.size(0) % groups == 0,
                  "contconv_native: ", image.size(1), " channels in ", groups,
                  " groups do not fit a head of ", head.size(0), " x ", head.size(1));
  c.out_channels = head.size(0) / groups;
  c.z = ndim > 2 ? image.size(2) : 1, c.y = ndim > 1 ? image.size(ndim) : 1;
  c.x = image.size(ndim + 1);
  for (int64_t i = 0; i < 3; i++) c.shape[i] = i < 3 - ndim ? 1 : shape[i - 3 + ndim];
  c.is_last = is_channels_last(image);
  c.head = head.const_data_ptr<float>();
  NeighborTable& t = c.table;
  const int64_t in = c.z * c.y * c.x;
  // Without y in an image that has it, x are all pixels.
  const bool flat = y_source.size(0) == 0 && y_source.size(1) == 0;
  t.z = checked_neighbors(z_source, z_phase, c.z, "z");
  t.y = checked_neighbors(y_source, y_phase, c.y, "y");
  t.x = checked_neighbors(x_source, x_phase, flat ? in : c.x, "x");
  STD_TORCH_CHECK(t.z.in * t.y.in * t.x.in == in, "contconv_native: sources of some axes alone");
  t.outputs = checked_product({c.shape[0], c.shape[1], c.shape[2]});
  const int64_t listed = checked_product({t.z.out, t.y.out, t.x.out});
  t.each = flat && listed != t.outputs;
  STD_TORCH_CHECK(listed == (t.each ? checked_product({c.batch, t.outputs}) : t.outputs) &&
                      !(t.each && t.x.phase),
                  "contconv_native: neighbors of ", listed, " outputs, not of ", t.outputs);
  t.taps = t.most = checked_product({t.z.taps, t.y.taps, t.x.taps});
  t.rank = table.size(2);
  t.weight = table.const_data_ptr<float>();
  STD_TORCH_CHECK(t.rank > 0 && head.size(2) == t.rank && table.size(1) == t.taps &&
                      table.size(0) >= checked_product({t.z.phases, t.y.phases, t.x.phases}),
                  "contconv_native: a table of ", table.size(0), " x ", table.size(1), " x ",
                  table.size(2), " does not fit the neighbors and the head");
  return c;
}

// Whether vectors of basis functions take less than those of channels.
inline bool is_by_rank(int64_t channels, int64_t rank, bool is_last) {
  const int64_t v = kernels_in_use().vector;
  const int64_t by_channel = rank * ((channels + v - 1) / v);
  const int64_t by_rank = channels * ((rank + v - 1) / v);
  return is_last ? by_rank < by_channel : by_rank <= by_channel;
}

// Some images as a field: where they lie, if they lie so, or in memory of its own.
class Staged {
 public:
  Staged(const PixelwiseCall& c, int64_t first, int64_t count, bool planes) {
    const Kernels& kernels = kernels_in_use();
    const int64_t channels = c.in_channels * c.groups, size = c.type == Type::float32 ? 4 : 2;
    const int64_t pixels = c.in_pixels(), zyx[3] = {c.z, c.y, c.x};
    Strided image = c.image;
    image.data = static_cast<char*>(image.data) + first * image.n * size;
    const int64_t together = c.is_depthwise() ? c.groups : c.in_channels;
    const bool whole = together % kernels.vector == 0 && image.c == 1;
    const int64_t row = zyx[2] * image.x;  // not by `y`: of one row, any stride may be said
    const bool lies = (zyx[2] == 1 || image.x > 0) && (zyx[1] == 1 || image.y == row) &&
                      (zyx[0] == 1 || image.z == zyx[1] * row);
    if (c.type == Type::float32 && lies && (planes ? image.x == 1 || pixels == 1 : whole)) {
      field = {static_cast<float*>(image.data), image.n, image.x, planes ? image.c : 1};
      return;
    }
    const int64_t v = kernels.vector, pitch = (channels + v - 1) / v * v;
    const int64_t each = checked_product({planes ? channels : pitch, pixels});
    memory_ = empty_strided({checked_product({each, count, 4}) / 4 + 64}, {1}, ScalarType::Float);
    field = {memory_.mutable_data_ptr<float>(), each, planes ? 1 : pitch, planes ? pixels : 1};
    Staging s{image, c.type, count, channels, c.z, c.y, c.x, field};
    const PixelwiseKernels& own = *kernels.pixelwise;
    in_parallel(s.rows(), own.stage_scratch(s), double(each) * double(count) * 4,
                [&](int64_t begin, int64_t end, void* scratch) { own.stage(s, begin, end, scratch); });
  }

  Field field;

 private:
  Tensor memory_ = empty_strided({0}, {1}, ScalarType::Float);
};

// Of groups of one channel: [rank, channels], zeros up to whole vectors.
inline std::vector<float> depthwise_head(const float* head, int64_t groups, int64_t rank) {
  const int64_t v = kernels_in_use().vector, lanes = (groups + v - 1) / v * v;
  std::vector<float> to(lanes * rank);
  for (int64_t c = 0; c < groups; c++)
    for (int64_t r = 0; r < rank; r++) to[r * lanes + c] = head[c * rank + r];
  return to;
}

// The head[group o, c, rank] packed, rows of it (rank, c), or (c, rank) if `by_rank`; in the
// memory of this thread, until the next one.
inline Separable packed_head(const float* head, int64_t groups, int64_t out_channels,
                             int64_t in_channels, int64_t rank, bool by_rank) {
  static const Table one{nullptr, nullptr, 1, 1, 1, 1};
  Separable s{};
  s.z = s.y = s.x = one;
  s.type = Type::float32;
  s.order = Order::expand;
  s.groups = groups, s.out_channels = out_channels;
  s.in_channels = by_rank ? in_channels * rank : in_channels;
  s.x.rank = by_rank ? 1 : rank;
  pack_head(s, head);
  return s;
}

}  // namespace contconv
