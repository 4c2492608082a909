#include "tables.h"

#include <map>
#include <utility>

namespace kw::bench {
namespace {

using launch::BoundKernel;
using launch::BoundMemset;
using launch::BoundNode;
using launch::BoundParameter;
using launch::BoundPlan;
using launch::Extent3;

constexpr std::size_t kMaxArguments = 512;  // of one launch; the array in launches.cu

std::string triple(const Extent3& e) { return fmt::format("{{{}, {}, {}}}", e[0], e[1], e[2]); }

class Writer {
 public:
  explicit Writer(const BoundPlan& plan) : plan_(plan) { tables_.used.resize(plan.buffers.size()); }

  void due_fills(BufferInit when) {
    for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
      const launch::BoundBuffer& b = plan_.buffers[i];
      if (b.init != when || !b.is_root(i) || b.bytes == 0) continue;
      fill({{i, 0}, b.bytes, b.fill}, b.name);
    }
  }

  Status nodes(const std::vector<BoundNode>& nodes) {
    for (const BoundNode& node : nodes) {
      if (const auto* kernel = std::get_if<BoundKernel>(&node.what)) {
        const Status done = launch(*kernel, node.place);
        if (!done) return wrap(done.error(), node.place);
      } else if (const auto* memset = std::get_if<BoundMemset>(&node.what)) {
        fill(*memset, node.place);
      } else {
        return fail(Errc::Unsupported, "{}: predicates cannot be exported to PyTorch", node.place);
      }
    }
    return {};
  }

  Result<LaunchTables> take() && {
    if (tables_.launches == 0) return fail(Errc::Unsupported, "the plan launches nothing");
    // No table may be empty: rows that no step reaches.
    tables_.holes = {{"BYTES", bytes_ + "0"},
                     {"ADDRESSES", addresses_ + "    {0, 0, 0},\n"},
                     {"ARGUMENTS", arguments_ + "    {0, 0, 0},\n"},
                     {"FILLS", fills_ + "    {0, 0, 0, 0},\n"},
                     {"STEPS", std::move(steps_)}};
    return std::move(tables_);
  }

 private:
  void fill(const BoundMemset& memset, const std::string& place) {
    tables_.used[memset.where.buffer] = true;
    fills_ += fmt::format("    {{{}, {}, {}, {}}},  // {}\n", memset.where.buffer, memset.value,
                          memset.where.offset, memset.bytes, place);
    steps_ += fmt::format("    {{}},  // {}: fill\n", place);
  }

  Status launch(const BoundKernel& kernel, const std::string& place) {
    if (kernel.parameters.size() > kMaxArguments) {
      return fail(Errc::Unsupported, "{} has {} arguments, an export takes {}", kernel.kernel,
                  kernel.parameters.size(), kMaxArguments);
    }
    for (const BoundParameter& parameter : kernel.parameters) {
      if (parameter.tensor_map) {
        return fail(Errc::Unsupported, "{} takes a tensor map, which cannot be exported to PyTorch",
                    kernel.kernel);
      }
      arguments_ += fmt::format("    {{{}, {}, {}}},\n", constants(parameter.bytes),
                                parameter.bytes.size(), parameter.pointers.size());
      for (const launch::PointerPatch& patch : parameter.pointers) {
        tables_.used[patch.pointer.buffer] = true;
        addresses_ += fmt::format("    {{{}, {}, {}}},\n", patch.at, patch.pointer.buffer,
                                  patch.pointer.offset);
      }
    }
    steps_ += fmt::format("    {{(const void*)&{}, {}, {}, {}, {}, {}, {}, {}}},  // {}\n",
                          kernel.kernel, triple(kernel.grid), triple(kernel.block),
                          triple(kernel.cluster), kernel.shared_bytes, kernel.cooperative,
                          kernel.programmatic, kernel.parameters.size(), place);
    ++tables_.launches;
    return {};
  }

  /// Where these bytes begin in kw_bytes; the same bytes are held once.
  std::size_t constants(const std::vector<std::byte>& bytes) {
    const auto [at, fresh] = known_.emplace(bytes, length_);
    if (fresh) {
      for (const std::byte b : bytes) bytes_ += fmt::format("{},", std::to_integer<int>(b));
      length_ += bytes.size();
    }
    return at->second;
  }

  const BoundPlan& plan_;
  LaunchTables tables_;
  std::string bytes_, addresses_, arguments_, fills_, steps_;
  std::map<std::vector<std::byte>, std::size_t> known_;
  std::size_t length_ = 0;
};

}  // namespace

Result<LaunchTables> launch_tables(const BoundPlan& plan) {
  Writer writer(plan);
  writer.due_fills(BufferInit::Once);
  KW_RETURN_IF_ERROR(writer.nodes(plan.setup));
  writer.due_fills(BufferInit::EachRun);
  KW_RETURN_IF_ERROR(writer.nodes(plan.run));
  return std::move(writer).take();
}

}  // namespace kw::bench
