// Separable convolution, forward: a thread works on runs of output rows, and holds the
// last few input rows, resampled along x, and a tile of what the head is applied to.
#pragma once
#include "amx.h"
#include "matmul.h"
#include "memory.h"
#include "rows.h"

namespace contconv::CONTCONV_ISA {

// Of what the head is applied to at once; more where that would be few pixels, for each of
// which a head that the second cache does not hold would be read again.
constexpr int64_t TILE_NUMBERS = 32 * 1024, TILE_LEAST = 2;

// What the head is applied to: of bfloat16 images bfloat16, where there is a product of it.
template <class E>
struct Mixes {
  typedef float type;
};
#if CONTCONV_HALF_PRODUCT
template <>
struct Mixes<uint16_t> {
  typedef uint16_t type;
};
#endif

template <class E>
class Forward {
  typedef typename Mixes<E>::type Mix;

 public:
  Forward(const Separable& call, Arena& arena)
      : s(call),
        shape(head_shape(call)),
        inner(inner_of(call)),
        pitch(round_up(inner, V) + (call.z.rank > MAX_RANK ? V : 0)),
        cache(arena, call.y.taps, (call.x.out + V) * pitch) {
    const int64_t in = s.in_channels, out = s.out_channels;
    input = arena.take<float>(row_numbers(in, s.x.in));
    x_near = arena.take<const float*>(s.x.taps);
    y_near = arena.take<const float*>(s.y.taps);
    z_near = arena.take<const float*>(s.z.taps);
    if (s.order == Order::contract)
      mixed = arena.take<float>(s.x.in + V, packed_columns(shape.columns));
    x_pitch = round_up(x_inner(), V);
    if (!s.is_flat()) x_rows = arena.take<float>(s.z.taps * (s.x.out + V), x_pitch);
    if (s.order == Order::between) {
      wide_pitch = s.is_flat() ? x_pitch : round_up(shape.depth, V) + V;
      wide = arena.take<float>(s.x.out + V, wide_pitch);
    }
    if (s.order == Order::expand) {
      tile_pitch = round_up(shape.depth, larger(V, HALF_STEP)) + V;
      const int64_t tiles = larger(TILE_LEAST, TILE_NUMBERS / tile_pitch / MR);
      // The parts of a row are alike: a short one would read all of the head for few pixels.
      const int64_t parts = larger(1, (s.x.out + tiles * MR - 1) / (tiles * MR));
      tile_pixels = larger(1, (s.x.out + parts - 1) / parts);
      tile = arena.take<Mix>(tile_pixels, tile_pitch);
    } else if (sizeof(Mix) == 2) {
      rounded_pitch = round_up(shape.depth, larger(V, HALF_STEP)) + V;
      rounded = arena.take<Mix>(larger(s.x.in, s.x.out), rounded_pitch);
    }
    out_row = {arena.take<float>(s.x.out + V, packed_columns(out)), packed_columns(out)};
  }

  // Work on one run of rows of an image, a group and a plane.
  void run(int64_t task) {
    const int64_t band = task % s.bands;
    task /= s.bands;
    const int64_t oz = task % s.z.out;
    task /= s.z.out;
    group = task % s.groups;
    const int64_t n = task / s.groups;
    head = reinterpret_cast<const float*>(static_cast<const char*>(s.head) + group * s.head_bytes);
    const Strided &from = s.image, &to = s.out;
    image = static_cast<const E*>(from.data) + n * from.n + group * s.in_channels * from.c;
    E* out = static_cast<E*>(to.data) + n * to.n + group * s.out_channels * to.c + oz * to.z;
    cache.clear();
    const int64_t last = s.y.out * (band + 1) / s.bands;
    for (int64_t oy = s.y.out * band / s.bands; oy < last; oy++) {
      const int64_t taps = tap_count(s.y, oy);
      for (int64_t t = 0; t < taps; t++)
        y_near[t] = row_of(oz, s.y.source[oy * s.y.taps + t], oy);
      finish(taps, s.y.weight + oy * s.y.taps * s.y.rank, out + oy * to.y);
    }
  }

 private:
  // Numbers at a pixel of a row that is held.
  static int64_t inner_of(const Separable& s) {
    if (s.order == Order::expand) return s.z.rank * s.x.rank * s.in_channels;
    return s.y.rank * s.out_channels;
  }
  // Numbers at a pixel that is resampled along x alone.
  int64_t x_inner() const {
    if (s.order == Order::contract) return s.z.rank * s.y.rank * s.out_channels;
    return s.x.rank * s.in_channels;
  }

  // The row of input row y, all but resampled along y, for the plane oz.
  const float* row_of(int64_t oz, int64_t y, int64_t now) {
    bool is_new;
    float* row = cache.at(cache.find(y, now, is_new));
    if (!is_new) return row;
    const bool between = s.order == Order::between;
    const Pixels to = between ? Pixels{wide, wide_pitch} : Pixels{row, pitch};
    if (s.is_flat()) {
      along_x(0, y, to);
    } else {
      const int64_t taps = tap_count(s.z, oz);
      for (int64_t t = 0; t < taps; t++) {
        float* x_row = x_rows + t * (s.x.out + V) * x_pitch;
        along_x(s.z.source[oz * s.z.taps + t], y, {x_row, x_pitch});
        z_near[t] = x_row;
      }
      const float* w = s.z.weight + oz * s.z.taps * s.z.rank;
      if (s.order == Order::contract)
        contract(z_near, taps, w, s.z.rank, inner, s.x.out, x_pitch, to);
      else
        expand(z_near, taps, w, s.z.rank, x_inner(), s.x.out, x_pitch, to);
    }
    if (between) mix(to, s.x.out, {row, pitch});
    return row;
  }

  // The head applied to some pixels.
  void mix(Pixels from, int64_t count, Pixels to) {
    if constexpr (sizeof(Mix) == 4) {
      multiply(from.data, from.pitch, count, head, shape.depth, shape.columns, to.data, to.pitch);
    } else {
      for (int64_t q = 0; q < count; q++) {
        const float* p = from.data + q * from.pitch;
        Mix* out = rounded + q * rounded_pitch;
        int64_t i = 0;
        for (; i + V <= shape.depth; i += V) store(out + i, load(p + i));
        if (i < shape.depth) store(out + i, load_first(p + i, shape.depth - i));
        zero_behind(out, shape.depth);
      }
      multiply(rounded, rounded_pitch, count, head, shape.depth, shape.columns, to.data,
               to.pitch);
    }
  }

  // An input row, read and resampled along x; with the head first if that is the order.
  void along_x(int64_t z, int64_t y, Pixels to) {
    const Strided& from = s.image;
    Pixels row = read_row(image + z * from.z + y * from.y, from.c, from.x, s.in_channels,
                          s.x.in, input);
    if (s.order == Order::contract) {
      const int64_t columns = packed_columns(shape.columns);
      mix(row, s.x.in, {mixed, columns});
      row = {mixed, columns};
    }
    const int64_t rank = s.x.rank, taps = s.x.taps;
    for (int64_t ox = 0; ox < s.x.out; ox++) {
      const int64_t count = tap_count(s.x, ox);
      for (int64_t t = 0; t < count; t++)
        x_near[t] = row.data + s.x.source[ox * taps + t] * row.pitch;
      const float* w = s.x.weight + ox * taps * rank;
      const Pixels one{to.data + ox * to.pitch, to.pitch};
      if (s.order == Order::contract)
        contract(x_near, count, w, rank, x_inner(), 1, 0, one);
      else
        expand(x_near, count, w, rank, s.in_channels, 1, 0, one);
    }
  }

  // Resample along y, and apply the head if it is last; write the row.
  void finish(int64_t taps, const float* w, E* to) {
    Pixels row = out_row;
    const bool direct = sizeof(E) == 4 && s.out.c == 1 && s.out_channels % V == 0;
    if (direct) row = {reinterpret_cast<float*>(to), s.out.x};
    if (s.order == Order::expand) {
      for (int64_t x = 0; x < s.x.out; x += tile_pixels) {
        const int64_t count = smaller(tile_pixels, s.x.out - x);
        expand(y_near, taps, w, s.y.rank, inner, count, pitch, PixelsOf<Mix>{tile, tile_pitch});
        if constexpr (sizeof(Mix) == 2)
          for (int64_t q = 0; q < count; q++) zero_behind(tile + q * tile_pitch, shape.depth);
        multiply(tile, tile_pitch, count, head, shape.depth, shape.columns,
                 row.data + x * row.pitch, row.pitch);
        for (int64_t t = 0; t < taps; t++) y_near[t] += count * pitch;
      }
    } else {
      contract(y_near, taps, w, s.y.rank, s.out_channels, s.x.out, pitch, row);
    }
    if (direct) return;
    write_row(row, s.out_channels, s.x.out, to, s.out.c, s.out.x);
  }

  const Separable& s;
  const HeadShape shape;
  const int64_t inner, pitch;  // of a row that is held
  RowCache cache;
  float *input, *mixed = nullptr, *x_rows = nullptr, *wide = nullptr;
  Mix *tile = nullptr, *rounded = nullptr;
  int64_t rounded_pitch = 0;
  const float **x_near, **y_near, **z_near;
  Pixels out_row;
  int64_t x_pitch, wide_pitch = 0, tile_pitch = 0, tile_pixels = 0;
  int64_t group = 0;
  const float* head = nullptr;
  const E* image = nullptr;
};

}  // namespace contconv::CONTCONV_ISA
