// The operators of torch.ops.contconv_native: arguments checked, output made, work shared.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "arguments.h"
#include "instruction_sets.h"
#include "parallel.h"
#include "plan.h"
#include "separable.h"
#include "taps.h"

namespace contconv {
namespace {

using torch::stable::Tensor;

// Runs of output rows, so that all threads have as many.
int64_t bands_for(int64_t planes, int64_t rows) {
  const int64_t threads = torch::stable::get_num_threads();
  if (planes == 0 || planes >= 8 * threads) return 1;
  const int64_t bands = threads / std::gcd(planes, threads);
  return std::max<int64_t>(1, std::min(bands, rows));
}

}  // namespace

void pack_head(Separable& s, const float* head) {
  const Kernels& kernels = kernels_in_use();
  thread_local Scratch memory;
  if (s.order == Order::planes) {
    void* prepared = memory.of(kernels.planes_bytes(s));
    STD_TORCH_CHECK(prepared != nullptr, "contconv_native: out of memory for the tables");
    kernels.prepare_planes(s, head, prepared);
    s.head = prepared;
    return;
  }
  const size_t bytes = kernels.packed_bytes(s);
  s.head_bytes = int64_t(bytes);
  char* packed = static_cast<char*>(memory.of(checked_product({s.head_bytes, s.groups})));
  STD_TORCH_CHECK(packed != nullptr, "contconv_native: out of memory for the packed head");
  if (s.order == Order::depthwise) {
    kernels.pack(s, head, packed, 0, 1);
    s.head = packed;
    return;
  }
  const HeadShape shape = head_shape(s);
  const int64_t width = 2 * kernels.vector;
  const int64_t panels = (shape.columns + width - 1) / width;
  const int64_t numbers = s.out_channels * s.in_channels * s.z.rank * s.y.rank * s.x.rank;
  const int64_t grain = std::max<int64_t>(1, 65536 * panels / std::max<int64_t>(1, numbers));
  torch::stable::parallel_for(0, s.groups * panels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      kernels.pack(s, head + i / panels * numbers, packed + i / panels * s.head_bytes,
                   i % panels, i % panels + 1);
  });
  s.head = packed;
}

void run_separable(Separable& s, const float* head, int64_t order) {
  const Kernels& kernels = kernels_in_use();
  const Plan plan = best_plan(s, order, kernels.vector);
  s.order = plan.order;
  if (s.order == Order::depthwise) {
    s.in_channels = s.out_channels = s.groups;
    s.groups = 1;
  }
  pack_head(s, head);
  s.bands = bands_for(s.batch * s.groups * s.z.out, s.y.out);
  in_parallel(s.tasks(), kernels.separable_scratch(s), plan.multiply_adds,
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.separable(s, begin, end, scratch);
              });
}

namespace {

Tensor separable(const Tensor& image, const Tensor& head, const Tensor& z_source,
                 const Tensor& z_weight, const Tensor& y_source, const Tensor& y_weight,
                 const Tensor& x_source, const Tensor& x_weight, int64_t groups, int64_t order) {
  const int64_t out_channels = head.size(0);
  const int64_t ndim = image.dim() - 2;
  STD_TORCH_CHECK(ndim >= 1 && ndim <= 3, "contconv_native: an image of ", image.dim(),
                  " dimensions");
  STD_TORCH_CHECK(image.is_cpu(), "contconv_native: the image is not on the CPU");
  Separable s{};
  s.type = checked_type(image);
  s.batch = image.size(0);
  s.groups = groups;
  STD_TORCH_CHECK(groups > 0 && image.size(1) % groups == 0 && out_channels > 0 &&
                      out_channels % groups == 0,
                  "contconv_native: ", image.size(1), " and ", out_channels,
                  " channels in ", groups, " groups");
  s.in_channels = image.size(1) / groups;
  s.out_channels = out_channels / groups;
  s.z = checked_table(z_source, z_weight, ndim > 2 ? image.size(2) : 1, "z");
  s.y = checked_table(y_source, y_weight, ndim > 1 ? image.size(ndim) : 1, "y");
  s.x = checked_table(x_source, x_weight, image.size(ndim + 1), "x");
  STD_TORCH_CHECK(order >= -1 && order <= 4 &&
                      (order != 4 || is_depthwise(s)), "contconv_native: there is no order ", order);
  check_tensor(head, "head", 3, ScalarType::Float);
  STD_TORCH_CHECK(head.size(0) == out_channels && head.size(1) == s.in_channels &&
                      head.size(2) == checked_product({s.z.rank, s.y.rank, s.x.rank}),
                  "contconv_native: a head of ", head.size(0), " x ", head.size(1), " x ",
                  head.size(2), " does not fit the image and the tables");
  s.image = strided(image);
  Tensor out = empty_like_layout(image, out_channels, {s.z.out, s.y.out, s.x.out});
  if (out.numel() == 0) return out;
  s.out = strided(out);
  run_separable(s, head.const_data_ptr<float>(), order);
  return out;
}

// The taps of an axis: sources, distances and what they count, of [out, taps]. Those that
// count come first in a row; then sources of -1, which count nothing.
std::tuple<Tensor, Tensor, Tensor> axis_taps(int64_t in, int64_t out, int64_t up, int64_t down,
                                             int64_t reach, int64_t start, bool stretched,
                                             int64_t padding, int64_t taps) {
  constexpr int64_t most = int64_t(1) << 31;
  STD_TORCH_CHECK(in > 0 && in < most && out >= 0 && out < most && up > 0 && down > 0 &&
                      reach > 0 && taps > 0 && padding >= 0 && padding <= 4,
                  "contconv_native: an axis of ", in, " to ", out, " pixels at ", up, "/", down);
  const __int128 term = __int128(2) * down * out + __int128(2) * up * (in + taps) + reach +
                        (start < 0 ? -__int128(start) : __int128(start));
  STD_TORCH_CHECK(term < (__int128(1) << 62), "contconv_native: an axis beyond 64 bits");
  checked_product({out, taps, 4});
  const AxisNumbers axis{in, out, up, down, reach, start, stretched, Padding(padding)};
  Tensor source = empty_strided({out, taps}, {taps, 1}, ScalarType::Int);
  Tensor distance = empty_strided({out, taps}, {taps, 1}, ScalarType::Float);
  Tensor weight = empty_strided({out, taps}, {taps, 1}, ScalarType::Float);
  int32_t* to_source = source.mutable_data_ptr<int32_t>();
  float* to_distance = distance.mutable_data_ptr<float>();
  float* to_weight = weight.mutable_data_ptr<float>();
  for (int64_t n = 0; n < out; n++) {
    const int64_t at = n * taps;
    int64_t count = taps_of(axis, n, taps, to_source + at, to_distance + at, to_weight + at);
    STD_TORCH_CHECK(count <= taps, "contconv_native: an output with ", count, " taps, not ",
                    taps);
    for (; count < taps; count++) {
      to_source[at + count] = -1;
      to_distance[at + count] = to_weight[at + count] = 0;
    }
  }
  return {source, distance, weight};
}

}  // namespace
}  // namespace contconv

// For ctypes, without tensors: sizes are batch, groups, channels in and out of a group;
// then in, out, taps and rank of z, y, x. Returns the order; multiply-adds and steps to out.
extern "C" __attribute__((visibility("default"))) int contconv_native_plan(
    const int64_t* sizes, int64_t order, double* out) {
  using namespace contconv;
  Separable s{};
  s.batch = sizes[0], s.groups = sizes[1];
  s.in_channels = sizes[2], s.out_channels = sizes[3];
  Table* tables[3] = {&s.z, &s.y, &s.x};
  for (int i = 0; i < 3; i++) {
    const int64_t* axis = sizes + 4 + 4 * i;
    *tables[i] = {nullptr, nullptr, axis[0], axis[1], axis[2], axis[3]};
  }
  const Kernels& kernels = kernels_in_use();
  const Plan plan = best_plan(s, order, kernels.vector);
  out[0] = plan.multiply_adds;
  out[1] = plan.steps * double(kernels.vector) / 16;
  return int(plan.order);
}

STABLE_TORCH_LIBRARY(contconv_native, m) {
  m.def(
      "separable(Tensor image, Tensor head, Tensor z_source, Tensor z_weight, Tensor y_source, "
      "Tensor y_weight, Tensor x_source, Tensor x_weight, int groups, int order) -> Tensor");
  m.def(
      "axis_taps(SymInt in_size, SymInt out_size, SymInt up, SymInt down, SymInt reach, SymInt start, "
      "bool stretched, int padding, SymInt taps) -> (Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("separable", TORCH_BOX(&contconv::separable));
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CompositeExplicitAutograd, m) {
  m.impl("axis_taps", TORCH_BOX(&contconv::axis_taps));
}
