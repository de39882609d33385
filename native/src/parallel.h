// Tasks on torch's own threads, each thread with memory that it keeps from call to call.
#pragma once
#include <torch/csrc/stable/ops.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace contconv {

// A thread keeps at most so many bytes.
constexpr size_t MOST_KEPT = size_t(4) << 20;

// 64-byte aligned, set to zero when it was made; what is there is of earlier calls.
class Scratch {
 public:
  ~Scratch() { std::free(data_); }
  // nullptr if there is not so much.
  void* of(size_t bytes) {
    if (bytes > size_ || data_ == nullptr) {
      std::free(data_);
      size_ = 0;
      data_ = bytes > SIZE_MAX / 2 ? nullptr : std::aligned_alloc(64, (bytes + 127) / 64 * 64);
      if (data_ == nullptr) return nullptr;
      size_ = bytes;
      std::memset(data_, 0, bytes);
    }
    return data_;
  }
  void trim() {
    if (size_ <= MOST_KEPT) return;
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// run(begin, end, scratch) for ranges of the tasks, each with `bytes` of scratch. In one
// thread if all of it is less than `small` multiply-adds.
template <class Run>
void in_parallel(int64_t tasks, size_t bytes, double multiply_adds, const Run& run) {
  constexpr double small = 1e6;
  std::atomic<bool> failed{false};
  const int64_t grain = multiply_adds < small ? (tasks > 0 ? tasks : 1) : 1;
  torch::stable::parallel_for(0, tasks, grain, [&](int64_t begin, int64_t end) {
    thread_local Scratch memory;
    void* scratch = memory.of(bytes);
    if (scratch == nullptr) {
      failed = true;
      return;
    }
    run(begin, end, scratch);
    memory.trim();
  });
  STD_TORCH_CHECK(!failed, "contconv_native: out of memory: ", bytes,
                  " bytes for each thread");
}

// The sums of items that were worked on apart, added in their order: so they have the same
// bits with any number of threads.
inline void sum_parts(const float* part, int64_t parts, int64_t numbers, float* out) {
  std::memcpy(out, part, sizeof(float) * size_t(numbers));
  for (int64_t p = 1; p < parts; p++) {
    part += numbers;
    for (int64_t i = 0; i < numbers; i++) out[i] += part[i];
  }
}

}  // namespace contconv
