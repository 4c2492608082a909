#pragma once
// Conversions shared by the documents that contain a graph.

#include <string>

#include "kw/core/graph.h"
#include "kw/core/json.h"

namespace kw {

Result<Graph> graph_from_json(const Json& json, const std::string& pointer);
Json graph_to_json(const Graph& graph);

}  // namespace kw
