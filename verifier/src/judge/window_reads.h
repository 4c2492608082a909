#pragma once
// What a convolution or a pooling reads of its input, whatever algorithm computes it.

#include <optional>

#include "kw/core/graph.h"

namespace kw::verify {

struct WindowReads {
  double input_share = 1;     // of the elements of input 0 that lie in some window
  bool whole_weight = false;  // a convolution of which every tap meets the input somewhere
};

/// Of aten.conv*, aten.conv_transpose*, aten.*_pool*; nullopt for other operators and for attributes
/// in a form that is not known here.
std::optional<WindowReads> window_reads(const Graph& graph, const Node& node);

}  // namespace kw::verify
