#pragma once
// The process that computes references on a GPU. A program that judges on GPUs offers its role in
// main().

#include "kw/process/role.h"

namespace kw::verify {

inline constexpr std::string_view kReferenceRole = "reference";
process::Role reference_role();

}  // namespace kw::verify
