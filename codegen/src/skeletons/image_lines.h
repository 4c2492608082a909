#pragma once
// Where a convolution's taps find their pixels, as the text that image_tf32.cuh asks for: a part
// that a row of the product fixes, a part that a tap fixes, and the ranges outside of which a tap
// is zero.

#include <optional>
#include <string>
#include <vector>

#include "skeletons/image_site.h"

namespace kw::codegen {

struct ImageLines {
  struct Sum {
    Index of_row, of_tap;  // over v0 = batch and v1 = m, and over v0 and v2 = tap
  };
  struct Range {
    Sum at;  // less the lower end
    std::int64_t extent = 0;
  };
  Sum line;
  std::vector<Range> rows;             // at most three, that depend on the row
  std::vector<ImageSite::Range> taps;  // that do not
};

/// Nothing when a number or a condition is no such sum, or more than three ranges depend on the
/// row.
std::optional<ImageLines> image_lines(const ImageSite& image);
/// struct `name` with row(), tap() and inside().
std::string lines_text(const ImageLines& lines, const std::string& name);

}  // namespace kw::codegen
