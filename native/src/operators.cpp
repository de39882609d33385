// The operators of torch.ops.contconv_native: arguments checked, output made, work shared.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <numeric>

#include "arguments.h"
#include "instruction_sets.h"
#include "parallel.h"

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

double multiply_adds(const Separable& s) {
  const HeadShape shape = head_shape(s);
  double pixels = double(s.batch) * double(s.groups) * double(s.z.out);
  switch (s.order) {
    case Order::expand: pixels *= double(s.y.out) * double(s.x.out); break;
    case Order::contract: pixels *= double(s.y.in) * double(s.x.in); break;
    default: pixels *= double(s.y.in) * double(s.x.out);
  }
  return pixels * double(shape.depth) * double(shape.columns);
}

// The head of a separable convolution, packed for an order of the steps.
Tensor pack_separable(const Tensor& head, int64_t groups, int64_t rank_z, int64_t rank_y,
                      int64_t rank_x, int64_t order, bool half) {
  check_tensor(head, "head", 3, ScalarType::Float);
  STD_TORCH_CHECK(groups > 0 && head.size(0) % groups == 0, "contconv_native: head of ",
                  head.size(0), " channels for ", groups, " groups");
  STD_TORCH_CHECK(rank_z > 0 && rank_y > 0 && rank_x > 0 &&
                      checked_product({rank_z, rank_y, rank_x}) == head.size(2),
                  "contconv_native: a head of rank ", head.size(2), " for ranks ", rank_z,
                  ", ", rank_y, ", ", rank_x);
  Separable s{};
  s.groups = groups;
  s.out_channels = head.size(0) / groups;
  s.in_channels = head.size(1);
  s.z.rank = rank_z, s.y.rank = rank_y, s.x.rank = rank_x;
  s.order = checked_order(order);
  s.type = half ? Type::bfloat16 : Type::float32;
  const Kernels& kernels = kernels_in_use();
  const int64_t size = kernels.packed_size(head_shape(s), s.type);
  Tensor packed = empty_strided({checked_product({groups, size})}, {1}, ScalarType::Float);
  const float* from = head.const_data_ptr<float>();
  float* to = packed.mutable_data_ptr<float>();
  const int64_t one = s.out_channels * s.in_channels * head.size(2);
  for (int64_t g = 0; g < groups; g++) kernels.pack(s, from + g * one, to + g * size);
  return packed;
}

Tensor separable(const Tensor& image, const Tensor& head, const Tensor& z_source,
                 const Tensor& z_weight, const Tensor& y_source, const Tensor& y_weight,
                 const Tensor& x_source, const Tensor& x_weight, int64_t out_channels,
                 int64_t groups, int64_t order) {
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
  s.order = checked_order(order);
  const Kernels& kernels = kernels_in_use();
  check_tensor(head, "head", 1, ScalarType::Float);
  const int64_t size = kernels.packed_size(head_shape(s), s.type);
  STD_TORCH_CHECK(head.numel() == checked_product({groups, size}),
                  "contconv_native: a packed head of ", head.numel(), " numbers, not ",
                  groups * size);
  s.head = head.const_data_ptr();
  s.image = strided(image);
  Tensor out = empty_like_layout(image, out_channels, {s.z.out, s.y.out, s.x.out});
  if (out.numel() == 0) return out;
  s.out = strided(out);
  s.bands = bands_for(s.batch * s.groups * s.z.out, s.y.out);
  in_parallel(s.tasks(), kernels.separable_scratch(s), multiply_adds(s),
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.separable(s, begin, end, scratch);
              });
  return out;
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY(contconv_native, m) {
  m.def(
      "pack_separable(Tensor head, int groups, int rank_z, int rank_y, int rank_x, int order, "
      "bool half) -> Tensor");
  m.def(
      "separable(Tensor image, Tensor head, Tensor z_source, Tensor z_weight, Tensor y_source, "
      "Tensor y_weight, Tensor x_source, Tensor x_weight, int out_channels, int groups, "
      "int order) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("pack_separable", TORCH_BOX(&contconv::pack_separable));
  m.impl("separable", TORCH_BOX(&contconv::separable));
}
