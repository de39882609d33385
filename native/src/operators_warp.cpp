// Warps: the operator, its arguments checked, its rows shared among the threads.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <tuple>

#include "arguments.h"
#include "instruction_sets.h"
#include "parallel.h"
#include "warp_arguments.h"

namespace contconv {
namespace {

// Planes [maps, planes, y, x] through matrices [maps, 2 or 3, 3] or displacements [maps,
// out_y, out_x, 2].
Warp checked_warp(const Tensor& image, const Tensor& map, int64_t out_y, int64_t out_x,
                  int64_t kernel, double parameter, int64_t support, double slack,
                  int64_t padding) {
  check_tensor(image, "image", 4, ScalarType::Float);
  STD_TORCH_CHECK(map.is_cpu() && map.is_contiguous() && (map.dim() == 3 || map.dim() == 4) &&
                      (map.scalar_type() == ScalarType::Float ||
                       map.scalar_type() == ScalarType::Double) &&
                      map.size(0) == image.size(0),
                  "contconv_native: maps that do not fit the image");
  Warp s{};
  s.is_double = map.scalar_type() == ScalarType::Double;
  s.maps = image.size(0), s.planes = image.size(1);
  s.in_y = image.size(2), s.in_x = image.size(3);
  s.out_y = out_y, s.out_x = out_x;
  s.rows = map.dim() == 3 ? map.size(1) : 0;
  STD_TORCH_CHECK(s.rows ? map.size(2) == 3 && (s.rows == 2 || s.rows == 3)
                         : map.size(1) == out_y && map.size(2) == out_x && map.size(3) == 2,
                  "contconv_native: maps of a wrong shape");
  check_kernel(s, kernel, parameter, support, slack, padding);
  STD_TORCH_CHECK(s.taps() <= 8, "contconv_native: a warp by a kernel of ", support);
  s.image = image.const_data_ptr<float>();
  s.map = map.const_data_ptr();
  const int64_t plane = checked_product({out_y, out_x});
  checked_product({s.maps, s.planes, plane, 4});
  return s;
}

Tensor warp(const Tensor& image, const Tensor& map, int64_t out_y, int64_t out_x, int64_t kernel,
            double parameter, int64_t support, double slack, int64_t padding) {
  Warp s = checked_warp(image, map, out_y, out_x, kernel, parameter, support, slack, padding);
  const int64_t plane = out_y * out_x;
  Tensor out = empty_strided({s.maps, s.planes, out_y, out_x}, {s.planes * plane, plane, out_x, 1},
                             ScalarType::Float);
  if (out.numel() == 0) return out;
  s.out = out.mutable_data_ptr<float>();
  const Kernels& kernels = kernels_in_use();
  const double adds = double(out.numel()) * double(s.taps() * s.taps());
  in_parallel(s.items(), kernels.warp_scratch(s), adds,
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.warp(s, begin, end, scratch);
              });
  return out;
}

void run_gradients(const WarpGradients& s, int64_t items) {
  const Kernels& kernels = kernels_in_use();
  const Warp& warp = s.warp;
  const double numbers = double(warp.maps * warp.planes) * double(warp.out_y * warp.out_x);
  in_parallel(items, kernels.warp_gradients_scratch(s),
              numbers * double(warp.taps() * warp.taps()),
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.warp_gradients(s, begin, end, scratch);
              });
}

// The gradients of image and places, empty where they are not wanted. A pixel of the image
// is summed in one band, in the order of the outputs, however many bands there are.
std::tuple<Tensor, Tensor> warp_backward(const Tensor& grad, const Tensor& image,
                                         const Tensor& map, int64_t kernel, double parameter,
                                         int64_t support, double slack, int64_t padding,
                                         bool for_image, bool for_places) {
  check_tensor(grad, "grad", 4, ScalarType::Float);
  WarpGradients s{};
  s.warp = checked_warp(image, map, grad.size(2), grad.size(3), kernel, parameter, support, slack,
                        padding);
  const Warp& warp = s.warp;
  STD_TORCH_CHECK(grad.size(0) == warp.maps && grad.size(1) == warp.planes,
                  "contconv_native: a gradient that does not fit the image");
  const int64_t in = warp.in_y * warp.in_x, out = warp.out_y * warp.out_x;
  const int64_t maps = for_image ? warp.maps : 0, views = for_places ? warp.maps : 0;
  Tensor of_image = empty_strided({maps, warp.planes, warp.in_y, warp.in_x},
                                  {warp.planes * in, in, warp.in_x, 1}, ScalarType::Float);
  Tensor of_places = empty_strided({views, warp.out_y, warp.out_x, 2},
                                   {2 * out, 2 * warp.out_x, 2, 1}, ScalarType::Float);
  s.grad = grad.const_data_ptr<float>();
  if (of_image.numel() > 0) {
    s.image = of_image.mutable_data_ptr<float>();
    std::memset(s.image, 0, size_t(of_image.numel()) * sizeof(float));
    const int64_t threads = torch::stable::get_num_threads();
    s.bands = std::clamp<int64_t>((threads + warp.maps - 1) / warp.maps, 1, warp.in_y);
    run_gradients(s, warp.maps * s.bands);
  }
  if (of_places.numel() > 0) {
    s.image = nullptr;
    s.places = of_places.mutable_data_ptr<float>();
    run_gradients(s, warp.items());
  }
  return {of_image, of_places};
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "warp(Tensor image, Tensor map, int out_y, int out_x, int kernel, float parameter, "
      "int support, float slack, int padding) -> Tensor");
  m.def(
      "warp_backward(Tensor grad, Tensor image, Tensor map, int kernel, float parameter, "
      "int support, float slack, int padding, bool for_image, bool for_places) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("warp", TORCH_BOX(&contconv::warp));
  m.impl("warp_backward", TORCH_BOX(&contconv::warp_backward));
}
