#include "ir/region.h"

#include <algorithm>
#include <map>

namespace kw::codegen {
namespace {

void collect_tensors(const Program& program, ScalarId root, std::vector<TensorId>& out) {
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op == Op::Load || s.op == Op::Gather) out.push_back(s.tensor);
    if (s.op == Op::Decode) {
      for (const TensorId t :
           {s.encoded.codes, s.encoded.scales, s.encoded.zeros, s.encoded.tensor_scale}) {
        if (t != kNoTensor) out.push_back(t);
      }
    }
  }
}

/// Rebuilds a DAG bottom-up; `leaf` may replace a node before its arguments are looked at.
class Rewriter {
 public:
  using Leaf = std::function<std::optional<ScalarId>(ScalarId)>;
  Rewriter(Program& program, Leaf leaf) : program_(program), leaf_(std::move(leaf)) {}

  ScalarId operator()(ScalarId id) {
    if (const auto it = done_.find(id); it != done_.end()) return it->second;
    ScalarId result = id;
    if (const auto replaced = leaf_(id)) {
      result = *replaced;
    } else if (Scalar copy = program_.scalars[id]; !copy.args.empty()) {
      for (ScalarId& arg : copy.args) arg = (*this)(arg);
      result = program_.scalars.add(std::move(copy));
    }
    done_.emplace(id, result);
    return result;
  }

 private:
  Program& program_;
  Leaf leaf_;
  std::map<ScalarId, ScalarId> done_;
};

}  // namespace

std::vector<TensorId> tensors_read(const Program& program, const Stage& stage) {
  std::vector<TensorId> all, once;
  if (stage.body >= 0) collect_tensors(program, stage.body, all);
  if (stage.tensor_amax >= 0) collect_tensors(program, stage.tensor_amax, all);
  for (const TensorId t : all) {
    if (std::find(once.begin(), once.end(), t) == once.end()) once.push_back(t);
  }
  for (const TensorId t : stage.operands) {
    if (t != kNoTensor && std::find(once.begin(), once.end(), t) == once.end()) once.push_back(t);
  }
  return once;
}

bool gathers_inside(const Program& program, const Region& region) {
  for (int s = region.first; s <= region.last; ++s) {
    const Stage& stage = program.stages[static_cast<std::size_t>(s)];
    if (stage.body < 0) continue;
    for (const ScalarId leaf : leaves_of(program.scalars, stage.body)) {
      const Scalar& scalar = program.scalars[leaf];
      if (scalar.op == Op::Gather && region.contains(program.producer(scalar.tensor))) return true;
    }
  }
  return false;
}

Region make_region(const Program& program, int first, int last) {
  Region region{first, last, {}, {}};
  for (int s = first; s <= last; ++s) {
    const Stage& stage = program.stages[static_cast<std::size_t>(s)];
    for (const TensorId t : tensors_read(program, stage)) {
      const bool known =
          std::find(region.inputs.begin(), region.inputs.end(), t) != region.inputs.end();
      if (!known && !region.contains(program.producer(t))) region.inputs.push_back(t);
    }
    for (const TensorId t : stage.results) {
      const Tensor& tensor = program.tensor(t);
      const bool outside = std::any_of(tensor.readers.begin(), tensor.readers.end(),
                                       [&](int reader) { return !region.contains(reader); });
      if (outside || tensor.is_output) region.outputs.push_back(t);
    }
  }
  return region;
}

ScalarId substitute(Program& program, ScalarId root, const std::vector<Index>& values,
                    const Shape& extents) {
  Rewriter* self = nullptr;
  Rewriter rewrite(program, [&](ScalarId id) -> std::optional<ScalarId> {
    Scalar copy = program.scalars[id];
    if (copy.at.empty()) return std::nullopt;
    for (ScalarId& arg : copy.args) arg = (*self)(arg);  // Gather
    for (Index& index : copy.at) index = substitute(index, values, extents);
    if (copy.op == Op::InRange) {
      const IndexRange range = range_of(copy.at.front(), extents);
      if (range.low >= copy.low && range.high < copy.high) {
        return program.scalars.constant(1, DType::Bool);
      }
      if (range.high < copy.low || range.low >= copy.high) {
        return program.scalars.constant(0, DType::Bool);
      }
    }
    return program.scalars.add(std::move(copy));
  });
  self = &rewrite;
  return rewrite(root);
}

ScalarId inline_maps(Program& program, const Region& region, ScalarId root, const Shape& extents) {
  Rewriter rewrite(program, [&](ScalarId id) -> std::optional<ScalarId> {
    const Scalar leaf = program.scalars[id];
    if (leaf.op != Op::Load) return std::nullopt;
    const int s = program.producer(leaf.tensor);
    if (s < 0 || !region.contains(s)) return std::nullopt;
    const Stage& stage = program.stages[static_cast<std::size_t>(s)];
    if (stage.kind != Stage::Kind::Map) return std::nullopt;
    std::vector<Index> values(stage.extents.size());
    for (std::size_t d = 0; d < stage.store.size(); ++d) {
      if (const auto v = stage.store[d].as_variable()) {
        values[static_cast<std::size_t>(*v)] = leaf.at[d];
      }
    }
    const ScalarId body = substitute(program, stage.body, values, extents);
    const DType stored = program.tensor(leaf.tensor).dtype;
    ScalarId value = inline_maps(program, region, body, extents);
    // What a narrow intermediate would have been rounded to is part of the program's meaning.
    if (stored == DType::F16 || stored == DType::BF16) value = program.scalars.cast(value, stored);
    return program.scalars.cast(value, leaf.type);
  });
  return rewrite(root);
}

double minimal_bytes(const Program& program, const Region& region) {
  double bytes = 0;
  const auto add = [&](TensorId t) {
    const Tensor& tensor = program.tensor(t);
    bytes +=
        static_cast<double>(count_of(tensor.shape)) * static_cast<double>(size_of(tensor.dtype));
  };
  for (const TensorId t : region.inputs) add(t);
  for (const TensorId t : region.outputs) add(t);
  return bytes;
}

std::optional<ContractionForm> contraction_form(const Program& program, int stage_index) {
  const Stage& stage = program.stages[static_cast<std::size_t>(stage_index)];
  if (stage.kind != Stage::Kind::Contract) return std::nullopt;
  const Scalar& product = program.scalars[stage.body];
  if (product.op != Op::Mul) return std::nullopt;
  ContractionForm form;
  form.stage = stage_index;
  form.lhs = product.args[0];
  form.rhs = product.args[1];
  const auto uses = [&](ScalarId root, int v) {
    for (const ScalarId leaf : leaves_of(program.scalars, root)) {
      for (const Index& index : program.scalars[leaf].at) {
        if (index.depends_on(v)) return true;
      }
    }
    return false;
  };
  for (int v = 0; v < static_cast<int>(stage.extents.size()); ++v) {
    const std::int64_t extent = stage.extents[static_cast<std::size_t>(v)];
    if (v >= stage.parallel) {
      form.k.push_back(v);
      form.extent_k *= extent;
      continue;
    }
    const bool left = uses(form.lhs, v), right = uses(form.rhs, v);
    if (left == right) {
      form.batch.push_back(v);
      form.extent_batch *= extent;
    } else if (left) {
      form.m.push_back(v);
      form.extent_m *= extent;
    } else {
      form.n.push_back(v);
      form.extent_n *= extent;
    }
  }
  return form;
}

}  // namespace kw::codegen
