// The memory of a thread: buffers laid out one after the other, and a cache of rows.
#pragma once
#include "simd.h"

namespace contconv::CONTCONV_ISA {

// Run over nothing, it says how many bytes are needed; then again, over these.
struct Arena {
  char* base = nullptr;
  size_t used = 0;
  bool too_much = false;

  template <class T>
  T* take(int64_t count, int64_t times = 1) {
    size_t bytes = 0;
    too_much |= __builtin_mul_overflow(count, times, &bytes);
    too_much |= __builtin_mul_overflow(bytes, sizeof(T), &bytes);
    too_much |= __builtin_add_overflow(bytes, 2 * 64 - 1, &bytes);
    bytes = bytes / 64 * 64;  // and at least a cache line behind the last
    T* out = reinterpret_cast<T*>(base ? base + used : nullptr);
    too_much |= __builtin_add_overflow(used, bytes, &used);
    return out;
  }
  size_t needed() const { return too_much || used > SIZE_MAX / 2 ? SIZE_MAX : used; }
};

// Rows of an image that were made lately, so many that a window of them fits.
struct RowCache {
  int64_t slots, row_numbers;
  float* data;
  int64_t* held;  // the row in each slot
  int64_t* used;  // when it was last asked for

  RowCache(Arena& arena, int64_t most, int64_t numbers)
      : slots(most), row_numbers(numbers) {
    data = arena.take<float>(most, numbers);
    held = arena.take<int64_t>(most);
    used = arena.take<int64_t>(most);
  }
  void clear() {
    for (int64_t i = 0; i < slots; i++) held[i] = -1, used[i] = -1;
  }
  float* at(int64_t slot) const { return data + slot * row_numbers; }

  // The slot of a row; a row that `is_new` takes the place of the one used longest ago.
  // `now` has to grow from window to window.
  int64_t find(int64_t row, int64_t now, bool& is_new) {
    int64_t oldest = 0;
    for (int64_t i = 0; i < slots; i++) {
      if (held[i] == row) {
        used[i] = now;
        is_new = false;
        return i;
      }
      if (used[i] < used[oldest]) oldest = i;
    }
    held[oldest] = row;
    used[oldest] = now;
    is_new = true;
    return oldest;
  }
};

// How many taps an output has.
INLINE int64_t tap_count(const Table& table, int64_t out) {
  const int32_t* source = table.source + out * table.taps;
  int64_t count = table.taps;
  while (count > 0 && source[count - 1] < 0) count--;
  return count;
}

}  // namespace contconv::CONTCONV_ISA
