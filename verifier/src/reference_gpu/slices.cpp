#include "slices.h"

#include <algorithm>

#include "op_names.h"

namespace kw::verify::gpu {
namespace {

constexpr int kWhole = -1;
constexpr int kMixed = -2;

std::optional<std::vector<std::int64_t>> dims_of(const Node& node, const char* name,
                                                 std::size_t rank) {
  if (!has_attr(node, name)) return std::vector<std::int64_t>{};
  auto dims = attr_ints(node, name);
  if (!dims) return std::nullopt;
  for (std::int64_t& dim : *dims) dim += dim < 0 ? static_cast<std::int64_t>(rank) : 0;
  return *dims;
}

/// Follows output dimension `d` of a node to its `index`-th input. kMixed: rows meet there.
class Follow {
 public:
  Follow(const Graph& graph, const Node& node)
      : graph_(graph), node_(node), name_(base_name(node.op)), out_(shape(node.outputs[0])) {}

  int operator()(std::size_t index, int d) const {
    const Shape& in = shape(node_.inputs[index]);
    if (is_pointwise(name_) || name_ == "expand" || name_ == "expand_as") return broadcast(in, d);
    if (name_ == "matmul" || name_ == "mm" || name_ == "bmm") return product(in, index, d);
    if (name_ == "mv") return index == 0 ? d : kWhole;
    if (name_ == "linear") {
      return index != 0 ? kWhole : d + 1 < static_cast<int>(out_.size()) ? d : kMixed;
    }
    if (name_ == "addmm" || name_ == "baddbmm") {
      if (index == 0) return broadcast(in, d);
      return index == 1 ? (d + 1 < static_cast<int>(out_.size()) ? d : kMixed)
                        : (in.size() == 3 && d == 0 ? 0 : kWhole);
    }
    if (const int view = through_view(in, d); view != kMixed) return view;
    if (is_row_reduction(name_)) return through_reduction(in, d);
    if (name_ == "softmax" || name_ == "log_softmax" || name_ == "_softmax" ||
        name_ == "_log_softmax" || name_ == "cumsum" || name_ == "cumprod") {
      const auto dims = dims_of(node_, "dim", in.size());
      return dims && dims->size() == 1 && (*dims)[0] != d ? d : kMixed;
    }
    if (name_ == "layer_norm" || name_ == "rms_norm") {
      if (index != 0) return kWhole;
      const auto tail = attr_ints(node_, "normalized_shape");
      return tail && d < static_cast<int>(in.size() - tail->size()) ? d : kMixed;
    }
    if (name_ == "masked_fill" || name_ == "dropout") return broadcast(in, d);
    if (name_ == "argmax" || name_ == "argmin") return through_reduction(in, d);
    if (name_ == "flip") {
      const auto dims = dims_of(node_, "dims", in.size());
      return dims && std::find(dims->begin(), dims->end(), d) == dims->end() ? d : kMixed;
    }
    if (name_ == "tril" || name_ == "triu") return d + 2 < static_cast<int>(in.size()) ? d : kMixed;
    if (name_ == "cat" || name_ == "narrow" || name_ == "slice" || name_ == "select") {
      const auto dims = dims_of(node_, "dim", in.size());
      if (!dims || dims->size() != 1) return kMixed;
      const int along = static_cast<int>((*dims)[0]);
      if (name_ == "select") return d < along ? d : d + 1;
      return d != along ? d : kMixed;
    }
    if (name_ == "scaled_dot_product_attention") {
      return index < 3 && in.size() == out_.size() && d + 2 < static_cast<int>(in.size()) ? d
                                                                                          : kMixed;
    }
    if (is_convolution(name_)) return index != 0 ? kWhole : d == 0 ? 0 : kMixed;
    if (is_pool(name_))
      return d + (name_[name_.find("pool") + 4] - '0') < static_cast<int>(in.size()) ? d : kMixed;
    if (name_ == "max" || name_ == "min") {
      return node_.inputs.size() > 1 ? broadcast(in, d) : through_reduction(in, d);
    }
    if (name_ == "linalg_vector_norm" || name_ == "norm") return through_reduction(in, d);
    if (name_ == "group_norm" || name_ == "instance_norm") {
      return index != 0 ? kWhole : d == 0 ? 0 : kMixed;
    }
    return kMixed;
  }

 private:
  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }

  int broadcast(const Shape& in, int d) const {
    const int at = d - static_cast<int>(out_.size() - in.size());
    if (at < 0) return kWhole;
    return in[static_cast<std::size_t>(at)] == 1 && out_[static_cast<std::size_t>(d)] != 1 ? kWhole
                                                                                           : at;
  }

  int product(const Shape& in, std::size_t index, int d) const {
    const int rank = static_cast<int>(out_.size());
    const bool vector_a = shape(node_.inputs[0]).size() == 1;
    const bool vector_b = shape(node_.inputs[1]).size() == 1;
    const int columns = vector_b ? 0 : 1, rows = vector_a ? 0 : 1;
    const int batch = rank - columns - rows;
    if (d < batch) {  // leading dimensions broadcast
      const int at = d - (batch - (static_cast<int>(in.size()) - 2));
      if (in.size() < 3 || at < 0) return kWhole;
      return in[static_cast<std::size_t>(at)] == 1 && out_[static_cast<std::size_t>(d)] != 1
                 ? kWhole
                 : at;
    }
    if (rows == 1 && d == batch) return index == 0 ? static_cast<int>(in.size()) - 2 : kWhole;
    return index == 1 ? static_cast<int>(in.size()) - 1 : kWhole;
  }

  int through_view(const Shape& in, int d) const {
    const int rank = static_cast<int>(in.size());
    if (name_ == "permute") {
      const auto dims = dims_of(node_, "dims", in.size());
      return dims && d < static_cast<int>(dims->size())
                 ? static_cast<int>((*dims)[static_cast<std::size_t>(d)])
                 : kMixed;
    }
    if (name_ == "transpose") {
      auto a = attr_int_or(node_, "dim0", 0).value_or(0),
           b = attr_int_or(node_, "dim1", 1).value_or(1);
      a += a < 0 ? rank : 0, b += b < 0 ? rank : 0;
      return static_cast<int>(d == a ? b : d == b ? a : d);
    }
    if (name_ == "t" || name_ == "mT") {
      if (rank < 2) return d;
      return d == rank - 1 ? rank - 2 : d == rank - 2 ? rank - 1 : d;
    }
    if (name_ == "numpy_T") return rank - 1 - d;
    if (is_reshape(name_)) return through_reshape(in, d);
    return kMixed;
  }
  /// The dimension survives a reshape when it has the same extent and the same number of elements
  /// behind it.
  int through_reshape(const Shape& in, int d) const {
    std::int64_t behind = 1;
    for (std::size_t i = static_cast<std::size_t>(d) + 1; i < out_.size(); ++i) behind *= out_[i];
    std::int64_t tail = 1;
    for (std::size_t i = in.size(); i-- > 0;) {
      if (tail == behind && in[i] == out_[static_cast<std::size_t>(d)]) return static_cast<int>(i);
      tail *= in[i];
    }
    return kMixed;
  }
  int through_reduction(const Shape& in, int d) const {
    const auto dims = dims_of(node_, "dim", in.size());
    if (!dims || dims->empty()) return kMixed;
    const bool keep = attr_bool_or(node_, "keepdim", false).value_or(false);
    int at = 0;
    for (int i = 0; i < static_cast<int>(in.size()); ++i) {
      const bool reduced = std::find(dims->begin(), dims->end(), i) != dims->end();
      if (reduced && !keep) continue;
      if (at++ == d) return reduced ? kMixed : i;
    }
    return kMixed;
  }

  const Graph& graph_;
  const Node& node_;
  std::string_view name_;
  const Shape& out_;
};

bool reduces_everything(const Graph& graph, const Node& node) {
  const std::string_view name = base_name(node.op);
  if (node.outputs[0] == kNoValue || !graph.value(node.outputs[0]).shape.empty()) return false;
  if (is_loss(name)) return true;
  return (name == "sum" || name == "mean") && !graph.value(node.inputs[0]).shape.empty();
}

/// Everything after node n is cheap enough for the interpreter on the CPU.
bool small_after(const Graph& graph, std::size_t n) {
  for (std::size_t i = n + 1; i < graph.nodes.size(); ++i) {
    for (const std::vector<ValueId>& ids : {graph.nodes[i].inputs, graph.nodes[i].outputs}) {
      for (const ValueId id : ids) {
        if (id != kNoValue && element_count(graph.value(id).shape).value_or(0) > 4096) return false;
      }
    }
  }
  return true;
}

/// Nodes before `end` that `wanted` depends on, and the values they use.
Graph head_of(const Graph& graph, std::size_t end, ValueId wanted) {
  Graph head;
  head.values = graph.values;
  std::vector<bool> needed(graph.values.size(), false);
  needed[static_cast<std::size_t>(wanted)] = true;
  for (std::size_t n = end; n-- > 0;) {
    const Node& node = graph.nodes[n];
    const bool use = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && needed[static_cast<std::size_t>(id)];
    });
    if (!use) continue;
    head.nodes.insert(head.nodes.begin(), node);
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[static_cast<std::size_t>(id)] = true;
    }
  }
  head.outputs = {wanted};
  return head;
}

}  // namespace

Parts split(const Graph& graph) {
  Parts parts;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (!reduces_everything(graph, node)) continue;
    if (!small_after(graph, n)) break;
    parts.reduction = n;
    if (is_loss(base_name(node.op))) {  // the unreduced loss gets a value of its own
      Graph open = graph;
      Value terms = graph.value(node.outputs[0]);
      terms.name = "";
      terms.shape = graph.value(node.inputs[0]).shape;
      parts.reduced = static_cast<ValueId>(open.values.size());
      open.values.push_back(terms);
      open.nodes[n].attrs["reduction"] = std::int64_t{0};
      open.nodes[n].outputs = {parts.reduced};
      parts.head = head_of(open, n + 1, parts.reduced);
    } else {
      parts.reduced = node.inputs[0];
      parts.head = head_of(graph, n, parts.reduced);
    }
    parts.tail = graph;
    parts.tail.nodes.assign(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n) + 1,
                            graph.nodes.end());
    return parts;
  }
  parts.head = graph;
  return parts;
}

std::optional<Slicing> find_slicing(const Graph& head) {
  constexpr int kUnknown = -3;
  Slicing slicing;
  slicing.dim.assign(head.values.size(), kUnknown);
  for (const ValueId id : head.outputs) {
    const Shape& shape = head.value(id).shape;
    if (shape.empty()) return std::nullopt;
    if (slicing.extent != 1 && slicing.extent != shape[0]) return std::nullopt;
    slicing.extent = shape[0];
    slicing.dim[static_cast<std::size_t>(id)] = 0;
  }
  for (std::size_t n = head.nodes.size(); n-- > 0;) {
    const Node& node = head.nodes[n];
    if (node.outputs[0] == kNoValue) return std::nullopt;
    const int d = slicing.dim[static_cast<std::size_t>(node.outputs[0])];
    if (d == kUnknown) continue;
    if (node.outputs.size() != 1 && d != kWhole) return std::nullopt;
    const Follow follow(head, node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      const int want = d == kWhole ? kWhole : follow(i, d);
      if (want == kMixed) return std::nullopt;
      int& have = slicing.dim[static_cast<std::size_t>(node.inputs[i])];
      if (have != kUnknown && have != want) return std::nullopt;
      have = want;
    }
  }
  for (int& d : slicing.dim) d = d == kUnknown ? kWhole : d;
  return slicing;
}

Graph cut(const Graph& head, const Slicing& slicing, std::int64_t rows) {
  Graph piece = head;
  for (std::size_t i = 0; i < piece.values.size(); ++i) {
    if (slicing.dim[i] < 0) continue;
    piece.values[i].shape[static_cast<std::size_t>(slicing.dim[i])] = rows;
    piece.values[i].strides.clear();
  }
  return piece;
}

}  // namespace kw::verify::gpu
