// Separable convolution in planes: a row of one channel is what vectors hold. For few
// channels, which would leave most lanes empty otherwise: x, y, head.
//
// Along x, the V numbers that V outputs take at one tap come out of two vectors of the
// row by a permutation, where the taps lie that close, and are gathered elsewhere.
#pragma once
#include "matmul.h"
#include "memory.h"
#include "rows.h"

namespace contconv::CONTCONV_ISA {

// V of any 2 V numbers, by index. Lanes below zero are zero.
INLINE vf pick(const float* p, vi index) {
#if defined(__AVX512F__)
  const __m512i i = reinterpret_cast<__m512i>(index);
  const __mmask16 present = _mm512_cmpge_epi32_mask(i, _mm512_setzero_si512());
  return _mm512_maskz_permutex2var_ps(present, load(p), i, load(p + V));
#elif defined(__AVX2__)
  const __m256i i = reinterpret_cast<__m256i>(index);
  const __m256 low = _mm256_permutevar8x32_ps(load(p), i);
  const __m256 high = _mm256_permutevar8x32_ps(load(p + V), i);
  const __m256 far = reinterpret_cast<__m256>(_mm256_slli_epi32(i, 28));  // sign: i & 8
  const __m256 both = _mm256_blendv_ps(low, high, far);
  return reinterpret_cast<vf>(_mm256_andnot_si256(
      _mm256_srai_epi32(i, 31), reinterpret_cast<__m256i>(both)));
#else
  vf out = zero();
  for (int l = 0; l < V; l++)
    if (index[l] >= 0) out[l] = p[index[l]];
  return out;
#endif
}

// V numbers of a row, by index. Lanes below zero are zero.
INLINE vf gather(const float* p, vi index) {
#if defined(__AVX512F__)
  const __m512i i = reinterpret_cast<__m512i>(index);
  const __mmask16 present = _mm512_cmpge_epi32_mask(i, _mm512_setzero_si512());
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), present, i, p, 4);
#else
  vf out = zero();
  for (int l = 0; l < V; l++)
    if (index[l] >= 0) out[l] = p[index[l]];
  return out;
#endif
}

// The table of x, for V outputs at a time; and the head, as planes take it.
struct PlaneTables {
  int64_t blocks;
  int32_t* base;   // [blocks]: where the window of 2 V begins; -1 if there is none
  int32_t* taps;   // [blocks]: the most of any output
  int32_t* index;  // [blocks, taps, V]: from the base, or from the row; -1 if absent
  float* weight;   // [blocks, taps, rank, V]
  float* head;     // [groups, out, depth], depth being (y, z, channel, x)

  PlaneTables(const Separable& s, Arena& arena) : blocks((s.x.out + V - 1) / V) {
    base = arena.take<int32_t>(blocks);
    taps = arena.take<int32_t>(blocks);
    index = arena.take<int32_t>(blocks * V, s.x.taps);
    arena.too_much |= s.x.taps > (int64_t(1) << 40) / (blocks * V * s.x.rank + 1);
    weight = arena.take<float>(blocks * V * s.x.rank, s.x.taps);
    head = arena.take<float>(s.groups * s.out_channels, head_shape(s).depth);
  }

  void fill(const Separable& s, const float* from) {
    for (int64_t b = 0; b < blocks; b++) fill_block(s.x, b);
    const int64_t rz = s.z.rank, ry = s.y.rank, rx = s.x.rank, c = s.in_channels;
    const int64_t rank = rz * ry * rx;
    float* to = head;
    for (int64_t o = 0; o < s.groups * s.out_channels; o++, from += c * rank)
      for (int64_t y = 0; y < ry; y++)
        for (int64_t z = 0; z < rz; z++)
          for (int64_t i = 0; i < c; i++)
            for (int64_t x = 0; x < rx; x++) *to++ = from[i * rank + (z * ry + y) * rx + x];
  }

 private:
  void fill_block(const Table& x, int64_t b) {
    const int64_t count = smaller(V, x.out - b * V);
    int64_t low = x.in, high = -1, most = 0;
    for (int64_t l = 0; l < count; l++) {
      const int32_t* source = x.source + (b * V + l) * x.taps;
      const int64_t some = tap_count(x, b * V + l);
      most = larger(most, some);
      for (int64_t t = 0; t < some; t++) {
        low = smaller(low, source[t]);
        high = larger(high, source[t]);
      }
    }
    taps[b] = int32_t(most);
    base[b] = high - low < 2 * V ? int32_t(low) : -1;
    const int32_t from = base[b] < 0 ? 0 : base[b];
    for (int64_t t = 0; t < most; t++)
      for (int64_t l = 0; l < V; l++) {
        const int64_t at = (b * V + l) * x.taps + t;
        const bool there = l < count && x.source[at] >= 0;
        index[(b * x.taps + t) * V + l] = there ? x.source[at] - from : -1;
        for (int64_t r = 0; r < x.rank; r++)
          weight[((b * x.taps + t) * x.rank + r) * V + l] = there ? x.weight[at * x.rank + r] : 0;
      }
  }
};

template <class E>
class Planes {
 public:
  Planes(const Separable& call, const PlaneTables& made, Arena& arena)
      : s(call),
        tables(made),
        depth(head_shape(call).depth),
        width(made.blocks * V),
        x_planes(call.in_channels * call.x.rank),
        planes(x_planes * call.z.rank),
        cache(arena, call.y.taps, (planes + 1) * width) {
    line = arena.take<float>(s.x.in + 2 * V);
    y_near = arena.take<const float*>(s.y.taps);
    z_near = arena.take<const float*>(s.z.taps);
    if (!s.is_flat()) x_rows = arena.take<float>(s.z.taps * (x_planes + 1), width);
    tile_numbers = arena.take<float>(depth, 2 * V);
    out_tile = arena.take<float>(s.out_channels, 2 * V);
    if (is_mixed()) {
      out_planes = arena.take<float>(s.out_channels, width + V);
      out_row = {arena.take<float>(s.x.out + V, round_up(s.out_channels, V)),
                 round_up(s.out_channels, V)};
    }
  }

  void run(int64_t task) {
    const int64_t band = task % s.bands;
    task /= s.bands;
    const int64_t oz = task % s.z.out;
    task /= s.z.out;
    const int64_t group = task % s.groups, n = task / s.groups;
    const Strided &from = s.image, &to = s.out;
    head = tables.head + group * s.out_channels * depth;
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
  // Whether the output has to be turned into pixels, or rounded.
  bool is_mixed() const { return sizeof(E) != 4 || s.out.x != 1; }

  const float* row_of(int64_t oz, int64_t y, int64_t now) {
    bool is_new;
    float* row = cache.at(cache.find(y, now, is_new));
    if (!is_new) return row;
    if (s.is_flat()) {
      along_x(0, y, row);
      return row;
    }
    const int64_t taps = tap_count(s.z, oz);
    for (int64_t t = 0; t < taps; t++) {
      float* x_row = x_rows + t * (x_planes + 1) * width;
      along_x(s.z.source[oz * s.z.taps + t], y, x_row);
      z_near[t] = x_row;
    }
    expand(z_near, taps, s.z.weight + oz * s.z.taps * s.z.rank, s.z.rank, x_planes * width, 1, 0,
           Pixels{row, 0});
    return row;
  }

  // The planes (channel, x) of an input row.
  void along_x(int64_t z, int64_t y, float* to) {
    const Strided& from = s.image;
    for (int64_t c = 0; c < s.in_channels; c++) {
      const E* p = image + z * from.z + y * from.y + c * from.c;
      const float* row = line;
      if (from.x == 1) {
        int64_t x = 0;
        for (; x + V <= s.x.in; x += V) store(line + x, load(p + x));
        if (x < s.x.in) store(line + x, load_first(p + x, s.x.in - x));
      } else {
        for (int64_t x = 0; x < s.x.in; x++) line[x] = widen(p[x * from.x]);
      }
      const int64_t rank = s.x.rank;
      for (int64_t r = 0; r < rank; to += smaller(rank - r, MAX_RANK) * width, r += MAX_RANK)
        switch (smaller(rank - r, MAX_RANK)) {
          case 1: resample_line<1>(row, r, to); break;
          case 2: resample_line<2>(row, r, to); break;
          case 3: resample_line<3>(row, r, to); break;
          default: resample_line<4>(row, r, to);
        }
    }
  }

  // R functions of the basis from the first on.
  template <int R>
  void resample_line(const float* row, int64_t first, float* to) {
    const int64_t most = s.x.taps, rank = s.x.rank;
    for (int64_t b = 0; b < tables.blocks; b++) {
      const int32_t* index = tables.index + b * most * V;
      const float* weight = tables.weight + (b * most * rank + first) * V;
      const int64_t taps = tables.taps[b];
      const bool near = tables.base[b] >= 0;
      const float* p = row + (near ? tables.base[b] : 0);
      vf sum[R];
      UNROLL
      for (int r = 0; r < R; r++) sum[r] = zero();
      for (int64_t t = 0; t < taps; t++) {
        vi at;
        memcpy(&at, index + t * V, sizeof(at));
        const vf value = near ? pick(p, at) : gather(p, at);
        UNROLL
        for (int r = 0; r < R; r++) sum[r] += value * load(weight + (t * rank + r) * V);
      }
      UNROLL
      for (int r = 0; r < R; r++) store(to + r * width + b * V, sum[r]);
    }
  }

  // Along y and the head, for 2 V outputs at a time.
  void finish(int64_t taps, const float* w, E* to) {
    for (int64_t x = 0; x < s.x.out; x += 2 * V) {
      const bool wide = s.x.out - x > V;
      combine(taps, w, x, wide);
      const int64_t left = smaller(2 * V, s.x.out - x);
      float* out = out_tile;
      int64_t stride = 2 * V;
      if (is_mixed()) {
        out = out_planes + x, stride = width + V;
      } else if (left == (wide ? 2 * V : V)) {
        out = reinterpret_cast<float*>(to) + x, stride = s.out.c;
      }
      for (int64_t o = 0; o < s.out_channels; o += MR) {
        const int64_t rows = smaller(MR, s.out_channels - o);
        const Tile one = wide ? tile_of<2>(rows) : tile_of<1>(rows);
        one(head + o * depth, depth, tile_numbers, depth, out + o * stride, stride);
      }
      if (out != out_tile) continue;
      for (int64_t o = 0; o < s.out_channels; o++) {
        float* p = reinterpret_cast<float*>(to) + o * s.out.c + x;
        const vf low = load(out_tile + o * 2 * V);
        if (left < V) {
          store_first(p, low, left);
        } else {
          store(p, low);
          store_first(p + V, load(out_tile + o * 2 * V + V), left - V);
        }
      }
    }
    if (!is_mixed()) return;
    if (s.out.x == 1) {
      for (int64_t o = 0; o < s.out_channels; o++) {
        const float* from = out_planes + o * (width + V);
        E* p = to + o * s.out.c;
        int64_t x = 0;
        for (; x + V <= s.x.out; x += V) store(p + x, load(from + x));
        if (x < s.x.out) store_first(p + x, load(from + x), s.x.out - x);
      }
    } else {
      read_planes(out_planes, width + V, s.out_channels, s.x.out, out_row);
      write_row(out_row, s.out_channels, s.x.out, to, s.out.c, s.out.x);
    }
  }

  // The tile [depth, V or 2 V]: the planes of the rows, with the basis of y before them.
  void combine(int64_t taps, const float* w, int64_t x, bool wide) {
    if (wide)
      combine_columns<2>(taps, w, x);
    else
      combine_columns<1>(taps, w, x);
  }

  template <int NV>
  void combine_columns(int64_t taps, const float* w, int64_t x) {
    const int64_t rank = s.y.rank;
    for (int64_t r = 0; r < rank; r += MAX_RANK) {
      float* to = tile_numbers + r * planes * NV * V;
      switch (smaller(rank - r, MAX_RANK)) {
        case 1: combine_some<NV, 1>(taps, w + r, x, to); break;
        case 2: combine_some<NV, 2>(taps, w + r, x, to); break;
        case 3: combine_some<NV, 3>(taps, w + r, x, to); break;
        default: combine_some<NV, 4>(taps, w + r, x, to);
      }
    }
  }

  template <int NV, int R>
  void combine_some(int64_t taps, const float* w, int64_t x, float* to) {
    const int64_t rank = s.y.rank;
    for (int64_t i = 0; i < planes; i++) {
      vf sum[R][NV];
      UNROLL
      for (int r = 0; r < R; r++)
        UNROLL
        for (int v = 0; v < NV; v++) sum[r][v] = zero();
      for (int64_t t = 0; t < taps; t++) {
        const float* p = y_near[t] + i * width + x;
        UNROLL
        for (int v = 0; v < NV; v++) {
          const vf value = load(p + v * V);
          UNROLL
          for (int r = 0; r < R; r++) sum[r][v] += value * w[t * rank + r];
        }
      }
      UNROLL
      for (int r = 0; r < R; r++)
        UNROLL
        for (int v = 0; v < NV; v++) store(to + ((r * planes + i) * NV + v) * V, sum[r][v]);
    }
  }

  const Separable& s;
  const PlaneTables& tables;
  const int64_t depth, width;  // of the head; numbers of a plane in a row
  const int64_t x_planes, planes;
  RowCache cache;
  float *line, *x_rows = nullptr, *tile_numbers, *out_tile, *out_planes = nullptr;
  const float **y_near, **z_near;
  Pixels out_row{nullptr, 0};
  const float* head = nullptr;
  const E* image = nullptr;
};

}  // namespace contconv::CONTCONV_ISA
