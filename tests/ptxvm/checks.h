#pragma once

#include "kw/ptxvm/run.h"

namespace kw::ptxvm {

/// Options with every sanitizer on.
inline Options every_check() {
  Options options;
  options.check_uninitialised = true;
  options.count_memory = true;
  return options;
}

}  // namespace kw::ptxvm
