#pragma once
// What a model might answer for kernelbench:1/19 (ReLU): a good kernel and several bad ones.

#include <string>

namespace kw::e2e {

inline constexpr const char* kReluTask = "kernelbench:1/19@small";

/// An answer with a kernel that is right.
std::string good_relu_answer();
/// An answer whose kernel computes x + 1.
std::string wrong_relu_answer();
std::string host_code_answer();
inline std::string prose_answer() { return "I would use one thread per element."; }

}  // namespace kw::e2e
