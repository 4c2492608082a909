#pragma once
// The page's files, embedded at build time: no request touches the file system.

#include <string>

#include "http.h"

namespace kw::agent {

/// A ready reply with its ETag as the first header; null when no file has this path ("/" is
/// index.html).
const HttpReply* find_page(const std::string& path);

}  // namespace kw::agent
