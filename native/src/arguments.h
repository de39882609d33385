// Arguments of the operators, checked: no call may read or write where it must not.
#pragma once
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/util/Exception.h>

#include <initializer_list>

#include "call.h"

#ifndef STABLE_TORCH_ERROR_CODE_CHECK  // before PyTorch 2.13
#define STABLE_TORCH_ERROR_CODE_CHECK TORCH_ERROR_CODE_CHECK
#endif

namespace contconv {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline int64_t checked_product(std::initializer_list<int64_t> numbers) {
  int64_t out = 1;
  bool over = false;
  for (int64_t number : numbers) over |= __builtin_mul_overflow(out, number, &out);
  STD_TORCH_CHECK(!over, "contconv_native: sizes beyond 64 bits");
  return out;
}

inline void check_tensor(const Tensor& tensor, const char* name, int64_t dim, ScalarType type) {
  STD_TORCH_CHECK(tensor.is_cpu() && tensor.dim() == dim && tensor.scalar_type() == type &&
                      tensor.is_contiguous(),
                  "contconv_native: ", name, " has to be contiguous on the CPU, with ", dim,
                  " dimensions and the right dtype");
}

inline Type checked_type(const Tensor& image) {
  const ScalarType type = image.scalar_type();
  STD_TORCH_CHECK(type == ScalarType::Float || type == ScalarType::BFloat16,
                  "contconv_native: the image has to be float32 or bfloat16");
  return type == ScalarType::Float ? Type::float32 : Type::bfloat16;
}

// Sources within the image, those of -1 last.
inline Table checked_table(const Tensor& source, const Tensor& weight, int64_t in,
                           const char* axis) {
  check_tensor(source, "source", 2, ScalarType::Int);
  check_tensor(weight, "weight", 3, ScalarType::Float);
  const Table table{source.const_data_ptr<int32_t>(), weight.const_data_ptr<float>(), in,
                    source.size(0), source.size(1), weight.size(2)};
  STD_TORCH_CHECK(weight.size(0) == table.out && weight.size(1) == table.taps &&
                      table.taps > 0 && table.rank > 0,
                  "contconv_native: the weights of ", axis, " do not fit its sources");
  const int64_t count = table.out * table.taps;
  int32_t most = -1, least = 0;
  for (int64_t i = 0; i < count; i++) {
    most = table.source[i] > most ? table.source[i] : most;
    least = table.source[i] < least ? table.source[i] : least;
  }
  STD_TORCH_CHECK(most < in && least >= -1, "contconv_native: a source of ", axis,
                  " outside of its ", in, " pixels");
  bool ended = false;
  for (int64_t o = 0; o < table.out; o++)
    for (int64_t t = 1; t < table.taps; t++)
      ended |= table.source[o * table.taps + t - 1] < 0 && table.source[o * table.taps + t] >= 0;
  STD_TORCH_CHECK(!ended, "contconv_native: a source of ", axis, " behind one of -1");
  return table;
}

inline Tensor empty_strided(std::initializer_list<int64_t> sizes,
                            std::initializer_list<int64_t> strides, ScalarType type) {
  AtenTensorHandle out;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      int64_t(sizes.size()), sizes.begin(), strides.begin(),
      torch::stable::detail::to<int32_t>(torch::stable::detail::from(type)),
      aoti_torch_device_type_cpu(), -1, &out));
  return Tensor(out);
}

// Whether the channels of a pixel lie beside each other, and need not.
inline bool is_channels_last(const Tensor& image) {
  return image.dim() > 3 && image.size(1) > 1 && image.stride(1) == 1 && !image.is_contiguous();
}

// A new output, channels-last if the image is.
inline Tensor empty_like_layout(const Tensor& image, int64_t channels,
                                std::initializer_list<int64_t> zyx) {
  const int64_t ndim = image.dim() - 2;
  const int64_t* out = zyx.begin() + 3 - ndim;
  int64_t sizes[5] = {image.size(0), channels}, strides[5];
  for (int64_t i = 0; i < ndim; i++) sizes[2 + i] = out[i];
  checked_product({sizes[0], channels, zyx.begin()[0], zyx.begin()[1], zyx.begin()[2], 4});
  const bool last = is_channels_last(image);
  int64_t step = last ? channels : 1;
  for (int64_t i = ndim + 1; i > 1; i--) {
    strides[i] = step;
    step *= sizes[i];
  }
  strides[1] = last ? 1 : step;
  strides[0] = last ? step : step * channels;
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      ndim + 2, sizes, strides,
      torch::stable::detail::to<int32_t>(torch::stable::detail::from(image.scalar_type())),
      aoti_torch_device_type_cpu(), -1, &handle));
  return Tensor(handle);
}

inline Strided strided(const Tensor& image) {
  const int64_t ndim = image.dim() - 2;
  return {const_cast<void*>(image.const_data_ptr()),
          image.stride(0),
          image.stride(1),
          ndim > 2 ? image.stride(2) : 0,
          ndim > 1 ? image.stride(ndim) : 0,
          image.stride(ndim + 1)};
}

}  // namespace contconv
