// The sums over pixels of one pixel's numbers times another's, of bfloat16, in the tiles of
// AMX; as `add_outer` of floats.
#pragma once
#include "amx.h"
#include "memory.h"
#include "transpose.h"

#if CONTCONV_AMX
namespace contconv::CONTCONV_ISA {

// Sums [columns, depth]: the large matrix is the right one, whose pixels are laid in pairs;
// the small one is turned.
class AmxSums {
 public:
  typedef uint16_t Left;
  static constexpr int64_t STEP = HALF_STEP;

  // Of at most so many pixels at a time, a multiple of STEP.
  AmxSums(Arena& arena, int64_t most_depth, int64_t column_count, int64_t most_pixels)
      : columns(column_count), pixels(most_pixels), pitch(round_up(most_depth, 2 * TILE)) {
    pairs = arena.take<uint16_t>(pixels, pitch);
    turned = arena.take<uint16_t>(round_up(columns, 2 * TILE), pixels);
    sums = arena.take<float>(round_up(columns, 2 * TILE), pitch);
  }

  // Add a[rows, depth]^T b[rows, columns]; the first forgets what was added before.
  void add(const uint16_t* a, int64_t lda, const float* b, int64_t ldb, int64_t rows,
           int64_t depth, bool first) {
    lay_pairs(a, lda, rows, depth);
    turn(b, ldb, rows);
    const int64_t steps = (rows + HALF_STEP - 1) / HALF_STEP;
    int64_t configured = 0;
    for (int64_t m = 0; m < columns; m += 2 * TILE) {
      const int64_t count = smaller(2 * TILE, columns - m);
      if (count != configured) begin_tiles(count);
      configured = count;
      const auto one = count > TILE ? &AmxSums::add_to<true> : &AmxSums::add_to<false>;
      for (int64_t n = 0; n < depth; n += 2 * TILE) (this->*one)(m, n, steps, first);
    }
    _tile_release();
  }

  // Where all sums go at the end: [depth, columns].
  void begin(float* to, int64_t ldc) { out = to, out_pitch = ldc; }

  void end(int64_t depth) const {
    for (int64_t j = 0; j < columns; j += V)
      for (int64_t k = 0; k < depth; k += V) {
        vf block[V];
        UNROLL
        for (int i = 0; i < V; i++) block[i] = load(sums + (j + i) * pitch + k);
        transpose(block);
        const int64_t count = smaller(V, depth - k);
        for (int64_t i = 0; i < count; i++) store(out + (k + i) * out_pitch + j, block[i]);
      }
  }

 private:
  template <bool TWO_ROWS>
  void add_to(int64_t m, int64_t n, int64_t steps, bool first) {
    float* c = sums + m * pitch + n;
    if (first)
      zero_tiles<TWO_ROWS, true>();
    else
      load_tiles<TWO_ROWS, true>(c, pitch);
    for (int64_t k = 0; k < steps; k++)
      add_tiles<TWO_ROWS, true>(turned + m * pixels + k * HALF_STEP, pixels,
                                pairs + k * HALF_STEP * pitch + 2 * n, 4 * pitch);
    store_tiles<TWO_ROWS, true>(c, pitch);
  }

  // Two pixels side by side, and zeros behind the last.
  void lay_pairs(const uint16_t* a, int64_t lda, int64_t rows, int64_t depth) {
    alignas(64) uint16_t low[32], high[32];
    for (int i = 0; i < 16; i++) {
      low[2 * i] = i, low[2 * i + 1] = 32 + i;
      high[2 * i] = 16 + i, high[2 * i + 1] = 48 + i;
    }
    const __m512i to_low = _mm512_load_si512(low), to_high = _mm512_load_si512(high);
    for (int64_t q = 0; q < round_up(rows, HALF_STEP); q += 2) {
      uint16_t* out = pairs + q * pitch;
      for (int64_t i = 0; i < depth; i += 32, out += 64) {
        const uint16_t* p = a + q * lda + i;
        const __m512i none = _mm512_setzero_si512();
        const __m512i first = q < rows ? _mm512_loadu_si512(p) : none;
        const __m512i second = q + 1 < rows ? _mm512_loadu_si512(p + lda) : none;
        _mm512_storeu_si512(out, _mm512_permutex2var_epi16(first, to_low, second));
        _mm512_storeu_si512(out + 32, _mm512_permutex2var_epi16(first, to_high, second));
      }
    }
  }

  void turn(const float* b, int64_t ldb, int64_t rows) {
    for (int64_t q = 0; q < round_up(rows, HALF_STEP); q += V)
      for (int64_t j = 0; j < columns; j += V) {
        vf block[V];
        for (int64_t i = 0; i < V; i++)
          block[i] = q + i < rows ? load(b + (q + i) * ldb + j) : zero();
        transpose(block);
        UNROLL
        for (int i = 0; i < V; i++) store(turned + (j + i) * pixels + q, block[i]);
      }
  }

  const int64_t columns, pixels, pitch;
  uint16_t *pairs, *turned;
  float *sums, *out = nullptr;
  int64_t out_pitch = 0;
};

}  // namespace contconv::CONTCONV_ISA
#endif
