// Arguments that all warps have.
#pragma once
#include "arguments.h"
#include "call_warp.h"

namespace contconv {

// The kernel of a warp whose sizes are there.
inline void check_kernel(Warp& s, int64_t kernel, double parameter, int64_t support, double slack,
                         int64_t padding) {
  STD_TORCH_CHECK(s.out_y >= 0 && s.out_x >= 0 && kernel >= 0 && kernel <= 3 && padding >= 0 &&
                      padding <= 4 && support > 0 && s.in_y > 0 && s.in_x > 0,
                  "contconv_native: a warp of ", s.in_y, " x ", s.in_x, " to ", s.out_y, " x ",
                  s.out_x, " pixels by a kernel of ", support);
  s.kernel = Classical(kernel);
  s.parameter = parameter, s.support = support, s.slack = slack;
  s.padding = Padding(padding);
}

}  // namespace contconv
