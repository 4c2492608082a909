#include "skeletons/image_lines.h"

#include <fmt/format.h>

#include <array>

namespace kw::codegen {
namespace {

constexpr std::size_t kMostRanges = 3;

std::optional<ImageLines::Sum> sum_of(const Index& index) {
  ImageLines::Sum sum;
  sum.of_row.constant = index.constant;
  for (const Index::Term& term : index.terms) {
    Index one;
    one.terms.push_back(term);
    if (!one.depends_on(2)) {
      sum.of_row = sum.of_row + one;
    } else if (!one.depends_on(1)) {
      sum.of_tap = sum.of_tap + one;
    } else {
      return std::nullopt;
    }
  }
  return sum;
}

}  // namespace

std::optional<ImageLines> image_lines(const ImageSite& image) {
  if (!image.ranges) return std::nullopt;
  ImageLines lines;
  const auto line = sum_of(image.pixel);
  if (!line) return std::nullopt;
  lines.line = *line;
  for (const ImageSite::Range& range : image.inside) {
    if (!range.at.depends_on(1)) {
      lines.taps.push_back(range);
      continue;
    }
    const auto at = sum_of(range.at - Index(range.low));
    if (!at || lines.rows.size() == kMostRanges) return std::nullopt;
    lines.rows.push_back({*at, range.high - range.low});
  }
  return lines;
}

std::string lines_text(const ImageLines& lines, const std::string& name) {
  constexpr std::array<char, kMostRanges> kNames = {'u', 'v', 'w'};
  const std::vector<std::string> variables = {"batch", "m", "tap"};
  const auto code = [&](const Index& index) { return to_code(index, variables); };
  std::string row = code(lines.line.of_row), tap = code(lines.line.of_tap), inside = "t.inside";
  for (std::size_t d = 0; d < kMostRanges; ++d) {
    const bool there = d < lines.rows.size();
    row += ", " + (there ? code(lines.rows[d].at.of_row) : "0");
    tap += ", " + (there ? code(lines.rows[d].at.of_tap) : "0");
    if (!there) continue;
    inside += fmt::format(" && static_cast<unsigned>(r.{0} + t.{0}) < {1}u", kNames[d],
                          lines.rows[d].extent);
  }
  std::string open;
  for (const ImageSite::Range& range : lines.taps) {
    const std::string at = code(range.at);
    open += fmt::format("{}{} >= {} && {} < {}", open.empty() ? "" : " && ", at, range.low, at,
                        range.high);
  }
  return fmt::format(
      "struct {0} {{\n"
      "  __device__ __forceinline__ kw::ImageRow row([[maybe_unused]] int batch,\n"
      "                                              [[maybe_unused]] int m) const {{\n"
      "    return {{{1}}};\n  }}\n"
      "  __device__ __forceinline__ kw::ImageTap tap([[maybe_unused]] int batch,\n"
      "                                              [[maybe_unused]] int tap) const {{\n"
      "    return {{{2}, {3}}};\n  }}\n"
      "  __device__ __forceinline__ bool inside([[maybe_unused]] const kw::ImageRow& r,\n"
      "                                         const kw::ImageTap& t) const {{\n"
      "    return {4};\n  }}\n}};\n",
      name, row, tap, open.empty() ? "true" : open, inside);
}

}  // namespace kw::codegen
