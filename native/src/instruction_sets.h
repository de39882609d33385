// The instruction sets that this library was compiled for, and the one in use.
#pragma once
#include "call.h"

namespace contconv {

// What the calls of now on use: the best that this CPU has, unless told otherwise.
const Kernels& kernels_in_use();

}  // namespace contconv
