// What a call is made of: plain data, shared by all instruction sets.
#pragma once
#include <cstddef>
#include <cstdint>

// What is compiled for several instruction sets must never be merged by the linker.
#define ALWAYS_INLINE __attribute__((always_inline))

namespace contconv {

// The taps of one axis. An output's taps come first in its row; a source of -1 ends them.
struct Table {
  const int32_t* source;  // [out, taps]
  const float* weight;    // [out, taps, rank]
  int64_t in, out, taps, rank;

  // Whether there is no such axis. One of a single pixel may be read with another weight,
  // or not at all. (Tables without numbers are of a plan.)
  ALWAYS_INLINE bool is_absent() const {
    return taps == 1 && rank == 1 && in == 1 && out == 1 &&
           (source == nullptr || (source[0] == 0 && weight[0] == 1));
  }
};

enum class Type : int32_t { float32, bfloat16 };

// The three orders of the steps of a separable convolution (z, where there is one, is
// resampled right after x).
enum class Order : int32_t {
  expand = 0,    // x, y, head: to shrink
  contract = 1,  // head, x, y: to enlarge
  between = 2,   // x, head, y
  planes = 3,    // x, y, head, the pixels of a row in a vector: for few channels
  depthwise = 4,  // x, y, head, of channels that do not mix; two axes at most
};

// A tensor [n, c, z, y, x], its strides in elements.
struct Strided {
  void* data;
  int64_t n, c, z, y, x;
};

struct Separable {
  Strided image, out;
  Type type;
  int64_t batch, groups;
  int64_t in_channels, out_channels;  // of a group
  Table z, y, x;
  const void* head;  // packed for the order, each group head_bytes further; or prepared
  int64_t head_bytes;
  Order order;
  int64_t bands;  // runs of output rows that are worked on apart

  ALWAYS_INLINE bool is_flat() const { return z.is_absent(); }
  ALWAYS_INLINE int64_t tasks() const { return batch * groups * z.out * bands; }
};

// The head as the product takes it: [depth, columns], in panels (see matmul.h).
struct HeadShape {
  int64_t depth, columns;
};

ALWAYS_INLINE static inline HeadShape head_shape(const Separable& s) {
  const int64_t rank = s.z.rank * s.y.rank * s.x.rank;
  switch (s.order) {
    case Order::expand:
    case Order::planes:
    case Order::depthwise: return {rank * s.in_channels, s.out_channels};
    case Order::contract: return {s.in_channels, rank * s.out_channels};
    default: return {s.z.rank * s.x.rank * s.in_channels, s.y.rank * s.out_channels};
  }
}

struct HeadSums;  // call_backward.h
struct DepthwiseSums;
struct TableSums;
struct PixelwiseKernels;  // call_pixelwise.h
struct Warp;              // call_warp.h
struct WarpGradients;
struct FootprintKernels;  // call_footprint.h
struct Bytes;             // call_bytes.h
struct FinerKernels;      // call_finer.h

// What one instruction set offers. Scratch is of `*_scratch` bytes, 64-byte aligned and
// once set to zero; SIZE_MAX bytes if no machine could hold it.
struct Kernels {
  const char* name;
  int64_t vector;  // floats in a vector
  // Bytes of the packed head of one group.
  size_t (*packed_bytes)(const Separable& s);
  // Panels begin to end of the head[o, c, z, y, x] of a group, contiguous, float32.
  void (*pack)(const Separable& s, const float* head, void* packed, int64_t begin, int64_t end);
  // For Order::planes instead: scratch that holds all that is made of tables and head.
  size_t (*planes_bytes)(const Separable& s);
  void (*prepare_planes)(const Separable& s, const float* head, void* prepared);
  size_t (*separable_scratch)(const Separable& s);
  void (*separable)(const Separable& s, int64_t begin, int64_t end, void* scratch);
  size_t (*head_sums_scratch)(const HeadSums& s);
  void (*head_sums)(const HeadSums& s, int64_t begin, int64_t end, void* scratch);
  size_t (*depthwise_sums_scratch)(const DepthwiseSums& s);
  void (*depthwise_sums)(const DepthwiseSums& s, int64_t begin, int64_t end, void* scratch);
  size_t (*table_sums_scratch)(const TableSums& s);
  void (*table_sums)(const TableSums& s, int64_t begin, int64_t end, void* scratch);
  const PixelwiseKernels* pixelwise;
  size_t (*warp_scratch)(const Warp& s);
  void (*warp)(const Warp& s, int64_t begin, int64_t end, void* scratch);
  size_t (*warp_gradients_scratch)(const WarpGradients& s);
  void (*warp_gradients)(const WarpGradients& s, int64_t begin, int64_t end, void* scratch);
  const FootprintKernels* footprint;
  size_t (*bytes_scratch)(const Bytes& s);
  void (*bytes)(const Bytes& s, int64_t begin, int64_t end, void* scratch);
  const FinerKernels* finer;
};

}  // namespace contconv
