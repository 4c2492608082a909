#include "compile_json.h"

#include <limits>

#include "kw/core/json.h"

namespace kw::store {

namespace {

std::string_view severity_text(Diagnostic::Severity severity) {
  switch (severity) {
    case Diagnostic::Severity::Error:
      return "error";
    case Diagnostic::Severity::Warning:
      return "warning";
    case Diagnostic::Severity::Note:
      return "note";
  }
  return "error";
}

Json diagnostics_json(const std::vector<Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const Diagnostic& diagnostic : diagnostics) {
    list.push_back({{"severity", severity_text(diagnostic.severity)},
                    {"line", diagnostic.line},
                    {"text", diagnostic.text}});
  }
  return list;
}

Result<Diagnostic> diagnostic_from(const Json& value) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(value, "/diagnostic"));
  Diagnostic diagnostic;
  KW_ASSIGN(const std::string severity, reader.string("severity"));
  if (severity == "warning") diagnostic.severity = Diagnostic::Severity::Warning;
  if (severity == "note") diagnostic.severity = Diagnostic::Severity::Note;
  KW_ASSIGN(const std::int64_t line, reader.integer("line", 0, std::numeric_limits<int>::max()));
  diagnostic.line = static_cast<int>(line);
  KW_ASSIGN(diagnostic.text, reader.string("text"));
  return diagnostic;
}

Result<std::vector<Diagnostic>> diagnostics_from(JsonReader& reader, std::string_view key) {
  KW_ASSIGN(const Json* list, reader.array(key));
  std::vector<Diagnostic> diagnostics;
  for (const Json& value : *list) {
    KW_ASSIGN(Diagnostic diagnostic, diagnostic_from(value));
    diagnostics.push_back(std::move(diagnostic));
  }
  return diagnostics;
}

Json module_json(const CompiledModule& module) {
  Json kernels = Json::object();
  for (const auto& [name, resources] : module.kernels) {
    kernels[name] = {{"registers", resources.registers},
                     {"shared_bytes", resources.shared_bytes},
                     {"local_bytes", resources.local_bytes}};
  }
  return {{"v", 1},
          {"kind", "module"},
          {"warnings", diagnostics_json(module.warnings)},
          {"kernels", std::move(kernels)},
          {"compiler", module.compiler},
          {"arch", module.arch},
          {"compile_ms", number_json(module.compile_ms)}};
}

Result<KernelResources> resources_from(const Json& value) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(value, "/kernels"));
  KernelResources resources;
  KW_ASSIGN(const std::int64_t registers, reader.integer("registers", 0, 65536));
  resources.registers = static_cast<int>(registers);
  KW_ASSIGN(resources.shared_bytes, reader.integer("shared_bytes"));
  KW_ASSIGN(resources.local_bytes, reader.integer("local_bytes"));
  return resources;
}

Result<CompileResult> module_from(JsonReader& reader) {
  CompiledModule module;
  KW_ASSIGN(module.warnings, diagnostics_from(reader, "warnings"));
  KW_ASSIGN(const Json* kernels, reader.member("kernels"));
  for (const auto& [name, value] : kernels->items()) {
    KW_ASSIGN(module.kernels[name], resources_from(value));
  }
  KW_ASSIGN(module.compiler, reader.string("compiler"));
  KW_ASSIGN(module.arch, reader.string("arch"));
  KW_ASSIGN(module.compile_ms, reader.number("compile_ms"));
  return module;
}

Result<CompileResult> failure_from(JsonReader& reader) {
  CompileFailure failure;
  KW_ASSIGN(const std::string reject, reader.string("reject"));
  const auto kind = parse_reject_kind(reject);
  if (!kind) return fail(Errc::Corrupt, "compile cache: unknown outcome \"{}\"", reject);
  failure.kind = *kind;
  KW_ASSIGN(failure.diagnostics, diagnostics_from(reader, "diagnostics"));
  return failure;
}

}  // namespace

std::string compile_result_text(const CompileResult& result) {
  if (const auto* module = std::get_if<CompiledModule>(&result)) return dump(module_json(*module));
  const auto& failure = std::get<CompileFailure>(result);
  return dump({{"v", 1},
               {"kind", "failure"},
               {"reject", to_string(failure.kind)},
               {"diagnostics", diagnostics_json(failure.diagnostics)}});
}

Result<CompileResult> compile_result_from(std::string_view text) {
  KW_ASSIGN(const Json document, parse_json(text));
  KW_ASSIGN(JsonReader reader, JsonReader::object(document, ""));
  KW_RETURN_IF_ERROR(reader.integer("v", 1, 1));
  KW_ASSIGN(const std::string kind, reader.string("kind"));
  return kind == "module" ? module_from(reader) : failure_from(reader);
}

}  // namespace kw::store
