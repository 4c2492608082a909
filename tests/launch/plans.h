#pragma once
// Short ways to write plans.

#include <string>
#include <utility>
#include <vector>

#include "kw/core/launch_plan.h"

namespace kw::launch::testing_plans {

inline Expr expr(const std::string& text) { return Expr::parse(text).value(); }

inline PlanBuffer buffer(std::string name, Role role, const std::string& bytes) {
  PlanBuffer out;
  out.name = std::move(name);
  out.role = role;
  out.bytes = expr(bytes);
  return out;
}

inline PlanNode kernel(std::string name, std::vector<PlanArg> args, const std::string& grid = "1",
                       const std::string& block = "32") {
  KernelNode node;
  node.kernel = std::move(name);
  node.grid[0] = expr(grid);
  node.block[0] = expr(block);
  node.args = std::move(args);
  return {"", {}, std::move(node)};
}

inline PlanNode named(std::string id, PlanNode node, std::vector<std::string> after = {}) {
  node.id = std::move(id);
  node.after = std::move(after);
  return node;
}

inline PlanArg at(std::string name, const std::string& offset = "0") {
  return BufferArg{std::move(name), expr(offset)};
}
inline PlanArg scalar(std::string type, const std::string& value) {
  return ScalarArg{std::move(type), expr(value)};
}

/// x, w -> y through two scratch buffers; n = 100 floats each.
inline LaunchPlan two_step_plan() {
  LaunchPlan plan;
  plan.symbols = {{"n", 100}};
  plan.buffers = {buffer("x", Role::Input, "4*n"), buffer("w", Role::Weight, "4*n"),
                  buffer("y", Role::Output, "4*n"), buffer("ws_a", Role::Scratch, "4*n"),
                  buffer("ws_b", Role::Scratch, "4*n")};
  plan.run = {kernel("first", {at("x"), at("w"), at("ws_a"), scalar("i32", "n")}, "ceil_div(n,32)"),
              kernel("second", {at("ws_a"), at("y"), scalar("i32", "n")}, "ceil_div(n,32)")};
  return plan;
}

}  // namespace kw::launch::testing_plans
