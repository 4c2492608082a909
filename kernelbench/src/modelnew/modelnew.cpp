#include "kw/bench/modelnew.h"

#include <algorithm>

#include "kw/core/json.h"
#include "kw/core/sha256.h"
#include "kw/launch/scratch.h"
#include "tables.h"
#include "tensors.h"

namespace kw::bench {
namespace {

/// Rows of a table of tensors in binding.cpp.
std::string tensor_rows(const ModelNew& m, const std::vector<bool>& used,
                        const std::vector<ValueId>& ids) {
  std::string rows;
  for (const ValueId id : ids) {
    const Value& value = m.task.graph.value(id);
    const auto buffer = m.plan.find(value.name);
    std::string shape = python_shape(value.shape);
    shape.front() = '{', shape.back() = '}';
    rows += fmt::format("    {{{}, {}, {}, {}}},\n", Json(value.name).dump(),
                        buffer && used[*buffer] ? static_cast<int>(*buffer) : -1,
                        binding_type(value.dtype), shape);
  }
  return rows;
}

std::string held_rows(const Task& task, const Tensors& tensors) {
  std::string rows;
  for (const ValueId id : tensors.held) {
    const Value& value = task.graph.value(id);
    rows += fmt::format("    ({}, {}),\n", Json(value.name).dump(), python_shape(value.shape));
  }
  return rows;
}

/// What the arithmetic is, said to whoever reads the file.
std::string policy_note(const Policy& policy) {
  const auto of = [](const char* what, PolicyClass c) -> std::string {
    switch (c) {
      case PolicyClass::Tf32:
        return fmt::format(
            "# {}: operands are rounded to TF32 (10 fraction bits) and summed in FP32, as "
            "PyTorch's default does\n#   for cuDNN.\n",
            what);
      case PolicyClass::Half:
        return fmt::format("# {}: operands are rounded to FP16 or BF16 and summed in FP32.\n",
                           what);
      case PolicyClass::Exact:
        return fmt::format("# {}: exact.\n", what);
      case PolicyClass::Ieee:
        break;
    }
    return fmt::format(
        "# {}: FP32 accuracy; nothing is rounded below what FP32 arithmetic rounds.\n", what);
  };
  std::string note = fmt::format("# Policy {}.\n", to_string(policy));
  if (policy == preset(policy.contraction)) return note + of("All arithmetic", policy.contraction);
  return note + of("Matrix products", policy.contraction) + of("Convolutions", policy.convolution) +
         of("Recurrences", policy.recurrence) + of("The rest", policy.other);
}

Result<std::string> device_text(const ModelNew& m, const LaunchTables& tables) {
  if (m.candidate.source.find("\"\"\"") != std::string::npos) {
    return fail(Errc::Unsupported, "the source holds what ends a Python string");
  }
  KW_ASSIGN(const std::string launches, fill_template("launches.cu", tables.holes));
  return m.candidate.source + launches;
}

Result<std::string> binding_text(const ModelNew& m, const Tensors& tensors,
                                 const LaunchTables& tables, const launch::ScratchLayout& scratch) {
  std::vector<ValueId> made = tensors.results;
  made.insert(made.end(), tensors.updates.begin(), tensors.updates.end());
  std::string scratch_rows;
  for (std::size_t i = 0; i < scratch.offset.size(); ++i) {
    if (scratch.offset[i] >= 0)
      scratch_rows += fmt::format("    {{{}, {}}},\n", i, scratch.offset[i]);
  }
  return fill_template("binding.cpp", {{"INPUTS", tensor_rows(m, tables.used, tensors.inputs)},
                                       {"HELD", tensor_rows(m, tables.used, tensors.held)},
                                       {"RESULTS", tensor_rows(m, tables.used, made)},
                                       {"SCRATCH", scratch_rows},
                                       {"WORKSPACE", std::to_string(scratch.bytes)},
                                       {"STORAGES", std::to_string(m.plan.buffers.size())},
                                       {"TASK", m.task.name}});
}

Status own_storage(const ModelNew& m, const std::vector<ValueId>& ids) {
  for (const ValueId id : ids) {
    const std::string& name = m.task.graph.value(id).name;
    const auto buffer = m.plan.find(name);
    if (!buffer || !m.plan.buffers[*buffer].is_root(*buffer)) {
      return fail(Errc::Unsupported, "the output '{}' has no storage of its own", name);
    }
  }
  return {};
}

std::vector<std::string> names_read(const ModelNew& m, const std::vector<bool>& used) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i]) names.push_back(m.plan.buffers[i].name);
  }
  return names;
}

std::string results_expression(std::size_t count) {
  return count == 1 ? "results[0]" : fmt::format("tuple(results[:{}])", count);
}

}  // namespace

Result<std::string> to_python(const ModelNew& m) {
  KW_ASSIGN(const Tensors tensors, tensors_of(m.task));
  KW_ASSIGN(const LaunchTables tables, launch_tables(m.plan));
  KW_RETURN_IF_ERROR(own_storage(m, tensors.results));
  KW_RETURN_IF_ERROR(own_storage(m, tensors.updates));
  const launch::ScratchLayout scratch = launch::pack_scratch(m.plan);
  KW_ASSIGN(const std::string device, device_text(m, tables));
  KW_ASSIGN(const std::string binding, binding_text(m, tensors, tables, scratch));
  KW_ASSIGN(const std::string buffers, buffer_rows(m.task, tensors, names_read(m, tables.used)));
  KW_ASSIGN(const std::string random, random_entries(m.task, tensors));
  std::string notes = policy_note(m.task.policy);
  for (const std::string& line : m.notes) notes += "# " + line + "\n";
  notes += fmt::format("# {} launches, {} bytes of workspace.", tables.launches, scratch.bytes);
  std::string updated;
  for (const std::string& name : tensors.updated) updated += Json(name).dump() + ", ";
  return fill_template("model.py",
                       {{"TASK", m.task.name},
                        {"VERSION", KW_VERSION},
                        {"KERNEL", m.kernel},
                        {"NOTES", notes},
                        {"EXTENSION", "kw_" + sha256_hex(device + binding).substr(0, 20)},
                        {"DEVICE", device},
                        {"BINDING", binding},
                        {"CONSTRUCTOR", constructor_rows(m.task)},
                        {"BUFFERS", buffers},
                        {"HELD", held_rows(m.task, tensors)},
                        {"UPDATED", updated},
                        {"RANDOM", random},
                        {"RESULTS", std::to_string(tensors.results.size())},
                        {"RETURN", results_expression(tensors.results.size())}});
}

std::string modelnew_file_name(std::string_view task_name) {
  constexpr std::string_view kSuite = "kernelbench:";
  if (task_name.starts_with(kSuite) && task_name.find('@') == std::string_view::npos) {
    const std::string_view id = task_name.substr(kSuite.size());
    if (const std::size_t slash = id.find('/'); slash != std::string_view::npos) {
      return fmt::format("level_{}_problem_{}_sample_0_kernel.py", id.substr(0, slash),
                         id.substr(slash + 1));
    }
  }
  std::string name(task_name);
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name + ".py";
}

}  // namespace kw::bench
