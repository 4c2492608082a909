#pragma once
// A verdict that stands alone: what was judged, by what, with which numbers, where, and the texts to
// do it again. docs/formats/certificate.schema.json.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/outcome.h"
#include "kw/core/task.h"

namespace kw::verify {

inline constexpr int kCertificateVersion = 1;

struct Certificate {
  std::string release;  // of Kernelwright
  Task task;
  std::string source;  // CUDA
  LaunchPlan plan;
  std::uint64_t seed = 0;
  bool full = true;     // the whole battery
  std::string arch;     // compiled for
  Passed verdict;       // device, driver, compiler, judge, checks, timing
  /// What the judge could not look at where it ran, with the reason.
  std::vector<std::string> unverified() const;
};

/// The certificate of an accept. InvalidArgument for a verdict that left a check out.
Result<Certificate> certify(const Task& task, const Candidate& candidate, const Passed& verdict,
                            std::uint64_t seed, bool full, std::string release);

/// One JSON object. Its last member is the SHA-256 of the canonical text of all others: it finds
/// damage and careless edits; it is no signature.
std::string to_json(const Certificate& certificate);

/// Corrupt: a hash that does not match its text (named), or a newer release's version.
/// InvalidArgument: not a certificate.
Result<Certificate> parse_certificate(std::string_view json);
inline constexpr std::size_t kMaxCertificateBytes = 64u << 20;

/// A replay held against what was certified.
struct Replay {
  bool same_verdict = false;
  std::size_t checks_agree = 0;            // name, seed, result and figures
  std::vector<std::string> differences;    // one line each; times are expected to differ a little
  bool same_device = false;                // class and name: figures may differ where it is false
};
Replay compare(const Certificate& certificate, const Outcome& again);

/// Half the width of a 95 % interval of the median, from the quartiles (McGill, Tukey and Larsen
/// 1978: 1.57 IQR / sqrt(n)).
double median_half_width_us(const Timing& timing);

/// The checks as a JUnit report: one test case each, a rejection as the failure of its check.
std::string to_junit(const std::string& name, const Outcome& outcome);

}  // namespace kw::verify
