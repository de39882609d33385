// Everything for one instruction set: compiled once for each, with its flags and
// CONTCONV_ISA as its name.
#include "forward.h"
#include "pack.h"

namespace contconv {
namespace CONTCONV_ISA {

static size_t packed_bytes(const Separable& s) {
  const HeadShape shape = head_shape(s);
  size_t bytes;
  if (__builtin_mul_overflow(packed_columns(shape.columns) * sizeof(float), shape.depth, &bytes))
    return SIZE_MAX;
  return bytes;
}

static void pack(const Separable& s, const float* head, void* packed, int64_t begin,
                 int64_t end) {
  pack_float(s, head, static_cast<float*>(packed), begin, end);
}

template <class E>
static size_t scratch_of(const Separable& s) {
  Arena arena;
  Forward<E> forward(s, arena);
  return arena.needed();
}

template <class E>
static void run(const Separable& s, int64_t begin, int64_t end, void* scratch) {
  Arena arena{static_cast<char*>(scratch)};
  Forward<E> forward(s, arena);
  for (int64_t task = begin; task < end; task++) forward.run(task);
}

static size_t separable_scratch(const Separable& s) {
  return s.type == Type::float32 ? scratch_of<float>(s) : scratch_of<uint16_t>(s);
}

static void separable(const Separable& s, int64_t begin, int64_t end, void* scratch) {
  if (s.type == Type::float32) {
    run<float>(s, begin, end, scratch);
  } else {
    run<uint16_t>(s, begin, end, scratch);
  }
}

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)

extern const Kernels kernels;
const Kernels kernels{NAME(CONTCONV_ISA), V, packed_bytes, pack, separable_scratch, separable};

}  // namespace CONTCONV_ISA
}  // namespace contconv
