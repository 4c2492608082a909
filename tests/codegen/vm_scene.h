#pragma once
// Runs a candidate in the virtual machine on given input bytes.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/verify/device.h"

namespace kw::codegen::testing_vm {

using Bytes = std::vector<std::byte>;

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}
template <typename T>
std::vector<T> values_of(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

inline compile::CompileService& compiler() {
  static compile::CompileService instance({.processes = 2});
  return instance;
}

/// Compiles each source once.
inline const CompileResult& compiled(const std::string& source, const std::string& arch) {
  static std::map<std::string, CompileResult> done;
  const auto it = done.find(arch + source);
  if (it != done.end()) return it->second;
  return done.emplace(arch + source, compiler().compile({source, arch, {}}, {}).value())
      .first->second;
}

/// Output bytes by buffer name; a failed expectation and nothing when the candidate is at fault.
inline std::map<std::string, Bytes> run(verify::Device& device, const Candidate& candidate,
                                        const std::map<std::string, Bytes>& inputs) {
  const CompileResult& result = compiled(candidate.source, device.arch());
  if (const auto* failed = std::get_if<CompileFailure>(&result)) {
    ADD_FAILURE() << candidate.cover << ": "
                  << (failed->diagnostics.empty() ? "" : failed->diagnostics.front().text) << "\n"
                  << candidate.source;
    return {};
  }
  verify::RunRequest request;
  request.module = std::get<CompiledModule>(result);
  request.plan = candidate.plan;
  verify::Trial trial;
  for (const auto& [name, bytes] : inputs) {
    verify::BufferFill fill;
    fill.buffer = name;
    fill.bytes = std::make_shared<const Bytes>(bytes);
    trial.fills.push_back(std::move(fill));
  }
  request.trials.push_back(std::move(trial));
  const auto reply = device.run(request, {});
  if (!reply || reply->fault || reply->trials.size() != 1) {
    ADD_FAILURE() << candidate.cover << ": "
                  << (!reply         ? reply.error().message
                      : reply->fault ? reply->fault->reason
                                     : "no trial");
    return {};
  }
  std::map<std::string, Bytes> outputs;
  for (const verify::OutputBytes& output : reply->trials.front().outputs) {
    const auto view = output.bytes->view();
    outputs[output.buffer] = Bytes(view.begin(), view.end());
  }
  return outputs;
}

}  // namespace kw::codegen::testing_vm
