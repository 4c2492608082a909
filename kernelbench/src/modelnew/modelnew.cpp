#include "kw/bench/modelnew.h"

#include <algorithm>

#include "kw/core/json.h"
#include "kw/core/sha256.h"
#include "kw/launch/scratch.h"
#include "tables.h"
#include "tensors.h"

namespace kw::bench {
namespace {

constexpr std::size_t kMaxStorages = 32767;  // a short in launches.cu

/// Rows of a table of tensors in model.py.
std::string tensor_rows(const Task& task, const std::vector<ValueId>& ids) {
  std::string rows;
  for (const ValueId id : ids) {
    const Value& value = task.graph.value(id);
    rows += fmt::format("    ({}, {}, {}),\n", Json(value.name).dump(), python_type(value.dtype),
                        python_shape(value.shape));
  }
  return rows;
}

/// The storages of what a call is given, in its order; -1 where no step touches it.
std::string given_storages(const ModelNew& m, const Tensors& tensors,
                           const std::vector<bool>& used) {
  std::string list;
  for (const auto* ids : {&tensors.inputs, &tensors.held, &tensors.results, &tensors.updates}) {
    for (const ValueId id : *ids) {
      const auto buffer = m.plan.find(m.task.graph.value(id).name);
      list += fmt::format("{},", buffer && used[*buffer] ? static_cast<int>(*buffer) : -1);
    }
  }
  return list;
}

std::string scratch_rows(const launch::ScratchLayout& scratch) {
  std::string rows;
  for (std::size_t i = 0; i < scratch.offset.size(); ++i) {
    if (scratch.offset[i] >= 0) rows += fmt::format("    {{{}, {}}},\n", i, scratch.offset[i]);
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

Result<std::string> device_text(const ModelNew& m, const Tensors& tensors,
                                const LaunchTables& tables, const launch::ScratchLayout& scratch) {
  if (m.candidate.source.find("\"\"\"") != std::string::npos) {
    return fail(Errc::Unsupported, "the source holds what ends a Python string");
  }
  if (m.plan.buffers.size() > kMaxStorages) {
    return fail(Errc::Unsupported, "the plan has {} buffers, an export takes {}",
                m.plan.buffers.size(), kMaxStorages);
  }
  Holes holes = tables.holes;
  // One storage more than the plan has, so that no table is empty.
  holes["STORAGES"] = std::to_string(m.plan.buffers.size() + 1);
  holes["GIVEN"] = given_storages(m, tensors, tables.used);
  holes["SCRATCH"] = scratch_rows(scratch) + fmt::format("    {{{}, 0}},\n", m.plan.buffers.size());
  KW_ASSIGN(const std::string launches, fill_template("launches.cu", holes));
  return m.candidate.source + launches;
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
  return count == 1 ? "made[0]" : fmt::format("tuple(made[:{}])", count);
}

}  // namespace

Result<std::string> to_python(const ModelNew& m) {
  KW_ASSIGN(const Tensors tensors, tensors_of(m.task));
  KW_ASSIGN(const LaunchTables tables, launch_tables(m.plan));
  KW_RETURN_IF_ERROR(own_storage(m, tensors.results));
  KW_RETURN_IF_ERROR(own_storage(m, tensors.updates));
  const launch::ScratchLayout scratch = launch::pack_scratch(m.plan);
  KW_ASSIGN(const std::string device, device_text(m, tensors, tables, scratch));
  KW_ASSIGN(const std::string binding, fill_template("binding.cpp", {}));
  KW_ASSIGN(const std::string buffers, buffer_rows(m.task, tensors, names_read(m, tables.used)));
  KW_ASSIGN(const std::string random, random_entries(m.task, tensors));
  std::string notes = policy_note(m.task.policy);
  for (const std::string& line : m.notes) notes += "# " + line + "\n";
  notes += fmt::format("# {} launches, {} bytes of workspace.", tables.launches, scratch.bytes);
  std::vector<ValueId> made = tensors.results;
  made.insert(made.end(), tensors.updates.begin(), tensors.updates.end());
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
                        {"INPUTS", tensor_rows(m.task, tensors.inputs)},
                        {"HELD", tensor_rows(m.task, tensors.held)},
                        {"MADE", tensor_rows(m.task, made)},
                        {"WORKSPACE", std::to_string(scratch.bytes)},
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
