#include "command.h"
#include "kw/agent/bundle.h"
#include "kw/agent/modelnew.h"
#include "kw/agent/steps.h"
#include "kw/agent/task_source.h"
#include "kw/agent/workshop.h"
#include "kw/core/json.h"
#include "output.h"

namespace kw::agent {
namespace {

/// What is to be exported: a candidate of a task.
struct Chosen {
  Task task;
  std::string candidate;
};

class ExportCommand final : public Command {
 public:
  std::string name() const override { return "export"; }
  std::string about() const override {
    return "write a kernel as a directory that stands alone, or as a PyTorch module";
  }
  std::string examples() const override {
    return "  kernelwright export JOB -o softmax\n"
           "  kernelwright export kernelbench:1/23 --device cuda -o softmax\n"
           "  kernelwright export KERNEL --arch sm_90 -o softmax\n"
           "  kernelwright export kernelbench:1/23 --as modelnew -o runs/kernelwright";
  }
  void declare(Arguments& a) override {
    a.positional("what", what_, "a job, a task or a kernel", true);
    a.option("-o,--output", output_,
             "bundle: the directory, new or empty; modelnew: the file (.py), or a folder for a "
             "file with "
             "KernelBench's name");
    a.option("--as", form_,
             "bundle (a directory with launcher and evidence) or modelnew (one Python file "
             "in KernelBench's form)");
    a.option("--arch", arch_, "architecture of the cubin; the device's own unless given");
  }

  Result<int> run(const Invocation& invocation) override {
    if (output_.empty()) return fail(Errc::InvalidArgument, "export needs -o PATH");
    if (form_ != "bundle" && form_ != "modelnew") {
      return fail(Errc::InvalidArgument, "--as '{}': it is bundle or modelnew", form_);
    }
    WorkshopOptions options;
    options.store = invocation.globals.store;
    KW_ASSIGN(const auto workshop, Workshop::open(std::move(options)));
    KW_ASSIGN(const std::string device, resolve_device(invocation.globals.device));
    KW_ASSIGN(const DeviceInfo info, workshop->judging().device(device));
    KW_ASSIGN(const Chosen chosen, choose(workshop->store(), device, info));
    KW_ASSIGN(const Bundle bundle,
              collect_bundle(workshop->store(), workshop->compiler(), chosen.task, chosen.candidate,
                             arch_.empty() ? info.target.arch : arch_, invocation.interrupted));
    std::string written = output_;
    if (form_ == "modelnew") {
      KW_ASSIGN(written, write_modelnew(bundle, info, output_));
    } else {
      KW_RETURN_IF_ERROR(write_bundle(bundle, output_));
    }
    KW_RETURN_IF_ERROR(print(invocation.globals.json
                                 ? dump({{"v", 1},
                                         {"kind", "export"},
                                         {"task", chosen.task.name},
                                         {"kernel", chosen.candidate},
                                         {"arch", bundle.module.arch},
                                         {"as", form_},
                                         {form_ == "modelnew" ? "file" : "directory", written}}) +
                                       "\n"
                                 : fmt::format("{}: kernel {} for {} in {}\n", chosen.task.name,
                                               chosen.candidate, bundle.module.arch, written)));
    return 0;
  }

 private:
  static Result<Task> task_of(store::Store& store, const std::string& key) {
    KW_ASSIGN(const auto record, store.task(key));
    if (!record || record->document.empty()) {
      return fail(Errc::NotFound, "the store has no document of the kernel's task");
    }
    return parse_task(record->document);
  }

  Result<Chosen> choose(store::Store& store, const std::string& device, const DeviceInfo& info) {
    if (const auto job = store.job(what_)) {
      KW_ASSIGN(const Json summary, parse_json(job->summary));
      const auto winner = summary.find("winner");
      if (winner == summary.end()) {
        return fail(Errc::NotFound, "job {} has no winner", what_);
      }
      KW_ASSIGN(Task task, task_of(store, job->task_key));
      return Chosen{std::move(task), (*winner)["candidate"].get<std::string>()};
    }
    KW_ASSIGN(const auto verdicts, store.verdicts(what_));
    if (!verdicts.empty()) {
      KW_ASSIGN(Task task, task_of(store, verdicts.back().task_key));
      return Chosen{std::move(task), what_};
    }
    KW_ASSIGN(const Task asked, load_task(what_, device == "vm"));
    store::BestQuery query;
    query.keys = keys_of(asked);
    query.extents = input_extents(asked);
    query.device_class = info.identity.klass;
    query.arch = info.identity.arch;
    query.device_uuid = info.identity.uuid;
    KW_ASSIGN(const auto known, store.best_for(query));
    for (const store::Known& each : known) {
      if (each.task_key != query.keys.shape) continue;
      KW_ASSIGN(Task task, task_of(store, each.task_key));
      return Chosen{std::move(task), each.candidate_id};
    }
    return fail(Errc::NotFound, "no kernel of '{}' is known on {}: run 'kernelwright generate {}'",
                what_, info.identity.name, what_);
  }

  std::string what_, output_, arch_, form_ = "bundle";
};

}  // namespace

std::unique_ptr<Command> make_export_command() { return std::make_unique<ExportCommand>(); }

}  // namespace kw::agent
