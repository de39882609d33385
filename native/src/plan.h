// Which order of the steps takes the least time.
#pragma once
#include "call.h"

namespace contconv {

struct Plan {
  Order order;
  double multiply_adds;  // all of them, for the whole batch
  double steps;          // what takes half a cycle: a vector loaded, stored, multiplied
};

// Whether each channel is filtered by itself, in two axes at most.
bool is_depthwise(const Separable& s);

// Of the sizes in `s` alone: tables and tensors need not be there.
Plan plan_of(const Separable& s, Order order, int64_t vector);

// The best order, or the one asked for if it is not negative.
Plan best_plan(const Separable& s, int64_t order, int64_t vector);

}  // namespace contconv
