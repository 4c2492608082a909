// LSTM, GRU and plain RNN: per layer and direction the input's part of all gates is one product
// over all steps; what is left of a step is a Recurrence.

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

constexpr int kTime = 0, kBatch = 1, kGate = 2, kIn = 3;

struct Layers {
  bool biased = true, bidirectional = false, batch_first = false;
  std::int64_t layers = 1;
  std::size_t directions() const { return bidirectional ? 2 : 1; }
};

Result<Layers> layers_of(Importer& im) {
  Layers l;
  KW_ASSIGN(l.biased, attr_bool_or(im.node(), "has_biases", true));
  KW_ASSIGN(l.layers, attr_int_or(im.node(), "num_layers", 1));
  KW_ASSIGN(l.bidirectional, attr_bool_or(im.node(), "bidirectional", false));
  KW_ASSIGN(l.batch_first, attr_bool_or(im.node(), "batch_first", false));
  KW_ASSIGN(const double dropout, attr_number_or(im.node(), "dropout", 0));
  KW_ASSIGN(const bool train, attr_bool_or(im.node(), "train", false));
  if (dropout != 0 && train && l.layers > 1) {
    return im.refuse("a live dropout between layers draws random numbers");
  }
  return l;
}

Lazy transposed(Importer& im, const Lazy& x) {
  return viewed(im, x, {x.shape[1], x.shape[0], x.shape[2]},
                {Index::variable(1), Index::variable(0), Index::variable(2)});
}

/// x[which] of a [n, B, H] state.
Lazy slot(Importer& im, const Lazy& x, std::int64_t which) {
  return viewed(im, x, {x.shape[1], x.shape[2]},
                {Index(which), Index::variable(0), Index::variable(1)});
}

struct Parameters {
  Lazy w_ih, w_hh;
  std::optional<Lazy> b_ih, b_hh;
};

struct Direction {
  Lazy y;                 // [T, B, H]
  Lazy last_h;            // [B, H]
  std::optional<Lazy> c;  // [B, H]
};

Result<Direction> run_direction(Importer& im, Cell cell, const Lazy& x, const Parameters& p,
                                const Lazy& h0, const std::optional<Lazy>& c0) {
  const std::int64_t width = cell.gates() * cell.hidden;
  if (p.w_ih.shape != Shape{width, x.shape[2]} || p.w_hh.shape != Shape{width, cell.hidden}) {
    return im.refuse("weights {} and {} for {} gates of {}", to_string(p.w_ih.shape),
                     to_string(p.w_hh.shape), cell.gates(), cell.hidden);
  }
  KW_ASSIGN(Lazy gates, im.contract(x, {kTime, kBatch, kIn}, p.w_ih, {kGate, kIn},
                                    {kTime, kBatch, kGate}, false));
  if (p.b_ih) {
    KW_ASSIGN(gates,
              im.map_temporary(
                  gates.shape, DType::F32, [&](const Importer::Point& at) -> Result<ScalarId> {
                    return (E{&im, im.at(gates, at)} + E{&im, im.at_broadcast(*p.b_ih, at)}).id;
                  }));
  }
  Stage stage;
  stage.kind = Stage::Kind::Recurrence;
  stage.cell = cell;
  stage.operands.assign(5, kNoTensor);
  KW_ASSIGN(stage.operands[0], im.plain(gates, DType::F32));
  KW_ASSIGN(stage.operands[1], im.plain(p.w_hh, DType::F32));
  if (p.b_hh) {
    KW_ASSIGN(stage.operands[2], im.plain(*p.b_hh, DType::F32));
  }
  KW_ASSIGN(stage.operands[3], im.plain(h0, DType::F32));
  if (c0) {
    KW_ASSIGN(stage.operands[4], im.plain(*c0, DType::F32));
  }
  const TensorId y = im.make_temporary({cell.steps, cell.batch, cell.hidden}, DType::F32);
  stage.results = {y};
  Direction out;
  if (c0) {
    stage.results.push_back(im.make_temporary({cell.batch, cell.hidden}, DType::F32));
    out.c = im.load_of(stage.results.back());
  }
  out.y = im.load_of(y);
  out.last_h = slot(im, out.y, cell.reverse ? 0 : cell.steps - 1);
  im.add_stage(std::move(stage));
  return out;
}

/// Pieces [B, H] as one [n, B, H].
Lazy stacked(Importer& im, const std::vector<Lazy>& pieces, const Shape& shape) {
  std::vector<Lazy> taller;
  for (const Lazy& piece : pieces) {
    taller.push_back(reshaped(im, piece, {1, piece.shape[0], piece.shape[1]}));
  }
  return joined(im, taller, 0, shape);
}

Builder recurrence(Cell::Kind kind) {
  return [kind](Importer& im, std::string_view overload) -> Status {
    if (overload == "data") return im.refuse("packed sequences");
    const bool lstm = kind == Cell::Kind::Lstm;
    KW_ASSIGN(const Layers l, layers_of(im));
    KW_ASSIGN(Lazy x, im.input(0));
    KW_ASSIGN(const Lazy h0, im.input(1));
    std::optional<Lazy> c0;
    if (lstm) {
      KW_ASSIGN(c0, im.input(2));
    }
    const std::size_t first = lstm ? 3 : 2;
    const std::size_t each = l.biased ? 4 : 2;
    const std::size_t count = static_cast<std::size_t>(l.layers) * l.directions();
    if (im.node().inputs.size() != first + each * count) {
      return im.refuse("{} tensors for {} layers (projections are not covered)",
                       im.node().inputs.size(), l.layers);
    }
    if (x.shape.size() != 3 || h0.shape.size() != 3) return im.refuse("a batch is needed");
    if (l.batch_first) x = transposed(im, x);
    Cell cell;
    cell.kind = kind;
    cell.steps = x.shape[0];
    cell.batch = x.shape[1];
    cell.hidden = h0.shape[2];
    if (h0.shape != Shape{static_cast<std::int64_t>(count), cell.batch, cell.hidden}) {
      return im.refuse("a state {}", to_string(h0.shape));
    }
    std::vector<Lazy> last_h, last_c;
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(l.layers); ++layer) {
      std::vector<Lazy> sides;
      for (std::size_t d = 0; d < l.directions(); ++d) {
        const std::size_t which = layer * l.directions() + d;
        const std::size_t at = first + which * each;
        Parameters p;
        KW_ASSIGN(p.w_ih, im.input(at));
        KW_ASSIGN(p.w_hh, im.input(at + 1));
        if (l.biased) {
          KW_ASSIGN(p.b_ih, im.input(at + 2));
          KW_ASSIGN(p.b_hh, im.input(at + 3));
        }
        cell.reverse = d == 1;
        const auto number = static_cast<std::int64_t>(which);
        std::optional<Lazy> c;
        if (c0) c = slot(im, *c0, number);
        KW_ASSIGN(const Direction out, run_direction(im, cell, x, p, slot(im, h0, number), c));
        sides.push_back(out.y);
        last_h.push_back(out.last_h);
        if (out.c) last_c.push_back(*out.c);
      }
      Shape wide = sides[0].shape;
      wide[2] *= static_cast<std::int64_t>(sides.size());
      x = sides.size() == 1 ? sides[0] : joined(im, sides, 2, wide);
    }
    KW_RETURN_IF_ERROR(im.define(0, l.batch_first ? transposed(im, x) : x));
    // Shape propagation of some exporters gives h_n and c_n an extra dimension of 1.
    const auto state = [&](std::size_t output, const std::vector<Lazy>& last) -> Status {
      const Shape& declared = im.output_value(output).shape;
      if (count_of(declared) != count_of(h0.shape))
        return im.refuse("a state {}", to_string(declared));
      return im.define(output, reshaped(im, stacked(im, last, h0.shape), declared));
    };
    if (im.output_is_used(1)) KW_RETURN_IF_ERROR(state(1, last_h));
    if (lstm && im.output_is_used(2)) KW_RETURN_IF_ERROR(state(2, last_c));
    return {};
  };
}

}  // namespace

void add_recurrences(BuilderTable& t) {
  t["aten.lstm"] = recurrence(Cell::Kind::Lstm);
  t["aten.gru"] = recurrence(Cell::Kind::Gru);
  t["aten.rnn_tanh"] = recurrence(Cell::Kind::Tanh);
  t["aten.rnn_relu"] = recurrence(Cell::Kind::Relu);
}

}  // namespace kw::codegen
