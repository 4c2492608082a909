#include "sources.h"

#include <array>
#include <filesystem>
#include <fstream>

namespace kw::agent::vm {
namespace {

constexpr std::size_t kMaxFileBytes = 1u << 20;
constexpr std::size_t kMaxLineShown = 100;

// The compile service gives every source one name.
bool is_the_source(const Module& module, const std::string& file) {
  return module.is_cuda && std::filesystem::path(file).filename() == "candidate.cu";
}

bool is_code(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 7> kEndings{".cu",  ".cuh", ".h", ".hpp",
                                                     ".cpp", ".cc",  ".py"};
  const std::string ending = path.extension();
  for (const std::string_view each : kEndings) {
    if (ending == each) return true;
  }
  return false;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string read_code(const std::filesystem::path& path) {
  std::error_code ec;
  if (!is_code(path) || !std::filesystem::is_regular_file(path, ec)) return {};
  const auto size = std::filesystem::file_size(path, ec);
  if (ec || size > kMaxFileBytes) return {};
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Sources::Sources(const Module& module) : module_(module) {}

std::string Sources::shown(const std::string& file) const {
  return is_the_source(module_, file) ? module_.path : file;
}

const std::vector<std::string>& Sources::lines_of(const std::string& file) {
  const auto known = files_.find(file);
  if (known != files_.end()) return known->second;
  std::string text;
  if (is_the_source(module_, file)) {
    text = module_.text;
  } else if (!module_.is_cuda && !file.empty()) {
    text = read_code(file);
    const std::filesystem::path beside = std::filesystem::path(module_.path).parent_path();
    if (text.empty()) text = read_code(beside / std::filesystem::path(file).filename());
  }
  return files_.emplace(file, split_lines(text)).first->second;
}

std::optional<std::string> Sources::line(const std::string& file, std::uint32_t number) {
  const std::vector<std::string>& lines = lines_of(file);
  if (number == 0 || number > lines.size()) return std::nullopt;
  std::string text = lines[number - 1];
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (text.size() > kMaxLineShown) text = text.substr(0, kMaxLineShown - 3) + "...";
  return text;
}

}  // namespace kw::agent::vm
