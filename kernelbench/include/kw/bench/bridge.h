#pragma once
// Tasks from PyTorch files, through a Python process.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "kw/core/task.h"

namespace kw::bench {

struct BridgeOptions {
  std::string python;       // an interpreter that has torch; empty: python3 of search_path
  std::string search_path;  // as PATH
  std::chrono::milliseconds start_timeout{std::chrono::seconds(120)};  // importing torch cold
  std::chrono::milliseconds export_timeout{std::chrono::seconds(600)};
};

/// A model file as KernelBench writes them: class Model, get_inputs(), get_init_inputs(). Its code
/// is executed, as the user who asks for it would execute it.
struct ModelRequest {
  std::string file;
  bool small = false;  // at sizes that judge quickly (docs/formats/small_shapes.md)
  std::string policy = "ieee";
  std::map<std::string, std::int64_t> sizes;  // replaces the file's module-level integers
};

/// One interpreter, started once and asked several times. It dies with this object. Not
/// thread-safe.
class PythonBridge {
 public:
  /// Unavailable when there is no interpreter or it has no torch; the message says what to do.
  static Result<PythonBridge> start(const BridgeOptions& options, std::stop_token stop = {});

  PythonBridge(PythonBridge&&) noexcept;
  PythonBridge& operator=(PythonBridge&&) noexcept;
  ~PythonBridge();

  /// InvalidArgument when the file cannot become a task, with the bridge's reason. After a
  /// deadline, a cancellation or the interpreter's death the bridge is of no further use:
  /// Unavailable.
  Result<Task> import_model(const ModelRequest& request, std::stop_token stop = {});

  const std::string& torch_version() const noexcept;

 private:
  struct Impl;
  explicit PythonBridge(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kw::bench
