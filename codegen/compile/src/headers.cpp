#include "headers.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <deque>
#include <fstream>
#include <set>
#include <sstream>

#include "kw/core/sha256.h"

namespace kw::compile {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kFolders{
    "crt/", "cooperative_groups/", "nv/", "cuda/", "cub/", "thrust/"};
constexpr std::array<std::string_view, 14> kFiles{"mma.h",
                                                  "cooperative_groups.h",
                                                  "vector_types.h",
                                                  "vector_functions.h",
                                                  "vector_functions.hpp",
                                                  "device_types.h",
                                                  "builtin_types.h",
                                                  "driver_types.h",
                                                  "host_defines.h",
                                                  "math_constants.h",
                                                  "surface_types.h",
                                                  "texture_types.h",
                                                  "library_types.h",
                                                  "cuComplex.h"};

/// Names that may be looked up at all.
bool well_formed(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.front() == '/') return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '/' || c == '.' ||
           c == '-' || c == '+';
  });
}

bool device_header(std::string_view name) {
  if (name.find('/') == std::string_view::npos) {
    const bool listed = std::ranges::find(kFiles, name) != kFiles.end();
    return listed ||
           (name.starts_with("cuda") && !name.starts_with("cudart") && name != "cuda.h") ||
           name.starts_with("sm_") || name.starts_with("device_");
  }
  return std::ranges::any_of(kFolders, [&](auto folder) { return name.starts_with(folder); });
}

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

/// The include directive that begins at `line`, if it is one: position and length of the name.
struct Directive {
  std::size_t name = 0, length = 0;
  bool quoted = false;
};
std::optional<Directive> include_at(std::string_view text, std::size_t begin, std::size_t end) {
  const auto blanks = [&](std::size_t at) {
    while (at < end && (text[at] == ' ' || text[at] == '\t')) ++at;
    return at;
  };
  std::size_t at = blanks(begin);
  if (at >= end || text[at] != '#') return std::nullopt;
  at = blanks(at + 1);
  if (text.substr(at, 7) != "include") return std::nullopt;
  at = blanks(at + 7);
  if (at >= end || (text[at] != '"' && text[at] != '<')) return std::nullopt;
  const char close = text[at] == '"' ? '"' : '>';
  const std::size_t stop = text.find(close, at + 1);
  if (stop == std::string_view::npos || stop >= end) return std::nullopt;
  return Directive{at + 1, stop - at - 1, close == '"'};
}

/// What Thrust includes by macro, which a reader of text cannot see: its two systems' tags.
std::vector<std::string> implied_includes(std::string_view header) {
  if (header == "thrust/iterator/detail/device_system_tag.h") {
    return {"thrust/system/cuda/detail/execution_policy.h"};
  }
  if (header == "thrust/iterator/detail/host_system_tag.h") {
    return {"thrust/system/cpp/detail/execution_policy.h"};
  }
  return {};
}

/// `have_cccl`: libcu++ and CUB are installed; NVIDIA's wheels of NVRTC come without them.
std::string cure_for(std::string_view name, bool have_cccl) {
  static const std::map<std::string_view, std::string_view> known{
      {"stdint.h", "cuda/std/cstdint"}, {"cstdint", "cuda/std/cstdint"},
      {"cstddef", "cuda/std/cstddef"},  {"stddef.h", "cuda/std/cstddef"},
      {"limits", "cuda/std/limits"},    {"type_traits", "cuda/std/type_traits"},
      {"utility", "cuda/std/utility"},  {"array", "cuda/std/array"},
      {"tuple", "cuda/std/tuple"},      {"limits.h", "cuda/std/climits"},
      {"climits", "cuda/std/climits"},  {"cfloat", "cuda/std/cfloat"},
      {"float.h", "cuda/std/cfloat"}};
  if (const auto found = known.find(name); found != known.end()) {
    return have_cccl ? fmt::format("use <{}>", found->second)
                     : "write plain types (int, unsigned long long): libcu++ is not installed here";
  }
  if (name == "math.h" || name == "cmath" || name == "cuda_runtime.h") {
    return "leave it out: NVRTC declares these functions itself";
  }
  if (name == "cuda.h") {
    return "declare what you need: struct __align__(64) CUtensorMap { unsigned long long "
           "opaque[16]; }";
  }
  if (!have_cccl && device_header(name)) return "it is not installed here: do without it";
  return fmt::format("only the CUDA toolkit's device headers exist here (cuda_fp16.h, mma.h{})",
                     have_cccl ? ", cuda/std/..., cub/block/..." : "");
}

}  // namespace

bool HeaderSet::exists(const std::string& name) {
  if (!well_formed(name) || !device_header(name)) return false;
  const auto [entry, fresh] = exists_.try_emplace(name, false);
  if (fresh) {
    entry->second = std::ranges::any_of(roots_, [&](const fs::path& root) {
      std::error_code ignored;
      return fs::is_regular_file(root / name, ignored);
    });
  }
  return entry->second;
}

const Header* HeaderSet::find(const std::string& name) {
  if (!exists(name)) return nullptr;
  const auto [entry, fresh] = headers_.try_emplace(name, nullptr);
  if (!fresh) return entry->second.get();
  for (const fs::path& root : roots_) {
    auto text = read_file(root / name);
    if (!text) continue;
    auto header = std::make_unique<Header>();
    header->name = name;
    header->text = std::move(*text);
    rewrite_includes(*header);
    header->hash = content_id("kw:header:v1", header->text);
    entry->second = std::move(header);
    break;
  }
  return entry->second.get();
}

/// NVRTC looks a header in memory up by the name as it is spelled, without the folder of the file
/// that includes it.
void HeaderSet::rewrite_includes(Header& header) {
  const std::string folder = fs::path(header.name).parent_path().generic_string();
  std::string out;
  const std::string_view text = header.text;
  std::size_t copied = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (const auto directive = include_at(text, begin, end)) {
      std::string name(text.substr(directive->name, directive->length));
      if (directive->quoted) {
        const std::string beside = (fs::path(folder) / name).lexically_normal().generic_string();
        if (exists(beside)) {
          out.append(text.substr(copied, directive->name - copied)).append(beside);
          copied = directive->name + directive->length;
          name = beside;
        }
      }
      if (exists(name)) header.includes.push_back(std::move(name));
    }
    begin = end + 1;
  }
  out.append(text.substr(copied));
  header.text = std::move(out);
  for (std::string& name : implied_includes(header.name))
    header.includes.push_back(std::move(name));
}

HeaderClosure HeaderSet::closure(const std::vector<SourceInclude>& includes) {
  const std::scoped_lock lock(mutex_);
  HeaderClosure result;
  std::set<std::string> seen;
  std::deque<std::string> open;
  const auto reach = [&](const std::string& name) {
    if (seen.insert(name).second) open.push_back(name);
  };
  for (const SourceInclude& include : includes) {
    if (exists(include.name)) {
      reach(include.name);
      continue;
    }
    const std::string cure = roots_.empty()
                                 ? "the toolkit's headers were not found (set KW_NVRTC_DIR)"
                                 : cure_for(include.name, exists("cuda/std/cstdint"));
    result.missing.push_back({Diagnostic::Severity::Error, include.line,
                              fmt::format("no header '{}': {}", include.name, cure)});
  }
  while (!open.empty()) {
    const Header* header = find(open.front());
    open.pop_front();
    if (header == nullptr) continue;
    result.headers.push_back(header);
    for (const std::string& name : header->includes) reach(name);
  }
  std::ranges::sort(result.headers, {},
                    [](const Header* h) -> const std::string& { return h->name; });
  std::string all;
  for (const Header* header : result.headers) all += header->name + " " + header->hash + "\n";
  result.hash = content_id("kw:headers:v1", all);
  return result;
}

}  // namespace kw::compile
