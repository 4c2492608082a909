// "//! key: value" lines at the head of a .cu file, and what they make of it (README.md).

#include <algorithm>
#include <charconv>
#include <sstream>

#include "kw/core/embedded.h"
#include "kw/core/json.h"
#include "kw/redteam/redteam.h"
#include "tasks.h"

namespace kw::redteam {

std::span<const EmbeddedFile> embedded_kernels();

namespace {

using Words = std::vector<std::string>;

Words split(std::string_view text) {
  std::istringstream in{std::string(text)};
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

Result<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Errc::InvalidArgument, "'{}' is no integer", text);
  }
  return value;
}

struct Line {
  std::string key, value;
};

std::vector<Line> manifest_lines(std::string_view text) {
  std::vector<Line> lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line) && line.starts_with("//! ");) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) {
      if (!lines.empty()) lines.back().value += " " + line.substr(4);  // continued
      continue;
    }
    lines.push_back({line.substr(4, colon - 4), line.substr(colon + 2)});
  }
  return lines;
}

/// "2", "2,3": missing extents are 1. Each is an expression of the plan.
Result<std::array<Expr, 3>> extent(std::string_view text) {
  std::array<Expr, 3> out{1, 1, 1};
  for (std::size_t i = 0; i < 3 && !text.empty(); ++i) {
    const std::string_view one = text.substr(0, text.find(','));
    KW_ASSIGN(out[i], Expr::parse(one));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
  }
  return out;
}

/// A buffer's name, or "i32:195", "f32:0.5".
Result<PlanArg> argument(const std::string& word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string::npos) {
    const std::size_t plus = word.find('+');  // "ws+64": an offset in bytes
    BufferArg buffer{word.substr(0, plus), {}};
    if (plus != std::string::npos) {
      KW_ASSIGN(buffer.offset, Expr::parse(word.substr(plus + 1)));
    }
    return PlanArg{buffer};
  }
  const std::string type = word.substr(0, colon), value = word.substr(colon + 1);
  if (type.starts_with("f")) return PlanArg{ScalarArg{type, std::stod(value)}};
  KW_ASSIGN(const Expr expr, Expr::parse(value));
  return PlanArg{ScalarArg{type, expr}};
}

/// KERNEL grid G block B [shared S] [cooperative] [args ...]
Result<PlanNode> launch_node(const LaunchPlan& plan, const std::string& text, std::size_t number) {
  const Words words = split(text);
  if (words.empty()) return fail(Errc::InvalidArgument, "a launch without a kernel");
  KernelNode kernel;
  kernel.kernel = words[0];
  bool listed = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string next = i + 1 < words.size() ? words[i + 1] : "";
    if (listed) {
      KW_ASSIGN(PlanArg arg, argument(words[i]));
      kernel.args.push_back(std::move(arg));
    } else if (words[i] == "args") {
      listed = true;
    } else if (words[i] == "cooperative") {
      kernel.cooperative = true;
    } else if (words[i] == "grid") {
      KW_ASSIGN(kernel.grid, extent(next));
      ++i;
    } else if (words[i] == "block") {
      KW_ASSIGN(kernel.block, extent(next));
      ++i;
    } else if (words[i] == "shared") {
      KW_ASSIGN(kernel.shared, Expr::parse(next));
      ++i;
    } else {
      return fail(Errc::InvalidArgument, "launch: what is '{}'?", words[i]);
    }
  }
  if (!listed) {
    for (const PlanBuffer& buffer : plan.buffers) kernel.args.emplace_back(BufferArg{buffer.name, {}});
  }
  PlanNode node;
  node.id = fmt::format("{}{}", kernel.kernel, number);
  node.what = std::move(kernel);
  return node;
}

/// NAME BYTES [each BYTE | once BYTE]
Result<PlanBuffer> scratch_buffer(const std::string& text) {
  const Words words = split(text);
  if (words.size() != 2 && words.size() != 4) {
    return fail(Errc::InvalidArgument, "scratch: NAME BYTES [each BYTE | once BYTE]");
  }
  PlanBuffer buffer;
  buffer.name = words[0];
  KW_ASSIGN(buffer.bytes, Expr::parse(words[1]));
  if (words.size() == 4) {
    buffer.init = words[2] == "each" ? BufferInit::EachRun : BufferInit::Once;
    KW_ASSIGN(const std::int64_t fill, integer(words[3]));
    buffer.fill = static_cast<std::uint8_t>(fill);
  }
  return buffer;
}

/// KIND|KIND [by CHECK|CHECK]
Status expect(Case& c, const std::string& text) {
  const Words words = split(text);
  c.kinds.clear();
  c.checks.clear();
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "by") continue;
    std::istringstream in(words[i]);
    for (std::string one; std::getline(in, one, '|');) {
      if (i > 0) {
        c.checks.push_back(one);
        continue;
      }
      const auto kind = parse_reject_kind(one);
      if (!kind) return fail(Errc::InvalidArgument, "no kind of rejection '{}'", one);
      c.kinds.push_back(*kind);
    }
  }
  return {};
}

/// "/buffers/1/alias_of = x": what the plan's own text could say and no builder here would.
Status patch_plan(LaunchPlan& plan, const std::string& text) {
  const std::size_t equal = text.find(" = ");
  if (equal == std::string::npos) return fail(Errc::InvalidArgument, "plan: POINTER = VALUE");
  Json doc = Json::parse(to_json(plan), nullptr, false);
  const Json value = Json::parse(text.substr(equal + 3), nullptr, false);
  if (value.is_discarded()) return fail(Errc::InvalidArgument, "plan: '{}' is no JSON", text);
  try {
    doc[Json::json_pointer(text.substr(0, equal))] = value;
  } catch (const Json::exception& e) {
    return fail(Errc::InvalidArgument, "plan: {}", e.what());
  }
  KW_ASSIGN(plan, parse_launch_plan(doc.dump()));
  return {};
}

void bind_values(const Task& task, LaunchPlan& plan) {
  for (const Value& v : task.graph.values) {
    if (v.role == Role::Scratch) continue;
    PlanBuffer buffer;
    buffer.name = v.name;
    buffer.role = v.role;
    buffer.dtype = v.dtype;
    buffer.bytes = Expr(byte_size(v).value_or(0));
    plan.buffers.push_back(buffer);
  }
}

/// One variant of a file: lines with the variant's own last, `defines` before the source.
Result<Case> make_case(const std::vector<Line>& lines, std::string_view source, bool hostile,
                       const std::string& defines) {
  Case c;
  c.hostile = hostile;
  c.candidate.source = defines + std::string(source);
  c.candidate.proposer = ProposerKind::User;
  c.candidate.generator = "redteam";
  LaunchPlan& plan = c.candidate.plan;
  const auto each = [&](std::string_view key, auto&& use) -> Status {
    for (const Line& line : lines) {
      if (line.key != key) continue;
      KW_RETURN_IF_ERROR(use(line.value));
    }
    return {};
  };
  KW_RETURN_IF_ERROR(each("task", [&](const std::string& text) -> Status {
    const Words words = split(text);
    std::vector<std::int64_t> extents;
    for (std::size_t i = 1; i < words.size(); ++i) {
      KW_ASSIGN(const std::int64_t e, integer(words[i]));
      extents.push_back(e);
    }
    KW_ASSIGN(c.task, make_task(words.empty() ? "" : words[0], extents));
    return {};
  }));
  if (c.task.graph.outputs.empty()) return fail(Errc::InvalidArgument, "no task");
  bind_values(c.task, plan);
  std::size_t number = 0;
  const auto launch_into = [&](std::vector<PlanNode>& nodes) {
    return [&](const std::string& text) -> Status {
      KW_ASSIGN(PlanNode node, launch_node(plan, text, number++));
      nodes.push_back(std::move(node));
      return {};
    };
  };
  KW_RETURN_IF_ERROR(each("scratch", [&](const std::string& text) -> Status {
    KW_ASSIGN(PlanBuffer buffer, scratch_buffer(text));
    plan.buffers.push_back(std::move(buffer));
    return {};
  }));
  KW_RETURN_IF_ERROR(each("setup", launch_into(plan.setup)));
  KW_RETURN_IF_ERROR(each("launch", launch_into(plan.run)));
  KW_RETURN_IF_ERROR(each("plan", [&](const std::string& text) { return patch_plan(plan, text); }));
  KW_RETURN_IF_ERROR(each("expect", [&](const std::string& text) { return expect(c, text); }));
  for (const Line& line : lines) {
    if (line.key == "about") c.about = line.value;
    if (line.key == "determinism" && line.value == "bitwise") {
      c.task.determinism = Determinism::Bitwise;
    }
    if (line.key == "policy") {
      KW_ASSIGN(c.task.policy, parse_policy(line.value));
    }
    if (line.key == "deadline_ms") {
      KW_ASSIGN(c.deadline_ms, integer(line.value));
    }
    if (line.key == "slow") c.slow = true;
    if (line.key == "pending") c.pending = true;
    if (line.key != "rows") continue;
    for (const std::string& word : split(line.value)) {
      KW_ASSIGN(const std::int64_t row, integer(word));
      c.rows.push_back(static_cast<int>(row));
    }
  }
  if (hostile && c.kinds.empty()) return fail(Errc::InvalidArgument, "a hostile one expects a kind");
  return c;
}

}  // namespace

Result<std::vector<Case>> parse_cases(const std::string& stem, std::string_view text,
                                      bool hostile) {
  const std::vector<Line> lines = manifest_lines(text);
  std::vector<Line> common;
  std::vector<std::string> variants;
  for (const Line& line : lines) {
    if (line.key == "variant") {
      variants.push_back(line.value);
    } else {
      common.push_back(line);
    }
  }
  const bool plain = variants.empty();
  if (plain) variants.emplace_back();
  std::vector<Case> out;
  for (const std::string& variant : variants) {
    // NAME MACRO=VALUE ... [;; key: value ...]; no space in a macro's value
    std::vector<Line> mine = common;
    std::string head = variant.substr(0, variant.find(";;"));
    for (std::size_t at = variant.find(";;"); at != std::string::npos;) {
      const std::size_t end = variant.find(";;", at + 2);
      const std::size_t length = end == std::string::npos ? end : end - at - 2;
      std::string part = variant.substr(at + 2, length);
      part.resize(part.find_last_not_of(' ') + 1);
      const std::size_t colon = part.find(": ");
      const std::size_t begin = part.find_first_not_of(' ');
      if (colon != std::string::npos) {
        std::string key = part.substr(begin, colon - begin);
        const bool another = key.ends_with('+');  // "launch+": besides, not instead
        if (another) key.pop_back();
        if (!another) std::erase_if(mine, [&](const Line& line) { return line.key == key; });
        mine.push_back({key, part.substr(colon + 2)});
      }
      at = end;
    }
    const Words words = split(head);
    std::string defines;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::size_t equal = words[i].find('=');
      defines += "#define " + words[i].substr(0, equal) + " " +
                 (equal == std::string::npos ? "1" : words[i].substr(equal + 1)) + "\n";
    }
    auto made = make_case(mine, text, hostile, defines);
    const std::string name = stem + (plain ? "" : "." + words.at(0));
    if (!made) return wrap(made.error(), name);
    made->name = name;
    out.push_back(std::move(*made));
  }
  return out;
}

Result<std::vector<Case>> cases() {
  std::vector<Case> all;
  for (const EmbeddedFile& file : embedded_kernels()) {
    const std::string stem(file.name);
    KW_ASSIGN(std::vector<Case> some, parse_cases(stem, file.text, stem.starts_with("hostile/")));
    std::ranges::move(some, std::back_inserter(all));
  }
  return all;
}

}  // namespace kw::redteam
