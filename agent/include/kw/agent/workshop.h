#pragma once
// Everything one process needs to run jobs, built once and in the right order: store, compile
// service, devices, model client, proposers, steps, engine.

#include <filesystem>
#include <memory>
#include <string>

#include "kw/agent/engine.h"
#include "kw/agent/judging.h"
#include "kw/core/task.h"
#include "kw/store/store.h"

namespace kw::agent {

struct WorkshopOptions {
  std::filesystem::path store;  // empty: default_store_path()
  EngineOptions engine;
  Observer observer;
};

class Workshop {
 public:
  static Result<std::unique_ptr<Workshop>> open(WorkshopOptions options);
  /// Running steps are put back; see Engine.
  ~Workshop();

  store::Store& store();
  Compiler& compiler();
  Judging& judging();
  /// Started when first asked for.
  Engine& engine();

 private:
  struct Impl;
  explicit Workshop(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The compile service alone, for commands that need no store.
Result<std::unique_ptr<Compiler>> make_compiler(CompileCache* cache);

/// $XDG_DATA_HOME/kernelwright/store.sqlite, or ~/.local/share/kernelwright/store.sqlite.
Result<std::filesystem::path> default_store_path();

/// A job for one task: registers the task, asks which trivial answers it lets pass (V14; remembered
/// with the task, before any candidate is made), resolves the device of `wish` and fills in its
/// task, keys and device. What remains of `wish` is what the caller asked for.
Result<store::NewJob> prepare_job(Workshop& workshop, const Task& task, JobSpec wish);

/// An unfinished job that was asked for in the same words: a crash or an interrupt left it, or
/// another process is at work on it. It is joined rather than begun again.
Result<std::optional<std::string>> find_unfinished(store::Store& store, const store::NewJob& job);

}  // namespace kw::agent
