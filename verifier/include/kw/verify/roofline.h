#pragma once
// V9: the least time a task can take on a device, from datasheet figures.

#include <cstdint>
#include <string_view>

#include "kw/core/outcome.h"
#include "kw/core/task.h"

namespace kw::verify {

struct Roofline {
  double bytes = 0;       // inputs that outputs provably depend on, and outputs, once each
  double operations = 0;  // multiply and add count apart; contractions only; 0 where algebra may
                          // remove them (degeneracy.h)
  double bytes_us = 0;
  double operations_us = 0;
  double floor_us() const { return bytes_us > operations_us ? bytes_us : operations_us; }
};

/// Matrix products, by operator name.
bool is_contraction(std::string_view op);

/// Zero times for devices whose figures are not known (the virtual machine).
Roofline roofline(const Task& task, const DeviceIdentity& device);
double roofline_floor_us(const Task& task, const DeviceIdentity& device);

}  // namespace kw::verify
