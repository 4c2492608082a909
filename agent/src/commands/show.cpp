#include "command.h"
#include "kw/agent/decide.h"
#include "kw/agent/transcript.h"
#include "kw/agent/workshop.h"
#include "kw/core/json.h"
#include "output.h"

namespace kw::agent {
namespace {

class ShowCommand final : public Command {
 public:
  std::string name() const override { return "show"; }
  std::string about() const override { return "the best kernels, a job and its history"; }
  std::string examples() const override {
    return "  kernelwright show                       the best kernels\n"
           "  kernelwright show JOB                   what became of a job\n"
           "  kernelwright show JOB --events          its history\n"
           "  kernelwright show JOB --replay          decide again from the recorded inputs\n"
           "  kernelwright show JOB --transcript      the model's answers, for generate --replay\n"
           "  kernelwright show KERNEL                source, plan and verdicts of a kernel";
  }
  void declare(Arguments& a) override {
    a.positional("what", what_, "a job or a kernel; nothing: the best kernels", false);
    a.flag("--events", events_, "every event of the job");
    a.flag("--replay", replay_, "recompute the job's decisions and compare them");
    a.flag("--transcript", transcript_, "print the model's answers as a transcript");
  }

  Result<int> run(const Invocation& invocation) override {
    std::filesystem::path path = invocation.globals.store;
    if (path.empty()) {
      KW_ASSIGN(path, default_store_path());
    }
    store::Options options;
    options.read_only = true;
    auto opened = store::Store::open(path, options);
    if (!opened) return tl::unexpected(opened.error());
    store::Store& store = **opened;
    const bool json = invocation.globals.json;
    if (what_.empty()) {
      if (events_ || replay_ || transcript_) {
        return fail(Errc::InvalidArgument, "--events, --replay and --transcript need a job");
      }
      return registry(store, invocation.globals.device, json);
    }
    if (transcript_) {
      KW_ASSIGN(const Transcript transcript, record_transcript(store, what_));
      KW_RETURN_IF_ERROR(print(to_json(transcript) + "\n"));
      return 0;
    }
    if (replay_) return show_replay(store, json);
    const auto job = store.job(what_);
    if (job) return events_ ? show_events(store, json) : show_job(*job, json);
    if (job.error().code != Errc::NotFound) return tl::unexpected(job.error());
    return show_kernel(store, json);
  }

 private:
  static Result<int> registry(store::Store& store, const std::string& device, bool json) {
    std::vector<std::string> classes;
    if (device != "vm") classes.emplace_back("cuda");
    if (device == "vm" || device == "auto") classes.emplace_back("ptxvm");
    std::vector<store::RegistryEntry> entries;
    for (const std::string& klass : classes) {
      KW_ASSIGN(const auto some, store.registry(klass, 1000));
      entries.insert(entries.end(), some.begin(), some.end());
    }
    Json kernels = Json::array();
    std::vector<std::vector<std::string>> rows{{"task", "device", "time", "from", "kernel", "by"}};
    for (const store::RegistryEntry& e : entries) {
      Json one = {{"task", e.task_name},      {"task_key", e.keys.shape},
                  {"device", e.device.name},  {"device_class", e.device.klass},
                  {"arch", e.device.arch},    {"kernel", e.candidate_id},
                  {"generator", e.generator}, {"proposer", to_string(e.proposer)}};
      if (e.timing) one["median_us"] = number_json(e.timing->median_us);
      kernels.push_back(std::move(one));
      rows.push_back(
          {e.task_name, e.device.name, e.timing ? microseconds_text(e.timing->median_us) : "-",
           std::string(to_string(e.proposer)), e.candidate_id.substr(0, 12), e.generator});
    }
    if (json) {
      KW_RETURN_IF_ERROR(
          print(dump({{"v", 1}, {"kind", "registry"}, {"kernels", std::move(kernels)}}) + "\n"));
    } else {
      KW_RETURN_IF_ERROR(print(entries.empty() ? "no kernels yet\n" : table(rows)));
    }
    return 0;
  }

  Result<int> show_replay(store::Store& store, bool json) const {
    KW_ASSIGN(const auto events, store.events(what_, 0, 10'000'000));
    const auto replayed = replay(what_, events);
    if (!replayed && replayed.error().code == Errc::Corrupt) {
      KW_RETURN_IF_ERROR(print(json ? dump({{"v", 1},
                                            {"kind", "replay"},
                                            {"job", what_},
                                            {"same", false},
                                            {"difference", replayed.error().message}}) +
                                          "\n"
                                    : replayed.error().message + "\n"));
      return 1;
    }
    if (!replayed) return tl::unexpected(replayed.error());
    const std::string status(replayed->state.status ? to_string(*replayed->state.status)
                                                    : "running");
    KW_RETURN_IF_ERROR(
        print(json ? dump({{"v", 1},
                           {"kind", "replay"},
                           {"job", what_},
                           {"same", true},
                           {"inputs", replayed->inputs},
                           {"facts", replayed->facts},
                           {"status", status},
                           {"winner", replayed->winner}}) +
                         "\n"
                   : fmt::format("{} inputs decided again, all {} facts the same; {}, winner {}\n",
                                 replayed->inputs, replayed->facts, status,
                                 replayed->winner.empty() ? "none" : replayed->winner)));
    return 0;
  }

  Result<int> show_events(store::Store& store, bool json) const {
    KW_ASSIGN(const auto events, store.events(what_, 0, 10'000'000));
    Json list = Json::array();
    std::string text;
    const std::int64_t start = events.empty() ? 0 : events.front().time_us;
    for (const Event& event : events) {
      if (json) {
        list.push_back({{"seq", event.seq},
                        {"type", event.type},
                        {"version", event.version},
                        {"time_us", event.time_us},
                        {"payload", Json::parse(event.payload, nullptr, false)}});
      } else {
        text += fmt::format("{:>5}  {:>9.3f} s  {:<15} {}\n", event.seq,
                            static_cast<double>(event.time_us - start) / 1e6, event.type,
                            event.payload.substr(0, 300));
      }
    }
    KW_RETURN_IF_ERROR(print(
        json ? dump({{"v", 1}, {"kind", "events"}, {"job", what_}, {"events", std::move(list)}}) +
                   "\n"
             : text));
    return 0;
  }

  static Result<int> show_job(const store::Job& job, bool json) {
    Json doc = {{"v", 1},
                {"kind", "job"},
                {"job", job.id},
                {"state", to_string(job.state)},
                {"created_us", job.created_us},
                {"updated_us", job.updated_us},
                {"spec", Json::parse(job.spec, nullptr, false)},
                {"summary", Json::parse(job.summary, nullptr, false)}};
    KW_RETURN_IF_ERROR(print(dump(doc, json ? -1 : 2) + "\n"));
    return 0;
  }

  Result<int> show_kernel(store::Store& store, bool json) const {
    KW_ASSIGN(const auto candidate, store.candidate(what_));
    if (!candidate) return fail(Errc::NotFound, "no job and no kernel '{}' in the store", what_);
    KW_ASSIGN(const auto verdicts, store.verdicts(what_));
    Json list = Json::array();
    for (const store::VerdictRecord& v : verdicts) {
      list.push_back({{"id", v.id},
                      {"job", v.job},
                      {"task_key", v.task_key},
                      {"policy", v.policy},
                      {"full", v.full},
                      {"outcome", Json::parse(to_json(v.outcome), nullptr, false)}});
    }
    Json doc = {{"v", 1},
                {"kind", "kernel"},
                {"kernel", what_},
                {"candidate", Json::parse(to_json(*candidate), nullptr, false)},
                {"verdicts", std::move(list)}};
    if (json) {
      KW_RETURN_IF_ERROR(print(dump(doc) + "\n"));
    } else {
      doc["candidate"].erase("source");
      KW_RETURN_IF_ERROR(print(candidate->source + "\n" + dump(doc, 2) + "\n"));
    }
    return 0;
  }

  std::string what_;
  bool events_ = false, replay_ = false, transcript_ = false;
};

}  // namespace

std::unique_ptr<Command> make_show_command() { return std::make_unique<ShowCommand>(); }

}  // namespace kw::agent
