#include "skeletons/image_site.h"

#include <algorithm>

#include "skeletons/contraction_forms.h"

namespace kw::codegen {
namespace {

constexpr std::int64_t kMostLines =
    1 << 28;                            // contraction_image.cuh counts 16-byte pieces in 32 bits
constexpr std::int64_t kLineTile = 64;  // rows of a thread block of the split pass

/// A load under conditions outside of which the value is zero.
struct Guarded {
  ScalarId load = -1;
  std::vector<ScalarId> conditions;
};

std::optional<Guarded> guarded_load(const Program& program, ScalarId value) {
  Guarded out;
  for (;;) {
    const Scalar& s = program.scalars[value];
    if (s.op == Op::Load) break;
    if (s.op != Op::Select) return std::nullopt;
    const Scalar& otherwise = program.scalars[s.args[2]];
    if (otherwise.op != Op::Constant || otherwise.number != 0) return std::nullopt;
    out.conditions.push_back(s.args[0]);
    value = s.args[1];
  }
  out.load = value;
  return out;
}

bool depends_on(const std::vector<Index>& indices, int variable) {
  return std::ranges::any_of(indices, [&](const Index& i) { return i.depends_on(variable); });
}

bool depends_on_any(const Index& index, const std::vector<int>& variables) {
  return std::ranges::any_of(variables, [&](int v) { return index.depends_on(v); });
}

/// The dimension of the load in which the reduced variable `v` is the position, and nothing else
/// but batch variables: the channels.
std::optional<std::size_t> channel_dimension(const Program& program, const ContractionForm& form,
                                             const Guarded& a, int v) {
  const std::vector<Index>& at = program.scalars[a.load].at;
  for (const ScalarId condition : a.conditions) {
    for (const ScalarId leaf : leaves_of(program.scalars, condition)) {
      if (depends_on(program.scalars[leaf].at, v)) return std::nullopt;
    }
  }
  std::optional<std::size_t> found;
  for (std::size_t d = 0; d < at.size(); ++d) {
    if (!at[d].depends_on(v)) continue;
    const Index rest = at[d] - Index::variable(v);
    if (found || rest.depends_on(v) || depends_on_any(rest, form.m) ||
        depends_on_any(rest, form.k)) {
      return std::nullopt;
    }
    found = d;
  }
  return found;
}

struct Channels {
  int variable = -1;
  std::size_t dimension = 0;
};

std::optional<Channels> find_channels(const Program& program, const ContractionForm& form,
                                      const Guarded& a) {
  for (const int v : form.k) {
    if (const auto d = channel_dimension(program, form, a, v)) return Channels{v, *d};
  }
  return std::nullopt;
}

/// A pixel's place: its number among all pixels, and that of its line.
struct Place {
  Index pixel, line;
};
std::optional<Place> place_of(const Program& program, const Stage& stage, const Scalar& load,
                              const Channels& channels, ImageSite& out) {
  const Shape& shape = program.tensor(load.tensor).shape;
  const auto split = [&](std::size_t first, std::size_t last) {
    const Shape part(shape.begin() + static_cast<std::ptrdiff_t>(first),
                     shape.begin() + static_cast<std::ptrdiff_t>(last));
    const std::vector<Index> at(load.at.begin() + static_cast<std::ptrdiff_t>(first),
                                load.at.begin() + static_cast<std::ptrdiff_t>(last));
    return std::pair(linearise(at, contiguous_strides(part)), count_of(part));
  };
  const auto [outer, images] = split(0, channels.dimension);
  const auto [pixel, pixels] = split(channels.dimension + 1, shape.size());
  const std::int64_t all = shape[channels.dimension];
  if (all % out.channels != 0) return std::nullopt;
  const Index base = load.at[channels.dimension] - Index::variable(channels.variable);
  const Index group = floor_div(base, out.channels, stage.extents);
  if (!(group * out.channels == base)) return std::nullopt;
  out.pixels = pixels;
  out.lines = round_up(pixels + 1, kLineTile);
  out.batches = images * (all / out.channels);
  if (out.batches * out.slabs() * out.lines >= kMostLines) return std::nullopt;
  const Index batch = outer * (all / out.channels) + group;
  return Place{batch * pixels + pixel, batch * (out.slabs() * out.lines) + pixel};
}

ScalarId number(Program& program, const Index& index) {
  Scalar s;
  s.op = Op::Coordinate;
  s.type = DType::I32;
  s.at = {index};
  if (!index.is_constant()) return program.scalars.add(std::move(s));
  return program.scalars.constant(static_cast<double>(index.constant), DType::I32);
}

std::int64_t padded_channels(std::int64_t channels, ImageTerms terms) {
  if (terms == ImageTerms::Two) return round_up(channels, 32);
  return channels <= 8 ? 8 : round_up(channels, 16);
}

}  // namespace

std::optional<ImageSite> image_site(Program& program, const Region& region, ImageTerms terms) {
  const int which = product_stage(program, region);
  if (which < 0) return std::nullopt;
  const auto form = contraction_form(program, which);
  if (!form) return std::nullopt;
  const auto a = guarded_load(program, form->lhs);
  if (!a) return std::nullopt;
  const Scalar load = program.scalars[a->load];
  const Tensor& image = program.tensor(load.tensor);
  if (image.dtype != DType::F32 || image.strides != contiguous_strides(image.shape) ||
      region.contains(program.producer(load.tensor))) {
    return std::nullopt;
  }
  const auto channels = find_channels(program, *form, *a);
  if (!channels) return std::nullopt;
  const Stage stage = program.stages[static_cast<std::size_t>(which)];
  ImageSite out;
  out.image = load.tensor;
  out.channels = stage.extents[static_cast<std::size_t>(channels->variable)];
  out.channels_padded = padded_channels(out.channels, terms);
  out.taps = form->extent_k / out.channels;
  const auto place = place_of(program, stage, load, *channels, out);
  if (!place) return std::nullopt;
  const auto site =
      contraction_site(program, region, InnerK{channels->variable, out.channels_padded});
  if (!site) return std::nullopt;
  out.site = *site;

  const Shape space = {out.site.batch, out.site.m, out.taps};
  std::vector<Index> at(stage.extents.size());
  std::vector<int> taps = form->k;
  std::erase(taps, channels->variable);
  spread(stage, form->batch, Index::variable(0), space, at);
  spread(stage, form->m, Index::variable(1), space, at);
  spread(stage, taps, Index::variable(2), space, at);
  out.pixel = substitute(place->pixel, at, space);
  out.line = number(program, substitute(place->line, at, space));
  const ScalarId zeros = number(program, Index(out.pixels));  // the first line behind batch 0
  for (auto c = a->conditions.rbegin(); c != a->conditions.rend(); ++c) {
    const ScalarId inside = substitute(program, *c, at, space);
    const Scalar& known = program.scalars[inside];
    if (known.op == Op::Constant && known.integer != 0) continue;
    if (known.op == Op::InRange) {
      out.inside.push_back({known.at.front(), known.low, known.high});
    } else {
      out.ranges = false;
    }
    out.line = program.scalars.select(inside, out.line, zeros);
  }
  return out;
}

}  // namespace kw::codegen
