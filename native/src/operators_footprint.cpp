// Warps by stretched kernels: the operators, their arguments checked.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <tuple>

#include "call_footprint.h"
#include "instruction_sets.h"
#include "parallel.h"
#include "warp_arguments.h"

namespace contconv {
namespace {

void check_pixels(const Tensor& tensor, const Warp& s, int64_t dim, ScalarType type) {
  check_tensor(tensor, "what is said of each pixel", dim, type);
  bool fits = tensor.size(0) == s.out_y && tensor.size(1) == s.out_x && tensor.size(2) == 2;
  if (dim == 4) fits = fits && tensor.size(3) == 2;
  STD_TORCH_CHECK(fits, "contconv_native: points, reach and matrices of different pixels");
}

// Planes [planes, y, x] at points [out_y, out_x, 2].
Footprints checked_footprints(const Tensor& image, const Tensor& points, const Tensor& reach,
                              const Tensor& inverse, int64_t kernel, double parameter,
                              int64_t support, double slack, int64_t padding) {
  check_tensor(image, "image", 3, ScalarType::Float);
  STD_TORCH_CHECK(points.dim() == 3, "contconv_native: points of a wrong shape");
  Footprints s{};
  Warp& warp = s.warp;
  warp.maps = 1, warp.planes = image.size(0);
  warp.in_y = image.size(1), warp.in_x = image.size(2);
  warp.out_y = points.size(0), warp.out_x = points.size(1);
  check_kernel(warp, kernel, parameter, support, slack, padding);
  warp.is_double = points.scalar_type() == ScalarType::Double;
  const ScalarType type = warp.is_double ? ScalarType::Double : ScalarType::Float;
  check_pixels(points, warp, 3, type);
  check_pixels(reach, warp, 3, type);
  check_pixels(inverse, warp, 4, ScalarType::Float);
  checked_product({warp.planes, warp.out_y, warp.out_x, 4});
  warp.image = image.const_data_ptr<float>();
  s.points = points.const_data_ptr(), s.reach = reach.const_data_ptr();
  s.inverse = inverse.const_data_ptr<float>();
  return s;
}

const float* checked_gradient(const Tensor& grad, const Warp& warp) {
  check_tensor(grad, "grad", 3, ScalarType::Float);
  STD_TORCH_CHECK(grad.size(0) == warp.planes && grad.size(1) == warp.out_y &&
                      grad.size(2) == warp.out_x,
                  "contconv_native: a gradient that does not fit the image");
  return grad.const_data_ptr<float>();
}

template <class T>
double neighbors(const Footprints& s) {
  const T* reach = static_cast<const T*>(s.reach);
  double sum = 0;
  for (int64_t i = 0; i < s.warp.out_y * s.warp.out_x; i++)
    sum += 4 * double(reach[2 * i]) * double(reach[2 * i + 1]);
  return sum;
}

void run(const FootprintSums& s) {
  const FootprintKernels& kernels = *kernels_in_use().footprint;
  const Warp& warp = s.of.warp;
  const double count = warp.is_double ? neighbors<double>(s.of) : neighbors<float>(s.of);
  in_parallel(s.items(), kernels.scratch(s), count * double(warp.planes + 8),
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.run(s, begin, end, scratch);
              });
}

Tensor footprint(const Tensor& image, const Tensor& points, const Tensor& reach,
                 const Tensor& inverse, int64_t kernel, double parameter, int64_t support,
                 double slack, int64_t padding) {
  FootprintSums s{};
  s.of = checked_footprints(image, points, reach, inverse, kernel, parameter, support, slack,
                            padding);
  Warp& warp = s.of.warp;
  Tensor out = empty_strided({warp.planes, warp.out_y, warp.out_x},
                             {warp.out_y * warp.out_x, warp.out_x, 1}, ScalarType::Float);
  if (out.numel() == 0) return out;
  warp.out = out.mutable_data_ptr<float>();
  s.work = FootprintWork::output;
  run(s);
  return out;
}

// A pixel is summed in one band, in the order of the outputs, however many bands there are.
Tensor footprint_image_gradient(const Tensor& grad, const Tensor& image, const Tensor& points,
                                const Tensor& reach, const Tensor& inverse, int64_t kernel,
                                double parameter, int64_t support, double slack,
                                int64_t padding) {
  FootprintSums s{};
  s.of = checked_footprints(image, points, reach, inverse, kernel, parameter, support, slack,
                            padding);
  const Warp& warp = s.of.warp;
  s.grad = checked_gradient(grad, warp);
  Tensor out = empty_strided({warp.planes, warp.in_y, warp.in_x},
                             {warp.in_y * warp.in_x, warp.in_x, 1}, ScalarType::Float);
  if (out.numel() == 0) return out;
  s.image = out.mutable_data_ptr<float>();
  std::memset(s.image, 0, size_t(out.numel()) * sizeof(float));
  if (grad.numel() == 0) return out;
  Tensor totals = empty_strided({warp.out_y, warp.out_x}, {warp.out_x, 1}, ScalarType::Float);
  s.totals = totals.mutable_data_ptr<float>();
  s.work = FootprintWork::totals;
  run(s);
  s.bands = std::clamp<int64_t>(torch::stable::get_num_threads(), 1, warp.in_y);
  s.work = FootprintWork::image;
  run(s);
  return out;
}

// Of the points and of the matrices.
std::tuple<Tensor, Tensor> footprint_place_gradients(
    const Tensor& grad, const Tensor& image, const Tensor& points, const Tensor& reach,
    const Tensor& inverse, int64_t kernel, double parameter, int64_t support, double slack,
    int64_t padding) {
  FootprintSums s{};
  s.of = checked_footprints(image, points, reach, inverse, kernel, parameter, support, slack,
                            padding);
  const Warp& warp = s.of.warp;
  s.grad = checked_gradient(grad, warp);
  Tensor of_points = empty_strided({warp.out_y, warp.out_x, 2}, {2 * warp.out_x, 2, 1},
                                   ScalarType::Float);
  Tensor of_inverse = empty_strided({warp.out_y, warp.out_x, 2, 2}, {4 * warp.out_x, 4, 2, 1},
                                    ScalarType::Float);
  if (of_points.numel() == 0) return {of_points, of_inverse};
  s.points = of_points.mutable_data_ptr<float>();
  s.inverse = of_inverse.mutable_data_ptr<float>();
  s.work = FootprintWork::places;
  run(s);
  return {of_points, of_inverse};
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "footprint(Tensor image, Tensor points, Tensor reach, Tensor inverse, int kernel, "
      "float parameter, int support, float slack, int padding) -> Tensor");
  m.def(
      "footprint_image_gradient(Tensor grad, Tensor image, Tensor points, Tensor reach, "
      "Tensor inverse, int kernel, float parameter, int support, float slack, int padding) "
      "-> Tensor");
  m.def(
      "footprint_place_gradients(Tensor grad, Tensor image, Tensor points, Tensor reach, "
      "Tensor inverse, int kernel, float parameter, int support, float slack, int padding) "
      "-> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("footprint", TORCH_BOX(&contconv::footprint));
  m.impl("footprint_image_gradient", TORCH_BOX(&contconv::footprint_image_gradient));
  m.impl("footprint_place_gradients", TORCH_BOX(&contconv::footprint_place_gradients));
}
