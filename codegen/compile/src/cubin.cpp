#include "cubin.h"

#include <elf.h>

#include <cstring>
#include <optional>
#include <vector>

namespace kw::compile {

namespace {

/// Reads a T at `offset`; nullopt past the end. Every offset in a cubin is somebody else's number.
template <typename T>
std::optional<T> read_at(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string_view slice(std::string_view bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset > bytes.size() || bytes.size() - offset < size) return {};
  return bytes.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

std::string_view name_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return {};
  const std::string_view rest = table.substr(static_cast<std::size_t>(offset));
  return rest.substr(0, rest.find('\0'));
}

struct Section {
  std::string_view name;
  Elf64_Shdr head;
};

std::vector<Section> sections(std::string_view elf) {
  const auto head = read_at<Elf64_Ehdr>(elf, 0);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
      head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_shentsize != sizeof(Elf64_Shdr)) {
    return {};
  }
  const auto row = [&](std::uint64_t i) {
    return read_at<Elf64_Shdr>(elf, head->e_shoff + i * sizeof(Elf64_Shdr));
  };
  const auto names_head = row(head->e_shstrndx);
  if (!names_head) return {};
  const std::string_view names = slice(elf, names_head->sh_offset, names_head->sh_size);
  std::vector<Section> out;
  for (std::uint64_t i = 0; i < head->e_shnum; ++i) {
    const auto section = row(i);
    if (!section) return {};
    out.push_back({name_at(names, section->sh_name), *section});
  }
  return out;
}

std::vector<std::string_view> symbol_names(std::string_view elf, const std::vector<Section>& all) {
  std::vector<std::string_view> out;
  for (const Section& section : all) {
    if (section.head.sh_type != SHT_SYMTAB || section.head.sh_link >= all.size()) continue;
    const Elf64_Shdr& names_head = all[section.head.sh_link].head;
    const std::string_view names = slice(elf, names_head.sh_offset, names_head.sh_size);
    const std::string_view rows = slice(elf, section.head.sh_offset, section.head.sh_size);
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= rows.size(); at += sizeof(Elf64_Sym)) {
      out.push_back(name_at(names, read_at<Elf64_Sym>(rows, at)->st_name));
    }
  }
  return out;
}

}  // namespace

std::map<std::string, KernelResources> kernel_resources(std::string_view cubin) {
  constexpr std::uint8_t kFormatSized = 0x04, kFrameSize = 0x11, kRegCount = 0x2f;
  std::map<std::string, KernelResources> out;
  const std::vector<Section> all = sections(cubin);
  for (const Section& section : all) {
    if (section.name.starts_with(".text.")) out[std::string(section.name.substr(6))];
  }
  for (const Section& section : all) {
    if (!section.name.starts_with(".nv.shared.")) continue;
    const auto kernel = out.find(std::string(section.name.substr(11)));
    if (kernel != out.end()) {
      kernel->second.shared_bytes = static_cast<std::int64_t>(section.head.sh_size);
    }
  }
  const std::vector<std::string_view> symbols = symbol_names(cubin, all);
  for (const Section& section : all) {
    if (section.name != ".nv.info") continue;
    const std::string_view info = slice(cubin, section.head.sh_offset, section.head.sh_size);
    // Entries: format, attribute, 16-bit size or value; then `size` bytes if the format says so.
    for (std::uint64_t at = 0; at + 4 <= info.size();) {
      const auto format = read_at<std::uint8_t>(info, at);
      const auto attribute = read_at<std::uint8_t>(info, at + 1);
      const auto size = read_at<std::uint16_t>(info, at + 2);
      at += 4;
      if (*format != kFormatSized) continue;
      const auto symbol = read_at<std::uint32_t>(info, at);
      const auto value = read_at<std::uint32_t>(info, at + 4);
      at += *size;
      if (*size != 8 || !symbol || !value || *symbol >= symbols.size()) continue;
      const auto kernel = out.find(std::string(symbols[*symbol]));
      if (kernel == out.end()) continue;
      if (*attribute == kRegCount) kernel->second.registers = static_cast<int>(*value);
      if (*attribute == kFrameSize) kernel->second.local_bytes = *value;
    }
  }
  return out;
}

}  // namespace kw::compile
