// Products of bfloat16 in the tiles of Intel's AMX: 16 rows of 64 bytes each. Numbers that
// are multiplied with each other lie in pairs: tiles of the left [row, 32], of the right
// [pair of 32, column, 2].
#pragma once
#include "matmul.h"

#if defined(__AMX_BF16__)
#define CONTCONV_AMX 1

namespace contconv::CONTCONV_ISA {

constexpr int TILE = 16, PAIRS = 16;

// Two tiles of the left by two of the right: sums in 0 to 3, the left in 4 and 5, the right
// in 6 and 7. The second of the left may have no rows.
INLINE void begin_tiles(int64_t rows) {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  const int64_t first = smaller(rows, TILE), second = rows - first;
  for (int t = 0; t < 8; t++) {
    const bool is_second = t == 2 || t == 3 || t == 5;
    const int64_t count = t >= 6 ? PAIRS : is_second ? second : first;
    config.rows[t] = static_cast<uint8_t>(count);
    config.bytes[t] = count ? 64 : 0;
  }
  asm volatile("" ::: "memory");
  _tile_loadconfig(&config);
}

// What was written is in memory before a tile is loaded, which the compiler does not see.
INLINE void tiles_see_memory() { asm volatile("" ::: "memory"); }

// One step of the sums: 32 numbers of the depth.
template <bool TWO_ROWS, bool TWO_COLUMNS>
INLINE void add_tiles(const uint16_t* left, int64_t lda, const void* right, int64_t stride) {
  const char* b = static_cast<const char*>(right);
  _tile_loadd(4, left, 2 * lda);
  _tile_loadd(6, b, stride);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (TWO_COLUMNS) {
    _tile_loadd(7, b + 64, stride);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (TWO_ROWS) {
    _tile_loadd(5, left + TILE * lda, 2 * lda);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (TWO_COLUMNS) _tile_dpbf16ps(3, 5, 7);
  }
}

template <bool TWO_ROWS, bool TWO_COLUMNS>
INLINE void zero_tiles() {
  _tile_zero(0);
  if constexpr (TWO_COLUMNS) _tile_zero(1);
  if constexpr (TWO_ROWS) _tile_zero(2);
  if constexpr (TWO_ROWS && TWO_COLUMNS) _tile_zero(3);
}

template <bool TWO_ROWS, bool TWO_COLUMNS>
INLINE void load_tiles(const float* c, int64_t ldc) {
  tiles_see_memory();
  _tile_loadd(0, c, 4 * ldc);
  if constexpr (TWO_COLUMNS) _tile_loadd(1, c + TILE, 4 * ldc);
  if constexpr (TWO_ROWS) _tile_loadd(2, c + TILE * ldc, 4 * ldc);
  if constexpr (TWO_ROWS && TWO_COLUMNS) _tile_loadd(3, c + TILE * ldc + TILE, 4 * ldc);
}

template <bool TWO_ROWS, bool TWO_COLUMNS>
INLINE void store_tiles(float* c, int64_t ldc) {
  _tile_stored(0, c, 4 * ldc);
  if constexpr (TWO_COLUMNS) _tile_stored(1, c + TILE, 4 * ldc);
  if constexpr (TWO_ROWS) _tile_stored(2, c + TILE * ldc, 4 * ldc);
  if constexpr (TWO_ROWS && TWO_COLUMNS) _tile_stored(3, c + TILE * ldc + TILE, 4 * ldc);
  tiles_see_memory();
}

// Some rows times a panel. The last step of the panel stands in `last`, with zeros behind
// the depth.
template <bool TWO_ROWS, bool WIDE>
static void amx_panel(const uint16_t* a, int64_t lda, const float* panel, int64_t depth,
                      const float* last, float* c, int64_t ldc) {
  constexpr int64_t width = WIDE ? 2 * V : V;
  zero_tiles<TWO_ROWS, WIDE>();
  int64_t k = 0;
  for (; k + HALF_STEP <= depth; k += HALF_STEP)
    add_tiles<TWO_ROWS, WIDE>(a + k, lda, panel + k / 2 * width, 4 * width);
  if (k < depth) add_tiles<TWO_ROWS, WIDE>(a + k, lda, last, 4 * width);
  store_tiles<TWO_ROWS, WIDE>(c, ldc);
}

// c[rows, columns] = a[rows, depth] b, as `multiply` of floats; rows of `a` have zeros
// behind the depth.
static void multiply(const uint16_t* a, int64_t lda, int64_t rows, const float* packed,
                     int64_t depth, int64_t columns, float* c, int64_t ldc) {
  const int64_t tiles = (rows + 2 * TILE - 1) / (2 * TILE);
  const int64_t whole = depth / HALF_STEP * HALF_STEP;
  int64_t configured = 0;
  alignas(64) float last[PAIRS * 2 * V];
  for (int64_t n = 0; n < columns; n += 2 * V) {
    const bool wide = columns - n > V;
    const int64_t width = wide ? 2 * V : V;
    const float* panel = packed + n * depth;
    if (whole < depth) {
      const int64_t pairs = (depth - whole + 1) / 2;
      for (int64_t i = 0; i < PAIRS * width; i += V)
        store(last + i, i < pairs * width ? load(panel + whole / 2 * width + i) : zero());
    }
    tiles_see_memory();
    for (int64_t t = 0; t < tiles; t++) {
      const int64_t begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
      if (count != configured) begin_tiles(count);
      configured = count;
      const bool two = count > TILE;
      const auto one = two ? wide ? amx_panel<true, true> : amx_panel<true, false>
                           : wide ? amx_panel<false, true> : amx_panel<false, false>;
      one(a + begin * lda, lda, panel, depth, last, c + begin * ldc + n, ldc);
    }
  }
  _tile_release();
}

}  // namespace contconv::CONTCONV_ISA
#else
#define CONTCONV_AMX 0
#endif
