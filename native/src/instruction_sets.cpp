#include "instruction_sets.h"

#include <atomic>
#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace contconv {

#define DECLARE(isa)        \
  namespace isa {           \
  extern const Kernels kernels; \
  }
#if defined(__x86_64__)
#if defined(CONTCONV_HAS_amx_bf16)
DECLARE(amx_bf16)
#endif
DECLARE(avx512_bf16)
DECLARE(avx512)
DECLARE(avx2)
DECLARE(generic)
#elif defined(__aarch64__)
DECLARE(neon)
#else
DECLARE(generic)
#endif

namespace {

struct InstructionSet {
  const Kernels* kernels;
  bool (*is_here)();
  bool (*is_best)();  // of those that are here, and not before it
};

bool always() { return true; }

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
// Intel's takes four times as long as a product of floats (measured on Sapphire Rapids:
// 48 against 95 GMAC/s), AMD's as long.
bool has_fast_bf16() { return has_avx512_bf16() && !__builtin_cpu_is("intel"); }

#if defined(CONTCONV_HAS_amx_bf16)
// Linux keeps the tiles of those processes only that asked for it.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
bool has_amx_bf16() {
  unsigned a, b, c, d;
  constexpr unsigned bf16 = 1u << 22, tile = 1u << 24;
  if (!has_avx512_bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  return (d & bf16) && (d & tile) && may_use_tiles();
}
#endif
#endif

// The best first.
const InstructionSet sets[] = {
#if defined(__x86_64__)
#if defined(CONTCONV_HAS_amx_bf16)
    {&amx_bf16::kernels, has_amx_bf16, has_amx_bf16},
#endif
    {&avx512_bf16::kernels, has_avx512_bf16, has_fast_bf16},
    {&avx512::kernels, has_avx512, has_avx512},
    {&avx2::kernels, has_avx2, has_avx2},
    {&generic::kernels, always, always},
#elif defined(__aarch64__)
    {&neon::kernels, always, always},
#else
    {&generic::kernels, always, always},
#endif
};

std::atomic<const Kernels*> in_use{nullptr};

}  // namespace

const Kernels& kernels_in_use() {
  const Kernels* found = in_use.load(std::memory_order_acquire);
  if (found == nullptr) {
    for (const InstructionSet& set : sets)
      if (found == nullptr && set.is_best()) found = set.kernels;
    in_use.store(found, std::memory_order_release);
  }
  return *found;
}

}  // namespace contconv

// For ctypes: beside torch's operators, these need no tensors.
extern "C" {

__attribute__((visibility("default"))) const char* contconv_native_instruction_set() {
  return contconv::kernels_in_use().name;
}

// The name of each set that was compiled, the best first; nullptr after the last.
__attribute__((visibility("default"))) const char* contconv_native_compiled(int i) {
  const int count = sizeof(contconv::sets) / sizeof(contconv::sets[0]);
  return i >= 0 && i < count ? contconv::sets[i].kernels->name : nullptr;
}

// Use a set from now on. 0 if done; 1 if this CPU lacks it; 2 if there is none so called.
__attribute__((visibility("default"))) int contconv_native_use(const char* name) {
  for (const contconv::InstructionSet& set : contconv::sets) {
    if (std::strcmp(set.kernels->name, name) != 0) continue;
    if (!set.is_here()) return 1;
    contconv::in_use.store(set.kernels, std::memory_order_release);
    return 0;
  }
  return 2;
}
}
