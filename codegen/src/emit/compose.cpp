#include "emit/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "emit/embedded.h"
#include "emit/format_code.h"

namespace kw::codegen {
namespace {

/// Calls visit(buffer name) for every buffer that a node touches.
template <typename Visit>
void visit_buffers(const PlanNode& node, const Visit& visit);

template <typename Visit>
void visit_argument(const PlanArg& arg, const Visit& visit) {
  if (const auto* buffer = std::get_if<BufferArg>(&arg)) visit(buffer->buffer);
  if (const auto* map = std::get_if<TensorMapArg>(&arg)) visit(map->base.buffer);
  if (const auto* fields = std::get_if<StructArg>(&arg)) {
    for (const auto& field : fields->fields) {
      if (const auto* buffer = std::get_if<BufferArg>(&field)) visit(buffer->buffer);
    }
  }
}

template <typename Visit>
void visit_buffers(const PlanNode& node, const Visit& visit) {
  if (const auto* kernel = std::get_if<KernelNode>(&node.what)) {
    for (const PlanArg& arg : kernel->args) visit_argument(arg, visit);
  } else if (const auto* memset = std::get_if<MemsetNode>(&node.what)) {
    visit(memset->buffer);
  } else if (const auto* loop = std::get_if<LoopNode>(&node.what)) {
    for (const auto& [a, b] : loop->swap) {
      visit(a);
      visit(b);
    }
    for (const PlanNode& inner : loop->body) visit_buffers(inner, visit);
  } else if (const auto* predicate = std::get_if<PredicateNode>(&node.what)) {
    visit(predicate->buffer);
    for (const PlanNode& inner : predicate->body) visit_buffers(inner, visit);
  }
}

PlanBuffer buffer_of(const Tensor& tensor) {
  PlanBuffer buffer;
  buffer.name = tensor.name;
  buffer.role = tensor.is_output ? Role::Output : tensor.role;
  buffer.dtype = tensor.dtype;
  std::int64_t last = 0;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    last += (tensor.shape[d] - 1) * tensor.strides[d];
  }
  buffer.bytes = Expr((last + 1) * static_cast<std::int64_t>(size_of(tensor.dtype)));
  return buffer;
}

void note_lifetimes(LaunchPlan& plan) {
  for (PlanBuffer& buffer : plan.buffers) {
    if (buffer.role != Role::Scratch) continue;
    bool in_setup = false;
    for (const PlanNode& node : plan.setup) {
      visit_buffers(node, [&](const std::string& name) { in_setup |= name == buffer.name; });
    }
    if (in_setup || buffer.init == BufferInit::Once) continue;  // lives from run to run
    for (std::size_t n = 0; n < plan.run.size(); ++n) {
      visit_buffers(plan.run[n], [&](const std::string& name) {
        if (name != buffer.name) return;
        if (buffer.first_use < 0) buffer.first_use = static_cast<int>(n);
        buffer.last_use = static_cast<int>(n);
      });
    }
  }
}

std::string region_comment(const Program& program, const Piece& piece, std::size_t number,
                           const Config& config) {
  std::string nodes;
  std::string previous;
  for (int s = piece.first; s <= piece.last; ++s) {
    const int node = program.stages[static_cast<std::size_t>(s)].node;
    const std::string name = node >= 0 ? program.nodes[static_cast<std::size_t>(node)] : "copy";
    if (name != previous) nodes += (nodes.empty() ? "" : ", ") + name;
    previous = name;
  }
  std::string parameters;
  for (const auto& [name, value] : config) {
    parameters += fmt::format("{}{}={}", parameters.empty() ? "" : ", ", name, value);
  }
  return fmt::format("// ---- region r{}: {} as {} {}\n// parameters: {}\n", number, nodes,
                     piece.skeleton->name(), piece.form, parameters.empty() ? "none" : parameters);
}

/// A region's code without what names it: its prefix, and the comments that say what it reads.
std::string anonymous(const std::string& code, const EmitContext& context) {
  std::string text;
  const std::string type = context.type_name("");
  for (std::size_t i = 0; i < code.size();) {
    if (code.compare(i, 2, "//") == 0) {
      i = std::min(code.find('\n', i), code.size());
    } else if (code.compare(i, context.prefix.size(), context.prefix) == 0) {
      text += "r@_";
      i += context.prefix.size();
    } else if (code.compare(i, type.size(), type) == 0) {
      text += "KwR@";
      i += type.size();
    } else {
      text += code[i++];
    }
  }
  return text;
}

/// Launches `to`'s kernels instead of `from`'s.
void rename_kernels(std::vector<PlanNode>& nodes, const std::string& from, const std::string& to) {
  for (PlanNode& node : nodes) {
    if (auto* kernel = std::get_if<KernelNode>(&node.what)) {
      if (kernel->kernel.starts_with(from)) kernel->kernel.replace(0, from.size(), to);
    } else if (auto* loop = std::get_if<LoopNode>(&node.what)) {
      rename_kernels(loop->body, from, to);
    } else if (auto* predicate = std::get_if<PredicateNode>(&node.what)) {
      rename_kernels(predicate->body, from, to);
    }
  }
}

/// Everything but the regions: headers, the skeleton files that are used, format structs.
std::string preamble(const std::vector<Fragment>& fragments, const std::string& code) {
  std::vector<std::string> files = {"kw_common.cuh"};
  std::vector<std::string> formats;
  bool half = code.find("__half") != std::string::npos || code.find("2half") != std::string::npos;
  bool bfloat16 = code.find("bfloat16") != std::string::npos;
  for (const Fragment& fragment : fragments) {
    half = half || fragment.uses_half || !fragment.formats.empty();
    bfloat16 = bfloat16 || fragment.uses_bfloat16;
  }
  if (half) files.emplace_back("kw_half.cuh");
  if (bfloat16) files.emplace_back("kw_bfloat16.cuh");
  const auto once = [](std::vector<std::string>& list, const std::string& item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  };
  for (const Fragment& fragment : fragments) {
    if (!fragment.formats.empty()) once(files, "format_decode.cuh");
    for (const Encoded& encoded : fragment.formats) once(formats, format_struct_text(encoded));
  }
  for (const Fragment& fragment : fragments) {
    for (const std::string& name : fragment.includes) once(files, name);
  }
  std::string text;
  if (half) text += "#include <cuda_fp16.h>\n";
  if (bfloat16) text += "#include <cuda_bf16.h>\n";
  for (const std::string& name : files) {
    text += fmt::format("\n// ---- {}\n{}", name, embedded_file(name));
    if (name == "format_decode.cuh") {
      for (const std::string& format : formats) text += "\n" + format;
    }
  }
  return text;
}

}  // namespace

std::string outer_name(std::size_t piece, std::string_view parameter) {
  return fmt::format("r{}.{}", piece, parameter);
}

Result<Candidate> compose(const Task& task, Program& program, const Cover& cover,
                          const std::vector<Config>& configs, const Target& target) {
  Candidate candidate;
  candidate.proposer = ProposerKind::Template;
  candidate.cover = cover.text();
  std::vector<Fragment> fragments;
  std::string code;
  std::set<std::string> skeletons;
  std::map<std::string, std::string> known;  // region's code -> prefix of the one that has it
  for (std::size_t i = 0; i < cover.pieces.size(); ++i) {
    const Piece& piece = cover.pieces[i];
    const Region region = make_region(program, piece.first, piece.last);
    const EmitContext context{fmt::format("r{}_", i), target};
    auto emitted = piece.skeleton->emit(program, region, piece.form, configs[i], context);
    if (!emitted) {
      return wrap(std::move(emitted).error(),
                  fmt::format("region r{} ({} {})", i, piece.skeleton->name(), piece.form));
    }
    Fragment& fragment = fragments.emplace_back(std::move(*emitted));
    code += "\n" + region_comment(program, piece, i, configs[i]);
    const auto [same, fresh] = known.emplace(anonymous(fragment.code, context), context.prefix);
    if (fresh) {
      code += fragment.code;
    } else {  // shapes alone differ, or not even those: one kernel serves both
      code += "// kernels: those of " + same->second.substr(0, same->second.size() - 1) + "\n";
      rename_kernels(fragment.setup, context.prefix, same->second);
      rename_kernels(fragment.run, context.prefix, same->second);
    }
    if (skeletons.insert(std::string(piece.skeleton->name())).second) {
      candidate.generator +=
          (candidate.generator.empty() ? "" : "+") + std::string(piece.skeleton->name());
    }
    for (const auto& [name, value] : configs[i]) candidate.parameters[outer_name(i, name)] = value;
    LaunchPlan& plan = candidate.plan;
    std::move(fragment.setup.begin(), fragment.setup.end(), std::back_inserter(plan.setup));
    std::move(fragment.run.begin(), fragment.run.end(), std::back_inserter(plan.run));
  }
  candidate.source =
      "// Kernelwright, cover " + candidate.cover + "\n" + preamble(fragments, code) + code;
  if (candidate.source.size() > kMaxSourceBytes) {
    return fail(Errc::ResourceExhausted, "{}: the source has {} bytes, more than {}", task.name,
                candidate.source.size(), kMaxSourceBytes);
  }

  std::set<std::string> used;
  for (const auto* nodes : {&candidate.plan.setup, &candidate.plan.run}) {
    for (const PlanNode& node : *nodes) {
      visit_buffers(node, [&](const std::string& name) { used.insert(name); });
    }
  }
  for (const Tensor& tensor : program.tensors) {
    const bool bound = tensor.role == Role::Input || tensor.role == Role::Weight ||
                       tensor.role == Role::State || tensor.is_output;
    if (bound || used.contains(tensor.name)) candidate.plan.buffers.push_back(buffer_of(tensor));
  }
  for (Fragment& fragment : fragments) {
    std::move(fragment.workspaces.begin(), fragment.workspaces.end(),
              std::back_inserter(candidate.plan.buffers));
  }
  note_lifetimes(candidate.plan);
  return candidate;
}

}  // namespace kw::codegen
