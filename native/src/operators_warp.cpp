// Warps: the operator, its arguments checked, its rows shared among the threads.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "arguments.h"
#include "call_warp.h"
#include "instruction_sets.h"
#include "parallel.h"

namespace contconv {
namespace {

// Planes [maps, planes, y, x] through matrices [maps, 2 or 3, 3] or displacements [maps,
// out_y, out_x, 2].
Tensor warp(const Tensor& image, const Tensor& map, int64_t out_y, int64_t out_x, int64_t kernel,
            double parameter, int64_t support, double slack, int64_t padding) {
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
  s.kernel = Classical(kernel);
  s.parameter = parameter, s.support = support, s.slack = slack;
  s.padding = Padding(padding);
  STD_TORCH_CHECK(out_y >= 0 && out_x >= 0 && kernel >= 0 && kernel <= 3 && padding >= 0 &&
                      padding <= 4 && support > 0 && s.taps() <= 8 && s.in_y > 0 && s.in_x > 0,
                  "contconv_native: a warp of ", s.in_y, " x ", s.in_x, " to ", out_y, " x ",
                  out_x, " pixels by a kernel of ", support);
  const int64_t plane = checked_product({out_y, out_x});
  const int64_t all = checked_product({s.planes, plane});
  checked_product({s.maps, all, 4});
  Tensor out = empty_strided({s.maps, s.planes, out_y, out_x}, {all, plane, out_x, 1},
                             ScalarType::Float);
  if (out.numel() == 0) return out;
  s.image = image.const_data_ptr<float>();
  s.map = map.const_data_ptr();
  s.out = out.mutable_data_ptr<float>();
  const Kernels& kernels = kernels_in_use();
  const double adds = double(out.numel()) * double(s.taps() * s.taps());
  in_parallel(s.items(), kernels.warp_scratch(s), adds,
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.warp(s, begin, end, scratch);
              });
  return out;
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "warp(Tensor image, Tensor map, int out_y, int out_x, int kernel, float parameter, "
      "int support, float slack, int padding) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) { m.impl("warp", TORCH_BOX(&contconv::warp)); }
