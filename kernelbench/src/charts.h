#pragma once
// Drawings of a report as SVG elements, for its HTML page.

#include <string>
#include <string_view>

#include "kw/bench/report.h"

namespace kw::bench {

/// Text for HTML content and attributes.
std::string escape_html(std::string_view text);
/// A name that can be an id: "kernelbench:1/19" as "kernelbench-1-19".
std::string anchor_of(std::string_view task);

/// One bar a timed task, sorted: speedup on a logarithmic axis. Empty without a baseline.
std::string speedup_chart(const Report& report, Against against);

/// Operations per second over operations per byte of what check V9 recorded, under the two roofs
/// that its floors imply. Empty when no task has both.
std::string roofline_plot(const Report& report);

}  // namespace kw::bench
