// docs/results/red_team.md from the documents of `kernelwright doctor --red-team --json`:
//   red_team_table vm.json [h100.json ...]

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "kw/core/json.h"

namespace {

using kw::Json;

struct Device {
  std::string name;
  std::size_t hostile = 0, caught = 0, honest = 0, passed = 0, not_judged = 0;
};

std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

/// "V10 wrong_result", "passed", or what went otherwise, in bold.
std::string answer(const Json& one) {
  const std::string finding = one.value("finding", ""), outcome = one.value("outcome", "");
  const std::string check = one.value("check", "");
  const std::string text = check.empty() || outcome == "passed" ? outcome : check + " " + outcome;
  if (finding == "as expected") return text;
  return finding == "not judged" ? "not judged here" : fmt::format("**{}: {}**", finding, text);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Device> devices;
  std::map<std::string, std::vector<std::string>> answers;
  std::map<std::string, std::pair<std::string, std::string>> what;  // rows, about
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i]);
    std::stringstream text;
    text << file.rdbuf();
    const auto doc = kw::parse_json(text.str());
    if (!doc || !doc->is_object() || doc->value("kind", "") != "red_team") {
      std::fprintf(stderr, "%s: no report of the red team\n", argv[i]);
      return 2;
    }
    Device device;
    device.name = doc->at("device").value("name", doc->at("device").value("class", "?"));
    for (const Json& one : doc->at("cases")) {
      const std::string name = one.value("case", "");
      const bool hostile = name.starts_with("hostile/"), passed = one.value("outcome", "") == "passed";
      const bool judged = one.value("finding", "") != "not judged";
      device.not_judged += judged ? 0 : 1;
      device.hostile += hostile && judged ? 1 : 0;
      device.caught += hostile && judged && !passed ? 1 : 0;
      device.honest += !hostile && judged ? 1 : 0;
      device.passed += !hostile && judged && passed ? 1 : 0;
      std::string rows;
      for (const Json& row : one.at("rows")) rows += (rows.empty() ? "" : " ") + row.dump();
      what[name] = {rows, one.value("about", "")};
      answers[name].resize(static_cast<std::size_t>(argc) - 1, "-");
      answers[name][static_cast<std::size_t>(i) - 1] = answer(one);
    }
    devices.push_back(device);
  }
  std::string out = "| device | hostile | caught | honest | passed | not judged there |\n"
                    "|---|---:|---:|---:|---:|---:|\n";
  for (const Device& d : devices) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", d.name, d.hostile, d.caught, d.honest,
                       d.passed, d.not_judged);
  }
  out += "\n| case | rows of the catalogue | what it does |";
  for (const Device& d : devices) out += fmt::format(" {} |", d.name);
  out += "\n|---|---|---|";
  for (std::size_t i = 0; i < devices.size(); ++i) out += "---|";
  for (const auto& [name, text] : answers) {
    out += fmt::format("\n| {} | {} | {} |", name, what[name].first, cell(what[name].second));
    for (const std::string& one : text) out += fmt::format(" {} |", one);
  }
  std::printf("%s\n", out.c_str());
  return 0;
}
