#pragma once
// What a GPU is, as a message.

#include <string>
#include <string_view>

#include "kw/launch/driver.h"

namespace kw::verify {

std::string encode_ordinal(int ordinal);
int decode_ordinal(std::string_view bytes);
/// Which device to open, and the kernels of our own for it.
struct Opening {
  int ordinal = 0;
  std::string helper_cubin;
};
std::string encode_opening(const Opening& opening);
Opening decode_opening(std::string_view bytes);
std::string encode(const launch::DeviceFacts& facts);
Result<launch::DeviceFacts> decode_facts(std::string_view bytes);

}  // namespace kw::verify
