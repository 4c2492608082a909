#include "answer.h"

#include <string>
#include <vector>

namespace kw::agent {
namespace {

struct Block {
  std::string_view tag;
  std::string_view body;
  bool closed = false;
};

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Fenced code blocks (CommonMark): three or more backquotes, closed by at least as many.
std::vector<Block> code_blocks(std::string_view text) {
  std::vector<Block> blocks;
  std::size_t fence = 0;
  const char* begin = nullptr;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::string_view inner = trim(line);
    const std::size_t ticks = std::min(inner.find_first_not_of('`'), inner.size());
    if (fence == 0) {
      if (ticks < 3) continue;
      fence = ticks;
      blocks.push_back({trim(inner.substr(ticks)), {}, false});
      begin = text.data();
    } else if (ticks >= fence && ticks == inner.size()) {
      blocks.back().body = {begin, static_cast<std::size_t>(line.data() - begin)};
      blocks.back().closed = true;
      fence = 0;
    }
  }
  return blocks;
}

bool is_source(std::string_view tag) { return tag == "cuda" || tag == "cu" || tag == "CUDA"; }
bool is_plan(std::string_view tag) { return tag == "json" || tag == "JSON"; }

Finding finding(FindingKind kind, std::string text) { return {kind, std::move(text), -1, 0}; }

}  // namespace

std::variant<Candidate, Finding> parse_answer(std::string_view text, std::string_view finish_reason,
                                              std::string_view model) {
  const std::vector<Block> blocks = code_blocks(text);
  if (finish_reason == "length" && (blocks.empty() || !blocks.back().closed)) {
    return finding(FindingKind::CutAnswer,
                   "the answer reached its token limit before it was whole");
  }
  if (blocks.empty()) {
    return finding(FindingKind::ProseOnly,
                   "the answer has no code block; one ```cuda and one ```json block are needed");
  }
  const Block* source = nullptr;
  const Block* plan = nullptr;
  for (const Block& block : blocks) {
    const Block** slot = is_source(block.tag) ? &source : is_plan(block.tag) ? &plan : nullptr;
    if (!slot) continue;
    if (*slot) {
      return finding(FindingKind::TooManyBlocks,
                     fmt::format("the answer has more than one ```{} block", block.tag));
    }
    *slot = &block;
  }
  if (!source) return finding(FindingKind::MissingSource, "the answer has no ```cuda block");
  // Host code is named before a missing plan: it is what the author must unlearn first.
  if (source->closed) {
    if (std::string offence = find_host_code(source->body); !offence.empty()) {
      return finding(FindingKind::HostCode, std::move(offence));
    }
  }
  if (!source->closed) {
    return finding(FindingKind::CutAnswer, "the ```cuda block is not closed");
  }
  if (!plan) return finding(FindingKind::MissingPlan, "the answer has no ```json block");
  if (!plan->closed) return finding(FindingKind::CutAnswer, "the ```json block is not closed");
  if (source->body.size() > kMaxSourceBytes) {
    return finding(FindingKind::SourceTooLarge, fmt::format("the source has {} bytes; at most {}",
                                                            source->body.size(), kMaxSourceBytes));
  }
  auto parsed = parse_launch_plan(plan->body);
  if (!parsed) return finding(FindingKind::BadPlan, parsed.error().message);

  Candidate candidate;
  candidate.source = source->body;
  candidate.plan = std::move(*parsed);
  candidate.proposer = ProposerKind::Model;
  candidate.generator = model;
  return candidate;
}

}  // namespace kw::agent
