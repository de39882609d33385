// The gradients of the weights of the axes: the gradient of the resampled image, times
// the image resampled along all axes but one.
//
// The gradient of a pixel lies as [x, z, y rank, channel], as the order `contract` has it.
#pragma once
#include "call_backward.h"
#include "memory.h"
#include "rows.h"
#include "matmul.h"

namespace contconv::CONTCONV_ISA {

// The sum over `outer` runs of `inner` numbers each of a times b.
static float dot(const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t outer,
                 int64_t inner) {
  vf sum = zero();
  for (int64_t i = 0; i < outer; i++, a += a_step, b += b_step) {
    int64_t k = 0;
    for (; k + V <= inner; k += V) sum += load(a + k) * load(b + k);
    if (k < inner) sum += load_first(a + k, inner - k) * load_first(b + k, inner - k);
  }
  float total = 0;
  for (int i = 0; i < V; i++) total += sum[i];
  return total;
}

template <class E>
class TableGradients {
 public:
  TableGradients(const TableSums& call, Arena& arena)
      : s(call),
        c(s.in_channels),
        rz(s.z.rank),
        ry(s.y.rank),
        rx(s.x.rank),
        mixed_pitch(packed_columns(rz * ry * rx * c)),
        raw_pitch(round_up(c, V)),
        half_pitch(round_up(larger(rz, ry) * c, V) + V),
        cache(arena, s.z.taps * s.y.taps, row_numbers(c, s.x.in)) {
    const int64_t most = larger(s.z.taps, s.y.taps);
    grad_row = arena.take<float>(row_numbers(s.out_channels, s.x.out));
    mixed = arena.take<float>(s.x.out + V, mixed_pitch);
    raw = arena.take<const float*>(s.z.taps * s.y.taps);
    near = arena.take<const float*>(larger(most, s.x.taps));
    halves = arena.take<float>(s.z.taps * (s.x.in + V), half_pitch);
    half = arena.take<float>(s.x.in + V, half_pitch);
    both = arena.take<float>(s.x.in + V, round_up(rz * ry * c, V) + V);
    pixel = arena.take<float>(1, round_up(rx * larger(rz, ry) * c, V) + V);
  }

  void run(int64_t part) {
    sums_z = s.sums + part * s.numbers();
    sums_y = sums_z + s.z.out * s.z.taps * rz;
    sums_x = sums_y + s.y.out * s.y.taps * ry;
    memset(sums_z, 0, sizeof(float) * s.numbers());
    cache.clear();
    const int64_t rows = s.rows();
    const auto begin = [&](int64_t p) {
      return static_cast<int64_t>(static_cast<__int128>(rows) * p / s.parts);
    };
    int64_t held = -1, end = begin(part + 1);
    for (int64_t row = begin(part); row < end; row++) {
      const int64_t oy = row % s.y.out, oz = row / s.y.out % s.z.out;
      const int64_t image = row / s.y.out / s.z.out;
      if (image != held) cache.clear(), now = 0;
      held = image;
      add_row(image / s.groups, image % s.groups, oz, oy);
    }
  }

 private:
  void add_row(int64_t n, int64_t group, int64_t oz, int64_t oy) {
    make_mixed(n, group, oz, oy);
    const int64_t z_taps = tap_count(s.z, oz), y_taps = tap_count(s.y, oy);
    read_rows(n, group, oz, oy, z_taps, y_taps);
    if (s.wants_x || s.wants_z)
      for (int64_t t = 0; t < z_taps; t++)
        expand(raw + t * y_taps, y_taps, s.y.weight + oy * s.y.taps * ry, ry, c, s.x.in,
               raw_pitch, Pixels{half_of(t), half_pitch});
    if (s.wants_x) add_x(oz, z_taps);
    if (s.wants_z)
      for (int64_t t = 0; t < z_taps; t++) add_z(half_of(t), (oz * s.z.taps + t) * rz);
    if (s.wants_y)
      for (int64_t t = 0; t < y_taps; t++) add_y(oz, t, z_taps, y_taps, oy);
  }
  float* half_of(int64_t t) const { return halves + t * (s.x.in + V) * half_pitch; }

  // The gradient of the resampled image, for a row.
  void make_mixed(int64_t n, int64_t group, int64_t oz, int64_t oy) {
    const Strided& g = s.grad;
    const E* from = static_cast<const E*>(g.data) + n * g.n + group * s.out_channels * g.c +
                    oz * g.z + oy * g.y;
    const Pixels row = read_row(from, g.c, g.x, s.out_channels, s.x.out, grad_row);
    const void* head = static_cast<const char*>(s.head) + group * s.head_bytes;
    multiply(row.data, row.pitch, s.x.out, static_cast<const float*>(head), s.out_channels,
             rz * ry * rx * c, mixed, mixed_pitch);
  }

  void read_rows(int64_t n, int64_t group, int64_t oz, int64_t oy, int64_t z_taps,
                 int64_t y_taps) {
    now++;
    const Strided& f = s.image;
    const E* from = static_cast<const E*>(f.data) + n * f.n + group * c * f.c;
    for (int64_t tz = 0; tz < z_taps; tz++)
      for (int64_t ty = 0; ty < y_taps; ty++) {
        const int64_t z = s.z.source[oz * s.z.taps + tz], y = s.y.source[oy * s.y.taps + ty];
        bool is_new;
        float* row = cache.at(cache.find(z * s.y.in + y, now, is_new));
        raw[tz * y_taps + ty] = row;
        if (!is_new) continue;
        const Pixels read = read_row(from + z * f.z + y * f.y, f.c, f.x, c, s.x.in, row);
        for (int64_t x = 0; x < s.x.in && read.data != row; x++)
          memcpy(row + x * raw_pitch, read.data + x * read.pitch, sizeof(float) * c);
      }
  }

  void add_x(int64_t oz, int64_t z_taps) {
    const int64_t inner = rz * ry * c, pitch = round_up(inner, V) + V;
    for (int64_t t = 0; t < z_taps; t++) near[t] = half_of(t);
    expand(near, z_taps, s.z.weight + oz * s.z.taps * rz, rz, ry * c, s.x.in, half_pitch,
           Pixels{both, pitch});
    for (int64_t ox = 0; ox < s.x.out; ox++)
      for (int64_t t = 0; t < tap_count(s.x, ox); t++)
        for (int64_t r = 0; r < rx; r++)
          sums_x[(ox * s.x.taps + t) * rx + r] +=
              dot(mixed + ox * mixed_pitch + r * inner, 0,
                  both + s.x.source[ox * s.x.taps + t] * pitch, 0, 1, inner);
  }

  // A pixel [x rank, inner] of a row that is not yet resampled along x.
  const float* along_x(const float* row, int64_t inner, int64_t ox) {
    const int64_t taps = tap_count(s.x, ox);
    for (int64_t t = 0; t < taps; t++)
      near[t] = row + s.x.source[ox * s.x.taps + t] * half_pitch;
    expand(near, taps, s.x.weight + ox * s.x.taps * rx, rx, inner, 1, 0,
           Pixels{pixel, 0});
    return pixel;
  }

  void add_z(const float* row, int64_t at) {
    const int64_t inner = ry * c;
    for (int64_t ox = 0; ox < s.x.out; ox++) {
      const float *one = along_x(row, inner, ox), *g = mixed + ox * mixed_pitch;
      for (int64_t r = 0; r < rz; r++)
        sums_z[at + r] += dot(g + r * inner, rz * inner, one, inner, rx, inner);
    }
  }

  void add_y(int64_t oz, int64_t t, int64_t z_taps, int64_t y_taps, int64_t oy) {
    for (int64_t tz = 0; tz < z_taps; tz++) near[tz] = raw[tz * y_taps + t];
    expand(near, z_taps, s.z.weight + oz * s.z.taps * rz, rz, c, s.x.in, raw_pitch,
           Pixels{half, half_pitch});
    for (int64_t ox = 0; ox < s.x.out; ox++) {
      const float *one = along_x(half, rz * c, ox), *g = mixed + ox * mixed_pitch;
      for (int64_t r = 0; r < ry; r++)
        sums_y[(oy * s.y.taps + t) * ry + r] += dot(g + r * c, ry * c, one, c, rx * rz, c);
    }
  }

  const TableSums& s;
  const int64_t c, rz, ry, rx;
  const int64_t mixed_pitch, raw_pitch, half_pitch;
  RowCache cache;
  float *grad_row, *mixed, *halves, *half, *both, *pixel;
  float *sums_z = nullptr, *sums_y = nullptr, *sums_x = nullptr;
  const float **raw, **near;
  int64_t now = 0;
};

}  // namespace contconv::CONTCONV_ISA
