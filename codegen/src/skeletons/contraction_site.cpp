#include "skeletons/contraction_site.h"

#include <algorithm>

namespace kw::codegen {
namespace {

constexpr std::int64_t kMostBatches = 65535;
constexpr std::int64_t kMostExtent = 0x7fffffff - 1024;  // room for padding

}  // namespace

int product_stage(const Program& program, const Region& region) {
  int found = -1;
  for (int s = region.first; s <= region.last; ++s) {
    const Stage::Kind kind = program.stages[static_cast<std::size_t>(s)].kind;
    if (kind == Stage::Kind::Map) continue;
    if (kind != Stage::Kind::Contract || found >= 0) return -1;
    found = s;
  }
  return found;
}

void spread(const Stage& stage, const std::vector<int>& variables, const Index& number,
            const Shape& space, std::vector<Index>& values) {
  Shape extents;
  for (const int v : variables) extents.push_back(stage.extents[static_cast<std::size_t>(v)]);
  const std::vector<Index> at = delinearise(number, extents, space);
  for (std::size_t i = 0; i < at.size(); ++i)
    values[static_cast<std::size_t>(variables[i])] = at[i];
}

namespace {

bool depends_on_batch(const Program& program, ScalarId root) {
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    for (const Index& index : program.scalars[leaf].at) {
      if (index.depends_on(0)) return true;
    }
  }
  return false;
}

/// v2 counts the padded inner variable fastest. Gives the condition under which it is no padding,
/// if there is any.
std::optional<ScalarId> spread_inner(Program& program, const Stage& stage,
                                     const std::vector<int>& k, const InnerK& inner,
                                     const Shape& space, std::vector<Index>& at) {
  std::vector<int> outer = k;
  std::erase(outer, inner.variable);
  const Index number = Index::variable(2), fast = modulo(number, inner.padded, space);
  spread(stage, outer, floor_div(number, inner.padded, space), space, at);
  at[static_cast<std::size_t>(inner.variable)] = fast;
  const std::int64_t extent = stage.extents[static_cast<std::size_t>(inner.variable)];
  if (extent == inner.padded) return std::nullopt;
  Scalar inside;
  inside.op = Op::InRange;
  inside.type = DType::Bool;
  inside.at = {fast};
  inside.low = 0;
  inside.high = extent;
  return program.scalars.add(std::move(inside));
}

ContractionOperand operand(Program& program, const Region& region, const ContractionForm& form,
                           ScalarId value, const std::vector<int>& rows, std::int64_t row_extent,
                           std::int64_t k_extent, const std::optional<InnerK>& inner) {
  const Stage& stage = program.stages[static_cast<std::size_t>(form.stage)];
  ContractionOperand out;
  out.space = {form.extent_batch, row_extent, k_extent};
  std::vector<Index> at(stage.extents.size());
  spread(stage, form.batch, Index::variable(0), out.space, at);
  spread(stage, rows, Index::variable(1), out.space, at);
  std::optional<ScalarId> inside;
  if (inner) {
    inside = spread_inner(program, stage, form.k, *inner, out.space, at);
  } else {
    spread(stage, form.k, Index::variable(2), out.space, at);
  }
  out.value = inline_maps(program, region, substitute(program, value, at, out.space), out.space);
  if (inside) {
    const ScalarId zero = program.scalars.constant(0, program.scalars[out.value].type);
    out.value = program.scalars.select(*inside, out.value, zero);
  }
  out.batched = form.extent_batch > 1 && depends_on_batch(program, out.value);
  return out;
}

/// Whether every load of `tensor` below `root` is at the element with number `point`.
bool reads_only_at(const Program& program, ScalarId root, TensorId tensor, const Index& point) {
  const Shape strides = contiguous_strides(program.tensor(tensor).shape);
  bool any = false;
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op != Op::Load || s.tensor != tensor) continue;
    if (!(linearise(s.at, strides) == point)) return false;
    any = true;
  }
  return any;
}

std::vector<Index> substitute_all(const std::vector<Index>& indices, const std::vector<Index>& at,
                                  const Shape& space) {
  std::vector<Index> out;
  for (const Index& index : indices) out.push_back(substitute(index, at, space));
  return out;
}

/// Where a Map reads a longer product at its own point: for each of the Map's variables, the
/// dimension of the product that it is the coordinate of.
std::optional<std::vector<std::size_t>> cropped(const Program& program, ScalarId root,
                                                TensorId tensor, const Shape& extents) {
  const Shape& shape = program.tensor(tensor).shape;
  std::optional<std::vector<Index>> at;
  for (const ScalarId leaf : leaves_of(program.scalars, root)) {
    const Scalar& s = program.scalars[leaf];
    if (s.op == Op::Gather && s.tensor == tensor) return std::nullopt;
    if (s.op != Op::Load || s.tensor != tensor) continue;
    if (at && !(*at == s.at)) return std::nullopt;
    at = s.at;
  }
  if (!at) return std::nullopt;
  std::vector<std::size_t> dimension(extents.size(), shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const Index& index = (*at)[d];
    if (shape[d] == 1 && index == Index(0)) continue;
    const std::optional<int> v = index.as_variable();
    if (!v || dimension[static_cast<std::size_t>(*v)] != shape.size()) return std::nullopt;
    dimension[static_cast<std::size_t>(*v)] = d;
  }
  const bool all =
      std::ranges::none_of(dimension, [&](std::size_t d) { return d == shape.size(); });
  return all ? std::optional(dimension) : std::nullopt;
}

/// Fills in the epilogue: the region's last Map, renumbered from its own points to (batch, m, n).
bool add_epilogue(Program& program, const Region& region, const ContractionForm& form,
                  ContractionSite& site) {
  const Stage& contract = program.stages[static_cast<std::size_t>(form.stage)];
  const Shape space = site.out_space();
  std::vector<Index> at(contract.extents.size());
  spread(contract, form.batch, Index::variable(0), space, at);
  spread(contract, form.m, Index::variable(1), space, at);
  spread(contract, form.n, Index::variable(2), space, at);
  const std::vector<Index> point = substitute_all(contract.store, at, space);
  const Tensor& product = program.tensor(site.product);
  const Shape& out_strides = program.tensor(site.output).strides;
  if (site.output == site.product) {
    site.epilogue = program.scalars.load(site.product, product.dtype, point);
    site.out_offset = linearise(point, out_strides);
    return true;
  }
  const int last = program.producer(site.output);
  const Stage& map = program.stages[static_cast<std::size_t>(last)];
  if (map.kind != Stage::Kind::Map) return false;
  if (count_of(map.extents) != count_of(product.shape)) {
    const Shape extents = map.extents;
    const ScalarId body = inline_maps(program, region, map.body, extents);
    const auto dimension = cropped(program, body, site.product, extents);
    if (!dimension) return false;
    std::vector<Index> from_product;
    for (std::size_t v = 0; v < extents.size(); ++v) {
      const std::size_t d = (*dimension)[v];
      from_product.push_back(point[d]);
      if (extents[v] < product.shape[d]) site.limits.push_back({point[d], extents[v]});
    }
    site.epilogue = substitute(program, body, from_product, space);
    const Stage& stored = program.stages[static_cast<std::size_t>(last)];
    site.out_offset = linearise(substitute_all(stored.store, from_product, space), out_strides);
    return true;
  }
  std::vector<Index> own;
  for (int v = 0; v < static_cast<int>(map.extents.size()); ++v) own.push_back(Index::variable(v));
  const ScalarId body = inline_maps(program, region, map.body, map.extents);
  const Index number = linearise(own, contiguous_strides(map.extents));
  if (!reads_only_at(program, body, site.product, number)) return false;
  const std::vector<Index> from_product =
      delinearise(linearise(point, contiguous_strides(product.shape)), map.extents, space);
  site.epilogue = substitute(program, body, from_product, space);
  site.out_offset = linearise(substitute_all(map.store, from_product, space), out_strides);
  return true;
}

}  // namespace

double ContractionSite::flops() const {
  return 2.0 * static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) *
         static_cast<double>(k);
}

std::optional<ContractionSite> contraction_site(Program& program, const Region& region,
                                                const std::optional<InnerK>& inner) {
  if (region.outputs.size() != 1) return std::nullopt;
  const int stage = product_stage(program, region);
  if (stage < 0) return std::nullopt;
  const std::optional<ContractionForm> form = contraction_form(program, stage);
  if (!form) return std::nullopt;
  const Stage contract = program.stages[static_cast<std::size_t>(stage)];
  if (contract.combiner != Combiner::Sum || program.scalars[contract.body].type != DType::F32 ||
      program.tensor(contract.results.front()).dtype != DType::F32) {
    return std::nullopt;
  }
  ContractionSite site;
  site.batch = form->extent_batch;
  site.m = form->extent_m;
  site.n = form->extent_n;
  site.k = form->extent_k;
  if (inner) {
    site.k = form->extent_k / contract.extents[static_cast<std::size_t>(inner->variable)] *
             inner->padded;
  }
  if (site.batch > kMostBatches || std::max({site.m, site.n, site.k}) > kMostExtent) {
    return std::nullopt;
  }
  site.product = contract.results.front();
  site.output = region.outputs.front();
  site.a = operand(program, region, *form, form->lhs, form->m, site.m, site.k, inner);
  site.b = operand(program, region, *form, form->rhs, form->n, site.n, site.k, inner);
  if (!add_epilogue(program, region, *form, site)) return std::nullopt;
  return site;
}

}  // namespace kw::codegen
