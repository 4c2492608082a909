#pragma once
// Files that are part of the program: kw_embed() (cmake/KwEmbed.cmake) turns a folder into a table of these.

#include <string_view>

namespace kw {

struct EmbeddedFile {
  std::string_view name;  // relative to the folder, with its ending
  std::string_view text;
};

}  // namespace kw
