// Reading of launch plans; writing is launch_plan_json.cpp.

#include <set>

#include "kw/core/launch_plan.h"
#include "plan_json.h"

namespace kw {
namespace {

constexpr int kMaxNesting = 8;

Result<Expr> parse_expr(const Json& json, const std::string& pointer) {
  if (json.is_number_integer() &&
      !(json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX)) {
    return Expr(json.get<std::int64_t>());
  }
  if (!json.is_string())
    return fail(Errc::InvalidArgument, "{}: expected an integer or an expression", pointer);
  auto expr = Expr::parse(json.get_ref<const std::string&>());
  if (!expr) return wrap(expr.error(), pointer);
  return *expr;
}

Result<Expr> expr_or(JsonReader& reader, std::string_view key, Expr fallback) {
  const Json* json = reader.find(key);
  if (json == nullptr) return fallback;
  return parse_expr(*json, reader.at(key));
}

Result<std::array<Expr, 3>> dim3_or_ones(JsonReader& reader, std::string_view key) {
  std::array<Expr, 3> dims{1, 1, 1};
  const Json* json = reader.find(key);
  if (json == nullptr) return dims;
  if (!json->is_array() || json->empty() || json->size() > 3) {
    return fail(Errc::InvalidArgument, "{}: expected an array of 1 to 3 expressions",
                reader.at(key));
  }
  for (std::size_t i = 0; i < json->size(); ++i) {
    KW_ASSIGN(dims[i], parse_expr((*json)[i], fmt::format("{}/{}", reader.at(key), i)));
  }
  return dims;
}

class PlanParser {
 public:
  Result<LaunchPlan> plan(const Json& json, const std::string& pointer) {
    KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
    KW_ASSIGN(const std::int64_t version, reader.integer("v"));
    if (version != 1)
      return fail(Errc::InvalidArgument, "{}: launch plan version {} is not 1", reader.at("v"),
                  version);
    LaunchPlan plan;
    if (const Json* symbols = reader.find("symbols")) {
      KW_ASSIGN(JsonReader names, JsonReader::object(*symbols, reader.at("symbols")));
      for (const auto& [name, unused] : symbols->items()) {
        KW_ASSIGN(const std::int64_t value, names.integer(name));
        plan.symbols.emplace(name, value);
      }
    }
    KW_ASSIGN(const Json* buffers, reader.array("buffers"));
    if (buffers->size() > kMaxPlanBuffers) {
      return fail(Errc::InvalidArgument, "{}: more than {} buffers", reader.at("buffers"),
                  kMaxPlanBuffers);
    }
    for (std::size_t i = 0; i < buffers->size(); ++i) {
      KW_ASSIGN(PlanBuffer buffer,
                parse_buffer((*buffers)[i], fmt::format("{}/{}", reader.at("buffers"), i)));
      plan.buffers.push_back(std::move(buffer));
    }
    for (const PlanBuffer& buffer : plan.buffers) {
      if (!buffer.alias_of.empty() && !buffers_.contains(buffer.alias_of)) {
        return fail(Errc::InvalidArgument,
                    "{}: buffer '{}' is an alias of '{}', which does not exist",
                    reader.at("buffers"), buffer.name, buffer.alias_of);
      }
    }
    if (const Json* setup = reader.find("setup")) {
      KW_ASSIGN(plan.setup, nodes(*setup, reader.at("setup"), 0));
    }
    KW_ASSIGN(const Json* run, reader.array("run"));
    KW_ASSIGN(plan.run, nodes(*run, reader.at("run"), 0));
    KW_RETURN_IF_ERROR(reader.finish());
    return plan;
  }

 private:
  Result<PlanBuffer> parse_buffer(const Json& json, const std::string& pointer) {
    KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
    PlanBuffer buffer;
    KW_ASSIGN(buffer.name, reader.string("name"));
    if (buffer.name.empty() || buffer.name.size() > 256) {
      return fail(Errc::InvalidArgument, "{}: empty or longer than 256 bytes", reader.at("name"));
    }
    if (!buffers_.insert(buffer.name).second) {
      return fail(Errc::InvalidArgument, "{}: a second buffer named '{}'", reader.at("name"),
                  buffer.name);
    }
    KW_ASSIGN(const std::string role, reader.string_or("role", "scratch"));
    const auto known_role = parse_role(role);
    if (!known_role)
      return fail(Errc::InvalidArgument, "{}: unknown role '{}'", reader.at("role"), role);
    buffer.role = *known_role;
    KW_ASSIGN(const std::string dtype, reader.string_or("dtype", "f32"));
    const auto known_dtype = parse_dtype(dtype);
    if (!known_dtype)
      return fail(Errc::InvalidArgument, "{}: unknown dtype '{}'", reader.at("dtype"), dtype);
    buffer.dtype = *known_dtype;
    KW_ASSIGN(const Json* bytes, reader.member("bytes"));
    KW_ASSIGN(buffer.bytes, parse_expr(*bytes, reader.at("bytes")));
    KW_ASSIGN(buffer.alias_of, reader.string_or("alias_of", ""));
    KW_ASSIGN(buffer.alias_offset, expr_or(reader, "alias_offset", 0));
    KW_ASSIGN(const std::string init, reader.string_or("init", "none"));
    if (init == "once") {
      buffer.init = BufferInit::Once;
    } else if (init == "each_run") {
      buffer.init = BufferInit::EachRun;
    } else if (init != "none") {
      return fail(Errc::InvalidArgument, "{}: '{}' is none of none, once, each_run",
                  reader.at("init"), init);
    }
    if (buffer.init != BufferInit::None && buffer.role != Role::Scratch) {
      return fail(Errc::InvalidArgument, "{}: only scratch has an initial fill", reader.at("init"));
    }
    KW_ASSIGN(const std::int64_t fill, reader.integer_or("fill", 0, 0, 255));
    buffer.fill = static_cast<std::uint8_t>(fill);
    KW_ASSIGN(const std::int64_t first, reader.integer_or("first_use", -1, -1, kMaxPlanNodes));
    KW_ASSIGN(const std::int64_t last, reader.integer_or("last_use", -1, -1, kMaxPlanNodes));
    buffer.first_use = static_cast<int>(first);
    buffer.last_use = static_cast<int>(last);
    KW_RETURN_IF_ERROR(reader.finish());
    return buffer;
  }

  Result<std::string> known_buffer(JsonReader& reader, std::string_view key) {
    KW_ASSIGN(std::string name, reader.string(key));
    if (!buffers_.contains(name))
      return fail(Errc::InvalidArgument, "{}: no buffer named '{}'", reader.at(key), name);
    return name;
  }

  Result<BufferArg> buffer_arg(JsonReader& reader) {
    BufferArg arg;
    KW_ASSIGN(arg.buffer, known_buffer(reader, "buffer"));
    KW_ASSIGN(arg.offset, expr_or(reader, "offset", 0));
    return arg;
  }

  Result<ScalarArg> scalar_arg(JsonReader& reader) {
    ScalarArg arg;
    KW_ASSIGN(arg.type, reader.string("scalar"));
    static const std::set<std::string> kTypes{"i32", "u32", "i64", "u64", "f32", "f64"};
    if (!kTypes.contains(arg.type)) {
      return fail(Errc::InvalidArgument, "{}: '{}' is none of i32, u32, i64, u64, f32, f64",
                  reader.at("scalar"), arg.type);
    }
    KW_ASSIGN(const Json* value, reader.member("value"));
    if (arg.type[0] == 'f') {
      KW_ASSIGN(const double number, number_from(*value, reader.at("value")));
      arg.value = number;
    } else {
      KW_ASSIGN(Expr expr, parse_expr(*value, reader.at("value")));
      arg.value = std::move(expr);
    }
    return arg;
  }

  Result<std::vector<Expr>> exprs(JsonReader& reader, std::string_view key) {
    KW_ASSIGN(const Json* list, reader.array(key));
    if (list->size() > 5)
      return fail(Errc::InvalidArgument, "{}: more than 5 dimensions", reader.at(key));
    std::vector<Expr> result;
    for (const Json& item : *list) {
      KW_ASSIGN(Expr expr, parse_expr(item, fmt::format("{}/{}", reader.at(key), result.size())));
      result.push_back(std::move(expr));
    }
    return result;
  }

  Result<TensorMapArg> tensor_map(const Json& json, const std::string& pointer) {
    KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
    TensorMapArg map;
    KW_ASSIGN(map.base, buffer_arg(reader));
    KW_ASSIGN(const std::string dtype, reader.string("dtype"));
    const auto known = parse_dtype(dtype);
    if (!known)
      return fail(Errc::InvalidArgument, "{}: unknown dtype '{}'", reader.at("dtype"), dtype);
    map.dtype = *known;
    KW_ASSIGN(map.dims, exprs(reader, "dims"));
    KW_ASSIGN(map.strides, exprs(reader, "strides"));
    KW_ASSIGN(map.box, exprs(reader, "box"));
    KW_ASSIGN(const std::int64_t swizzle, reader.integer_or("swizzle", 0, 0, 128));
    map.swizzle = static_cast<int>(swizzle);
    KW_ASSIGN(map.fill, reader.string_or("fill", "zero"));
    if (map.fill != "zero" && map.fill != "nan") {
      return fail(Errc::InvalidArgument, "{}: '{}' is neither zero nor nan", reader.at("fill"),
                  map.fill);
    }
    KW_RETURN_IF_ERROR(reader.finish());
    return map;
  }

  Result<PlanArg> arg(const Json& json, const std::string& pointer) {
    KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
    PlanArg result;
    if (json.contains("tensor_map")) {
      KW_ASSIGN(const Json* map, reader.member("tensor_map"));
      KW_ASSIGN(result, tensor_map(*map, reader.at("tensor_map")));
    } else if (json.contains("struct")) {
      KW_ASSIGN(const Json* fields, reader.array("struct"));
      StructArg packed;
      for (const Json& field : *fields) {
        const std::string place = fmt::format("{}/{}", reader.at("struct"), packed.fields.size());
        KW_ASSIGN(JsonReader inner, JsonReader::object(field, place));
        if (field.contains("buffer")) {
          KW_ASSIGN(BufferArg value, buffer_arg(inner));
          packed.fields.emplace_back(std::move(value));
        } else {
          KW_ASSIGN(ScalarArg value, scalar_arg(inner));
          packed.fields.emplace_back(std::move(value));
        }
        KW_RETURN_IF_ERROR(inner.finish());
      }
      result = std::move(packed);
    } else if (json.contains("buffer")) {
      KW_ASSIGN(result, buffer_arg(reader));
    } else if (json.contains("scalar")) {
      KW_ASSIGN(result, scalar_arg(reader));
    } else {
      return fail(Errc::InvalidArgument,
                  "{}: an argument has one of buffer, scalar, struct, tensor_map", pointer);
    }
    KW_RETURN_IF_ERROR(reader.finish());
    return result;
  }

  Result<KernelNode> kernel(JsonReader& reader) {
    KernelNode node;
    KW_ASSIGN(node.kernel, reader.string("kernel"));
    if (node.kernel.empty()) return fail(Errc::InvalidArgument, "{}: empty", reader.at("kernel"));
    KW_ASSIGN(node.grid, dim3_or_ones(reader, "grid"));
    KW_ASSIGN(node.block, dim3_or_ones(reader, "block"));
    KW_ASSIGN(node.cluster, dim3_or_ones(reader, "cluster"));
    KW_ASSIGN(node.shared, expr_or(reader, "shared", 0));
    KW_ASSIGN(node.cooperative, reader.boolean_or("cooperative", false));
    KW_ASSIGN(node.programmatic, reader.boolean_or("programmatic", false));
    KW_ASSIGN(const Json* list, reader.array("args"));
    if (list->size() > 256)
      return fail(Errc::InvalidArgument, "{}: more than 256 arguments", reader.at("args"));
    for (const Json& item : *list) {
      KW_ASSIGN(PlanArg parsed,
                arg(item, fmt::format("{}/{}", reader.at("args"), node.args.size())));
      node.args.push_back(std::move(parsed));
    }
    return node;
  }

  Result<LoopNode> loop(JsonReader& reader, int nesting) {
    LoopNode node;
    KW_ASSIGN(node.variable, reader.string("variable"));
    KW_ASSIGN(const Json* count, reader.member("count"));
    KW_ASSIGN(node.count, parse_expr(*count, reader.at("count")));
    if (const Json* swaps = reader.find("swap")) {
      if (!swaps->is_array())
        return fail(Errc::InvalidArgument, "{}: expected pairs", reader.at("swap"));
      for (const Json& pair : *swaps) {
        if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string() ||
            !buffers_.contains(pair[0].get<std::string>()) ||
            !buffers_.contains(pair[1].get<std::string>())) {
          return fail(Errc::InvalidArgument, "{}/{}: expected the names of two buffers",
                      reader.at("swap"), node.swap.size());
        }
        node.swap.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
      }
    }
    KW_ASSIGN(const Json* body, reader.array("body"));
    KW_ASSIGN(node.body, nodes(*body, reader.at("body"), nesting + 1));
    return node;
  }

  Result<PlanNode> plan_node(const Json& json, const std::string& pointer, int nesting) {
    KW_ASSIGN(JsonReader reader, JsonReader::object(json, pointer));
    PlanNode node;
    KW_ASSIGN(node.id, reader.string_or("id", ""));
    if (const Json* after = reader.find("after")) {
      if (!after->is_array())
        return fail(Errc::InvalidArgument, "{}: expected an array", reader.at("after"));
      for (const Json& id : *after) {
        if (!id.is_string())
          return fail(Errc::InvalidArgument, "{}: expected ids", reader.at("after"));
        node.after.push_back(id.get<std::string>());
      }
    }
    KW_ASSIGN(const std::string kind, reader.string("kind"));
    if (kind == "kernel") {
      KW_ASSIGN(node.what, kernel(reader));
    } else if (kind == "memset") {
      MemsetNode memset;
      KW_ASSIGN(memset.buffer, known_buffer(reader, "buffer"));
      KW_ASSIGN(memset.offset, expr_or(reader, "offset", 0));
      KW_ASSIGN(const Json* bytes, reader.member("bytes"));
      KW_ASSIGN(memset.bytes, parse_expr(*bytes, reader.at("bytes")));
      KW_ASSIGN(const std::int64_t value, reader.integer_or("value", 0, 0, 255));
      memset.value = static_cast<std::uint8_t>(value);
      node.what = std::move(memset);
    } else if (kind == "loop") {
      KW_ASSIGN(node.what, loop(reader, nesting));
    } else if (kind == "predicate") {
      PredicateNode predicate;
      KW_ASSIGN(predicate.buffer, known_buffer(reader, "buffer"));
      KW_ASSIGN(predicate.offset, expr_or(reader, "offset", 0));
      KW_ASSIGN(const Json* body, reader.array("body"));
      KW_ASSIGN(predicate.body, nodes(*body, reader.at("body"), nesting + 1));
      node.what = std::move(predicate);
    } else {
      return fail(Errc::InvalidArgument, "{}: '{}' is none of kernel, memset, loop, predicate",
                  reader.at("kind"), kind);
    }
    KW_RETURN_IF_ERROR(reader.finish());
    return node;
  }

  Result<std::vector<PlanNode>> nodes(const Json& json, const std::string& pointer, int nesting) {
    if (!json.is_array())
      return fail(Errc::InvalidArgument, "{}: expected an array of nodes", pointer);
    if (nesting > kMaxNesting)
      return fail(Errc::InvalidArgument, "{}: nested deeper than {}", pointer, kMaxNesting);
    std::vector<PlanNode> result;
    for (const Json& item : json) {
      if (++count_ > kMaxPlanNodes)
        return fail(Errc::InvalidArgument, "{}: more than {} nodes", pointer, kMaxPlanNodes);
      KW_ASSIGN(PlanNode node,
                plan_node(item, fmt::format("{}/{}", pointer, result.size()), nesting));
      result.push_back(std::move(node));
    }
    return result;
  }

  std::set<std::string> buffers_;
  std::size_t count_ = 0;
};

}  // namespace

Result<LaunchPlan> plan_from_json(const Json& json, const std::string& pointer) {
  return PlanParser().plan(json, pointer);
}

Result<LaunchPlan> parse_launch_plan(std::string_view text) {
  KW_ASSIGN(const Json json, parse_json(text, {.bytes = kMaxPlanBytes}));
  return plan_from_json(json, "");
}

}  // namespace kw
