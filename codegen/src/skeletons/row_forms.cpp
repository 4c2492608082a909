#include "skeletons/row_forms.h"

#include <fmt/format.h>

#include <algorithm>

#include "skeletons/parameters.h"

namespace kw::codegen {
namespace {

double bytes_of(const Program& program, TensorId t) {
  const Tensor& tensor = program.tensor(t);
  return static_cast<double>(count_of(tensor.shape)) * static_cast<double>(size_of(tensor.dtype));
}

std::vector<TensorId> phase_inputs(const RowContext& c) {
  std::vector<ScalarId> bodies;
  for (const RowPhase& phase : c.rows.phases) bodies.push_back(phase.body);
  std::vector<TensorId> tensors = tensors_under(c.program, bodies);
  std::erase_if(tensors, [&](TensorId t) { return c.region.contains(c.program.producer(t)); });
  return tensors;
}

}  // namespace

std::int64_t RowContext::widest() const {
  for (const std::int64_t width : {4, 2}) {
    if (vectorises(program, rows, layout, width)) return width;
  }
  return 1;
}

double RowContext::read_bytes() const {
  double bytes = 0;
  for (const TensorId t : phase_inputs(*this)) bytes += bytes_of(program, t);
  return bytes;
}

double RowContext::late_bytes() const {
  const std::vector<TensorId> early = phase_inputs(*this);
  double bytes = 0;
  for (const TensorId t : region.inputs) {
    if (std::find(early.begin(), early.end(), t) == early.end()) bytes += bytes_of(program, t);
  }
  return bytes;
}

double RowContext::write_bytes() const {
  double bytes = 0;
  for (const TensorId t : region.outputs) bytes += bytes_of(program, t);
  return bytes;
}

double RowContext::operations() const {
  double sum = 0;
  for (const RowPhase& phase : rows.phases) {
    const bool heavy = phase.combiner == Combiner::OnlineSoftmax;
    sum += operations_of(program.scalars, {phase.body}) + (heavy ? 12 : 3);
  }
  for (const RowOutput& output : rows.mapped) sum += operations_of(program.scalars, {output.value});
  return sum * elements();
}

std::vector<TensorId> RowContext::pointers() const {
  std::vector<TensorId> all = region.inputs;
  all.insert(all.end(), region.outputs.begin(), region.outputs.end());
  return all;
}

std::string RowContext::index_type() const {
  if (elements() > static_cast<double>(kLastInt32)) return "long long";
  return kw::codegen::index_type(program, pointers());
}

double row_cost(const RowContext& c, double bytes, double operations, double threads,
                int launches) {
  const double enough = 1024.0 * static_cast<double>(c.target.sm_count);
  const double starved = std::clamp(enough / std::max(threads, 1.0), 1.0, 256.0);
  Work work;
  work.bytes = bytes * starved;
  work.operations = operations * starved;
  work.launches = launches;
  return cost_of(work, c.target);
}

Fragment row_fragment(const RowContext& c, const RowFunctorOptions& options, const RowProgram& rows,
                      std::vector<std::string> files) {
  Fragment fragment;
  fragment.includes = std::move(files);
  RowFunctor functor = row_functor(c.program, c.region, rows, c.pointers(), options);
  fragment.code = std::move(functor.text);
  note_formats(c.program, functor.roots, fragment);
  return fragment;
}

PlanNode add_entry(const RowContext& c, const EmitContext& emit, const std::string& functor,
                   const RowEntry& entry, Fragment& fragment) {
  const std::vector<TensorId> pointers = c.pointers();
  std::string parameters = parameter_text(c.program, pointers, c.region);
  std::string arguments = argument_text(pointers);
  KernelNode kernel;
  kernel.kernel = emit.entry(entry.name);
  kernel.grid = {Expr(entry.grid[0]), Expr(entry.grid[1]), Expr(1)};
  kernel.block = {Expr(entry.threads), Expr(1), Expr(1)};
  for (const TensorId t : pointers) kernel.args.push_back(tensor_arg(c.program, t));
  for (std::size_t i = 0; i < entry.workspaces.size(); ++i) {
    parameters += ", " + entry.workspaces[i].first;
    arguments += fmt::format(", w{}", i);
    kernel.args.push_back(entry.workspaces[i].second);
  }
  const std::string object = fmt::format("{}{{{}}}", functor, arguments);
  std::string call = entry.call;
  call.replace(call.find("{}"), 2, object);
  fragment.code +=
      fmt::format("extern \"C\" __global__ void __launch_bounds__({})\n{}({}) {{\n  {};\n}}\n",
                  entry.threads, kernel.kernel, parameters, call);
  return {kernel.kernel, {}, std::move(kernel)};
}

}  // namespace kw::codegen
