#pragma once
// What is kept of a compile beside its PTX and cubin.

#include <string>
#include <string_view>

#include "kw/core/interfaces.h"

namespace kw::store {

std::string compile_result_text(const CompileResult& result);
/// A module without its ptx and cubin.
Result<CompileResult> compile_result_from(std::string_view text);

}  // namespace kw::store
