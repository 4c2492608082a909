#include "import/importer.h"

#include <algorithm>

#include "ir/region.h"

namespace kw::codegen {

Importer::Importer(const Task& task) : task_(task), graph_(task.graph) {
  lazies_.resize(graph_.values.size());
  tensors_.assign(graph_.values.size(), kNoTensor);
  uses_.assign(graph_.values.size(), 0);
  for (const Node& n : graph_.nodes) {
    for (const ValueId id : n.inputs) {
      if (id != kNoValue) ++uses_[static_cast<std::size_t>(id)];
    }
  }
  for (const ValueId id : graph_.outputs) ++uses_[static_cast<std::size_t>(id)];
  program_.task = task.name;
  program_.policy = task.policy;
}

std::string Importer::label() const { return fmt::format("node {} ({})", node_index_, node_->op); }

bool Importer::has_input(std::size_t i) const {
  return i < node_->inputs.size() && node_->inputs[i] != kNoValue;
}

Result<Lazy> Importer::input(std::size_t i) {
  if (!has_input(i)) return refuse("tensor argument {} is missing", i);
  const ValueId id = node_->inputs[i];
  const auto& lazy = lazies_[static_cast<std::size_t>(id)];
  if (!lazy) return refuse("value '{}' has no meaning here", graph_.value(id).name);
  return *lazy;
}

bool Importer::has_output(std::size_t i) const {
  return i < node_->outputs.size() && node_->outputs[i] != kNoValue;
}

const Value& Importer::output_value(std::size_t i) const {
  if (has_output(i)) return graph_.value(node_->outputs[i]);
  const auto& all = node_->outputs;
  return graph_.value(
      *std::find_if(all.begin(), all.end(), [](ValueId v) { return v != kNoValue; }));
}

Result<Lazy> Importer::output_lazy(std::size_t i) const {
  const auto& lazy = lazies_[static_cast<std::size_t>(node_->outputs[i])];
  if (!lazy) return refuse("output {} is not there yet", i);
  return *lazy;
}

bool Importer::output_is_used(std::size_t i) const {
  return has_output(i) && uses_[static_cast<std::size_t>(node_->outputs[i])] > 0;
}

Importer::Point Importer::point_of(const Shape& shape) {
  Point point;
  for (const std::int64_t extent : shape) {
    if (extent == 1) {
      point.at.emplace_back(0);
    } else {
      point.at.push_back(Index::variable(static_cast<int>(point.extents.size())));
      point.extents.push_back(extent);
    }
  }
  return point;
}

ScalarId Importer::at(const Lazy& lazy, const Point& point) {
  return substitute(program_, lazy.expr, point.at, point.extents);
}

ScalarId Importer::at_broadcast(const Lazy& lazy, const Point& point) {
  Point aligned;
  aligned.extents = point.extents;
  const std::size_t skip = point.at.size() - lazy.shape.size();
  for (std::size_t d = 0; d < lazy.shape.size(); ++d) {
    aligned.at.push_back(lazy.shape[d] == 1 ? Index(0) : point.at[skip + d]);
  }
  return at(lazy, aligned);
}

TensorId Importer::make_tensor(ValueId id) {
  const Value& value = graph_.value(id);
  Tensor tensor;
  tensor.name = value.name;
  tensor.dtype = value.dtype;
  tensor.shape = value.shape;
  tensor.strides = value.strides.empty() ? contiguous_strides(value.shape) : value.strides;
  tensor.role = value.role;
  tensor.is_output =
      std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end();
  program_.tensors.push_back(std::move(tensor));
  const auto made = static_cast<TensorId>(program_.tensors.size() - 1);
  tensors_[static_cast<std::size_t>(id)] = made;
  return made;
}

TensorId Importer::make_output(std::size_t i) {
  if (!has_output(i)) return make_temporary(output_value(i).shape, output_value(i).dtype);
  return make_tensor(node_->outputs[i]);
}

TensorId Importer::make_temporary(const Shape& shape, DType dtype) {
  Tensor tensor;
  tensor.name = fmt::format("ws_t{}", temporaries_++);
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.strides = contiguous_strides(shape);
  program_.tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(program_.tensors.size() - 1);
}

Lazy Importer::load_of(TensorId id) {
  const Tensor& tensor = program_.tensor(id);
  std::vector<Index> at;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    at.push_back(tensor.shape[d] == 1 ? Index(0) : Index::variable(static_cast<int>(d)));
  }
  return {program_.scalars.load(id, tensor.dtype, std::move(at)), tensor.shape};
}

void Importer::bind(std::size_t output, TensorId tensor) {
  if (!has_output(output)) return;
  lazies_[static_cast<std::size_t>(node_->outputs[output])] = load_of(tensor);
}

void Importer::add_stage(Stage stage) {
  stage.node = node_index_;
  program_.stages.push_back(std::move(stage));
}

Result<TensorId> Importer::plain(const Lazy& lazy, DType dtype) {
  const Scalar load = program_.scalars[lazy.expr];
  if (load.op == Op::Load && lazy.expr == load_of(load.tensor).expr) {
    const Tensor& tensor = program_.tensor(load.tensor);
    const bool same = tensor.dtype == dtype && tensor.shape == lazy.shape;
    if (same && tensor.strides == contiguous_strides(tensor.shape)) return load.tensor;
  }
  KW_ASSIGN(const Lazy copy,
            map_temporary(lazy.shape, dtype, [&](const Point& p) -> Result<ScalarId> {
              return scalars().cast(at(lazy, p), compute_type(dtype));
            }));
  return program_.scalars[copy.expr].tensor;
}

Result<TensorId> Importer::stored(std::size_t i) {
  KW_ASSIGN(const Lazy lazy, input(i));
  KW_ASSIGN(const Lazy leaf, as_leaf(lazy));
  const Scalar& load = program_.scalars[leaf.expr];
  if (load.op != Op::Load || !(leaf.expr == load_of(load.tensor).expr)) {
    KW_ASSIGN(const Lazy copy, map_temporary(lazy.shape, graph_.value(node_->inputs[i]).dtype,
                                             [&](const Point& p) { return at(lazy, p); }));
    return program_.scalars[copy.expr].tensor;
  }
  return load.tensor;
}

Status Importer::map_output(std::size_t i, const Body& body) {
  if (!has_output(i)) return {};
  const Point point = point_of(output_value(i).shape);
  KW_ASSIGN(const ScalarId value, body(point));
  Stage stage;
  stage.kind = Stage::Kind::Map;
  stage.extents = point.extents;
  stage.parallel = static_cast<int>(point.extents.size());
  stage.body = value;
  stage.store = point.at;
  stage.results = {make_output(i)};
  add_stage(std::move(stage));
  bind(i, program_.stages.back().results.front());
  return {};
}

Status Importer::define(std::size_t i, Lazy lazy) {
  if (!has_output(i)) return {};
  if (lazy.shape != output_value(i).shape) {
    return refuse("output '{}' is declared {}, but the operator gives {}", output_value(i).name,
                  to_string(output_value(i).shape), to_string(lazy.shape));
  }
  lazies_[static_cast<std::size_t>(node_->outputs[i])] = std::move(lazy);
  return {};
}

Result<Lazy> Importer::map_temporary(const Shape& shape, DType dtype, const Body& body) {
  const Point point = point_of(shape);
  KW_ASSIGN(const ScalarId value, body(point));
  Stage stage;
  stage.kind = Stage::Kind::Map;
  stage.extents = point.extents;
  stage.parallel = static_cast<int>(point.extents.size());
  stage.body = value;
  stage.store = point.at;
  stage.results = {make_temporary(shape, dtype)};
  add_stage(std::move(stage));
  return load_of(program_.stages.back().results.front());
}

Result<Lazy> Importer::as_leaf(const Lazy& lazy) {
  const Scalar& scalar = program_.scalars[lazy.expr];
  if (scalar.op == Op::Load || scalar.op == Op::Decode) return lazy;
  return map_temporary(lazy.shape, scalar.type,
                       [&](const Point& point) { return at(lazy, point); });
}

Result<std::vector<Lazy>> Importer::reduce(const Shape& shape,
                                           const std::vector<std::int64_t>& dims, Combiner combiner,
                                           const Body& body, const std::vector<int>& direct) {
  std::vector<bool> reduced(shape.size(), false);
  for (const std::int64_t d : dims) reduced[static_cast<std::size_t>(d)] = true;
  Point point;
  point.at.assign(shape.size(), Index(0));
  Shape kept = shape;
  Stage stage;
  stage.kind = Stage::Kind::Reduce;
  stage.combiner = combiner;
  for (const bool pass : {false, true}) {
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] == 0) return refuse("a reduction over an empty tensor");
      if (reduced[d] != pass) continue;
      if (pass) kept[d] = 1;
      if (shape[d] == 1) continue;
      point.at[d] = Index::variable(static_cast<int>(point.extents.size()));
      point.extents.push_back(shape[d]);
    }
    if (!pass) stage.parallel = static_cast<int>(point.extents.size());
  }
  stage.extents = point.extents;
  KW_ASSIGN(stage.body, body(point));
  const DType type = scalars()[stage.body].type;
  const bool index = combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
  const std::size_t results =
      index || combiner == Combiner::Welford || combiner == Combiner::OnlineSoftmax ? 2 : 1;

  // A reduction of one element is a Map, except where the combiner computes something of its own.
  if (stage.parallel == static_cast<int>(stage.extents.size()) && results == 1) {
    stage.kind = Stage::Kind::Map;
    stage.combiner = Combiner::None;
  }
  // Results share their coordinates, so a temporary takes the shape of the output beside it.
  for (const int to : direct) {
    if (to < 0) continue;
    const Shape& declared = output_value(static_cast<std::size_t>(to)).shape;
    if (count_of(declared) != count_of(kept)) {
      return refuse("output '{}' is declared {}, but the reduction gives {}",
                    output_value(static_cast<std::size_t>(to)).name, to_string(declared),
                    to_string(kept));
    }
    kept = declared;
  }
  std::vector<Lazy> lazies;
  for (std::size_t r = 0; r < results; ++r) {
    const int to = r < direct.size() ? direct[r] : -1;
    const DType result_type = index && r == 1 ? DType::I64 : type;
    const TensorId tensor =
        to >= 0 ? make_output(static_cast<std::size_t>(to)) : make_temporary(kept, result_type);
    stage.results.push_back(tensor);
    if (stage.store.empty()) stage.store = point_of(program_.tensor(tensor).shape).at;
    lazies.push_back(load_of(tensor));
    if (to >= 0) bind(static_cast<std::size_t>(to), tensor);
  }
  add_stage(std::move(stage));
  return lazies;
}

Result<std::int64_t> Importer::dim_in(std::int64_t dim, std::size_t rank) const {
  const auto r = static_cast<std::int64_t>(std::max<std::size_t>(rank, 1));
  if (dim < -r || dim >= r) return refuse("dimension {} of a tensor of rank {}", dim, rank);
  return dim < 0 ? dim + r : dim;
}

Result<std::vector<std::int64_t>> Importer::dims_or_all(std::size_t rank, std::string_view name) {
  std::vector<std::int64_t> dims;
  if (has_attr(*node_, name)) {
    KW_ASSIGN(dims, attr_ints(*node_, name));
  }
  if (dims.empty()) {
    for (std::size_t d = 0; d < rank; ++d) dims.push_back(static_cast<std::int64_t>(d));
    return dims;
  }
  for (std::int64_t& d : dims) {
    KW_ASSIGN(d, dim_in(d, rank));
  }
  std::sort(dims.begin(), dims.end());
  if (std::adjacent_find(dims.begin(), dims.end()) != dims.end()) {
    return refuse("a dimension occurs twice in '{}'", name);
  }
  if (rank == 0) dims.clear();
  return dims;
}

const BuilderTable& builders() {
  static const BuilderTable table = [] {
    BuilderTable t;
    add_pointwise(t);
    add_activations(t);
    add_views(t);
    add_creation(t);
    add_reductions(t);
    add_norms(t);
    add_losses(t);
    add_contractions(t);
    add_convolutions(t);
    add_pooling(t);
    add_class_losses(t);
    add_distances(t);
    add_batch_norms(t);
    add_rearrangements(t);
    add_scatters(t);
    add_scans(t);
    add_gathers(t);
    add_attention(t);
    add_recurrences(t);
    add_formats(t);
    return t;
  }();
  return table;
}

Status Importer::import_node(const Node& node) {
  node_ = &node;
  program_.nodes.push_back(fmt::format("{}#{}", node.op, node_index_));
  // "aten.name.overload"; "aten.relu_" is the in-place spelling of the same function.
  std::string_view op = node.op;
  std::string_view overload;
  if (const std::size_t first = op.find('.'); first != std::string_view::npos) {
    if (const std::size_t second = op.find('.', first + 1); second != std::string_view::npos) {
      overload = op.substr(second + 1);
      op = op.substr(0, second);
    }
  }
  if (op.size() > 1 && op.back() == '_') op.remove_suffix(1);
  const auto it = builders().find(op);
  if (it == builders().end()) {
    return fail(Errc::Unsupported, "{}: the generator does not know operator '{}' (value '{}')",
                label(), node.op, node.outputs.empty() ? "" : output_value().name);
  }
  // A result that nothing reads may be missing.
  if (std::count(node.outputs.begin(), node.outputs.end(), kNoValue) ==
      static_cast<std::ptrdiff_t>(node.outputs.size())) {
    return refuse("it has no output");
  }
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    KW_ASSIGN(const std::int64_t count, element_count(graph_.value(id).shape));
    if (count == 0) return refuse("output '{}' is empty", graph_.value(id).name);
  }
  return it->second(*this, overload);
}

Status Importer::finish_outputs() {
  for (const ValueId id : graph_.outputs) {
    const auto v = static_cast<std::size_t>(id);
    const Value& value = graph_.value(id);
    if (!lazies_[v])
      return fail(Errc::InvalidArgument, "output '{}' is never computed", value.name);
    const bool given = value.role != Role::Output && value.role != Role::Scratch;
    if (tensors_[v] != kNoTensor && !given) continue;
    if (given) return fail(Errc::Unsupported, "output '{}' is an input of the task", value.name);
    const Lazy lazy = *lazies_[v];
    const Point point = point_of(value.shape);
    Stage stage;
    stage.extents = point.extents;
    stage.parallel = static_cast<int>(point.extents.size());
    stage.body = at(lazy, point);
    stage.store = point.at;
    stage.node = graph_.producer(id);
    stage.results = {make_tensor(id)};
    program_.stages.push_back(std::move(stage));
  }
  return {};
}

Result<Program> Importer::run() {
  KW_RETURN_IF_ERROR(validate(task_));
  for (std::size_t v = 0; v < graph_.values.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    const Role role = graph_.values[v].role;
    if (role == Role::Output || role == Role::Scratch || graph_.producer(id) >= 0) continue;
    lazies_[v] = load_of(make_tensor(id));
  }
  for (const Node& n : graph_.nodes) {
    ++node_index_;
    KW_RETURN_IF_ERROR(import_node(n));
  }
  KW_RETURN_IF_ERROR(finish_outputs());
  finish(program_);
  return std::move(program_);
}

Result<Program> import_task(const Task& task) { return Importer(task).run(); }

}  // namespace kw::codegen
