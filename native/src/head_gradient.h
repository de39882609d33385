// The gradient of the head: an image resampled again, a tile of pixels at a time, and
// multiplied with the pixels of the other at the same places.
#pragma once
#include "amx_sums.h"
#include "call_backward.h"
#include "memory.h"
#include "outer.h"
#include "rows.h"

namespace contconv::CONTCONV_ISA {

// Of the resampled image in a tile; fewer pixels would move the sums more often.
constexpr int64_t OUTER_NUMBERS = 64 * 1024;

// The sums of one item.
class FloatSums {
 public:
  typedef float Left;
  static constexpr int64_t STEP = 1;

  FloatSums(Arena&, int64_t, int64_t, int64_t) {}
  void begin(float* to, int64_t columns) { sums = to, pitch = columns; }
  void add(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t rows, int64_t depth,
           bool first) {
    add_outer(a, lda, b, ldb, rows, depth, pitch, sums, pitch, first);
  }
  void end(int64_t) {}

 private:
  float* sums = nullptr;
  int64_t pitch = 0;
};

template <class E>
struct SumsOf {
  typedef FloatSums type;
};
#if CONTCONV_AMX
template <>
struct SumsOf<uint16_t> {
  typedef AmxSums type;
};
#endif

template <class E>
class HeadGradient {
  typedef typename SumsOf<E>::type Sums;
  typedef typename Sums::Left Left;

 public:
  HeadGradient(const HeadSums& call, Arena& arena)
      : s(call),
        flat(s.z.is_absent()),
        held_pitch(round_up(s.z.rank * s.x.rank * s.block, V) + (s.z.rank > MAX_RANK ? V : 0)),
        cache(arena, s.y.taps, (s.segment + V) * held_pitch),
        x_pitch(round_up(s.x.rank * s.block, V)),
        tile_pitch(round_up(s.rank() * s.block, V) + V),
        tile_pixels(pixels_of(tile_pitch)),
        sums(arena, s.rank() * s.block, s.columns, tile_pixels) {
    input = arena.take<float>(row_numbers(s.block, s.x.in));
    x_near = arena.take<const float*>(s.x.taps);
    y_near = arena.take<const float*>(s.y.taps);
    z_near = arena.take<const float*>(s.z.taps);
    if (!flat) x_rows = arena.take<float>(s.z.taps * (s.segment + V), x_pitch);
    left = arena.take<Left>(tile_pixels + 1, tile_pitch);
    right = arena.take<float>(tile_pixels + V, s.columns);
  }

  // All the sums of an item.
  void run(int64_t item) {
    const int64_t block = item % s.blocks, part = item / s.blocks % s.parts;
    group = item / s.blocks / s.parts;
    const int64_t begin = block * s.block;
    channels = smaller(s.block, s.from_channels - begin);
    depth = s.rank() * channels;
    float* to_sums = s.sums + (group * s.parts + part) * s.group_numbers();
    sums.begin(to_sums + begin * s.rank() * s.columns, s.columns);
    filled = 0, first = true;
    int64_t plane = -1;
    const int64_t rows = s.rows(), end = part_begin(rows, part + 1);
    for (int64_t row = part_begin(rows, part); row < end; row++) {
      const int64_t oy = row % s.y.out;
      if (row / s.y.out != plane) {
        plane = row / s.y.out;
        begin_plane(plane, begin);
      }
      add_row(oy);
    }
    flush();
    sums.end(depth);
  }

 private:
  static int64_t pixels_of(int64_t pitch) {
    const int64_t most = OUTER_NUMBERS * 4 / sizeof(Left) / pitch;
    return larger(32, smaller(128, most / Sums::STEP * Sums::STEP));
  }
  int64_t part_begin(int64_t rows, int64_t part) const {
    return static_cast<int64_t>(static_cast<__int128>(rows) * part / s.parts);
  }

  // The pixels of a run along x, in all rows of a plane of an image.
  void begin_plane(int64_t plane, int64_t channel) {
    const int64_t segment = plane % s.segments;
    oz = plane / s.segments % s.z.out;
    const int64_t n = plane / s.segments / s.z.out;
    x_begin = segment * s.segment;
    x_end = smaller(x_begin + s.segment, s.x.out);
    low = s.x.in, high = -1;
    for (int64_t i = x_begin * s.x.taps; i < x_end * s.x.taps; i++) {
      const int64_t source = s.x.source[i];
      if (source >= 0) low = smaller(low, source), high = larger(high, source);
    }
    if (high < 0) low = 0;
    from = static_cast<const E*>(s.from.data) + n * s.from.n +
           (group * s.from_channels + channel) * s.from.c + low * s.from.x;
    to = static_cast<const E*>(s.to.data) + n * s.to.n + group * s.to_channels * s.to.c +
         oz * s.to.z;
    cache.clear();
  }

  void add_row(int64_t oy) {
    const int64_t taps = tap_count(s.y, oy), inner = s.z.rank * s.x.rank * channels;
    for (int64_t t = 0; t < taps; t++) y_near[t] = row_of(s.y.source[oy * s.y.taps + t], oy);
    const float* w = s.y.weight + oy * s.y.taps * s.y.rank;
    for (int64_t x = x_begin; x < x_end;) {
      const int64_t count = smaller(tile_pixels - filled, x_end - x);
      expand(y_near, taps, w, s.y.rank, inner, count, held_pitch,
             PixelsOf<Left>{left + filled * tile_pitch, tile_pitch});
      read_right(to + oy * s.to.y + x * s.to.x, count);
      for (int64_t t = 0; t < taps; t++) y_near[t] += count * held_pitch;
      x += count;
      filled += count;
      if (filled == tile_pixels) flush();
    }
  }

  void read_right(const E* pixels, int64_t count) {
    float* into = right + filled * s.columns;
    const Pixels row = read_row(pixels, s.to.c, s.to.x, s.to_channels, count, into);
    if (row.data == into) return;
    for (int64_t q = 0; q < count; q++)
      memcpy(into + q * s.columns, row.data + q * row.pitch, sizeof(float) * s.columns);
  }

  void flush() {
    if (filled == 0) return;
    sums.add(left, tile_pitch, right, s.columns, filled, depth, first);
    filled = 0, first = false;
  }

  // The row of input row y, resampled along x and z.
  const float* row_of(int64_t y, int64_t now) {
    bool is_new;
    float* row = cache.at(cache.find(y, now, is_new));
    if (!is_new) return row;
    if (flat) {
      along_x(from + y * s.from.y, {row, held_pitch});
      return row;
    }
    const int64_t taps = tap_count(s.z, oz);
    for (int64_t t = 0; t < taps; t++) {
      float* x_row = x_rows + t * (s.segment + V) * x_pitch;
      along_x(from + s.z.source[oz * s.z.taps + t] * s.from.z + y * s.from.y, {x_row, x_pitch});
      z_near[t] = x_row;
    }
    expand(z_near, taps, s.z.weight + oz * s.z.taps * s.z.rank, s.z.rank, s.x.rank * channels,
           x_end - x_begin, x_pitch, Pixels{row, held_pitch});
    return row;
  }

  void along_x(const E* pixels, Pixels out) {
    const Pixels row = read_row(pixels, s.from.c, s.from.x, channels, high + 1 - low, input);
    const int64_t taps = s.x.taps, rank = s.x.rank;
    for (int64_t ox = x_begin; ox < x_end; ox++) {
      const int64_t count = tap_count(s.x, ox);
      for (int64_t t = 0; t < count; t++)
        x_near[t] = row.data + (s.x.source[ox * taps + t] - low) * row.pitch;
      expand(x_near, count, s.x.weight + ox * taps * rank, rank, channels, 1, 0,
             Pixels{out.data + (ox - x_begin) * out.pitch, out.pitch});
    }
  }

  const HeadSums& s;
  const bool flat;
  const int64_t held_pitch;
  RowCache cache;
  const int64_t x_pitch, tile_pitch, tile_pixels;
  Sums sums;
  int64_t filled = 0;
  float *input, *x_rows = nullptr, *right;
  Left* left;
  const float **x_near, **y_near, **z_near;
  bool first = true;  // nothing was added yet
  int64_t group = 0, channels = 0, depth = 0;
  int64_t oz = 0, x_begin = 0, x_end = 0, low = 0, high = -1;
  const E *from = nullptr, *to = nullptr;
};

}  // namespace contconv::CONTCONV_ISA
