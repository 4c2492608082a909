// Scans: a combiner walks one dimension and every step is stored. Reverse, exclusive and masked
// scans are these with accessors around them.

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

/// Results of the combiner at every point of `shape`, scanned along `dim`. Result i goes to output
/// direct[i] where that is >= 0, otherwise to a temporary.
Result<std::vector<Lazy>> scan(Importer& im, const Shape& shape, std::int64_t dim,
                               Combiner combiner, const Importer::Body& body,
                               const std::vector<int>& direct) {
  const auto along = static_cast<std::size_t>(dim);
  Importer::Point point;
  point.at.assign(shape.size(), Index(0));
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (d == along || shape[d] == 1) continue;
    point.at[d] = Index::variable(static_cast<int>(point.extents.size()));
    point.extents.push_back(shape[d]);
  }
  Stage stage;
  stage.kind = Stage::Kind::Scan;
  stage.combiner = combiner;
  stage.parallel = static_cast<int>(point.extents.size());
  // The walked dimension keeps its variable even when its extent is 1.
  point.at[along] = Index::variable(stage.parallel);
  point.extents.push_back(shape[along]);
  stage.extents = point.extents;
  stage.store = point.at;
  KW_ASSIGN(stage.body, body(point));
  const DType type = im.scalars()[stage.body].type;
  const bool index = combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
  const std::size_t results = index || combiner == Combiner::OnlineSoftmax ? 2 : 1;
  std::vector<Lazy> lazies;
  for (std::size_t r = 0; r < results; ++r) {
    const bool to_output =
        r < direct.size() && direct[r] >= 0 && im.has_output(static_cast<std::size_t>(direct[r]));
    const TensorId tensor = to_output
                                ? im.make_output(static_cast<std::size_t>(direct[r]))
                                : im.make_temporary(shape, index && r == 1 ? DType::I64 : type);
    stage.results.push_back(tensor);
    if (to_output) im.bind(static_cast<std::size_t>(direct[r]), tensor);
    lazies.push_back(im.load_of(tensor));
  }
  im.add_stage(std::move(stage));
  return lazies;
}

struct Scanned {
  Lazy x;
  std::int64_t dim = 0;
  Importer::Body body;
};

Result<Scanned> operand(Importer& im) {
  Scanned s;
  KW_ASSIGN(s.x, im.input(0));
  if (s.x.shape.empty()) return im.refuse("a scalar");
  KW_ASSIGN(s.dim, attr_int(im.node(), "dim"));
  KW_ASSIGN(s.dim, im.dim_in(s.dim, s.x.shape.size()));
  const DType type = compute_type(im.output_value().dtype);
  s.body = [&im, x = s.x, type](const Importer::Point& p) -> Result<ScalarId> {
    return im.scalars().cast(im.at(x, p), type);
  };
  return s;
}

Builder running(Combiner combiner) {
  return [combiner](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Scanned s, operand(im));
    KW_ASSIGN(const auto results, scan(im, s.x.shape, s.dim, combiner, s.body, {0}));
    return {};
  };
}

/// cummax, cummin: values and where they are.
Builder running_extremum(Combiner combiner) {
  return [combiner](Importer& im, std::string_view) -> Status {
    KW_ASSIGN(const Scanned s, operand(im));
    KW_ASSIGN(const auto results, scan(im, s.x.shape, s.dim, combiner, s.body, {0, 1}));
    return {};
  };
}

/// Every prefix's maximum and its sum of exp(x - maximum).
Status logcumsumexp(Importer& im, std::string_view) {
  KW_ASSIGN(const Scanned s, operand(im));
  KW_ASSIGN(const auto results,
            scan(im, s.x.shape, s.dim, Combiner::OnlineSoftmax, s.body, {-1, -1}));
  return im.map_output(0, [&](const Importer::Point& p) -> Result<ScalarId> {
    return (E{&im, im.at_broadcast(results[0], p)} +
            E{&im, im.at_broadcast(results[1], p)}.apply(Op::Log))
        .id;
  });
}

}  // namespace

void add_scans(BuilderTable& t) {
  t["aten.cumsum"] = running(Combiner::Sum);
  t["aten.cumprod"] = running(Combiner::Prod);
  t["aten.cummax"] = running_extremum(Combiner::ArgMax);
  t["aten.cummin"] = running_extremum(Combiner::ArgMin);
  t["aten.logcumsumexp"] = logcumsumexp;
}

}  // namespace kw::codegen
