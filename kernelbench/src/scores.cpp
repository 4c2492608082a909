#include "kw/bench/scores.h"

#include <array>
#include <cmath>

namespace kw::bench {
namespace {

constexpr std::array<std::string_view, 4> kClasses{"genuine", "algebraic", "degenerate", "unknown"};

std::optional<double> baseline_ms(const TaskResult& result, Against against) {
  return result.baseline ? result.baseline->ms(against) : std::nullopt;
}

std::optional<double> ratio(const std::optional<double>& theirs,
                            const std::optional<double>& ours) {
  if (!ours || !theirs || !(*theirs > 0)) return std::nullopt;
  return *theirs / *ours;
}

const Timing* timing_of(const TaskResult& result) {
  const auto* passed = std::get_if<Passed>(&result.outcome);
  return passed != nullptr && passed->timing ? &*passed->timing : nullptr;
}

}  // namespace

std::string_view to_string(TaskClass klass) noexcept {
  return kClasses[static_cast<std::size_t>(klass)];
}

std::optional<TaskClass> parse_task_class(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    if (kClasses[i] == text) return static_cast<TaskClass>(i);
  }
  return std::nullopt;
}

TaskClass class_of(const Outcome& outcome) {
  const auto* good = std::get_if<Passed>(&outcome);
  if (good == nullptr) return TaskClass::Genuine;
  for (const CheckRecord& check : good->evidence.checks) {
    if (check.check != "V14") continue;
    const auto note = check.notes.find("class");
    if (note == check.notes.end()) continue;
    return parse_task_class(note->second).value_or(TaskClass::Genuine);
  }
  return TaskClass::Genuine;
}

std::string_view to_string(Against against) noexcept {
  switch (against) {
    case Against::Eager:
      return "eager";
    case Against::Graph:
      return "graph";
    case Against::Library:
      return "library";
    case Against::Compile:
      return "compile";
    case Against::EagerDefault:
      return "eager_default";
  }
  return "";
}

std::optional<double> TaskResult::ms() const {
  const Timing* timing = timing_of(*this);
  if (timing == nullptr || !(timing->median_us > 0)) return std::nullopt;
  return timing->median_us / 1000;
}

std::optional<double> TaskResult::floor_ms() const {
  const Timing* timing = timing_of(*this);
  if (timing == nullptr || !(timing->floor_us > 0)) return std::nullopt;
  return timing->floor_us / 1000;
}

std::optional<double> Baseline::ms(Against against) const {
  const auto found = times.find(against);
  return found == times.end() ? std::nullopt : std::optional(found->second.ms);
}

std::optional<double> Baseline::best_ms() const {
  std::optional<double> best;
  for (const auto& [against, time] : times) {
    if (against != Against::EagerDefault && (!best || time.ms < *best)) best = time.ms;
  }
  return best;
}

std::optional<double> speedup(const TaskResult& result, Against against) {
  return ratio(baseline_ms(result, against), result.ms());
}

std::optional<double> speedup_over_best(const TaskResult& result) {
  return ratio(result.baseline ? result.baseline->best_ms() : std::nullopt, result.ms());
}

Score score(std::span<const TaskResult> results, Against against, bool sound_only) {
  Score total;
  std::map<double, std::size_t> faster;
  double log_sum = 0;
  std::size_t timed = 0;
  for (const TaskResult& result : results) {
    if (sound_only && !result.sound()) continue;
    ++total.tasks;
    if (result.solved()) ++total.solved;
    if (baseline_ms(result, against)) ++total.with_baseline;
    const auto times = speedup(result, against);
    if (!times) continue;
    ++timed;
    log_sum += std::log(*times);
    for (const double p : kFastThresholds) faster[p] += *times > p ? 1 : 0;
  }
  if (total.with_baseline > 0) {
    for (const double p : kFastThresholds) {
      total.fast_p[p] = static_cast<double>(faster[p]) / static_cast<double>(total.with_baseline);
    }
  }
  if (timed > 0) total.geometric_mean = std::exp(log_sum / static_cast<double>(timed));
  return total;
}

}  // namespace kw::bench
