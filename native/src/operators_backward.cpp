// The backward pass of separable convolution.
//
// The gradient of the image is a separable convolution of the gradient of the output, by
// the transposed tables and the head with its channels exchanged. The gradient of the
// head is a sum over pixels: of the output, where the image is resampled to them, or of
// the image, where the gradient is. Nothing depends on the number of threads.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "arguments.h"
#include "call_backward.h"
#include "instruction_sets.h"
#include "parallel.h"
#include "plan.h"
#include "separable.h"

namespace contconv {
namespace {

using torch::stable::Tensor;

// The outputs of each input pixel, in order, and the weights that they give it.
struct Transposed {
  std::vector<int32_t> source;
  std::vector<float> weight;
  Table table;
};

// How many outputs the input pixel with the most of them has.
int64_t most_outputs(const Table& t) {
  std::vector<int64_t> count(t.in), last(t.in, -1);
  int64_t most = 1;
  for (int64_t i = 0; i < t.out * t.taps; i++) {
    const int64_t from = t.source[i], o = i / t.taps;
    if (from < 0 || last[from] == o) continue;
    last[from] = o;
    most = std::max(most, ++count[from]);
  }
  return most;
}

// The transposed table is not sparse where some pixels stand for many others.
bool is_lopsided(const Table& t) {
  return double(most_outputs(t)) * double(t.in) > 8.0 * double(t.out) * double(t.taps) + 4096;
}

Transposed transposed(const Table& t) {
  const int64_t taps = most_outputs(t), rank = t.rank;
  STD_TORCH_CHECK(t.out < (int64_t(1) << 31), "contconv_native: an axis of ", t.out, " pixels");
  Transposed to;
  to.source.assign(checked_product({t.in, taps}), -1);
  to.weight.assign(checked_product({t.in, taps, rank}), 0.0f);
  std::vector<int64_t> count(t.in);
  for (int64_t i = 0; i < t.out * t.taps; i++) {
    const int64_t from = t.source[i], o = i / t.taps;
    if (from < 0) continue;
    int64_t at = from * taps + count[from];
    if (count[from] > 0 && to.source[at - 1] == o)
      at--;
    else
      count[from]++;
    to.source[at] = int32_t(o);
    for (int64_t r = 0; r < rank; r++) to.weight[at * rank + r] += t.weight[i * rank + r];
  }
  to.table = {to.source.data(), to.weight.data(), t.out, t.in, taps, rank};
  return to;
}

struct Backward {
  Strided grad, image;
  Separable s;  // but for image, out, head and order
  const float* head;
  Transposed z, y, x;
};

// The head with its channels exchanged: [group c, o, rank].
std::vector<float> exchanged(const Separable& s, const float* head) {
  const int64_t rank = s.z.rank * s.y.rank * s.x.rank, o = s.out_channels, c = s.in_channels;
  std::vector<float> to(s.groups * o * c * rank);
  for (int64_t g = 0; g < s.groups; g++)
    for (int64_t i = 0; i < c; i++)
      for (int64_t j = 0; j < o; j++)
        std::copy_n(head + ((g * o + j) * c + i) * rank, rank,
                    to.data() + ((g * c + i) * o + j) * rank);
  return to;
}

// The convolution that leads from the gradient of the output to that of the image.
Separable adjoint(const Backward& b) {
  Separable s = b.s;
  s.image = b.grad;
  std::swap(s.in_channels, s.out_channels);
  s.z = b.z.table, s.y = b.y.table, s.x = b.x.table;
  return s;
}

// What a pixel of the resampled image takes, roughly, in multiply-adds of the product.
double head_cost(const Separable& s) {
  const double inner = double(s.in_channels) * double(s.x.rank) * double(s.z.rank);
  const double pixels = double(s.z.out) * double(s.y.out) * double(s.x.out);
  return pixels * inner * double(s.y.rank) * (double(s.out_channels) + 3 * double(s.y.taps));
}

// Items of work: enough for many threads, and few enough that their sums stay small, and
// little beside the products. Blocks need no sums of their own, but read `to` once more.
void divide(HeadSums& h, int64_t vector) {
  constexpr int64_t items = 16, most_sums = int64_t(1) << 20, block_sums = 192 * 1024;
  constexpr double part_pixels = 768;
  h.columns = (h.to_channels + vector - 1) / vector * vector;
  const int64_t a_channel = checked_product({h.rank(), h.columns});
  const int64_t in_cache = std::max<int64_t>(1, block_sums / a_channel);
  const int64_t few = std::max<int64_t>(in_cache < 32 ? in_cache : 32, h.from_channels / 4);
  h.blocks = (h.from_channels + std::min(few, in_cache) - 1) / std::min(few, in_cache);
  h.block = (h.from_channels + h.blocks - 1) / h.blocks;
  if (h.blocks > 1 && h.block > vector) h.block = (h.block + vector - 1) / vector * vector;
  h.blocks = (h.from_channels + h.block - 1) / h.block;
  h.segment = std::min<int64_t>(1024, std::max<int64_t>(1, h.x.out));
  h.segments = (h.x.out + h.segment - 1) / h.segment;
  const int64_t each = checked_product({h.groups, h.group_numbers()});
  const double pixels = double(h.rows()) * double(h.segment);
  const int64_t most = std::min({h.rows(), most_sums / each, int64_t(pixels / part_pixels)});
  h.parts = 1;
  while (2 * h.parts <= most && h.groups * h.blocks * h.parts < items) h.parts *= 2;
}

// The sums of all parts, added in their order, where the head has them: for some channels
// of both sides at a time, whose numbers stay in the cache while they are turned.
class PartSums {
 public:
  PartSums(const HeadSums& sums, bool is_exchanged, float* to)
      : h(sums), rank(h.rank()), exchanged(is_exchanged), head(to), at(rank) {
    for (int64_t y = 0, r = 0; y < h.y.rank; y++)
      for (int64_t z = 0; z < h.z.rank; z++)
        for (int64_t x = 0; x < h.x.rank; x++, r++)
          at[r] = (z * h.y.rank + y) * h.x.rank + x;
  }

  void add() const {
    const int64_t runs = (h.from_channels + SOME - 1) / SOME;
    torch::stable::parallel_for(0, h.groups * runs, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> sum(rank * SOME * SOME);
      for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < h.to_channels; j += SOME)
          add_some(i / runs, i % runs * SOME, j, sum.data());
    });
  }

 private:
  static constexpr int64_t SOME = 16;

  void add_some(int64_t g, int64_t from, int64_t to, float* sum) const {
    const int64_t froms = std::min(SOME, h.from_channels - from);
    const int64_t tos = std::min(SOME, h.to_channels - to);
    for (int64_t i = 0; i < froms; i++) {
      const int64_t first = (from + i) / h.block * h.block;
      const int64_t width = std::min(h.block, h.from_channels - first);
      for (int64_t r = 0; r < rank; r++) {
        const int64_t row = first * rank + r * width + from + i - first;
        const float* part = h.sums + g * h.parts * h.group_numbers() + row * h.columns + to;
        float* out = sum + (i * rank + at[r]) * SOME;
        std::copy_n(part, tos, out);
        for (int64_t p = 1; p < h.parts; p++) {
          part += h.group_numbers();
          for (int64_t j = 0; j < tos; j++) out[j] += part[j];
        }
      }
    }
    for (int64_t j = 0; j < tos; j++)
      for (int64_t i = 0; i < froms; i++) {
        float* out = place(g, from + i, to + j);
        for (int64_t r = 0; r < rank; r++) out[r] = sum[(i * rank + r) * SOME + j];
      }
  }

  // Where the numbers of two channels are in head[group o, c, rank].
  float* place(int64_t g, int64_t from, int64_t to) const {
    const int64_t out = exchanged ? h.from_channels : h.to_channels;
    const int64_t in = exchanged ? h.to_channels : h.from_channels;
    const int64_t o = exchanged ? from : to, c = exchanged ? to : from;
    return head + ((g * out + o) * in + c) * rank;
  }

  const HeadSums& h;
  const int64_t rank;
  const bool exchanged;
  float* head;
  std::vector<int64_t> at;  // where a number of the basis is in the head
};

void depthwise_head_gradient(const Separable& s, const Strided& grad, float* head) {
  const Kernels& kernels = kernels_in_use();
  DepthwiseSums d{s.image, grad, s.type, s.batch, s.groups, s.y, s.x, 1, nullptr};
  constexpr int64_t most_parts = 16, part_numbers = 16 * 1024;
  const double numbers = double(d.rows()) * double(d.x.out) * double(d.channels);
  while (d.parts < most_parts && 2 * d.parts <= d.rows() &&
         double(2 * d.parts * part_numbers) <= numbers)
    d.parts *= 2;
  Tensor sums = empty_strided({checked_product({d.parts, d.numbers(), 4}) / 4}, {1}, ScalarType::Float);
  d.sums = sums.mutable_data_ptr<float>();
  in_parallel(d.parts, kernels.depthwise_sums_scratch(d), numbers * double(s.x.rank * s.y.taps),
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.depthwise_sums(d, begin, end, scratch);
              });
  sum_parts(d.sums, d.parts, d.numbers(), head);
}

void head_gradient(const Backward& b, int64_t side, float* head) {
  if (side == 2 || (side < 0 && is_depthwise(b.s)))
    return depthwise_head_gradient(b.s, b.grad, head);
  const Kernels& kernels = kernels_in_use();
  const Separable turned = adjoint(b);
  const double costs[2] = {head_cost(b.s), head_cost(turned)};
  const bool exchange = side < 0 ? costs[1] < costs[0] : side == 1;
  const Separable& s = exchange ? turned : b.s;
  HeadSums h{};
  h.from = exchange ? b.grad : b.image;
  h.to = exchange ? b.image : b.grad;
  h.type = s.type;
  h.batch = s.batch, h.groups = s.groups;
  h.from_channels = s.in_channels, h.to_channels = s.out_channels;
  h.z = s.z, h.y = s.y, h.x = s.x;
  divide(h, kernels.vector);
  const int64_t numbers = checked_product({h.groups, h.parts, h.group_numbers(), 4}) / 4;
  Tensor sums = empty_strided({numbers}, {1}, ScalarType::Float);
  h.sums = sums.mutable_data_ptr<float>();
  const double adds = costs[exchange] * double(h.batch) * double(h.groups);
  in_parallel(h.items(), kernels.head_sums_scratch(h), adds,
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.head_sums(h, begin, end, scratch);
              });
  PartSums(h, exchange, head).add();
}

// The gradients of the weights of z, y and x, one after the other.
void table_gradients(const Backward& b, TableSums t, float* out) {
  const Kernels& kernels = kernels_in_use();
  Separable mix = adjoint(b);
  mix.order = Order::contract;
  mix.type = Type::float32;
  pack_head(mix, exchanged(b.s, b.head).data());
  t.head = mix.head, t.head_bytes = mix.head_bytes;
  t.image = b.image, t.grad = b.grad, t.type = b.s.type;
  t.batch = b.s.batch, t.groups = b.s.groups;
  t.in_channels = b.s.in_channels, t.out_channels = b.s.out_channels;
  t.z = b.s.z, t.y = b.s.y, t.x = b.s.x;
  const int64_t most = std::max<int64_t>(1, (int64_t(1) << 20) / std::max<int64_t>(1, t.numbers()));
  t.parts = std::max<int64_t>(1, std::min({int64_t(16), most, t.rows()}));
  Tensor sums = empty_strided({checked_product({t.parts, t.numbers(), 4}) / 4}, {1},
                              ScalarType::Float);
  t.sums = sums.mutable_data_ptr<float>();
  const double adds = head_cost(b.s) * double(t.batch) * double(t.groups);
  in_parallel(t.parts, kernels.table_sums_scratch(t), adds,
              [&](int64_t begin, int64_t end, void* scratch) {
                kernels.table_sums(t, begin, end, scratch);
              });
  sum_parts(t.sums, t.parts, t.numbers(), out);
}

void check_sizes(const Tensor& grad, const Tensor& image, const Tensor& head, const Separable& s) {
  STD_TORCH_CHECK(grad.is_cpu() && grad.dim() == image.dim() &&
                      grad.scalar_type() == image.scalar_type(),
                  "contconv_native: a gradient that does not fit the image");
  const int64_t zyx[3] = {s.z.out, s.y.out, s.x.out};
  bool fits = grad.size(0) == image.size(0) && grad.size(1) == head.size(0);
  for (int64_t i = 2; i < grad.dim(); i++) fits &= grad.size(i) == zyx[i + 3 - grad.dim()];
  STD_TORCH_CHECK(fits, "contconv_native: a gradient that is not of the size of the output");
  STD_TORCH_CHECK(image.size(1) == s.groups * s.in_channels &&
                      head.size(2) == checked_product({s.z.rank, s.y.rank, s.x.rank}),
                  "contconv_native: a head of ", head.size(0), " x ", head.size(1), " x ",
                  head.size(2), " does not fit the image and the tables");
}

Tensor zeros(std::initializer_list<int64_t> sizes, std::initializer_list<int64_t> strides) {
  Tensor out = empty_strided(sizes, strides, ScalarType::Float);
  std::fill_n(out.mutable_data_ptr<float>(), out.numel(), 0.0f);
  return out;
}

Tensor none() { return empty_strided({0}, {1}, ScalarType::Float); }

// The gradients of image, head, and the weights of z, y and x; empty where not wanted.
// `order` is that of the convolution which leads to the image's; `side` is 0 if the
// image is resampled for the head's, 1 if the gradient is, and 2 for the way of depthwise
// convolutions. Negative: the best.
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> separable_backward(
    const Tensor& grad, const Tensor& image, const Tensor& head, const Tensor& z_source,
    const Tensor& z_weight, const Tensor& y_source, const Tensor& y_weight,
    const Tensor& x_source, const Tensor& x_weight, int64_t groups, int64_t order, int64_t side,
    bool wants_image, bool wants_head, bool wants_z, bool wants_y, bool wants_x) {
  const int64_t ndim = image.dim() - 2;
  STD_TORCH_CHECK(ndim >= 1 && ndim <= 3 && image.is_cpu(), "contconv_native: an image of ",
                  image.dim(), " dimensions, or not on the CPU");
  check_tensor(head, "head", 3, ScalarType::Float);
  STD_TORCH_CHECK(groups > 0 && head.size(0) > 0 && head.size(0) % groups == 0 &&
                      order >= -1 && order <= 4 && side >= -1 && side <= 2,
                  "contconv_native: ", head.size(0), " channels in ", groups,
                  " groups, in order ", order, " and by side ", side);
  Backward b{};
  Separable& s = b.s;
  s.type = checked_type(image);
  s.batch = image.size(0);
  s.groups = groups;
  s.in_channels = head.size(1);
  s.out_channels = head.size(0) / groups;
  s.z = checked_table(z_source, z_weight, ndim > 2 ? image.size(2) : 1, "z");
  s.y = checked_table(y_source, y_weight, ndim > 1 ? image.size(ndim) : 1, "y");
  s.x = checked_table(x_source, x_weight, image.size(ndim + 1), "x");
  check_sizes(grad, image, head, s);
  b.grad = strided(grad), b.image = s.image = strided(image);
  STD_TORCH_CHECK(side != 2 || is_depthwise(s), "contconv_native: side 2 is of depthwise convolutions alone");
  b.head = head.const_data_ptr<float>();
  const bool empty = grad.numel() == 0 || image.numel() == 0;
  if (!empty) b.z = transposed(s.z), b.y = transposed(s.y), b.x = transposed(s.x);

  Tensor to_image = none(), to_head = none(), to_z = none(), to_y = none(), to_x = none();
  if (wants_image) {
    const int64_t zyx[3] = {s.z.in, s.y.in, s.x.in};
    to_image = empty_like_layout(image, image.size(1), {zyx[0], zyx[1], zyx[2]});
    Separable back = adjoint(b);
    STD_TORCH_CHECK(order != int64_t(Order::depthwise) || is_depthwise(back),
                    "contconv_native: the order of depthwise convolutions alone");
    back.out = strided(to_image);
    if (!empty)
      run_separable(back, exchanged(s, b.head).data(), order);
    else
      torch::stable::zero_(to_image);
  }
  if (wants_head) {
    const int64_t rank = head.size(2), row = head.size(1) * rank;
    to_head = empty_strided({head.size(0), head.size(1), rank}, {row, rank, 1}, ScalarType::Float);
    if (!empty)
      head_gradient(b, side, to_head.mutable_data_ptr<float>());
    else
      torch::stable::zero_(to_head);
  }
  if (wants_z || wants_y || wants_x) {
    TableSums t{};
    t.wants_z = wants_z, t.wants_y = wants_y, t.wants_x = wants_x;
    const Table* tables[3] = {&s.z, &s.y, &s.x};
    Tensor* to[3] = {&to_z, &to_y, &to_x};
    int64_t total = 0;
    for (const Table* one : tables) total += one->out * one->taps * one->rank;
    std::vector<float> sums(total);
    if (!empty) table_gradients(b, t, sums.data());
    const float* from = sums.data();
    for (int i = 0; i < 3; i++) {
      const Table& one = *tables[i];
      *to[i] = zeros({one.out, one.taps, one.rank}, {one.taps * one.rank, one.rank, 1});
      std::copy_n(from, to[i]->numel(), to[i]->mutable_data_ptr<float>());
      from += to[i]->numel();
    }
  }
  return {to_image, to_head, to_z, to_y, to_x};
}

// Whether the outputs are shared so unevenly among the inputs that the transposed table
// would be mostly empty.
bool lopsided(const Tensor& source, const Tensor& weight, int64_t in) {
  return is_lopsided(checked_table(source, weight, in, "an axis"));
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "separable_backward(Tensor grad, Tensor image, Tensor head, Tensor z_source, "
      "Tensor z_weight, Tensor y_source, Tensor y_weight, Tensor x_source, Tensor x_weight, "
      "int groups, int order, int side, bool wants_image, bool wants_head, bool wants_z, "
      "bool wants_y, bool wants_x) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def("lopsided(Tensor source, Tensor weight, int in_size) -> bool");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("separable_backward", TORCH_BOX(&contconv::separable_backward));
  m.impl("lopsided", TORCH_BOX(&contconv::lopsided));
}
