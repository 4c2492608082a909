#pragma once
// What a GPU is, as a message.

#include <string>
#include <string_view>

#include "kw/launch/driver.h"

namespace kw::verify {

std::string encode_ordinal(int ordinal);
int decode_ordinal(std::string_view bytes);
std::string encode(const launch::DeviceFacts& facts);
Result<launch::DeviceFacts> decode_facts(std::string_view bytes);

}  // namespace kw::verify
