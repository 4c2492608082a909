#include "kw/agent/sanity.h"

#include "kw/core/keys.h"
#include "kw/verify/judge.h"

namespace kw::agent {
namespace {

constexpr std::uint64_t kSeed = 20261124;  // of the draws: the same task gets the same answer

Result<std::optional<verify::TaskSanity>> remembered(store::Store& store, const std::string& key) {
  KW_ASSIGN(const auto document, store.sanity(key, verify::kJudgeVersion));
  if (!document) return std::optional<verify::TaskSanity>();
  auto sanity = verify::parse_task_sanity(*document);
  if (!sanity) return fail(Errc::Corrupt, "the sanity of task {}: {}", key, sanity.error().message);
  return std::optional(std::move(*sanity));
}

}  // namespace

Result<verify::TaskSanity> ask_sanity(store::Store& store, const Task& task) {
  const std::string key = keys_of(task).shape;
  KW_ASSIGN(auto known, remembered(store, key));
  if (known) return std::move(*known);
  verify::TaskSanity sanity = verify::task_sanity(task, kSeed);
  KW_RETURN_IF_ERROR(store.record_sanity(key, verify::kJudgeVersion, to_json(sanity)));
  return sanity;
}

Result<verify::TaskSanity> learn_sanity(store::Store& store, const Task& task,
                                        const Evidence& evidence) {
  KW_ASSIGN(verify::TaskSanity known, ask_sanity(store, task));
  const auto recorded = verify::recorded_sanity(evidence);
  const bool more = recorded && (known.guesses.empty() ||
                                 (known.solved_by.empty() && !recorded->solved_by.empty()));
  if (!more || evidence.judge_version != verify::kJudgeVersion) return known;
  KW_RETURN_IF_ERROR(
      store.record_sanity(keys_of(task).shape, verify::kJudgeVersion, to_json(*recorded)));
  return *recorded;
}

}  // namespace kw::agent
