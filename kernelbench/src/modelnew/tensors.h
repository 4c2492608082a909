#pragma once
// What a ModelNew is given, holds and gives back.

#include <string>
#include <vector>

#include "kw/core/task.h"

namespace kw::bench {

struct Tensors {
  std::vector<ValueId> inputs;   // of forward(), in order
  std::vector<ValueId> held;     // weights and state that a call needs
  std::vector<ValueId> results;  // of forward(), in order
  std::vector<ValueId> updates;  // new values of `updated`, made after the results
  std::vector<std::string> updated;
};

/// Splits the graph's outputs into results and new state ("NAME.next" of a state NAME). Unsupported
/// for strided or coded tensors and for an output that is no value of its own.
Result<Tensors> tensors_of(const Task& task);

/// Rows of _kw_constructor and of _kw_buffers. `read`: names that the plan reads. Unsupported for a
/// tensor that is read, drawn at random and not made by the constructor.
std::string constructor_rows(const Task& task);
Result<std::string> buffer_rows(const Task& task, const Tensors& tensors,
                                const std::vector<std::string>& read);

/// Entries of _kw_random: the inputs "random.K", with torch.rand or torch.randn. Unsupported for
/// other draws.
Result<std::string> random_entries(const Task& task, const Tensors& tensors);

/// "[64,3]" and "torch.float32".
std::string python_shape(const Shape& shape);
std::string python_type(DType type);

}  // namespace kw::bench
