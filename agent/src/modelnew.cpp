#include "kw/agent/modelnew.h"

#include <fstream>

#include "kw/bench/modelnew.h"
#include "kw/launch/bind.h"

namespace kw::agent {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> notes_of(const Bundle& b) {
  std::vector<std::string> notes;
  if (const auto* good = b.verdict ? std::get_if<Passed>(&b.verdict->outcome) : nullptr) {
    notes.push_back(fmt::format("Judged against FP64 on {} ({}): {} checks, all passed.",
                                good->evidence.device.name, good->evidence.device.arch,
                                good->evidence.checks.size()));
  }
  for (const store::TimingRecord& t : b.timings) {
    notes.push_back(fmt::format("{}: median {:.2f} us over {} samples ({}).", t.device.name,
                                t.timing.median_us, t.timing.samples, t.timing.protocol));
  }
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

}  // namespace

Result<std::string> write_modelnew(const Bundle& bundle, const DeviceInfo& device,
                                   const fs::path& path) {
  launch::BindOptions options;
  options.limits.sm_count = device.target.sm_count;
  KW_ASSIGN(const launch::BoundPlan plan, launch::bind(bundle.candidate.plan, options));
  KW_ASSIGN(const std::string text, bench::to_python({.task = bundle.task,
                                                      .candidate = bundle.candidate,
                                                      .plan = plan,
                                                      .kernel = bundle.candidate_id,
                                                      .notes = notes_of(bundle)}));
  fs::path file = path;
  if (path.extension() != ".py") {
    std::error_code ec;
    fs::create_directories(path, ec);
    if (ec) return fail(Errc::Io, "cannot create '{}': {}", path.string(), ec.message());
    file = path / bench::modelnew_file_name(bundle.task.name);
  }
  KW_RETURN_IF_ERROR(replace_file(file, text));
  return file.string();
}

}  // namespace kw::agent
