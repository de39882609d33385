// Convolution with a table for each pixel, and its backward pass.
//
// The gradient of the image is the same convolution of the gradient of the output, with
// the neighbors the other way round. The gradient of the head is a sum over outputs, that
// of the table one over channels. Nothing depends on the number of threads.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <tuple>

#include "pixelwise_host.h"

namespace contconv {
namespace {

using torch::stable::Tensor;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Output {
  void* data;
  int64_t n, c, x;  // its pixels lie one after the other
};

// All images, some at a time.
void convolve(const PixelwiseCall& c, const NeighborTable& table, const float* head,
              const Output& out) {
  const Kernels& kernels = kernels_in_use();
  Pixelwise s{};
  s.table = table;
  s.type = c.type;
  s.groups = c.groups, s.in_channels = c.in_channels, s.out_channels = c.out_channels;
  s.depthwise = c.is_depthwise();
  s.by_rank = !s.depthwise && is_by_rank(c.in_channels, table.rank, c.is_last);
  s.chunks = ceil_div(table.outputs, CHUNK_PIXELS);
  std::vector<float> each;
  if (s.depthwise) {
    each = depthwise_head(head, c.groups, table.rank);
    s.head = each.data();
  } else {
    const Separable packed =
        packed_head(head, c.groups, c.out_channels, c.in_channels, table.rank, s.by_rank);
    s.head = packed.head, s.head_bytes = packed.head_bytes;
  }
  const int64_t some = c.some();
  for (s.first = 0; s.first < c.batch; s.first += some) {
    s.batch = std::min(some, c.batch - s.first);
    const Staged staged(c, s.first, s.batch, s.by_rank);
    s.from = staged.field;
    const int64_t size = c.type == Type::float32 ? 4 : 2;
    s.to = {reinterpret_cast<float*>(static_cast<char*>(out.data) + s.first * out.n * size), out.n,
            out.x, out.c};
    const double adds = double(s.batch) * double(c.groups) * double(table.outputs) *
                        double(table.rank) * double(c.in_channels) *
                        double(table.taps + c.out_channels);
    in_parallel(s.items(), kernels.pixelwise->forward_scratch(s), adds,
                [&](int64_t begin, int64_t end, void* scratch) {
                  kernels.pixelwise->forward(s, begin, end, scratch);
                });
  }
}

Output output_of(const Tensor& out) {
  const Strided s = strided(out);
  return {s.data, s.n, s.c, s.x};
}

Tensor pixelwise(const Tensor& image, const Tensor& head, const Tensor& z_source,
                 const Tensor& z_phase, const Tensor& y_source, const Tensor& y_phase,
                 const Tensor& x_source, const Tensor& x_phase, const Tensor& table,
                 const std::vector<int64_t> shape, int64_t groups) {
  const PixelwiseCall c = checked_pixelwise(image, head, z_source, z_phase, y_source, y_phase,
                                            x_source, x_phase, table, shape, groups);
  Tensor out = empty_like_layout(image, head.size(0), {c.shape[0], c.shape[1], c.shape[2]});
  if (out.numel() > 0) convolve(c, c.table, c.head, output_of(out));
  return out;
}

// The gradient as an image of the convolution that leads to that of the image: of
// channels and pixels exchanged.
PixelwiseCall adjoint(const PixelwiseCall& c, const Tensor& grad) {
  PixelwiseCall back = c;
  back.image = strided(grad);
  std::swap(back.in_channels, back.out_channels);
  back.z = c.shape[0], back.y = c.shape[1], back.x = c.shape[2];
  back.is_last = is_channels_last(grad);
  return back;
}

// The head[group o, c, rank] as [group c, o, rank], or [group c rank, o] if `turned`.
std::vector<float> exchanged(const PixelwiseCall& call, bool turned) {
  const int64_t rank = call.table.rank, o = call.out_channels, c = call.in_channels;
  std::vector<float> to(call.groups * o * c * rank);
  for (int64_t g = 0; g < call.groups; g++)
    for (int64_t i = 0; i < c; i++)
      for (int64_t j = 0; j < o; j++)
        for (int64_t r = 0; r < rank; r++) {
          const float* from = call.head + (((g * o + j) * c + i) * rank + r);
          to[turned ? ((g * c + i) * rank + r) * o + j : ((g * c + i) * o + j) * rank + r] = *from;
        }
  return to;
}

// Items of work that depend on the sizes alone: enough for many threads, their sums small.
void divide(PixelwiseHead& h, int64_t pixels, int64_t vector) {
  constexpr int64_t items = 16, most_sums = int64_t(1) << 20, block_sums = 192 * 1024;
  const int64_t outs = h.depthwise ? h.groups : h.out_channels, groups = h.depthwise ? 1 : h.groups;
  h.columns = ceil_div(outs, vector) * vector;
  const int64_t a_channel = checked_product({h.table.rank, h.columns});
  const int64_t in_cache = std::max<int64_t>(1, block_sums / a_channel);
  const int64_t few = std::max<int64_t>(std::min<int64_t>(in_cache, 32), h.in_channels / 4);
  h.block = std::min({few, in_cache, h.in_channels});
  if (h.block < h.in_channels && h.block > vector) h.block = h.block / vector * vector;
  h.blocks = ceil_div(h.in_channels, h.block);
  const int64_t each = checked_product({groups, h.group_numbers()});
  const int64_t most = std::min(most_sums / each, pixels / 768);
  h.parts = 1;
  while (2 * h.parts <= most && groups * h.blocks * h.parts < items) h.parts *= 2;
}

// The sums of all parts, added in their order, to head[group o, c, rank].
void add_parts(const PixelwiseHead& h, float* head) {
  const int64_t rank = h.table.rank;
  if (h.depthwise) {
    std::fill_n(head, h.groups * rank, 0.0f);
    for (int64_t p = 0; p < h.parts; p++)
      for (int64_t r = 0; r < rank; r++)
        for (int64_t c = 0; c < h.groups; c++)
          head[c * rank + r] += h.sums[(p * rank + r) * h.columns + c];
    return;
  }
  torch::stable::parallel_for(0, h.groups * h.in_channels, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(h.columns);
    for (int64_t i = begin; i < end; i++) {
      const int64_t g = i / h.in_channels, c = i % h.in_channels, first = c / h.block * h.block;
      const int64_t width = std::min(h.block, h.in_channels - first);
      for (int64_t r = 0; r < rank; r++) {
        const int64_t row = h.by_rank ? c * rank + r : first * rank + r * width + c - first;
        const float* part = h.sums + g * h.parts * h.group_numbers() + row * h.columns;
        std::copy_n(part, h.columns, sum.data());
        for (int64_t p = 1; p < h.parts; p++) {
          part += h.group_numbers();
          for (int64_t o = 0; o < h.columns; o++) sum[o] += part[o];
        }
        for (int64_t o = 0; o < h.out_channels; o++)
          head[((g * h.out_channels + o) * h.in_channels + c) * rank + r] = sum[o];
      }
    }
  });
}

// The gradients of head and table: sums over some images after the other.
class Sums {
 public:
  Sums(const PixelwiseCall& call, const Tensor& grad, float* to_head, float* to_table,
       int64_t table_numbers)
      : c(call), back(adjoint(call, grad)), head(to_head), table(to_table) {
    const Kernels& kernels = kernels_in_use();
    h.table = t.table = c.table;
    h.depthwise = t.depthwise = c.is_depthwise();
    h.groups = t.groups = c.groups;
    h.in_channels = t.in_channels = c.in_channels;
    h.out_channels = t.out_channels = c.out_channels;
    if (head) {
      h.by_rank = !h.depthwise && is_by_rank(c.in_channels, c.table.rank, c.is_last);
      divide(h, c.batch * c.table.outputs, kernels.vector);
      head_sums = empty_strided({checked_product({h.depthwise ? 1 : h.groups, h.parts, h.group_numbers(), 4}) / 4},
                                {1}, ScalarType::Float);
      h.sums = head_sums.mutable_data_ptr<float>();
    }
    if (table) {
      const bool shares = shares_table(c.table);
      const int64_t most = std::max<int64_t>(1, (int64_t(1) << 20) / std::max<int64_t>(1, table_numbers));
      t.parts = shares ? std::min({int64_t(16), most, ceil_div(c.table.outputs, 16)})
                       : ceil_div(c.table.outputs, CHUNK_PIXELS);
      t.numbers = shares ? table_numbers : 0;
      numbers = table_numbers;
      const int64_t all = shares ? checked_product({t.parts, numbers, 4}) / 4 : 0;
      if (shares) table_sums = empty_strided({all}, {1}, ScalarType::Float);
      t.sums = shares ? table_sums.mutable_data_ptr<float>() : table;
      std::fill_n(t.sums, shares ? all : numbers, 0.0f);
    }
  }

  void add() {
    std::vector<float> turned;
    if (table)
      turned = t.depthwise ? depthwise_head(c.head, c.groups, c.table.rank) : exchanged(c, true);
    const int64_t some = c.some();
    for (int64_t first = 0; first < c.batch; first += some) {
      const int64_t count = std::min(some, c.batch - first);
      const Staged grad(back, first, count, false);
      h.first = t.first = first, h.batch = t.batch = count;
      h.grad = t.grad = grad.field;
      if (head) {
        const Staged image(c, first, count, h.by_rank);
        h.from = image.field;
        h.adds = first > 0;
        run_head();
      }
      if (table) {
        const Staged image(c, first, count, false);
        t.from = image.field;
        run_table(turned.data());
      }
    }
    if (head) add_parts(h, head);
    if (!table || t.numbers == 0) return;
    sum_parts(t.sums, t.parts, numbers, table);
  }

 private:
  double products() const {
    return double(h.batch) * double(c.groups) * double(c.table.outputs) * double(c.in_channels) *
           double(c.table.rank) * double(c.out_channels + c.table.taps);
  }

  void run_head() {
    const PixelwiseKernels& own = *kernels_in_use().pixelwise;
    in_parallel(h.items(), own.head_scratch(h), products(),
                [&](int64_t begin, int64_t end, void* scratch) { own.head(h, begin, end, scratch); });
  }

  void run_table(const float* turned) {
    const PixelwiseKernels& own = *kernels_in_use().pixelwise;
    t.head = turned;
    if (!t.depthwise) {
      const Separable packed =
          packed_head(turned, c.groups, c.in_channels * c.table.rank, c.out_channels, 1, true);
      t.head = packed.head, t.head_bytes = packed.head_bytes;
    }
    in_parallel(t.parts, own.table_scratch(t), products(),
                [&](int64_t begin, int64_t end, void* scratch) { own.table(t, begin, end, scratch); });
  }

  const PixelwiseCall& c;
  const PixelwiseCall back;
  float *head, *table;
  int64_t numbers = 0;
  PixelwiseHead h{};
  PixelwiseTable t{};
  Tensor head_sums = empty_strided({0}, {1}, ScalarType::Float);
  Tensor table_sums = empty_strided({0}, {1}, ScalarType::Float);
};

// The gradients of image, head and table; empty where not wanted.
std::tuple<Tensor, Tensor, Tensor> pixelwise_backward(
    const Tensor& grad, const Tensor& image, const Tensor& head, const Tensor& z_source,
    const Tensor& z_phase, const Tensor& y_source, const Tensor& y_phase, const Tensor& x_source,
    const Tensor& x_phase, const Tensor& table, const std::vector<int64_t> shape, int64_t groups,
    bool wants_image, bool wants_head, bool wants_table) {
  const PixelwiseCall c = checked_pixelwise(image, head, z_source, z_phase, y_source, y_phase,
                                            x_source, x_phase, table, shape, groups);
  bool fits = grad.is_cpu() && grad.dim() == image.dim() &&
              grad.scalar_type() == image.scalar_type() && grad.size(0) == image.size(0) &&
              grad.size(1) == head.size(0);
  for (int64_t i = 2; fits && i < grad.dim(); i++) fits = grad.size(i) == shape[i - 2];
  STD_TORCH_CHECK(fits, "contconv_native: a gradient that does not fit the output");
  const bool empty = grad.numel() == 0 || image.numel() == 0;
  const auto none = [] { return empty_strided({0}, {1}, ScalarType::Float); };
  Tensor to_image = none(), to_head = none(), to_table = none();
  if (wants_image) {
    to_image = empty_like_layout(image, image.size(1), {c.z, c.y, c.x});
    if (empty) {
      torch::stable::zero_(to_image);
    } else {
      const Reversed back = reversed(c.table, c.batch);
      convolve(adjoint(c, grad), back.table, exchanged(c, false).data(), output_of(to_image));
    }
  }
  if (wants_head)
    to_head = empty_strided({head.size(0), head.size(1), head.size(2)},
                            {head.size(1) * head.size(2), head.size(2), 1}, ScalarType::Float);
  if (wants_table)
    to_table = empty_strided({table.size(0), table.size(1), table.size(2)},
                             {table.size(1) * table.size(2), table.size(2), 1}, ScalarType::Float);
  if (empty) {
    if (wants_head) torch::stable::zero_(to_head);
    if (wants_table) torch::stable::zero_(to_table);
  } else if (wants_head || wants_table) {
    Sums(c, grad, wants_head ? to_head.mutable_data_ptr<float>() : nullptr,
         wants_table ? to_table.mutable_data_ptr<float>() : nullptr, table.numel()).add();
  }
  return {to_image, to_head, to_table};
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "pixelwise(Tensor image, Tensor head, Tensor z_source, Tensor z_phase, Tensor y_source, "
      "Tensor y_phase, Tensor x_source, Tensor x_phase, Tensor table, SymInt[] shape, int groups) "
      "-> Tensor");
  m.def(
      "pixelwise_backward(Tensor grad, Tensor image, Tensor head, Tensor z_source, Tensor z_phase, "
      "Tensor y_source, Tensor y_phase, Tensor x_source, Tensor x_phase, Tensor table, "
      "SymInt[] shape, int groups, bool wants_image, bool wants_head, bool wants_table) "
      "-> (Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("pixelwise", TORCH_BOX(&contconv::pixelwise));
  m.impl("pixelwise_backward", TORCH_BOX(&contconv::pixelwise_backward));
}
