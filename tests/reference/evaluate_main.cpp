// reference_evaluate TASK.json FOLDER: runs a task's graph in the interpreter on given numbers.
//
// FOLDER/NAME.f64 holds each input, weight and state as raw doubles; FOLDER/NAME.out.f64 and
// FOLDER/NAME.bound.f64 receive each output and its bound. kernelbench/python/check_reference.py
// compares them with PyTorch in float64.

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "kw/core/task.h"
#include "kw/reference/interpret.h"

namespace kw::reference {
namespace {

Status read_numbers(const std::string& path, std::vector<double>& into) {
  std::ifstream file(path, std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(into.size() * sizeof(double));
  file.read(reinterpret_cast<char*>(into.data()), bytes);
  if (file.gcount() != bytes) return fail(Errc::Io, "{} holds fewer numbers", path);
  return {};
}
void write_numbers(const std::string& path, const std::vector<double>& numbers) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(numbers.data()),
             static_cast<std::streamsize>(numbers.size() * sizeof(double)));
}

Status evaluate(const std::string& document, const std::string& folder) {
  std::ifstream file(document);
  std::stringstream text;
  text << file.rdbuf();
  KW_ASSIGN(const Task task, parse_task(text.str()));
  Tensors inputs;
  for (const Draw& draw : task.draws) {
    const Value& value = task.graph.value(draw.value);
    Tensor tensor = make_tensor(value.shape);
    KW_RETURN_IF_ERROR(read_numbers(folder + "/" + value.name + ".f64", tensor.value));
    inputs.emplace(draw.value, std::move(tensor));
  }
  KW_ASSIGN(auto outputs,
            interpret(task.graph, format_table(task.formats), inputs, {.policy = task.policy}));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = task.graph.value(task.graph.outputs[i]).name;
    write_numbers(folder + "/" + name + ".out.f64", outputs[i].value);
    if (outputs[i].bound.empty()) outputs[i].bound.resize(outputs[i].size());
    write_numbers(folder + "/" + name + ".bound.f64", outputs[i].bound);
  }
  return {};
}

}  // namespace
}  // namespace kw::reference

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "reference_evaluate TASK.json FOLDER\n";
    return 2;
  }
  const kw::Status done = kw::reference::evaluate(arguments[1], arguments[2]);
  if (!done) std::cerr << done.error().message << "\n";
  return done ? 0 : 1;
}
