#pragma once
// A job's model answers as a file: to reproduce a run without the endpoint.

#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"
#include "kw/store/store.h"

namespace kw::agent {

struct TranscriptAnswer {
  int lane = 0;
  int round = 0;
  std::string text;
  std::string finish_reason;
};
struct Transcript {
  std::string model;
  std::vector<TranscriptAnswer> answers;  // in order of arrival
};

/// {"v":1,"kind":"transcript","model","answers":[{"lane","round","text","finish_reason"}]}
std::string to_json(const Transcript& transcript);
Result<Transcript> parse_transcript(std::string_view json);

/// What a job's model answered, from its events and the request ledger.
Result<Transcript> record_transcript(store::Store& store, const std::string& job);

inline constexpr std::size_t kMaxTranscriptBytes = 16u << 20;

}  // namespace kw::agent
