#include "charts.h"

#include <algorithm>
#include <cmath>

namespace kw::bench {
namespace {

constexpr double kWidth = 960, kHeight = 360, kLeft = 64, kRight = 12, kTop = 12, kBottom = 44;

/// A logarithmic axis over whole decades or octaves, in pixels.
struct Axis {
  double from, to;  // values
  double begin, end;
  double at(double value) const {
    const double share = std::log(value / from) / std::log(to / from);
    return begin + (end - begin) * std::clamp(share, 0.0, 1.0);
  }
};

Axis axis_over(const std::vector<double>& values, double base, double begin, double end) {
  const auto [low, high] = std::ranges::minmax_element(values);
  const double from = std::pow(base, std::floor(std::log(*low) / std::log(base)));
  double to = std::pow(base, std::ceil(std::log(*high) / std::log(base)));
  if (to <= from) to = from * base;
  return {from, to, begin, end};
}

std::string frame(std::string_view title, const std::string& inside) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}</svg>", kWidth,
                     kHeight, escape_html(title), inside);
}

std::string vertical_grid(const Axis& y, double base, std::string_view unit) {
  std::string text;
  for (double v = y.from; v <= y.to * 1.0001; v *= base) {
    text += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}{}</text>",
        kLeft, kWidth - kRight, y.at(v), y.at(v), kLeft - 6, y.at(v) + 4, v, unit);
  }
  return text;
}

struct Point {
  const TaskResult* result;
  double bytes, operations, seconds, floor_s;
};

/// What V9 recorded of a timed task that moves bytes and computes.
std::optional<Point> point_of(const TaskResult& result) {
  const auto* good = std::get_if<Passed>(&result.outcome);
  if (good == nullptr || !good->timing || !(good->timing->median_us > 0)) return std::nullopt;
  for (const CheckRecord& check : good->evidence.checks) {
    if (check.check != "V9.roofline") continue;
    const auto bytes = check.figures.find("bytes");
    const auto operations = check.figures.find("operations");
    if (bytes == check.figures.end() || operations == check.figures.end()) continue;
    if (!(bytes->second > 0) || !(operations->second > 0)) continue;
    return Point{&result, bytes->second, operations->second, good->timing->median_us / 1e6,
                 good->timing->floor_us / 1e6};
  }
  return std::nullopt;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string anchor_of(std::string_view task) {
  std::string id;
  for (const char c : task) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    id += plain ? c : '-';
  }
  return id;
}

std::string speedup_chart(const Report& report, Against against) {
  std::vector<std::pair<double, const TaskResult*>> bars;
  for (const TaskResult& result : report.results) {
    if (const auto ratio = speedup(result, against)) bars.emplace_back(*ratio, &result);
  }
  if (bars.empty()) return {};
  std::ranges::stable_sort(bars, {}, [](const auto& bar) { return bar.first; });
  std::vector<double> values{1};
  for (const auto& [ratio, result] : bars) values.push_back(ratio);
  const Axis y = axis_over(values, 2, kHeight - kBottom, kTop);
  std::string text = vertical_grid(y, 2, "x");
  const double step = (kWidth - kLeft - kRight) / static_cast<double>(bars.size());
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const auto& [ratio, result] = bars[i];
    const double top = std::min(y.at(ratio), y.at(1)), bottom = std::max(y.at(ratio), y.at(1));
    const std::string_view klass = !result->sound() ? "unsound" : ratio < 1 ? "slower" : "faster";
    text += fmt::format(
        "<a href=\"#{}\"><rect class=\"{}\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" "
        "height=\"{:.2f}\"><title>{}: {:.2f}x</title></rect></a>",
        anchor_of(result->task), klass, kLeft + step * static_cast<double>(i), top,
        std::max(step - 0.5, 0.5), std::max(bottom - top, 1.0), escape_html(result->task), ratio);
  }
  text += fmt::format(
      "<text x=\"{}\" y=\"{}\">{} timed tasks, slowest first; the line at 1x is {}</text>", kLeft,
      kHeight - 14, bars.size(), to_string(against));
  return frame(fmt::format("speedup against {}", to_string(against)), text);
}

std::string roofline_plot(const Report& report) {
  std::vector<Point> points;
  for (const TaskResult& result : report.results) {
    if (const auto point = point_of(result)) points.push_back(*point);
  }
  if (points.empty()) return {};
  double bandwidth = 0, peak = 0;  // the largest that a floor implies
  std::vector<double> intensities, rates;
  for (const Point& p : points) {
    intensities.push_back(p.operations / p.bytes);
    rates.push_back(p.operations / p.seconds / 1e12);
    if (!(p.floor_s > 0)) continue;
    bandwidth = std::max(bandwidth, p.bytes / p.floor_s);
    peak = std::max(peak, p.operations / p.floor_s);
  }
  if (peak > 0) rates.push_back(peak / 1e12);
  const Axis x = axis_over(intensities, 10, kLeft, kWidth - kRight);
  const Axis y = axis_over(rates, 10, kHeight - kBottom, kTop);
  std::string text = vertical_grid(y, 10, "");
  for (double v = x.from; v <= x.to * 1.0001; v *= 10) {
    text += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>", x.at(v),
                        kHeight - kBottom + 16, v);
  }
  if (bandwidth > 0 && peak > 0) {
    text += "<polyline class=\"roof\" points=\"";
    for (int i = 0; i <= 200; ++i) {
      const double intensity = x.from * std::pow(x.to / x.from, i / 200.0);
      text += fmt::format("{:.1f},{:.1f} ", x.at(intensity),
                          y.at(std::min(bandwidth * intensity, peak) / 1e12));
    }
    text += "\"/>";
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    text += fmt::format(
        "<a href=\"#{}\"><circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}: {:.3g} TFLOP/s at "
        "{:.3g} operations a byte</title></circle></a>",
        anchor_of(points[i].result->task), x.at(intensities[i]), y.at(rates[i]),
        escape_html(points[i].result->task), rates[i], intensities[i]);
  }
  text += fmt::format(
      "<text x=\"{}\" y=\"{}\">operations a byte; the axis on the left is TFLOP/s; the roof is "
      "what "
      "the judge's floors assume ({:.2f} TB/s, {:.0f} TFLOP/s)</text>",
      kLeft, kHeight - 8, bandwidth / 1e12, peak / 1e12);
  return frame("roofline", text);
}

}  // namespace kw::bench
