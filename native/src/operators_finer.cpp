// Activations at a finer sampling: the operators, their arguments checked, and what is done
// row by row, planned once for all channels.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <vector>

#include "arguments.h"
#include "call_finer.h"
#include "instruction_sets.h"
#include "parallel.h"

namespace contconv {
namespace {

using torch::stable::Tensor;

// The taps of each output, one after the other; each source once.
struct Taps {
  std::vector<int32_t> begin, source;
  std::vector<float> weight;
  int64_t in, out;

  int64_t most() const {
    int64_t count = 1;
    for (int64_t o = 0; o < out; o++) count = std::max<int64_t>(count, begin[o + 1] - begin[o]);
    return count;
  }
};

Taps taps_of(const Table& table) {
  Taps to{{0}, {}, {}, table.in, table.out};
  for (int64_t o = 0; o < table.out; o++) {
    for (int64_t t = o * table.taps; t < (o + 1) * table.taps && table.source[t] >= 0; t++) {
      const auto first = to.source.begin() + to.begin[o];
      const auto found = std::find(first, to.source.end(), table.source[t]);
      if (found != to.source.end()) {
        to.weight[found - to.source.begin()] += table.weight[t];
        continue;
      }
      to.source.push_back(table.source[t]);
      to.weight.push_back(table.weight[t]);
    }
    to.begin.push_back(int32_t(to.source.size()));
  }
  return to;
}

Taps transposed(const Taps& taps) {
  Taps to{std::vector<int32_t>(taps.in + 1), {}, {}, taps.out, taps.in};
  for (const int32_t from : taps.source) to.begin[from + 1]++;
  for (int64_t i = 0; i < taps.in; i++) to.begin[i + 1] += to.begin[i];
  to.source.resize(taps.source.size());
  to.weight.resize(taps.source.size());
  std::vector<int32_t> next(to.begin.begin(), to.begin.end() - 1);
  for (int64_t o = 0; o < taps.out; o++)
    for (int32_t i = taps.begin[o]; i < taps.begin[o + 1]; i++) {
      const int32_t at = next[taps.source[i]]++;
      to.source[at] = int32_t(o);
      to.weight[at] = taps.weight[i];
    }
  return to;
}

// With the longest run of periods that have the same weights.
Filter filter_of(const Taps& taps) {
  Filter f{taps.begin.data(), taps.source.data(), taps.weight.data(), taps.in, taps.out, 1, 1,
           0, 0};
  f.period = std::max<int64_t>(1, taps.out / taps.in);
  f.step = std::max<int64_t>(1, taps.in / taps.out);
  const auto repeats = [&](int64_t o) {
    const int32_t a = taps.begin[o - f.period], b = taps.begin[o];
    const int64_t count = taps.begin[o + 1] - b;
    if (taps.begin[o - f.period + 1] - a != count) return false;
    for (int64_t i = 0; i < count; i++)
      if (taps.source[b + i] != taps.source[a + i] + f.step ||
          taps.weight[b + i] != taps.weight[a + i])
        return false;
    return true;
  };
  int64_t first = 0;
  for (int64_t n = 1; n <= taps.out / f.period; n++) {
    bool same = n < taps.out / f.period;
    for (int64_t p = 0; same && p < f.period; p++) same = repeats(n * f.period + p);
    if (same) continue;
    if (n - first > f.last - f.first) f.first = first, f.last = n;
    first = n;
  }
  return f;
}

// Slots for the rows that are held; who was used longest ago makes room.
class Rows {
 public:
  Rows(int64_t rows, int64_t slots) : where_(rows), held_(slots), used_(slots) {}
  void clear() {
    std::fill(where_.begin(), where_.end(), -1);
    std::fill(held_.begin(), held_.end(), -1);
    std::fill(used_.begin(), used_.end(), -1);
  }
  // What is asked for between two calls is there together.
  void next() { now_++; }
  int32_t find(int32_t row, bool& is_new) {
    is_new = where_[row] < 0;
    if (is_new) {
      const auto oldest = std::min_element(used_.begin(), used_.end()) - used_.begin();
      if (held_[oldest] >= 0) where_[held_[oldest]] = -1;
      held_[oldest] = row;
      where_[row] = int32_t(oldest);
    }
    used_[where_[row]] = now_;
    return where_[row];
  }

 private:
  std::vector<int32_t> where_, held_;
  std::vector<int64_t> used_;
  int64_t now_ = 0;
};

// The steps of all bands. `makes` are the taps along y of the fine rows: of the image, and
// backward of the gradient; `writes` those of the output.
struct Steps {
  std::vector<Step> all;
  std::vector<int64_t> band_begin{0};
  std::vector<int32_t> slot;
  std::vector<float> weight;

  void plan(const std::vector<const Taps*>& makes, const Taps& writes, int64_t bands) {
    for (const Taps* taps : makes) read_.emplace_back(taps->in, taps->most());
    Rows made(writes.in, writes.most());
    for (int64_t band = 0; band < bands; band++) {
      made.clear();
      for (Rows& rows : read_) rows.clear();
      const int64_t last = writes.out * (band + 1) / bands;
      for (int64_t row = writes.out * band / bands; row < last; row++) {
        std::vector<int32_t> slots;
        made.next();
        for (int32_t i = writes.begin[row]; i < writes.begin[row + 1]; i++) {
          bool is_new;
          slots.push_back(made.find(writes.source[i], is_new));
          if (is_new) make(makes, writes.source[i], slots.back());
        }
        Step one{Work::write, int32_t(row), 0, {}, {}};
        add(one, 0, writes, slots);
        all.push_back(one);
      }
      band_begin.push_back(int64_t(all.size()));
    }
  }

 private:
  void make(const std::vector<const Taps*>& makes, int32_t row, int32_t to) {
    Step one{Work::make, row, to, {}, {}};
    for (size_t k = 0; k < makes.size(); k++) {
      const Taps& taps = *makes[k];
      std::vector<int32_t> slots;
      read_[k].next();
      for (int32_t i = taps.begin[row]; i < taps.begin[row + 1]; i++) {
        bool is_new;
        slots.push_back(read_[k].find(taps.source[i], is_new));
        const Work work = k == 0 ? Work::read_image : Work::read_gradient;
        if (is_new) all.push_back({work, taps.source[i], slots.back(), {}, {}});
      }
      add(one, k, taps, slots);
    }
    all.push_back(one);
  }

  void add(Step& one, size_t k, const Taps& taps, const std::vector<int32_t>& slots) {
    one.begin[k] = int32_t(slot.size());
    one.count[k] = int32_t(slots.size());
    slot.insert(slot.end(), slots.begin(), slots.end());
    const float* first = taps.weight.data() + taps.begin[one.row];
    weight.insert(weight.end(), first, first + slots.size());
  }

  std::vector<Rows> read_;
};

struct Axes {
  Taps rise_y, rise_x, fall_y, fall_x;
};

// Of the tables: to the fine pixels, and from them back.
Taps checked_taps(const Tensor& source, const Tensor& weight, int64_t in, int64_t out,
                  const char* axis) {
  const Table table = checked_table(source, weight, in, axis);
  STD_TORCH_CHECK(table.out == out && table.rank == 1 && out < (int64_t(1) << 31) / table.taps,
                  "contconv_native: a table of ", axis, " to ", table.out, " pixels, not ", out);
  return taps_of(table);
}

Axes checked_axes(const Tensor& image, const Tensor& up_y, const Tensor& up_y_weight,
                  const Tensor& up_x, const Tensor& up_x_weight, const Tensor& down_y,
                  const Tensor& down_y_weight, const Tensor& down_x, const Tensor& down_x_weight) {
  const int64_t ndim = image.dim() - 2;
  STD_TORCH_CHECK(ndim == 1 || ndim == 2, "contconv_native: an image of ", image.dim(),
                  " dimensions");
  const int64_t y = ndim > 1 ? image.size(2) : 1, x = image.size(ndim + 1);
  const int64_t fine_y = up_y.dim() > 0 ? up_y.size(0) : 0;
  const int64_t fine_x = up_x.dim() > 0 ? up_x.size(0) : 0;
  STD_TORCH_CHECK(y > 0 && x > 0 && fine_y > 0 && fine_x > 0, "contconv_native: no pixels");
  return {checked_taps(up_y, up_y_weight, y, fine_y, "y"),
          checked_taps(up_x, up_x_weight, x, fine_x, "x"),
          checked_taps(down_y, down_y_weight, fine_y, y, "y"),
          checked_taps(down_x, down_x_weight, fine_x, x, "x")};
}

// Images as so many more channels, where all lie so.
void flatten(Finer& s, bool together) {
  if (!together) return;
  s.channels *= s.batch;
  s.batch = 1;
}

int64_t bands_for(const Finer& s, int64_t rows, int64_t vector) {
  const int64_t threads = torch::stable::get_num_threads();
  const int64_t blocks = s.batch * ((s.channels + vector - 1) / vector);
  return blocks == 0 || blocks >= 4 * threads ? 1 : std::min(rows, threads);
}

// Checked, with an output that is to be written.
Finer call_of(const Tensor& image, int64_t activation, double parameter) {
  STD_TORCH_CHECK(image.is_cpu(), "contconv_native: the image is not on the CPU");
  STD_TORCH_CHECK(activation >= 0 && activation <= 6, "contconv_native: there is no activation ",
                  activation);
  Finer s{};
  s.type = checked_type(image);
  s.batch = image.size(0), s.channels = image.size(1);
  s.image = strided(image);
  s.activation = Activation(activation);
  s.parameter = float(parameter);
  return s;
}

Tensor new_output(Finer& s, const Tensor& image) {
  const int64_t ndim = image.dim() - 2;
  Tensor out = empty_like_layout(image, image.size(1),
                                 {1, ndim > 1 ? image.size(2) : 1, image.size(ndim + 1)});
  s.out = strided(out);
  return out;
}

void run(Finer& s, Steps& steps, const std::vector<const Taps*>& makes, const Taps& writes) {
  const Kernels& kernels = kernels_in_use();
  s.bands = bands_for(s, writes.out, kernels.vector);
  steps.plan(makes, writes, s.bands);
  s.steps = steps.all.data(), s.band_begin = steps.band_begin.data();
  s.slot = steps.slot.data(), s.weight = steps.weight.data();
  s.image_rows = makes[0]->most();
  s.gradient_rows = makes.size() > 1 ? makes[1]->most() : 0;
  s.fine_rows = writes.most();
  const FinerKernels& finer = *kernels.finer;
  const bool back = makes.size() > 1;
  const double pixels = double(s.batch) * double(s.channels) * double(writes.out * s.fall.out);
  in_parallel(s.tasks(kernels.vector), (back ? finer.backward_scratch : finer.forward_scratch)(s),
              80 * pixels, [&](int64_t begin, int64_t end, void* scratch) {
                (back ? finer.backward : finer.forward)(s, begin, end, scratch);
              });
}

Tensor activate_finer(const Tensor& image, const Tensor& up_y, const Tensor& up_y_weight,
                      const Tensor& up_x, const Tensor& up_x_weight, const Tensor& down_y,
                      const Tensor& down_y_weight, const Tensor& down_x,
                      const Tensor& down_x_weight, int64_t activation, double parameter) {
  Finer s = call_of(image, activation, parameter);
  const Axes axes = checked_axes(image, up_y, up_y_weight, up_x, up_x_weight, down_y,
                                 down_y_weight, down_x, down_x_weight);
  Tensor out = new_output(s, image);
  if (out.numel() == 0) return out;
  flatten(s, image.is_contiguous() && out.is_contiguous());
  s.rise = filter_of(axes.rise_x);
  s.fall = filter_of(axes.fall_x);
  Steps steps;
  run(s, steps, {&axes.rise_y}, axes.fall_y);
  return out;
}

Tensor activate_finer_backward(const Tensor& gradient, const Tensor& image, const Tensor& up_y,
                               const Tensor& up_y_weight, const Tensor& up_x,
                               const Tensor& up_x_weight, const Tensor& down_y,
                               const Tensor& down_y_weight, const Tensor& down_x,
                               const Tensor& down_x_weight, int64_t activation,
                               double parameter) {
  Finer s = call_of(image, activation, parameter);
  const Axes axes = checked_axes(image, up_y, up_y_weight, up_x, up_x_weight, down_y,
                                 down_y_weight, down_x, down_x_weight);
  bool fits = gradient.is_cpu() && gradient.dim() == image.dim() &&
              gradient.scalar_type() == image.scalar_type();
  for (int64_t i = 0; fits && i < image.dim(); i++) fits = gradient.size(i) == image.size(i);
  STD_TORCH_CHECK(fits, "contconv_native: the gradient does not fit the image");
  s.gradient = strided(gradient);
  Tensor out = new_output(s, image);
  if (out.numel() == 0) return out;
  flatten(s, image.is_contiguous() && gradient.is_contiguous() && out.is_contiguous());
  const Taps back_x = transposed(axes.fall_x), back_y = transposed(axes.fall_y);
  const Taps fall_x = transposed(axes.rise_x), fall_y = transposed(axes.rise_y);
  s.rise = filter_of(axes.rise_x);
  s.back = filter_of(back_x);
  s.fall = filter_of(fall_x);
  Steps steps;
  run(s, steps, {&axes.rise_y, &back_y}, fall_y);
  return out;
}

}  // namespace
}  // namespace contconv

STABLE_TORCH_LIBRARY_FRAGMENT(contconv_native, m) {
  m.def(
      "activate_finer(Tensor image, Tensor up_y, Tensor up_y_weight, Tensor up_x, Tensor "
      "up_x_weight, Tensor down_y, Tensor down_y_weight, Tensor down_x, Tensor down_x_weight, int "
      "activation, float parameter) -> Tensor");
  m.def(
      "activate_finer_backward(Tensor gradient, Tensor image, Tensor up_y, Tensor up_y_weight, "
      "Tensor up_x, Tensor up_x_weight, Tensor down_y, Tensor down_y_weight, Tensor down_x, Tensor "
      "down_x_weight, int activation, float parameter) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(contconv_native, CPU, m) {
  m.impl("activate_finer", TORCH_BOX(&contconv::activate_finer));
  m.impl("activate_finer_backward", TORCH_BOX(&contconv::activate_finer_backward));
}
