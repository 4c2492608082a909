// Convolutions in one to three dimensions, plain and transposed, as contractions whose left operand
// is an accessor into the image: no patch is ever copied.

#include <algorithm>
#include <numeric>

#include "import/window.h"
#include "ir/region.h"

namespace kw::codegen {
namespace {

using Numbers = std::vector<std::int64_t>;

struct Convolution {
  std::size_t dims = 2;
  std::int64_t batch = 1, groups = 1;
  std::int64_t in_per_group = 1, out_per_group = 1;
  Numbers in, kernel, stride, padding, dilation, out;
};

/// Variables of one Contract stage in the order in which they are asked for; extents of 1 get none.
class Space {
 public:
  Index add(std::int64_t extent) {
    if (extent == 1) return Index(0);
    extents.push_back(extent);
    return Index::variable(static_cast<int>(extents.size()) - 1);
  }
  Shape extents;
};

/// x and weight as a stage's operands, and where its sums go.
struct Sums {
  Shape extents;
  int parallel = 0;
  Importer::Point x, weight;
  std::vector<ScalarId> conditions;  // beside x being inside the image
  std::vector<Index> store;
  Shape shape;  // of the tensor that `store` addresses
};

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

Result<Convolution> geometry(Importer& im, const Shape& x, const Shape& w, bool transposed) {
  Convolution c;
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    return im.refuse("an image {} with a weight {}", to_string(x), to_string(w));
  }
  c.dims = x.size() - 2;
  KW_ASSIGN(c.groups, attr_int_or(im.node(), "groups", 1));
  KW_ASSIGN(c.stride, window_list(im, "stride", c.dims, Numbers(c.dims, 1)));
  KW_ASSIGN(c.dilation, window_list(im, "dilation", c.dims, Numbers(c.dims, 1)));
  c.batch = x[0];
  c.in.assign(x.begin() + 2, x.end());
  c.kernel.assign(w.begin() + 2, w.end());
  if (c.groups < 1 || x[1] % c.groups != 0 || w[0] % c.groups != 0) {
    return im.refuse("{} groups of {} channels with a weight {}", c.groups, x[1], to_string(w));
  }
  c.in_per_group = x[1] / c.groups;
  c.out_per_group = transposed ? w[1] : w[0] / c.groups;
  if ((transposed ? w[0] / c.groups : w[1]) != c.in_per_group) {
    return im.refuse("channels of {} and of the weight {} disagree", to_string(x), to_string(w));
  }
  for (std::size_t d = 0; d < c.dims; ++d) {
    if (c.stride[d] < 1 || c.dilation[d] < 1) {
      return im.refuse("stride {} and dilation {}", c.stride[d], c.dilation[d]);
    }
  }
  return c;
}

/// "same" keeps the extents: what is odd of the padding goes to the end. "valid" is none.
Result<Numbers> padding_of(Importer& im, const Convolution& c) {
  const auto word = attr_string_or(im.node(), "padding", "");
  if (!word || word->empty()) return window_list(im, "padding", c.dims, Numbers(c.dims, 0));
  Numbers padding(c.dims, 0);
  if (*word == "valid") return padding;
  if (*word != "same") return im.refuse("padding '{}'", *word);
  for (std::size_t d = 0; d < c.dims; ++d) padding[d] = c.dilation[d] * (c.kernel[d] - 1) / 2;
  return padding;
}

/// Output pixel o meets input pixel o*stride - padding + tap*dilation.
Sums plain_sums(const Convolution& c) {
  Sums s;
  Space space;
  const Index n = space.add(c.batch), group = space.add(c.groups), oc = space.add(c.out_per_group);
  std::vector<Index> o;
  for (const std::int64_t extent : c.out) o.push_back(space.add(extent));
  s.parallel = static_cast<int>(space.extents.size());
  const Index ic = space.add(c.in_per_group);
  s.x.at = {n, group * c.in_per_group + ic};
  s.weight.at = {group * c.out_per_group + oc, ic};
  s.store = {n, group * c.out_per_group + oc};
  s.shape = {c.batch, c.groups * c.out_per_group};
  for (std::size_t d = 0; d < c.dims; ++d) {
    const Index tap = space.add(c.kernel[d]);
    s.x.at.push_back(o[d] * c.stride[d] + tap * c.dilation[d] - Index(c.padding[d]));
    s.weight.at.push_back(tap);
    s.store.push_back(o[d]);
    s.shape.push_back(c.out[d]);
  }
  s.extents = s.x.extents = s.weight.extents = space.extents;
  return s;
}

/// d * inverse = 1 modulo m, for coprime d and m.
std::int64_t inverse_modulo(std::int64_t d, std::int64_t m) {
  if (m == 1) return 0;
  for (std::int64_t i = 1; i < m; ++i) {
    if (d * i % m == 1) return i;
  }
  return 0;
}

/// One dimension of a transposed convolution: which taps meet output pixel o, and at which pixel.
struct Phased {
  Index o, tap, pixel;
  std::int64_t padded = 0;  // extent of o
  std::optional<ScalarId> condition;
};

/// Output pixel o = pixel*stride - padding + tap*dilation, for coprime stride and dilation: all
/// pixels of one phase (o mod stride) meet every stride-th tap from the same one on, so that phase
/// and o/stride are variables of their own and no product is wasted.
class Phases {
 public:
  Phases(Importer& im, Space& space, const Convolution& c, std::size_t d)
      : im_(im),
        stride_(c.stride[d]),
        padding_(c.padding[d]),
        dilation_(c.dilation[d]),
        kernel_(c.kernel[d]),
        run_(ceil_div(c.out[d], c.stride[d])),
        phase_(space.add(c.stride[d])) {}

  std::int64_t run() const { return run_; }                         // pixels of a phase
  std::int64_t taps() const { return ceil_div(kernel_, stride_); }  // that they may meet

  Phased at(const Index& o, const Index& step, const Shape& extents) const {
    Phased p;
    p.padded = run_ * stride_;
    p.o = o * stride_ + phase_;
    const Index ahead = phase_ + Index(padding_);
    const std::int64_t inverse = inverse_modulo(dilation_ % stride_, stride_);
    const Index first = modulo(ahead * inverse, stride_, extents);
    p.tap = first + step * stride_;
    if (taps() * stride_ != kernel_) p.condition = in_range(im_, p.tap, 0, kernel_, extents);
    // o + padding - first*dilation is a multiple of the stride, whatever the phase.
    p.pixel = o - step * dilation_ +
              floor_div(dilation_ == 1 ? ahead : ahead - first * dilation_, stride_, extents);
    return p;
  }

 private:
  Importer& im_;
  std::int64_t stride_, padding_, dilation_, kernel_, run_;
  Index phase_;
};

/// Where stride and dilation share a divisor g, only every g-th output pixel meets a tap, from
/// `first` on; the others are the bias alone.
struct Sparse {
  std::int64_t every = 1, first = 0;
};

/// Divides the common divisors out of stride and dilation; `c` becomes the convolution of the
/// pixels that are met.
std::vector<Sparse> divide_out(Convolution& c) {
  std::vector<Sparse> sparse(c.dims);
  for (std::size_t d = 0; d < c.dims; ++d) {
    const std::int64_t g = std::gcd(c.stride[d], c.dilation[d]);
    const std::int64_t first = (g - c.padding[d] % g) % g;
    if (g == 1) continue;
    sparse[d] = {g, first};
    c.stride[d] /= g;
    c.dilation[d] /= g;
    c.padding[d] = (c.padding[d] + first) / g;
    c.out[d] = std::max<std::int64_t>(ceil_div(c.out[d] - first, g), 1);
  }
  return sparse;
}

/// The sums at an output point: zero where no tap meets it.
E spread(Importer& im, const Lazy& sums, const std::vector<Sparse>& sparse, Importer::Point p) {
  std::vector<ScalarId> conditions;
  for (std::size_t d = 0; d < sparse.size(); ++d) {
    const auto [every, first] = sparse[d];
    if (every == 1) continue;
    Index& o = p.at[2 + d];
    const std::int64_t lift = (every - first) % every;
    conditions.push_back(in_range(im, modulo(o + Index(lift), every, p.extents), 0, 1, p.extents));
    o = floor_div(o + Index(lift), every, p.extents) - Index(first > 0 ? 1 : 0);
  }
  ScalarId value = im.at(sums, p);
  const ScalarId zero = im.scalars().constant(0, im.scalars()[value].type);
  for (const ScalarId condition : conditions) value = guarded(im, condition, value, zero);
  return {&im, value};
}

Sums transposed_sums(Importer& im, const Convolution& c) {
  Sums s;
  Space space;
  const Index n = space.add(c.batch), group = space.add(c.groups);
  std::vector<Phases> phases;
  for (std::size_t d = 0; d < c.dims; ++d) phases.emplace_back(im, space, c, d);
  const Index oc = space.add(c.out_per_group);
  std::vector<Index> o;
  for (const Phases& phase : phases) o.push_back(space.add(phase.run()));
  s.parallel = static_cast<int>(space.extents.size());
  const Index ic = space.add(c.in_per_group);
  std::vector<Index> steps;
  for (const Phases& phase : phases) steps.push_back(space.add(phase.taps()));
  s.x.at = {n, group * c.in_per_group + ic};
  s.weight.at = {group * c.in_per_group + ic, oc};
  s.store = {n, group * c.out_per_group + oc};
  s.shape = {c.batch, c.groups * c.out_per_group};
  for (std::size_t d = 0; d < c.dims; ++d) {
    const Phased p = phases[d].at(o[d], steps[d], space.extents);
    s.x.at.push_back(p.pixel);
    s.weight.at.push_back(p.tap);
    s.store.push_back(p.o);
    s.shape.push_back(p.padded);
    if (p.condition) s.conditions.push_back(*p.condition);
  }
  s.extents = s.x.extents = s.weight.extents = space.extents;
  return s;
}

/// The Contract stage. Its tensor may be longer than the output at the end of a dimension.
Result<Lazy> add_sums(Importer& im, const Sums& s, const Lazy& x, const Lazy& w, bool direct) {
  const DType type = compute_type(im.output_value().dtype);
  ScalarId left = at_or(im, x, s.x, 0);
  ScalarId right = im.at(w, s.weight);
  if (im.scalars()[left].type != type || im.scalars()[right].type != type) {
    return im.refuse("image, weight and result of different types");
  }
  const ScalarId zero = im.scalars().constant(0, type);
  for (const ScalarId condition : s.conditions) {
    left = guarded(im, condition, left, zero);
    right = guarded(im, condition, right, zero);
  }
  Stage stage;
  stage.kind = Stage::Kind::Contract;
  stage.combiner = Combiner::Sum;
  stage.numerics = im.policy().convolution;
  stage.extents = s.extents;
  stage.parallel = s.parallel;
  stage.body = im.scalars().binary(Op::Mul, left, right);
  const TensorId result = direct ? im.make_output(0) : im.make_temporary(s.shape, type);
  stage.results = {result};
  stage.store = s.store;
  im.add_stage(std::move(stage));
  if (direct) im.bind(0, result);
  return im.load_of(result);
}

Status convolve(Importer& im, bool transposed) {
  KW_ASSIGN(Lazy image, im.input(0));
  KW_ASSIGN(const Lazy weight, im.input(1));
  Shape out = im.output_value().shape;
  const bool batched = image.shape.size() == weight.shape.size();
  if (!batched) {  // one image
    Shape taller = image.shape;
    taller.insert(taller.begin(), 1);
    image = reshaped(im, image, taller);
    out.insert(out.begin(), 1);
  }
  KW_ASSIGN(Convolution c, geometry(im, image.shape, weight.shape, transposed));
  KW_ASSIGN(c.padding, padding_of(im, c));
  if (out.size() != c.dims + 2 || out[0] != c.batch || out[1] != c.groups * c.out_per_group) {
    return im.refuse("output '{}' is declared {}", im.output_value().name, to_string(out));
  }
  c.out.assign(out.begin() + 2, out.end());
  KW_ASSIGN(const Lazy x, im.as_leaf(image));
  KW_ASSIGN(const Lazy w, im.as_leaf(weight));
  const std::vector<Sparse> sparse = transposed ? divide_out(c) : std::vector<Sparse>{};
  const Sums sums = transposed ? transposed_sums(im, c) : plain_sums(c);
  const bool biased = im.has_input(2);
  const bool dense = std::ranges::all_of(sparse, [](const Sparse& s) { return s.every == 1; });
  const bool direct = !biased && batched && dense && sums.shape == out;
  KW_ASSIGN(const Lazy y, add_sums(im, sums, x, w, direct));
  if (direct) return {};
  std::optional<Lazy> bias;
  if (biased) {
    KW_ASSIGN(bias, im.input(2));
    if (bias->shape != Shape{out[1]}) return im.refuse("a bias {}", to_string(bias->shape));
  }
  return im.map_output(0, [&](Importer::Point p) -> Result<ScalarId> {
    if (!batched) p.at.insert(p.at.begin(), Index(0));
    const E sum = spread(im, y, sparse, p);
    if (!bias) return sum.id;
    return (sum + E{&im, im.at(*bias, Importer::Point{{p.at[1]}, p.extents})}.to(sum.type())).id;
  });
}

/// aten.convolution and _convolution say by attribute whether they are transposed.
Status convolution(Importer& im, std::string_view) {
  KW_ASSIGN(const bool transposed, attr_bool_or(im.node(), "transposed", false));
  return convolve(im, transposed);
}

}  // namespace

void add_convolutions(BuilderTable& t) {
  for (const char* name : {"aten.conv1d", "aten.conv2d", "aten.conv3d"}) {
    t[name] = [](Importer& im, std::string_view) { return convolve(im, false); };
  }
  for (const char* name :
       {"aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d"}) {
    t[name] = [](Importer& im, std::string_view) { return convolve(im, true); };
  }
  t["aten.convolution"] = convolution;
  t["aten._convolution"] = convolution;
}

}  // namespace kw::codegen
