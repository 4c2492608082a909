#include "kw/agent/workshop.h"

#include <cstdlib>
#include <mutex>
#include <optional>

#include "kw/agent/model_client.h"
#include "kw/agent/model_proposer.h"
#include "kw/agent/sanity.h"
#include "kw/agent/steps.h"
#include "kw/compile/service.h"

namespace kw::agent {

struct Workshop::Impl {
  // In order of construction; destroyed in reverse, the store last.
  WorkshopOptions options;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<compile::CompileService> compiler;
  std::unique_ptr<Judging> judging;
  std::unique_ptr<ModelClient> client;
  std::vector<std::unique_ptr<Proposer>> proposers;
  std::unique_ptr<StepDoer> steps;
  std::once_flag started;
  std::optional<Engine> engine;
};

Workshop::Workshop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Workshop::~Workshop() = default;

Result<std::unique_ptr<Workshop>> Workshop::open(WorkshopOptions options) {
  auto impl = std::make_unique<Impl>();
  if (options.store.empty()) {
    KW_ASSIGN(options.store, default_store_path());
  }
  impl->options = std::move(options);
  auto opened = store::Store::open(impl->options.store);
  if (!opened) return tl::unexpected(opened.error());
  impl->store = std::move(*opened);

  compile::CompileOptions compile;
  compile.cache = &impl->store->compile_cache();
  impl->compiler = std::make_unique<compile::CompileService>(compile);
  impl->judging = make_judging(*impl->compiler);
  impl->client = make_curl_client();
  store::Store& store = *impl->store;
  impl->proposers.push_back(make_memory_proposer(store));
  impl->proposers.push_back(make_template_proposer(store));
  impl->proposers.push_back(make_replay_proposer(store));
  impl->proposers.push_back(make_model_proposer(store, *impl->client));
  StepServices services{store, *impl->judging, {}};
  for (const auto& proposer : impl->proposers) services.proposers.push_back(proposer.get());
  impl->steps = make_steps(std::move(services));
  return std::unique_ptr<Workshop>(new Workshop(std::move(impl)));
}

Result<std::unique_ptr<Compiler>> make_compiler(CompileCache* cache) {
  compile::CompileOptions options;
  options.cache = cache;
  return std::make_unique<compile::CompileService>(options);
}

store::Store& Workshop::store() { return *impl_->store; }
Compiler& Workshop::compiler() { return *impl_->compiler; }
Judging& Workshop::judging() { return *impl_->judging; }

Engine& Workshop::engine() {
  std::call_once(impl_->started, [this] {
    impl_->engine.emplace(*impl_->store, *impl_->steps, system_clock(), impl_->options.engine,
                          impl_->options.observer);
  });
  return *impl_->engine;
}

Result<std::filesystem::path> default_store_path() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) {
    return std::filesystem::path(data) / "kernelwright" / "store.sqlite";
  }
  if (const char* home = std::getenv("HOME"); home && *home) {
    return std::filesystem::path(home) / ".local/share/kernelwright/store.sqlite";
  }
  return fail(Errc::InvalidArgument,
              "neither XDG_DATA_HOME nor HOME is set: say where the store is with --store PATH");
}

Result<store::NewJob> prepare_job(Workshop& workshop, const Task& task, JobSpec wish) {
  KW_RETURN_IF_ERROR(validate(task));
  KW_ASSIGN(wish.device, resolve_device(wish.device));
  KW_ASSIGN(const DeviceInfo device, workshop.judging().device(wish.device));
  wish.task_name = task.name;
  wish.keys = keys_of(task);
  wish.device_class = device.identity.klass;
  wish.has_time = device.has_time;

  store::TaskRecord record;
  record.keys = wish.keys;
  record.name = task.name;
  record.extents = input_extents(task);
  record.document = to_json(task);
  KW_RETURN_IF_ERROR(workshop.store().record_task(record));
  // Before any candidate is made: what would pass that should not?
  KW_ASSIGN(const verify::TaskSanity sanity, ask_sanity(workshop.store(), task));

  store::NewJob job;
  job.kind = "generate";
  job.task_key = wish.keys.shape;
  job.spec = to_json(wish);
  return job;
}

Result<std::optional<std::string>> find_unfinished(store::Store& store, const store::NewJob& job) {
  store::JobFilter filter;
  filter.states = {store::JobState::Queued, store::JobState::Running};
  filter.kind = job.kind;
  KW_ASSIGN(const std::vector<store::Job> open, store.jobs(filter));
  for (const store::Job& each : open) {
    if (each.task_key == job.task_key && each.spec == job.spec && each.parent == job.parent) {
      return each.id;
    }
  }
  return std::nullopt;
}

}  // namespace kw::agent
