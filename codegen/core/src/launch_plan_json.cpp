// Writing of launch plans; reading is launch_plan_parse.cpp.

#include "kw/core/launch_plan.h"
#include "plan_json.h"

namespace kw {
namespace {

Json expr_json(const Expr& expr) {
  const std::string& text = expr.text();
  const bool literal =
      !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == text.npos;
  return literal ? Json(std::stoll(text)) : Json(text);
}

Json dim3_json(const std::array<Expr, 3>& dims) {
  return Json::array({expr_json(dims[0]), expr_json(dims[1]), expr_json(dims[2])});
}

Json buffer_arg_json(const BufferArg& arg) {
  return {{"buffer", arg.buffer}, {"offset", expr_json(arg.offset)}};
}

Json scalar_arg_json(const ScalarArg& arg) {
  const Json value = std::holds_alternative<double>(arg.value)
                         ? number_json(std::get<double>(arg.value))
                         : expr_json(std::get<Expr>(arg.value));
  return {{"scalar", arg.type}, {"value", value}};
}

Json exprs_json(const std::vector<Expr>& exprs) {
  Json list = Json::array();
  for (const Expr& expr : exprs) list.push_back(expr_json(expr));
  return list;
}

Json arg_json(const PlanArg& arg) {
  struct Visitor {
    Json operator()(const BufferArg& a) const { return buffer_arg_json(a); }
    Json operator()(const ScalarArg& a) const { return scalar_arg_json(a); }
    Json operator()(const StructArg& a) const {
      Json fields = Json::array();
      for (const auto& field : a.fields) {
        fields.push_back(std::holds_alternative<BufferArg>(field)
                             ? buffer_arg_json(std::get<BufferArg>(field))
                             : scalar_arg_json(std::get<ScalarArg>(field)));
      }
      return {{"struct", fields}};
    }
    Json operator()(const TensorMapArg& a) const {
      Json map = buffer_arg_json(a.base);
      map["dtype"] = to_string(a.dtype);
      map["dims"] = exprs_json(a.dims);
      map["strides"] = exprs_json(a.strides);
      map["box"] = exprs_json(a.box);
      map["swizzle"] = a.swizzle;
      map["fill"] = a.fill;
      return {{"tensor_map", map}};
    }
  };
  return std::visit(Visitor{}, arg);
}

Json nodes_json(const std::vector<PlanNode>& nodes);

struct NodeVisitor {
  Json& json;
  void operator()(const KernelNode& node) const {
    json["kind"] = "kernel";
    json["kernel"] = node.kernel;
    json["grid"] = dim3_json(node.grid);
    json["block"] = dim3_json(node.block);
    json["cluster"] = dim3_json(node.cluster);
    json["shared"] = expr_json(node.shared);
    json["cooperative"] = node.cooperative;
    json["programmatic"] = node.programmatic;
    Json args = Json::array();
    for (const PlanArg& arg : node.args) args.push_back(arg_json(arg));
    json["args"] = std::move(args);
  }
  void operator()(const MemsetNode& node) const {
    json["kind"] = "memset";
    json["buffer"] = node.buffer;
    json["offset"] = expr_json(node.offset);
    json["bytes"] = expr_json(node.bytes);
    json["value"] = node.value;
  }
  void operator()(const LoopNode& node) const {
    json["kind"] = "loop";
    json["variable"] = node.variable;
    json["count"] = expr_json(node.count);
    Json swaps = Json::array();
    for (const auto& [a, b] : node.swap) swaps.push_back(Json::array({a, b}));
    json["swap"] = std::move(swaps);
    json["body"] = nodes_json(node.body);
  }
  void operator()(const PredicateNode& node) const {
    json["kind"] = "predicate";
    json["buffer"] = node.buffer;
    json["offset"] = expr_json(node.offset);
    json["body"] = nodes_json(node.body);
  }
};

Json nodes_json(const std::vector<PlanNode>& nodes) {
  Json list = Json::array();
  for (const PlanNode& node : nodes) {
    Json json = Json::object();
    if (!node.id.empty()) json["id"] = node.id;
    if (!node.after.empty()) json["after"] = node.after;
    std::visit(NodeVisitor{json}, node.what);
    list.push_back(std::move(json));
  }
  return list;
}

std::string_view init_name(BufferInit init) {
  switch (init) {
    case BufferInit::None:
      return "none";
    case BufferInit::Once:
      return "once";
    case BufferInit::EachRun:
      return "each_run";
  }
  return "none";
}

}  // namespace

Json plan_to_json(const LaunchPlan& plan) {
  Json buffers = Json::array();
  for (const PlanBuffer& buffer : plan.buffers) {
    Json json{{"name", buffer.name},
              {"role", to_string(buffer.role)},
              {"dtype", to_string(buffer.dtype)},
              {"bytes", expr_json(buffer.bytes)}};
    if (!buffer.alias_of.empty()) {
      json["alias_of"] = buffer.alias_of;
      json["alias_offset"] = expr_json(buffer.alias_offset);
    }
    if (buffer.init != BufferInit::None) {
      json["init"] = init_name(buffer.init);
      json["fill"] = buffer.fill;
    }
    if (buffer.first_use >= 0) json["first_use"] = buffer.first_use;
    if (buffer.last_use >= 0) json["last_use"] = buffer.last_use;
    buffers.push_back(std::move(json));
  }
  return {{"v", 1},
          {"symbols", plan.symbols},
          {"buffers", buffers},
          {"setup", nodes_json(plan.setup)},
          {"run", nodes_json(plan.run)}};
}

std::string to_json(const LaunchPlan& plan) { return dump(plan_to_json(plan)); }

}  // namespace kw
