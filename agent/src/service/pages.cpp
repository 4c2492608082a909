#include "pages.h"

#include <map>

#include "kw/core/sha256.h"
#include "web_table.h"

namespace kw::agent {
namespace {

std::string mime(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

std::map<std::string, HttpReply> build() {
  std::map<std::string, HttpReply> pages;
  for (const EmbeddedFile& file : embedded_web_files()) {
    HttpReply reply{200, mime(file.name), std::string(file.text), {}};
    reply.headers.emplace_back("ETag", "\"" + sha256_hex(file.text).substr(0, 16) + "\"");
    reply.headers.emplace_back("Content-Security-Policy",
                               "default-src 'self'; frame-ancestors 'none'");
    if (file.name == "index.html") pages["/"] = reply;
    pages["/" + std::string(file.name)] = std::move(reply);
  }
  return pages;
}

}  // namespace

const HttpReply* find_page(const std::string& path) {
  static const std::map<std::string, HttpReply> kPages = build();
  const auto it = kPages.find(path);
  return it == kPages.end() ? nullptr : &it->second;
}

}  // namespace kw::agent
