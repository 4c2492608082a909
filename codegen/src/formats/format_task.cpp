// Tasks of number formats: quantise, dequantise and matrix-vector products over encoded weights.

#include <charconv>
#include <map>

#include "kw/codegen/generator.h"

namespace kw::codegen {
namespace {

using Query = std::map<std::string, std::int64_t, std::less<>>;

struct Path {
  std::string format, kind;
  Query query;
};

Result<Path> parse_path(std::string_view text) {
  Path path;
  const std::size_t slash = text.find('/'), question = text.find('?');
  if (slash == std::string_view::npos || slash > question) {
    return fail(Errc::InvalidArgument,
                "format task '{}': say FORMAT/quantize, FORMAT/dequantize or FORMAT/gemv", text);
  }
  path.format = text.substr(0, slash);
  path.kind =
      text.substr(slash + 1, question == std::string_view::npos ? question : question - slash - 1);
  std::string_view rest = question == std::string_view::npos ? "" : text.substr(question + 1);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const std::size_t equal = item.find('=');
    std::int64_t value = 0;
    const std::string_view digits = equal == std::string_view::npos ? "" : item.substr(equal + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 1) {
      return fail(Errc::InvalidArgument, "format task: '{}' is no name=positive number", item);
    }
    path.query[std::string(item.substr(0, equal))] = value;
  }
  return path;
}

/// The value of a query name, and its removal; what is left at the end is a mistake.
std::int64_t take(Query& query, std::string_view name, std::int64_t fallback) {
  const auto it = query.find(name);
  if (it == query.end()) return fallback;
  const std::int64_t value = it->second;
  query.erase(it);
  return value;
}

class TaskBuilder {
 public:
  explicit TaskBuilder(Format format) : format_(std::move(format)) { task_.formats = {format_}; }

  ValueId add(std::string name, DType dtype, Shape shape, Role role) {
    task_.graph.values.push_back({std::move(name), dtype, std::move(shape), {}, {}, role});
    return static_cast<ValueId>(task_.graph.values.size() - 1);
  }
  void draw(ValueId value, std::vector<DrawStep> steps) {
    task_.draws.push_back({value, std::move(steps)});
  }
  Task& task() { return task_; }

  /// codes, scales (, zeros) (, tensor scale) of `rows` x `k`, in this role.
  Result<std::vector<ValueId>> encoded(std::int64_t rows, std::int64_t k, Role role) {
    KW_ASSIGN(const std::int64_t bytes, code_bytes_per_row(format_, k));
    KW_ASSIGN(const std::int64_t blocks, blocks_per_row(format_, k));
    std::vector<ValueId> ids;
    ids.push_back(add("codes", DType::U8, {rows, bytes}, role));
    task_.graph.values.back().format = format_.name;
    const DType scale = format_.scale == ScaleKind::F16 ? DType::F16 : DType::U8;
    ids.push_back(add("scales", scale, {rows, blocks}, role));
    task_.graph.values.back().format = format_.name;
    if (format_.zero_point) {
      ids.push_back(add("zeros", DType::U8, {rows, (blocks * format_.element.bits + 7) / 8}, role));
      task_.graph.values.back().format = format_.name;
    }
    if (format_.tensor_scale) ids.push_back(add("tensor_scale", DType::F32, {}, role));
    return ids;
  }

  /// Finite codes, scales within 2^-4..2^3 (FP16 scales smaller: weights), a tensor scale below 1.
  void draw_encoded(const std::vector<ValueId>& ids) {
    using Op = DrawStep::Op;
    draw(ids[0], {{Op::Codes, 0, 0}});
    const bool half = format_.scale == ScaleKind::F16;
    draw(ids[1], {{Op::Scales, half ? -9.0 : -4.0, half ? -3.0 : 3.0}});
    std::size_t next = 2;
    if (format_.zero_point) draw(ids[next++], {{Op::Codes, 0, 0}});
    if (format_.tensor_scale) draw(ids[next], {{Op::Uniform, 0.001, 0.01}});
  }

 private:
  Format format_;
  Task task_;
};

Result<Task> quantize_task(TaskBuilder& builder, const Format& format, std::int64_t rows,
                           std::int64_t k) {
  const ValueId x = builder.add("x", DType::F32, {rows, k}, Role::Input);
  builder.draw(x, {{DrawStep::Op::Normal, 0, 1}});
  KW_ASSIGN(const std::vector<ValueId> out, builder.encoded(rows, k, Role::Output));
  Graph& graph = builder.task().graph;
  graph.nodes.push_back({"kw.quantize", {x}, {{"format", format.name}}, out});
  graph.outputs = out;
  builder.task().policy = preset(PolicyClass::Exact);
  builder.task().determinism = Determinism::Bitwise;
  return builder.task();
}

Result<Task> dequantize_task(TaskBuilder& builder, const Format& format, std::int64_t rows,
                             std::int64_t k) {
  KW_ASSIGN(const std::vector<ValueId> in, builder.encoded(rows, k, Role::Input));
  builder.draw_encoded(in);
  const ValueId y = builder.add("y", DType::F32, {rows, k}, Role::Output);
  Graph& graph = builder.task().graph;
  graph.nodes.push_back({"kw.dequantize", in, {{"format", format.name}, {"k", k}}, {y}});
  graph.outputs = {y};
  return builder.task();
}

Result<Task> gemv_task(TaskBuilder& builder, const Format& format, std::int64_t m, std::int64_t n,
                       std::int64_t k) {
  const ValueId x = builder.add("x", DType::F32, {m, k}, Role::Input);
  builder.draw(x, {{DrawStep::Op::Normal, 0, 1}});
  KW_ASSIGN(const std::vector<ValueId> in, builder.encoded(n, k, Role::Weight));
  builder.draw_encoded(in);
  const ValueId w = builder.add("w", DType::F32, {n, k}, Role::Scratch);
  const ValueId y = builder.add("y", DType::F32, {m, n}, Role::Output);
  Graph& graph = builder.task().graph;
  graph.nodes.push_back({"kw.dequantize", in, {{"format", format.name}, {"k", k}}, {w}});
  graph.nodes.push_back({"aten.linear", {x, w}, {}, {y}});
  graph.outputs = {y};
  return builder.task();
}

}  // namespace

Result<Task> format_task(std::string_view path_and_query, bool small) {
  KW_ASSIGN(Path path, parse_path(path_and_query));
  KW_ASSIGN(const Format format, find_format(path.format));
  TaskBuilder builder(format);
  Query& query = path.query;
  Result<Task> task =
      fail(Errc::InvalidArgument, "format task '{}': '{}' is none of quantize, dequantize, gemv",
           path_and_query, path.kind);
  // Small shapes are ragged: rows and columns that no block or tile divides.
  if (path.kind == "quantize" || path.kind == "dequantize") {
    const std::int64_t rows = take(query, "rows", small ? 33 : 4096);
    const std::int64_t k = take(query, "k", small ? 212 : 4096);
    task = path.kind == "quantize" ? quantize_task(builder, format, rows, k)
                                   : dequantize_task(builder, format, rows, k);
  } else if (path.kind == "gemv") {
    const std::int64_t m = take(query, "m", 1);
    const std::int64_t n = take(query, "n", small ? 37 : 4096);
    const std::int64_t k = take(query, "k", small ? 288 : 4096);
    task = gemv_task(builder, format, m, n, k);
  }
  if (!task) return task;
  if (!query.empty()) {
    return fail(Errc::InvalidArgument,
                "format task '{}': '{}' is no size of {}, whose sizes are {}", path_and_query,
                query.begin()->first, path.kind, path.kind == "gemv" ? "m, n, k" : "rows, k");
  }
  task->name = fmt::format("format:{}{}", path_and_query, small ? "@small" : "");
  KW_RETURN_IF_ERROR(validate(*task));
  return task;
}

}  // namespace kw::codegen
