// Products summed over shared indices: every matrix product, and einsum of two operands.

#include <algorithm>
#include <map>

#include "import/formula.h"

namespace kw::codegen {
namespace {

using Labels = std::vector<int>;

/// Extent per label, or an error where two operands disagree.
Status note_extents(const Importer& im, const Shape& shape, const Labels& labels,
                    std::map<int, std::int64_t>& extents) {
  if (shape.size() != labels.size()) return im.refuse("an operand of rank {}", shape.size());
  for (std::size_t d = 0; d < labels.size(); ++d) {
    std::int64_t& extent = extents.try_emplace(labels[d], 1).first->second;
    if (shape[d] == 1 || shape[d] == extent) continue;
    if (extent != 1) return im.refuse("extents {} and {} do not agree", extent, shape[d]);
    extent = shape[d];
  }
  return {};
}

constexpr int kM = 0, kN = 1, kK = 2, kBatch = 3;

/// Labels of a matmul operand: batch dimensions, aligned at the right, then two of m, n, k.
Labels matrix_labels(std::size_t rank, int row, int column) {
  Labels labels;
  for (std::size_t d = 0; d + 2 < rank; ++d)
    labels.push_back(kBatch + static_cast<int>(rank - 3 - d));
  labels.push_back(row);
  labels.push_back(column);
  return labels;
}

Status matmul(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy a, im.input(0));
  KW_ASSIGN(const Lazy b, im.input(1));
  if (a.shape.empty() || b.shape.empty()) return im.refuse("a scalar operand");
  const Labels la = a.shape.size() == 1 ? Labels{kK} : matrix_labels(a.shape.size(), kM, kK);
  const Labels lb = b.shape.size() == 1 ? Labels{kK} : matrix_labels(b.shape.size(), kK, kN);
  Labels out;
  const std::size_t batch = std::max<std::size_t>({a.shape.size(), b.shape.size(), 2}) - 2;
  for (std::size_t d = 0; d < batch; ++d) out.push_back(kBatch + static_cast<int>(batch - 1 - d));
  if (a.shape.size() > 1) out.push_back(kM);
  if (b.shape.size() > 1) out.push_back(kN);
  KW_ASSIGN(const Lazy y, im.contract(a, la, b, lb, out, true));
  return {};
}

/// alpha * product + beta * bias, with the bias broadcast.
Status add_to(Importer& im, const Lazy& product, const Lazy& bias, double beta, double alpha) {
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    const DType type = compute_type(im.output_value().dtype);
    const E sum = E{&im, im.at(product, p)}.to(type) * alpha;
    if (beta == 0) return sum.id;
    return (sum + E{&im, im.at_broadcast(bias, p)}.to(type) * beta).id;
  });
}

Status linear(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy x, im.input(0));
  KW_ASSIGN(const Lazy w, im.input(1));
  if (x.shape.empty() || w.shape.size() != 2) return im.refuse("weight of rank {}", w.shape.size());
  Labels lx;
  for (std::size_t d = 0; d + 1 < x.shape.size(); ++d) lx.push_back(kBatch + static_cast<int>(d));
  Labels out = lx;
  lx.push_back(kK);
  out.push_back(kN);
  const bool biased = im.has_input(2);
  KW_ASSIGN(const Lazy y, im.contract(x, lx, w, {kN, kK}, out, !biased));
  if (!biased) return {};
  KW_ASSIGN(const Lazy bias, im.input(2));
  return add_to(im, y, bias, 1, 1);
}

/// addmm, baddbmm, addmv: beta * input + alpha * (a @ b).
Status add_product(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy bias, im.input(0));
  KW_ASSIGN(const Lazy a, im.input(1));
  KW_ASSIGN(const Lazy b, im.input(2));
  KW_ASSIGN(const double beta, attr_number_or(im.node(), "beta", 1));
  KW_ASSIGN(const double alpha, attr_number_or(im.node(), "alpha", 1));
  Labels la = matrix_labels(a.shape.size(), kM, kK);
  const Labels lb = b.shape.size() == 1 ? Labels{kK} : matrix_labels(b.shape.size(), kK, kN);
  Labels out = la;
  out.pop_back();
  if (b.shape.size() > 1) out.push_back(kN);
  KW_ASSIGN(const Lazy y, im.contract(a, la, b, lb, out, false));
  return add_to(im, y, bias, beta, alpha);
}

Status outer(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy a, im.input(0));
  KW_ASSIGN(const Lazy b, im.input(1));
  KW_ASSIGN(const Lazy y, im.contract(a, {kM}, b, {kN}, {kM, kN}, true));
  return {};
}

/// Labels of `now` and `next` that something later still needs, in order of appearance.
Labels needed_later(const Labels& now, const Labels& next, const std::vector<Labels>& later) {
  Labels keep;
  for (const Labels* labels : {&now, &next}) {
    for (const int label : *labels) {
      const bool needed = std::any_of(later.begin(), later.end(), [label](const Labels& l) {
        return std::find(l.begin(), l.end(), label) != l.end();
      });
      const bool known = std::find(keep.begin(), keep.end(), label) != keep.end();
      if (needed && !known) keep.push_back(label);
    }
  }
  return keep;
}

/// "bij,bjk->bik": letters only; operands are multiplied from left to right, and an index is summed
/// as soon as nothing to the right has it.
Status einsum(Importer& im, std::string_view) {
  KW_ASSIGN(std::string equation, attr_string_or(im.node(), "equation", ""));
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
    return im.refuse("equation '{}'", equation);
  }
  std::vector<Labels> labels(1);
  for (const char c : equation.substr(0, arrow)) {
    if (c == ',') {
      labels.emplace_back();
    } else {
      labels.back().push_back(c);
    }
  }
  labels.emplace_back(equation.begin() + static_cast<std::ptrdiff_t>(arrow) + 2, equation.end());
  const std::size_t count = im.node().inputs.size();
  if (labels.size() != count + 1) return im.refuse("{} operands for '{}'", count, equation);
  KW_ASSIGN(Lazy value, im.input(0));
  const DType type = compute_type(im.output_value().dtype);
  if (count == 1) {
    const Lazy one{im.scalars().constant(1, type), {}};
    KW_ASSIGN(value, im.contract(value, labels[0], one, {}, labels[1], true));
    return {};
  }
  Labels now = labels[0];
  for (std::size_t i = 1; i < count; ++i) {
    KW_ASSIGN(const Lazy next, im.input(i));
    const bool last = i + 1 == count;
    const Labels out =
        last ? labels.back()
             : needed_later(now, labels[i],
                            {labels.begin() + static_cast<std::ptrdiff_t>(i) + 1, labels.end()});
    KW_ASSIGN(value, im.contract(value, now, next, labels[i], out, last));
    now = out;
  }
  return {};
}

}  // namespace

Result<Lazy> Importer::contract(const Lazy& lhs, const Labels& lhs_labels, const Lazy& rhs,
                                const Labels& rhs_labels, const Labels& out_labels, bool direct) {
  std::map<int, std::int64_t> extents;
  KW_RETURN_IF_ERROR(note_extents(*this, lhs.shape, lhs_labels, extents));
  KW_RETURN_IF_ERROR(note_extents(*this, rhs.shape, rhs_labels, extents));
  KW_ASSIGN(const Lazy a, as_leaf(lhs));
  KW_ASSIGN(const Lazy b, as_leaf(rhs));

  // Variables: the output's labels in order, then the summed ones in the order of the operands.
  Labels order = out_labels;
  for (const Labels* labels : {&lhs_labels, &rhs_labels}) {
    for (const int label : *labels) {
      if (std::find(order.begin(), order.end(), label) == order.end()) order.push_back(label);
    }
  }
  Stage stage;
  stage.kind = Stage::Kind::Contract;
  stage.combiner = Combiner::Sum;
  std::map<int, Index> coordinate;
  Shape out_shape;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!extents.contains(order[i])) return refuse("an output index that no operand has");
    const std::int64_t extent = extents.at(order[i]);
    if (extent == 0) return refuse("an empty operand");
    const bool parallel = i < out_labels.size();
    if (parallel) out_shape.push_back(extent);
    if (coordinate.contains(order[i])) return refuse("a repeated output index");
    coordinate[order[i]] =
        extent == 1 ? Index(0) : Index::variable(static_cast<int>(stage.extents.size()));
    if (extent != 1) {
      stage.extents.push_back(extent);
      if (parallel) ++stage.parallel;
    }
  }
  const auto operand = [&](const Lazy& lazy, const Labels& labels) {
    Point point;
    point.extents = stage.extents;
    for (std::size_t d = 0; d < labels.size(); ++d) {
      point.at.push_back(lazy.shape[d] == 1 ? Index(0) : coordinate.at(labels[d]));
    }
    return at(lazy, point);
  };
  const DType type = compute_type(output_value().dtype);
  const ScalarId left = operand(a, lhs_labels), right = operand(b, rhs_labels);
  if (scalars()[left].type != type || scalars()[right].type != type) {
    return refuse("operands and result of different types");
  }
  stage.body = scalars().binary(Op::Mul, left, right);
  if (stage.parallel == static_cast<int>(stage.extents.size())) {  // nothing is summed
    stage.kind = Stage::Kind::Map;
    stage.combiner = Combiner::None;
  }
  if (direct && out_shape != output_value().shape) {
    return refuse("output '{}' is declared {}, but its operands give {}", output_value().name,
                  to_string(output_value().shape), to_string(out_shape));
  }
  const TensorId result = direct ? make_output(0) : make_temporary(out_shape, type);
  stage.results = {result};
  stage.store = point_of(out_shape).at;
  add_stage(std::move(stage));
  if (direct) bind(0, result);
  return load_of(result);
}

void add_contractions(BuilderTable& t) {
  for (const char* name : {"aten.matmul", "aten.mm", "aten.bmm", "aten.mv", "aten.dot"}) {
    t[name] = matmul;
  }
  t["aten.linear"] = linear;
  for (const char* name : {"aten.addmm", "aten.baddbmm", "aten.addmv"}) t[name] = add_product;
  t["aten.outer"] = outer;
  t["aten.einsum"] = einsum;
}

}  // namespace kw::codegen
