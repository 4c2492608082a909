// Scaled dot-product attention as its parts: scores, a safe softmax, the weighted sum. Skeletons
// may cover them as one.

#include <cmath>
#include <limits>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

constexpr int kQuery = 0, kKey = 1, kDepth = 2, kBatch = 3;

std::vector<int> labels(std::size_t rank, int row, int column) {
  std::vector<int> list;
  for (std::size_t d = 0; d + 2 < rank; ++d)
    list.push_back(kBatch + static_cast<int>(rank - 3 - d));
  list.push_back(row);
  list.push_back(column);
  return list;
}

/// Heads repeated so that there are `heads` of them (grouped queries).
Lazy repeated_heads(Importer& im, const Lazy& x, std::int64_t heads) {
  const std::size_t d = x.shape.size() - 3;
  if (x.shape[d] == heads || x.shape[d] == 1) return x;
  Shape shape = x.shape;
  shape[d] = heads;
  std::vector<Index> at = identity(shape);
  at[d] = floor_div(at[d], heads / x.shape[d], shape);
  return viewed(im, x, shape, at);
}

Status attention(Importer& im, std::string_view) {
  KW_ASSIGN(const Lazy q, im.input(0));
  KW_ASSIGN(Lazy k, im.input(1));
  KW_ASSIGN(Lazy v, im.input(2));
  KW_ASSIGN(const double dropout, attr_number_or(im.node(), "dropout_p", 0));
  KW_ASSIGN(const bool causal, attr_bool_or(im.node(), "is_causal", false));
  KW_ASSIGN(const bool grouped, attr_bool_or(im.node(), "enable_gqa", false));
  const std::size_t rank = q.shape.size();
  if (rank < 2 || k.shape.size() != rank || v.shape.size() != rank) {
    return im.refuse("operands of rank {}, {}, {}", rank, k.shape.size(), v.shape.size());
  }
  KW_ASSIGN(
      const double scale,
      attr_number_or(im.node(), "scale", 1.0 / std::sqrt(static_cast<double>(q.shape.back()))));
  if (dropout != 0) return im.refuse("a live dropout draws random numbers");
  if (grouped && rank >= 3) {
    const std::int64_t heads = q.shape[rank - 3];
    if (heads % k.shape[rank - 3] != 0 || heads % v.shape[rank - 3] != 0) {
      return im.refuse("{} query heads for {} key heads", heads, k.shape[rank - 3]);
    }
    k = repeated_heads(im, k, heads);
    v = repeated_heads(im, v, heads);
  }
  std::optional<Lazy> mask;
  if (im.has_input(3)) {
    KW_ASSIGN(mask, im.input(3));
  }
  KW_ASSIGN(const Lazy scores,
            im.contract(q, labels(rank, kQuery, kDepth), k, labels(rank, kKey, kDepth),
                        labels(rank, kQuery, kKey), false));
  const DType type = im.scalars()[scores.expr].type;
  const E masked{&im, im.scalars().constant(-std::numeric_limits<double>::infinity(), type)};
  const auto score = [&](const Importer::Point& p) {
    E value = E{&im, im.at(scores, p)} * scale;
    if (mask) {
      const E bias{&im, im.at_broadcast(*mask, p)};
      value = bias.type() == DType::Bool ? choose(bias, value, masked) : value + bias.to(type);
    }
    if (!causal) return value;
    const Index ahead = p.at[p.at.size() - 1] - p.at[p.at.size() - 2];
    const ScalarId seen =
        in_range(im, ahead, std::numeric_limits<std::int32_t>::min(), 1, p.extents);
    return E{&im, guarded(im, seen, value.id, masked.id)};
  };
  KW_ASSIGN(const auto stats,
            im.reduce(scores.shape, {static_cast<std::int64_t>(rank) - 1}, Combiner::OnlineSoftmax,
                      [&](const Importer::Point& p) -> Result<ScalarId> { return score(p).id; }));
  KW_ASSIGN(const Lazy weights,
            im.map_temporary(scores.shape, type, [&](const Importer::Point& p) -> Result<ScalarId> {
              const E max{&im, im.at_broadcast(stats[0], p)};
              const E sum{&im, im.at_broadcast(stats[1], p)};
              const E weight = (score(p) - max).apply(Op::Exp) / sum;
              // A query that may see no key has weights of zero.
              return choose(max.apply(Op::Eq, masked), max.number(0), weight).id;
            }));
  KW_ASSIGN(const Lazy y,
            im.contract(weights, labels(rank, kQuery, kKey), v, labels(rank, kKey, kDepth),
                        labels(rank, kQuery, kDepth), true));
  return {};
}

}  // namespace

void add_attention(BuilderTable& t) { t["aten.scaled_dot_product_attention"] = attention; }

}  // namespace kw::codegen
