// What an activation at a finer sampling is made of: rows are enlarged, activated and made
// small again, a few at a time. Plain data.
#pragma once
#include "call.h"

namespace contconv {

enum class Activation : int32_t {
  relu = 0,
  leaky_relu = 1,
  gelu = 2,
  gelu_tanh = 3,
  silu = 4,
  tanh = 5,
  sigmoid = 6,
};

// The taps of the outputs of an axis, one after the other. Outputs of the periods `first`
// to before `last` have the weights of those one period before, and sources `step` further.
struct Filter {
  const int32_t* begin;   // [out + 1]
  const int32_t* source;  // within the input
  const float* weight;
  int64_t in, out, period, step, first, last;
};

// What is done for a row, in this order: rows are held in slots, and taps are those slots.
enum class Work : int32_t {
  read_image,     // into a slot
  read_gradient,  // into a slot
  make,           // a row of the fine pixels, activated, made small along x, into a slot
  write,          // a row of the output
};

struct Step {
  Work work;
  int32_t row, slot;
  int32_t begin[2], count[2];  // taps: of the image or of rows made; of the gradient
};

// Forward: `rise` enlarges the image and `fall` makes it small. Backward: `back` carries
// the gradient to the fine pixels, and `fall` is the adjoint of `rise`.
struct Finer {
  Strided image, gradient, out;
  Type type;
  int64_t batch, channels;
  Filter rise, fall, back;
  const Step* steps;
  const int64_t* band_begin;  // [bands + 1], of the steps
  int64_t bands;
  const int32_t* slot;  // of the taps
  const float* weight;
  int64_t image_rows, gradient_rows, fine_rows;  // that are held
  Activation activation;
  float parameter;  // the slope of a leaky ReLU

  // Tasks are (block of channels that fill a vector, band).
  ALWAYS_INLINE int64_t tasks(int64_t vector) const {
    return batch * ((channels + vector - 1) / vector) * bands;
  }
};

struct FinerKernels {
  size_t (*forward_scratch)(const Finer& s);
  void (*forward)(const Finer& s, int64_t begin, int64_t end, void* scratch);
  size_t (*backward_scratch)(const Finer& s);
  void (*backward)(const Finer& s, int64_t begin, int64_t end, void* scratch);
};

}  // namespace contconv
