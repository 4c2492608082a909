#include "kw/agent/modelnew.h"

#include <fstream>

#include "kw/bench/modelnew.h"
#include "kw/launch/bind.h"

namespace kw::agent {
namespace fs = std::filesystem;
namespace {

std::string judged_note(const Evidence& evidence) {
  return fmt::format("Judged against FP64 on {} ({}): {} checks, all passed.", evidence.device.name,
                     evidence.device.arch, evidence.checks.size());
}
std::string timing_note(const DeviceIdentity& device, const Timing& timing) {
  return fmt::format("{}: median {:.2f} us over {} samples ({}).", device.name, timing.median_us,
                     timing.samples, timing.protocol);
}

std::vector<std::string> notes_of(const Bundle& b) {
  std::vector<std::string> notes;
  const auto* good = b.verdict ? std::get_if<Passed>(&b.verdict->outcome) : nullptr;
  if (good != nullptr) notes.push_back(judged_note(good->evidence));
  for (const store::TimingRecord& t : b.timings) notes.push_back(timing_note(t.device, t.timing));
  return notes;
}

Status replace_file(const fs::path& path, const std::string& text) {
  const fs::path beside = path.string() + ".part";
  std::ofstream file(beside, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  std::error_code ec;
  if (file) fs::rename(beside, path, ec);
  if (!file || ec) return fail(Errc::Io, "cannot write '{}'", path.string());
  return {};
}

Result<std::string> write_file(const Task& task, const Candidate& candidate,
                               const std::string& kernel, std::vector<std::string> notes,
                               const DeviceInfo& device, const fs::path& path) {
  launch::BindOptions options;
  options.limits.sm_count = device.target.sm_count;
  KW_ASSIGN(const launch::BoundPlan plan, launch::bind(candidate.plan, options));
  KW_ASSIGN(const std::string text, bench::to_python({.task = task,
                                                      .candidate = candidate,
                                                      .plan = plan,
                                                      .kernel = kernel,
                                                      .notes = std::move(notes)}));
  fs::path file = path;
  if (path.extension() != ".py") {
    std::error_code ec;
    fs::create_directories(path, ec);
    if (ec) return fail(Errc::Io, "cannot create '{}': {}", path.string(), ec.message());
    file = path / bench::modelnew_file_name(task.name);
  }
  KW_RETURN_IF_ERROR(replace_file(file, text));
  return file.string();
}

}  // namespace

Result<std::string> write_modelnew(const Task& task, const Candidate& candidate,
                                   const std::string& kernel, const Passed& verdict,
                                   const DeviceInfo& device, const fs::path& path) {
  std::vector<std::string> notes{judged_note(verdict.evidence)};
  if (verdict.timing) notes.push_back(timing_note(verdict.evidence.device, *verdict.timing));
  return write_file(task, candidate, kernel, std::move(notes), device, path);
}

Result<std::string> write_modelnew(const Bundle& bundle, const DeviceInfo& device,
                                   const fs::path& path) {
  return write_file(bundle.task, bundle.candidate, bundle.candidate_id, notes_of(bundle), device,
                    path);
}

}  // namespace kw::agent
