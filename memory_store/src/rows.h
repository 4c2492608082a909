#pragma once
// Groups of columns that several queries select in the same order.

#include "kw/core/outcome.h"
#include "sqlite.h"

namespace kw::store {

/// class, device, uuid, driver, arch
inline DeviceIdentity device_from(const Statement& row, int first) {
  return {row.text(first), row.text(first + 1), row.text(first + 2), row.text(first + 3),
          row.text(first + 4)};
}

/// median_us, min_us, spread_us, samples, setup_us, floor_us, achieved_gbps, protocol
inline Timing timing_from(const Statement& row, int first) {
  Timing timing;
  timing.median_us = row.real(first);
  timing.min_us = row.real(first + 1);
  timing.spread_us = row.real(first + 2);
  timing.samples = static_cast<int>(row.integer(first + 3));
  timing.setup_us = row.real(first + 4);
  timing.floor_us = row.real(first + 5);
  timing.achieved_gbps = row.real(first + 6);
  timing.protocol = row.text(first + 7);
  return timing;
}

}  // namespace kw::store
