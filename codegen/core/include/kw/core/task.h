#pragma once
// One piece of work: a graph, how its inputs are drawn, and what it is judged by.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/format.h"
#include "kw/core/graph.h"
#include "kw/core/policy.h"

namespace kw {

/// A tensor is drawn by running steps in order: the first is a source, the others transform
/// pointwise.
///
/// Sources:
/// - uniform(a, b), normal(a = mean, b = standard deviation), integers(a, b): a <= i < b,
/// constant(a)
/// - codes(): uniform over the finite codes of the value's format, packed
/// - scales(a, b): scales of the format with values 2^a..2^b, uniform in the exponent
/// - values(data): constant data (packed_data.h) that no trial changes: index tables, masks
///
/// Transforms:
/// - mul(a), add(a)
/// - mul_uniform(a, b): one factor for the whole tensor, drawn once
/// - tril(a), triu(a): zero where column - row > a (< a) in the last two dimensions. Structure that
///   a kernel may rely on: it holds for every family of values, and a constant with it is a mask
///   that no trial changes
struct DrawStep {
  enum class Op {
    Uniform,
    Normal,
    Integers,
    Constant,
    Codes,
    Scales,
    Mul,
    Add,
    MulUniform,
    Tril,
    Triu,
    Values
  };
  Op op = Op::Uniform;
  double a = 0;
  double b = 1;
  std::string data = {};  // of Values
  bool operator==(const DrawStep&) const = default;
};

struct Draw {
  ValueId value = kNoValue;  // an Input, Weight or State of the graph
  std::vector<DrawStep> steps;
};

/// True when no trial may replace what the steps draw: codes, scales, indices, data and masks.
bool is_structural(const std::vector<DrawStep>& steps) noexcept;

enum class Determinism { WithinBound, Bitwise };

/// One call of the model's constructor that filled a parameter, in order. With the seed of the
/// suite these recreate the parameters bit-equal in PyTorch; ours are drawn from Task::draws.
struct InitCall {
  std::string parameter;  // "gemm.weight"
  std::string op;         // "uniform_", "normal_", "randn", "fill_", "copy_of gemm.weight"
  Shape shape;
  std::vector<double> arguments;
};

struct Task {
  std::string name;  // "kernelbench:1/19@small": shown, never hashed
  Graph graph;
  std::vector<Format>
      formats;              // every format that the graph names, so that a task is self-contained
  std::vector<Draw> draws;  // one per Input, Weight and State
  Policy policy;
  Determinism determinism = Determinism::WithinBound;
  bool setup_is_timed = true;         // KernelBench allows no untimed prepacking
  std::vector<InitCall> constructor;  // empty for tasks that are not modules
  std::map<std::string, std::string>
      provenance;  // file, revision, exporter: recorded, never hashed
};

Status validate(const Task& task);

/// The policy with Ieee for convolutions and recurrences where the graph has none: two policies with
/// the same answer ask the same of a kernel of this task.
Policy policy_in_effect(const Task& task);

/// {"v":1,"kind":"task","name","graph":{...},"draws":{"x":[["uniform",0,1],["mul",2]]},
///  (["values","base64"] for data),
///  "policy":"ieee","determinism":"within_bound"|"bitwise","setup_is_timed":true,
///  "constructor":[["gemm.weight","uniform_",[64,32],[-0.1,0.1]]],"formats":[],"provenance":{}}
Result<Task> parse_task(std::string_view json);
std::string to_json(const Task& task);

/// Documents above this are refused before they are parsed.
inline constexpr std::size_t kMaxTaskBytes = 32u << 20;

}  // namespace kw
