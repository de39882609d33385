// What an axis of an image of bytes, resampled, is made of. Plain data.
#pragma once
#include "call.h"
#include "taps.h"

namespace contconv {

// Numbers [before, in, inner] to [before, out_size, inner], contiguous. If `inner` fills a
// vector, items are (before, output); if not, vectors hold a number of V lines, and items
// are (V lines, chunk of outputs).
struct Bytes {
  const uint8_t* image;
  uint8_t* out;
  int64_t before, in, out_size, inner, taps;
  Padding padding;
  const int64_t* first;  // [out_size], of any sign and never less than the one before
  const double* weight;  // [out_size, taps]
  const float* rough;    // the same in float32
  const float* doubt;    // [out_size], by how much sums of them may be wrong; 0 if they are exact
  float inverse, nudge;  // sums times the one plus the other are rounded
  int64_t chunk, range;  // outputs of a chunk; input pixels under any chunk at most
  bool fills;            // whether `inner` fills a vector

  ALWAYS_INLINE int64_t chunks() const { return (out_size + chunk - 1) / chunk; }
  ALWAYS_INLINE int64_t items(int64_t vector) const {
    return fills ? before * out_size : (before + vector - 1) / vector * chunks();
  }
};

}  // namespace contconv
