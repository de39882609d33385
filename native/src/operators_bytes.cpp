// Images of bytes: an axis resampled and rounded, its rows shared among the threads.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "arguments.h"
#include "call_bytes.h"
#include "instruction_sets.h"
#include "parallel.h"

namespace contconv {
namespace {

// Numbers of a line that are held in float32, for each lane of a vector: 128 kB with 16.
constexpr int64_t HELD = 2048;
// And at most, where so many lie under a single output.
constexpr int64_t MOST_HELD = 1 << 14;

// The weights in single precision, and by how much sums of bytes with them may be wrong.
struct Rough {
  std::vector<float> weight, doubt;
};

Rough rough_weights(const Bytes& s, bool whole) {
  Rough to{std::vector<float>(size_t(s.out_size * s.taps)), std::vector<float>(size_t(s.out_size))};
  for (int64_t o = 0; o < s.out_size; o++) {
    double total = 0;
    for (int64_t t = 0; t < s.taps; t++) {
      const double weight = s.weight[o * s.taps + t];
      to.weight[size_t(o * s.taps + t)] = float(weight);
      total += std::fabs(weight);
    }
    STD_TORCH_CHECK(std::isfinite(total) && (!whole || 255 * total < double(1 << 24)),
                    "contconv_native: weights of bytes that are not finite, or too large");
    // A weight is rounded once, and a sum at each of its steps, in two runs of half the taps.
    const double wrong = std::ldexp(255 * total * (double(s.taps) / 2 + 4) + 256, -24);
    // What may be wrong by more is always summed in double precision.
    to.doubt[size_t(o)] = whole ? 0.0f : wrong < 0.2 ? float(wrong) : 2.0f;
  }
  return to;
}

// Outputs that are worked on together, and the pixels under them.
void set_chunks(Bytes& s) {
  const int64_t last = s.out_size - 1;
  const int64_t step = last > 0 ? (s.first[last] - s.first[0]) / last + 1 : 1;
  s.chunk = std::clamp<int64_t>((HELD / s.inner - s.taps) / step, 1, s.out_size);
  s.range = 0;
  for (int64_t begin = 0; begin < s.out_size; begin += s.chunk) {
    const int64_t end = std::min(begin + s.chunk, s.out_size) - 1;
    s.range = std::max(s.range, s.first[end] - s.first[begin] + s.taps);
  }
  STD_TORCH_CHECK(s.range <= 2 * MOST_HELD / s.inner,
                  "contconv_native: outputs of bytes that lie unevenly");
}

void check_first(const Bytes& s) {
  constexpr int64_t far = int64_t(1) << 60;
  int64_t before = -far;
  bool fits = true;
  for (int64_t o = 0; o < s.out_size; o++) {
    fits &= s.first[o] >= before && s.first[o] < far;
    before = s.first[o];
  }
  STD_TORCH_CHECK(fits, "contconv_native: first pixels that are far away, or go back");
}

// Whole weights, to be divided by `over`; any weights if that is 0.
Tensor resample_bytes(const Tensor& image, const Tensor& first, const Tensor& weight, int64_t dim,
                      int64_t over, int64_t padding) {
  check_tensor(image, "image", image.dim(), ScalarType::Byte);
  check_tensor(first, "first", 1, ScalarType::Long);
  check_tensor(weight, "weight", 2, ScalarType::Double);
  STD_TORCH_CHECK(image.dim() >= 1 && image.dim() <= 8 && dim >= 0 && dim < image.dim() &&
                      image.size(dim) > 0 && first.size(0) == weight.size(0) &&
                      weight.size(1) > 0 && over >= 0 && padding >= 0 && padding <= 4,
                  "contconv_native: an axis of bytes that does not fit its weights");
  Bytes s{};
  s.in = image.size(dim), s.out_size = first.size(0), s.taps = weight.size(1);
  s.before = s.inner = 1;
  int64_t sizes[8], strides[8], step = 1;
  for (int64_t i = image.dim() - 1; i >= 0; i--) {
    sizes[i] = i == dim ? s.out_size : image.size(i);
    strides[i] = step;
    step = checked_product({step, std::max<int64_t>(1, sizes[i])});
    if (i != dim) (i < dim ? s.before : s.inner) *= sizes[i];
  }
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      image.dim(), sizes, strides,
      torch::stable::detail::to<int32_t>(torch::stable::detail::from(ScalarType::Byte)),
      aoti_torch_device_type_cpu(), -1, &handle));
  Tensor out(handle);
  if (out.numel() == 0) return out;
  s.image = image.const_data_ptr<uint8_t>();
  s.out = out.mutable_data_ptr<uint8_t>();
  s.first = first.const_data_ptr<int64_t>();
  s.weight = weight.const_data_ptr<double>();
  s.padding = Padding(padding);
  const Rough rough = rough_weights(s, over > 0);
  s.rough = rough.weight.data(), s.doubt = rough.doubt.data();
  s.inverse = over > 0 ? 1 / float(over) : 1.0f;
  s.nudge = over > 0 ? 1 / (4 * float(over)) : 0.0f;  // halves go up
  check_first(s);
  const Kernels& kernels = kernels_in_use();
  s.fills = s.inner >= kernels.vector;
  s.chunk = s.out_size;
  if (!s.fills) {
    STD_TORCH_CHECK(s.taps <= MOST_HELD / s.inner, "contconv_native: ", s.taps,
                    " pixels of bytes under an output");
    set_chunks(s);
  }
  const double adds = double(out.numel()) * double(s.taps);
  in_parallel(s.items(kernels.vector), kernels.bytes_scratch(s), adds,
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.bytes(s, begin, end, scratch);
              });
  return out;
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "resample_bytes(Tensor image, Tensor first, Tensor weight, int dim, int over, int padding) "
      "-> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("resample_bytes", TORCH_BOX(&contconv::resample_bytes));
}
