// Everything for one instruction set: compiled once for each, with its flags and
// CONTCONV_ISA as its name.
#include "bytes.h"
#include "depthwise.h"
#include "depthwise_gradient.h"
#include "finer.h"
#include "footprint.h"
#include "footprint_gradients.h"
#include "forward.h"
#include "head_gradient.h"
#include "pack.h"
#include "pixelwise_depthwise.h"
#include "planes.h"
#include "table_gradients.h"
#include "warp.h"
#include "warp_gradients.h"

namespace contconv {
namespace CONTCONV_ISA {

static size_t packed_bytes(const Separable& s) {
  const HeadShape shape = head_shape(s);
  if (s.order == Order::depthwise)
    return size_t(lanes_of(s)) * size_t(s.y.rank * s.x.rank) * sizeof(float);
  size_t bytes;
  if (__builtin_mul_overflow(packed_columns(shape.columns) * sizeof(float), shape.depth, &bytes))
    return SIZE_MAX;
  return bytes;
}

static void pack(const Separable& s, const float* head, void* packed, int64_t begin,
                 int64_t end) {
  if (s.order == Order::depthwise)
    pack_depthwise(s, head, static_cast<float*>(packed));
  else
    pack_float(s, head, static_cast<float*>(packed), begin, end);
}

static size_t planes_bytes(const Separable& s) {
  Arena arena;
  PlaneTables tables(s, arena);
  return arena.needed();
}

static void prepare_planes(const Separable& s, const float* head, void* prepared) {
  Arena arena{static_cast<char*>(prepared)};
  PlaneTables(s, arena).fill(s, head);
}

// The tables that were prepared.
static PlaneTables tables_of(const Separable& s) {
  Arena arena{static_cast<char*>(const_cast<void*>(s.head))};
  return PlaneTables(s, arena);
}

template <class E>
static size_t scratch_of(const Separable& s) {
  Arena arena;
  if (s.order == Order::planes) {
    const PlaneTables tables = tables_of(s);
    Planes<E> planes(s, tables, arena);
  } else if (s.order == Order::depthwise) {
    Depthwise<E> depthwise(s, arena);
  } else {
    Forward<E> forward(s, arena);
  }
  return arena.needed();
}

template <class E>
static void run(const Separable& s, int64_t begin, int64_t end, void* scratch) {
  Arena arena{static_cast<char*>(scratch)};
  if (s.order == Order::planes) {
    const PlaneTables tables = tables_of(s);
    Planes<E> planes(s, tables, arena);
    for (int64_t task = begin; task < end; task++) planes.run(task);
  } else if (s.order == Order::depthwise) {
    Depthwise<E> depthwise(s, arena);
    for (int64_t task = begin; task < end; task++) depthwise.run(task);
  } else {
    Forward<E> forward(s, arena);
    for (int64_t task = begin; task < end; task++) forward.run(task);
  }
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

template <class Worker, class Call>
static size_t scratch_of_worker(const Call& s) {
  Arena arena;
  Worker worker(s, arena);
  return arena.needed();
}

template <class Worker, class Call>
static void run_worker(const Call& s, int64_t begin, int64_t end, void* scratch) {
  Arena arena{static_cast<char*>(scratch)};
  Worker worker(s, arena);
  for (int64_t item = begin; item < end; item++) worker.run(item);
}

// Of a worker for the type of the numbers in memory.
template <template <class> class Worker, class Call>
static size_t typed_scratch(const Call& s) {
  if (s.type == Type::float32) return scratch_of_worker<Worker<float>>(s);
  return scratch_of_worker<Worker<uint16_t>>(s);
}

template <template <class> class Worker, class Call>
static void run_typed(const Call& s, int64_t begin, int64_t end, void* scratch) {
  if (s.type == Type::float32) {
    run_worker<Worker<float>>(s, begin, end, scratch);
  } else {
    run_worker<Worker<uint16_t>>(s, begin, end, scratch);
  }
}

// One of two workers, as the call says.
template <class Each, class Mixing, class Call>
static size_t scratch_of_either(const Call& s) {
  return s.depthwise ? scratch_of_worker<Each>(s) : scratch_of_worker<Mixing>(s);
}

template <class Each, class Mixing, class Call>
static void run_either(const Call& s, int64_t begin, int64_t end, void* scratch) {
  (s.depthwise ? run_worker<Each, Call> : run_worker<Mixing, Call>)(s, begin, end, scratch);
}

static size_t pixelwise_scratch(const Pixelwise& s) {
  return s.type == Type::float32
             ? scratch_of_either<PixelwiseDepthwise<float>, PixelwiseForward<float>>(s)
             : scratch_of_either<PixelwiseDepthwise<uint16_t>, PixelwiseForward<uint16_t>>(s);
}

static void pixelwise(const Pixelwise& s, int64_t begin, int64_t end, void* scratch) {
  if (s.type == Type::float32)
    run_either<PixelwiseDepthwise<float>, PixelwiseForward<float>>(s, begin, end, scratch);
  else
    run_either<PixelwiseDepthwise<uint16_t>, PixelwiseForward<uint16_t>>(s, begin, end, scratch);
}

static const PixelwiseKernels pixelwise_kernels{
    typed_scratch<StagedRows, Staging>,
    run_typed<StagedRows, Staging>,
    pixelwise_scratch,
    pixelwise,
    scratch_of_either<DepthwiseHeadGradient, PixelwiseHeadGradient, PixelwiseHead>,
    run_either<DepthwiseHeadGradient, PixelwiseHeadGradient, PixelwiseHead>,
    scratch_of_either<DepthwiseTableGradient, PixelwiseTableGradient, PixelwiseTable>,
    run_either<DepthwiseTableGradient, PixelwiseTableGradient, PixelwiseTable>};

static size_t warp_scratch(const Warp& s) {
  return s.taps() <= 4 ? scratch_of_worker<Warped<4>>(s) : scratch_of_worker<Warped<8>>(s);
}

static void warp(const Warp& s, int64_t begin, int64_t end, void* scratch) {
  (s.taps() <= 4 ? run_worker<Warped<4>, Warp> : run_worker<Warped<8>, Warp>)(s, begin, end, scratch);
}

// Of the image, or of the places.
template <template <int> class Worker>
static size_t lanes_scratch(const WarpGradients& s) {
  return s.warp.taps() <= 4 ? scratch_of_worker<Worker<4>>(s) : scratch_of_worker<Worker<8>>(s);
}

template <template <int> class Worker>
static void run_lanes(const WarpGradients& s, int64_t begin, int64_t end, void* scratch) {
  (s.warp.taps() <= 4 ? run_worker<Worker<4>, WarpGradients> : run_worker<Worker<8>, WarpGradients>)(
      s, begin, end, scratch);
}

static size_t warp_gradients_scratch(const WarpGradients& s) {
  return s.image ? lanes_scratch<WarpImageGradient>(s) : lanes_scratch<WarpPlaceGradient>(s);
}

static void warp_gradients(const WarpGradients& s, int64_t begin, int64_t end, void* scratch) {
  (s.image ? run_lanes<WarpImageGradient> : run_lanes<WarpPlaceGradient>)(s, begin, end, scratch);
}

// Of one kind of sums, by the kernel of the call.
template <template <Classical> class Worker, class Do>
static void by_kernel(Classical kernel, const Do& with) {
  switch (kernel) {
    case Classical::box: return with.template operator()<Worker<Classical::box>>();
    case Classical::linear: return with.template operator()<Worker<Classical::linear>>();
    case Classical::cubic: return with.template operator()<Worker<Classical::cubic>>();
    default: return with.template operator()<Worker<Classical::lanczos>>();
  }
}

template <class Do>
static void by_work(const FootprintSums& s, const Do& with) {
  const Classical kernel = s.of.warp.kernel;
  switch (s.work) {
    case FootprintWork::output: return by_kernel<FootprintOutput>(kernel, with);
    case FootprintWork::totals: return by_kernel<FootprintTotals>(kernel, with);
    case FootprintWork::image: return by_kernel<FootprintImageGradient>(kernel, with);
    default: return by_kernel<FootprintPlaceGradient>(kernel, with);
  }
}

static size_t footprint_scratch(const FootprintSums& s) {
  size_t bytes = 0;
  by_work(s, [&]<class Worker>() { bytes = scratch_of_worker<Worker>(s); });
  return bytes;
}

static void footprint(const FootprintSums& s, int64_t begin, int64_t end, void* scratch) {
  by_work(s, [&]<class Worker>() { run_worker<Worker>(s, begin, end, scratch); });
}

static const FootprintKernels footprint_kernels{footprint_scratch, footprint};

static size_t bytes_scratch(const Bytes& s) {
  return s.fills ? scratch_of_worker<BytesAcross>(s) : scratch_of_worker<BytesAlong>(s);
}

static void bytes(const Bytes& s, int64_t begin, int64_t end, void* scratch) {
  (s.fills ? run_worker<BytesAcross, Bytes> : run_worker<BytesAlong, Bytes>)(s, begin, end, scratch);
}

static const FinerKernels finer_kernels{
    typed_scratch<FinerForward, Finer>, run_typed<FinerForward, Finer>,
    typed_scratch<FinerBackward, Finer>, run_typed<FinerBackward, Finer>};

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)

extern const Kernels kernels;
const Kernels kernels{
    NAME(CONTCONV_ISA), V,
    packed_bytes,       pack,
    planes_bytes,       prepare_planes,
    separable_scratch,  separable,
    typed_scratch<HeadGradient, HeadSums>,
    run_typed<HeadGradient, HeadSums>,
    typed_scratch<DepthwiseGradient, DepthwiseSums>,
    run_typed<DepthwiseGradient, DepthwiseSums>,
    typed_scratch<TableGradients, TableSums>,
    run_typed<TableGradients, TableSums>,
    &pixelwise_kernels, warp_scratch, warp,
    warp_gradients_scratch, warp_gradients,
    &footprint_kernels,
    bytes_scratch,      bytes,
    &finer_kernels};

}  // namespace CONTCONV_ISA
}  // namespace contconv
