#include "ptxvm/seeded_case.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace kw::ptxvm {
namespace {

using Fill = SeededArgument::Fill;

std::size_t size_of(const std::string& type) {
  if (type.ends_with("long long") || type == "double" || type.ends_with("*")) return 8;
  return 4;
}

// "const float in[64] = ramp", "int n = 100", "float* bias = null"
Result<SeededArgument> parse_argument(std::string text) {
  SeededArgument out;
  std::string value;
  if (const auto equals = text.find(" = "); equals != std::string::npos) {
    value = text.substr(equals + 3);
    text.resize(equals);
  }
  if (const auto open = text.find('['); open != std::string::npos) {
    out.count = static_cast<std::uint32_t>(std::strtoul(text.c_str() + open + 1, nullptr, 10));
    text.resize(open);
  }
  const auto space = text.rfind(' ');
  if (space == std::string::npos) {
    return fail(Errc::InvalidArgument, "no type and name in argument '{}'", text);
  }
  out.name = text.substr(space + 1);
  out.type = text.substr(0, space);
  if (out.type.starts_with("const ")) {
    out.read_only = true;
    out.type = out.type.substr(6);
  }
  if (value == "zero") {
    out.fill = Fill::Zero;
  } else if (value == "ramp") {
    out.fill = Fill::Ramp;
  } else if (value == "values") {
    out.fill = Fill::Values;
  } else if (value == "null") {
    out.fill = Fill::Null;
  } else if (out.count == 0) {
    if (value.empty()) return fail(Errc::InvalidArgument, "argument '{}' has no value", text);
    out.fill = Fill::Number;
    out.number = static_cast<std::uint64_t>(std::strtoll(value.c_str(), nullptr, 10));
  } else if (!value.empty()) {
    return fail(Errc::InvalidArgument, "argument '{}' cannot be filled with '{}'", text, value);
  }
  return out;
}

Result<void> parse_launch(const std::string& text, SeededCase& out) {
  std::istringstream words(text);
  std::string block;
  if (!(words >> out.grid.x >> block)) {
    return fail(Errc::InvalidArgument, "launch '{}' is not GRID BLOCK [SHARED]", text);
  }
  char* end = nullptr;
  out.block.x = static_cast<std::uint32_t>(std::strtoul(block.c_str(), &end, 10));
  if (*end == ',') out.block.y = static_cast<std::uint32_t>(std::strtoul(end + 1, nullptr, 10));
  words >> out.dynamic_shared_bytes;
  return {};
}

std::vector<std::byte> contents(const SeededArgument& a) {
  std::vector<std::byte> out(a.count * size_of(a.type));
  if (a.fill == Fill::Zero) return out;
  for (std::uint32_t i = 0; i < a.count; ++i) {
    if (a.type == "float") {
      const auto value = static_cast<float>(i);
      std::memcpy(out.data() + 4 * i, &value, 4);
    } else if (a.type == "double") {
      const double value = i;
      std::memcpy(out.data() + 8 * i, &value, 8);
    } else {
      const std::uint64_t value = i;
      std::memcpy(out.data() + size_of(a.type) * i, &value, size_of(a.type));
    }
  }
  return out;
}

}  // namespace

Result<SeededCase> read_seeded_case(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file);
  SeededCase out;
  out.name = name;
  std::string line;
  for (std::uint32_t number = 1; std::getline(in, line); ++number) {
    out.source += line + "\n";
    if (line.ends_with("// BUG")) out.bug_lines.insert(number);
    if (line.starts_with("// launch: ")) KW_RETURN_IF_ERROR(parse_launch(line.substr(11), out));
    if (line.starts_with("// finds: ")) out.finds = line.substr(10);
    if (line.starts_with("// arg: ")) {
      KW_ASSIGN(SeededArgument argument, parse_argument(line.substr(8)));
      out.arguments.push_back(std::move(argument));
    }
  }
  if (out.finds.empty() || out.bug_lines.empty() || out.block.count() == 0) {
    return fail(Errc::InvalidArgument, "{}: launch, finds or BUG is missing", name);
  }
  return out;
}

Result<Launch> make_launch(const SeededCase& seeded, Memory& memory) {
  Launch launch{"k", seeded.grid, seeded.block, seeded.dynamic_shared_bytes, {}};
  const auto add = [&](const void* data, std::size_t size, std::size_t align) {
    launch.parameters.resize((launch.parameters.size() + align - 1) / align * align);
    const auto* p = static_cast<const std::byte*>(data);
    launch.parameters.insert(launch.parameters.end(), p, p + size);
  };
  for (const SeededArgument& a : seeded.arguments) {
    if (a.fill == Fill::Number) {
      add(&a.number, size_of(a.type), size_of(a.type));
    } else if (a.fill == Fill::Values) {
      const std::vector<std::byte> bytes = contents(a);
      add(bytes.data(), bytes.size(), 4);
    } else {
      std::uint64_t address = 0;
      if (a.fill == Fill::None) {
        KW_ASSIGN(address, memory.allocate(a.name, a.count * size_of(a.type)));
      } else if (a.fill != Fill::Null) {
        KW_ASSIGN(address, memory.allocate_copy(a.name, contents(a)));
      }
      if (a.read_only) KW_RETURN_IF_ERROR(memory.set_read_only(address, true));
      add(&address, sizeof address, alignof(std::uint64_t));
    }
  }
  return launch;
}

}  // namespace kw::ptxvm
