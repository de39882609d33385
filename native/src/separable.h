// A separable convolution, run by torch's threads.
#pragma once
#include "call.h"

namespace contconv {

// Pack the head[group o, c, z, y, x] for the order of `s`, in the memory of this thread: until
// it is called again.
void pack_head(Separable& s, const float* head);

// Run it, but for its head, order and bands complete; in the best order, or the one asked
// for if it is not negative.
void run_separable(Separable& s, const float* head, int64_t order);

}  // namespace contconv
