#include <optional>

#include "charts.h"
#include "kw/bench/report.h"

namespace kw::bench {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--rule:#d0d7de;--good:#2da44e;--bad:#cf222e;--mute:#8c959f;--link:#0969da}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--rule:#30363d;--good:#3fb950;--bad:#f85149;--mute:#8b949e;--link:#58a6ff}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:90rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--rule);padding:.2rem .6rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right}a{color:var(--link)}svg{width:100%;height:auto}svg text{fill:var(--ink);font-size:12px}
.grid{stroke:var(--rule)}.faster{fill:var(--good)}.slower{fill:var(--bad)}.unsound{fill:var(--mute)}circle{fill:var(--link);fill-opacity:.7}
.roof{fill:none;stroke:var(--bad);stroke-width:1.5}section{border-top:1px solid var(--rule);margin-top:1.5rem}.no{color:var(--bad)}
code{font-size:13px;overflow-wrap:anywhere}
)";

std::string milliseconds(const std::optional<double>& ms) {
  return ms ? fmt::format("{:.4g}", *ms) : "-";
}
std::string factor(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.2f}x", *ratio) : "-";
}

std::string scores(const Report& report) {
  std::string text = "<table><tr><th>tasks</th><th>against</th><th>solved</th>";
  for (const double p : kFastThresholds)
    text += fmt::format("<th class=\"n\">fast<sub>{}</sub></th>", p);
  text += "<th class=\"n\">geometric mean</th></tr>";
  for (const bool sound : {false, true}) {
    for (const Against against :
         {Against::Eager, Against::Graph, Against::Library, Against::Compile}) {
      const Score total = score(report.results, against, sound);
      text += fmt::format("<tr><td>{}</td><td>{}</td><td>{} of {}</td>", sound ? "sound" : "all",
                          to_string(against), total.solved, total.tasks);
      for (const double p : kFastThresholds) {
        const auto share = total.fast_p.find(p);
        text += share == total.fast_p.end()
                    ? "<td class=\"n\">-</td>"
                    : fmt::format("<td class=\"n\">{:.3f}</td>", share->second);
      }
      text += fmt::format("<td class=\"n\">{}</td></tr>", factor(total.geometric_mean));
    }
  }
  return text + "</table>";
}

std::string overview(const Report& report) {
  std::string text =
      "<table><tr><th>task</th><th>result</th><th class=\"n\">ours ms</th><th class=\"n\">eager "
      "ms</th>"
      "<th class=\"n\">CUDA graph ms</th><th class=\"n\">library ms</th>"
      "<th class=\"n\">torch.compile ms</th><th class=\"n\">vs eager</th><th class=\"n\">vs "
      "best</th>"
      "<th class=\"n\">floor ms</th><th>class</th><th>kernel</th></tr>";
  for (const TaskResult& result : report.results) {
    const Baseline baseline = result.baseline.value_or(Baseline{});
    text += fmt::format(
        "<tr><td><a href=\"#{}\">{}</a></td><td{}>{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td>{}</td>"
        "<td>{}</td></tr>",
        anchor_of(result.task), escape_html(result.task), result.solved() ? "" : " class=\"no\"",
        result.solved() ? "passed" : to_string(std::get<Rejected>(result.outcome).kind),
        milliseconds(result.ms()), milliseconds(baseline.ms(Against::Eager)),
        milliseconds(baseline.ms(Against::Graph)), milliseconds(baseline.ms(Against::Library)),
        milliseconds(baseline.ms(Against::Compile)), factor(speedup(result, Against::Eager)),
        factor(speedup_over_best(result)), milliseconds(result.floor_ms()), to_string(result.klass),
        escape_html(result.kernel));
  }
  return text + "</table>";
}

/// The launches that were seen (counters "launched.r0_product"), with what each kernel's took in
/// one run launched node by node ("kernel_us.r0_product").
std::string launches(const Evidence& evidence) {
  constexpr std::string_view kPrefix = "launched.";
  std::string text;
  for (const auto& [name, count] : evidence.counters) {
    if (!name.starts_with(kPrefix)) continue;
    const std::string kernel = name.substr(kPrefix.size());
    const auto us = evidence.counters.find("kernel_us." + kernel);
    text += fmt::format(
        "<tr><td><code>{}</code></td><td class=\"n\">{:g}</td><td class=\"n\">{}</td></tr>",
        escape_html(kernel), count,
        us == evidence.counters.end() ? "-" : fmt::format("{:.1f}", us->second));
  }
  if (text.empty()) return text;
  return "<table><tr><th>kernel</th><th class=\"n\">launches seen</th><th class=\"n\">\u00b5s of a "
         "run</th></tr>" +
         text + "</table>";
}

std::string checks(const Evidence& evidence) {
  if (evidence.checks.empty()) return {};
  std::string text = "<table><tr><th>check</th><th>result</th><th>seed</th><th>figures</th></tr>";
  for (const CheckRecord& check : evidence.checks) {
    std::string figures;
    for (const auto& [name, value] : check.figures)
      figures += fmt::format("{} {:.6g}; ", name, value);
    for (const auto& [name, value] : check.notes) figures += fmt::format("{} {}; ", name, value);
    text += fmt::format("<tr><td>{}</td><td{}>{}</td><td>{}</td><td>{}</td></tr>",
                        escape_html(check.check), check.passed ? "" : " class=\"no\"",
                        check.passed ? "passed" : "failed", check.seed, escape_html(figures));
  }
  return text + "</table>";
}

std::string page_of(const TaskResult& result) {
  std::string text = fmt::format("<section id=\"{}\"><h3>{}</h3>", anchor_of(result.task),
                                 escape_html(result.task));
  const Evidence* evidence = nullptr;
  if (const auto* good = std::get_if<Passed>(&result.outcome)) {
    evidence = &good->evidence;
    text += fmt::format("<p>Solved by <code>{}</code> under {}.", escape_html(result.kernel),
                        escape_html(result.policy.empty() ? "its own policy" : result.policy));
    if (good->timing) {
      const Timing& t = *good->timing;
      text += fmt::format(
          " {:.4g} ms (median of {}; interquartile range {:.3g} µs; {:.0f} GB/s; protocol {}).",
          t.median_us / 1e3, t.samples, t.spread_us, t.achieved_gbps, escape_html(t.protocol));
    }
    text += "</p>";
  } else {
    const auto& bad = std::get<Rejected>(result.outcome);
    evidence = &bad.evidence;
    text += fmt::format("<p class=\"no\">{}: {}</p>", to_string(bad.kind), escape_html(bad.reason));
  }
  text += launches(*evidence);
  if (!result.refused.empty()) {
    text += "<p>Refused before:</p><ul>";
    for (const std::string& why : result.refused) text += "<li>" + escape_html(why) + "</li>";
    text += "</ul>";
  }
  text += fmt::format("<p>Generated in {:.3f} s, compiled in {:.2f} s, judged in {:.2f} s.</p>",
                      result.generate_s, result.compile_s, result.judge_s);
  return text + checks(*evidence) + "</section>";
}

}  // namespace

std::string to_html(const Report& report) {
  std::string text = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head>"
      "<body><h1>{0}</h1><ul><li>policy: {2}</li><li>device: {3} {4}</li>",
      escape_html(report.suite), kStyle, escape_html(report.policy),
      escape_html(report.device.name.empty() ? report.device.klass : report.device.name),
      escape_html(report.device.driver));
  for (const auto& [name, value] : report.environment) {
    text += fmt::format("<li>{}: {}</li>", escape_html(name), escape_html(value));
  }
  text += "</ul>" + scores(report);
  for (const Against against : {Against::Eager, Against::Compile}) {
    const std::string chart = speedup_chart(report, against);
    if (!chart.empty())
      text += fmt::format("<h2>Speedup against {}</h2>{}", to_string(against), chart);
  }
  if (const std::string plot = roofline_plot(report); !plot.empty()) {
    text += "<h2>Roofline</h2>" + plot;
  }
  text += "<h2>Tasks</h2>" + overview(report) + "<h2>Evidence</h2>";
  for (const TaskResult& result : report.results) text += page_of(result);
  return text + "</body></html>\n";
}

}  // namespace kw::bench
