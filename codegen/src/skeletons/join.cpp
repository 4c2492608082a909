// join: many tensors side by side. Pieces are copied eight a launch by a kernel that knows nothing
// of shapes, so that all joins of a program are one kernel.

#include <fmt/format.h>

#include <algorithm>

#include "emit/functor.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {
namespace {

constexpr std::size_t kPieces = 8;  // a launch
constexpr std::int64_t kThreads = 256;
constexpr std::int64_t kMostBlocks = 1 << 20;

const Stage& stage_of(const Program& program, const Region& region) {
  return program.stages[static_cast<std::size_t>(region.first)];
}

std::string kernel_text(const std::string& entry, std::string_view type) {
  std::string params, choose;
  for (std::size_t i = 0; i < kPieces; ++i) {
    params += fmt::format("const {}* __restrict__ p{}, long long w{}, ", type, i, i);
    choose += fmt::format("    if (at < w{0}) {{ *to = p{0}[row * w{0} + at]; continue; }}\n", i);
    if (i + 1 < kPieces) choose += fmt::format("    at -= w{};\n", i);
  }
  return fmt::format(
      "extern \"C\" __global__ void __launch_bounds__({0})\n{1}({2}{3}* __restrict__ out, long "
      "long "
      "rows, long long width,\n    long long pitch, long long first) {{\n"
      "  for (long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x; i < "
      "rows "
      "* width;\n       i += static_cast<long long>(gridDim.x) * blockDim.x) {{\n"
      "    const long long row = i / width;\n    long long at = i % width;\n"
      "    {3}* const to = out + row * pitch + first + at;\n{4}  }}\n}}\n",
      kThreads, entry, params, type, choose);
}

class JoinSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "join@1"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    if (region.first != region.last || stage_of(program, region).kind != Stage::Kind::Join) {
      return {};
    }
    Work work;
    work.bytes = minimal_bytes(program, region);
    work.launches =
        static_cast<int>((stage_of(program, region).operands.size() + kPieces - 1) / kPieces);
    return {{"copies", cost_of(work, target)}};
  }

  ParameterSpace space(Program&, const Region&, std::string_view, const Target&) const override {
    return {};
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view, const Config&,
                        const EmitContext& context) const override {
    const Stage& stage = stage_of(program, region);
    const Tensor& out = program.tensor(stage.results.front());
    std::int64_t pitch = 0, first = 0;
    for (const std::int64_t width : stage.widths) pitch += width;
    const std::int64_t rows = count_of(out.shape) / pitch;

    Fragment fragment;
    fragment.code = kernel_text(context.entry("join"), storage_name(out.dtype));
    const auto number = [](std::int64_t value) { return ScalarArg{"i64", Expr(value)}; };
    for (std::size_t from = 0; from < stage.operands.size(); from += kPieces) {
      KernelNode kernel;
      kernel.kernel = context.entry("join");
      std::int64_t width = 0;
      for (std::size_t i = from; i < from + kPieces; ++i) {
        const bool there = i < stage.operands.size();
        kernel.args.push_back(tensor_arg(program, stage.operands[there ? i : from]));
        kernel.args.push_back(number(there ? stage.widths[i] : 0));
        width += there ? stage.widths[i] : 0;
      }
      kernel.args.push_back(tensor_arg(program, stage.results.front()));
      for (const std::int64_t value : {rows, width, pitch, first}) {
        kernel.args.push_back(number(value));
      }
      const std::int64_t blocks = (rows * width + kThreads - 1) / kThreads;
      kernel.grid = {Expr(std::min(blocks, kMostBlocks)), Expr(1), Expr(1)};
      kernel.block = {Expr(kThreads), Expr(1), Expr(1)};
      fragment.run.push_back(
          {fmt::format("{}{}", context.entry("join"), from / kPieces), {}, std::move(kernel)});
      first += width;
    }
    return fragment;
  }
};

}  // namespace

const Skeleton& join_skeleton() {
  static const JoinSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
