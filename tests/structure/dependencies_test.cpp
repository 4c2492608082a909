// The drawing of the folders' README is true: no include crosses an edge that is not drawn there.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

// Part of the tree -> the include prefixes it may use besides its own ("kw/core/..." is prefix
// "core").
struct Part {
  std::string own;
  std::set<std::string> may_use;
};

const std::map<std::string, Part>& parts() {
  static const std::map<std::string, Part> kParts{
      {"codegen/core", {"core", {}}},
      {"codegen/process", {"process", {"core"}}},
      {"codegen/compile", {"compile", {"core", "process"}}},
      {"codegen/launch", {"launch", {"core", "process"}}},
      {"codegen", {"codegen", {"core", "process", "compile", "launch"}}},
      {"verifier/reference", {"reference", {"core"}}},
      {"verifier/ptxvm", {"ptxvm", {"core"}}},
      {"verifier/redteam", {"redteam", {"core", "verify"}}},
      {"verifier", {"verify", {"core", "process", "compile", "launch", "reference", "ptxvm"}}},
      {"search", {"search", {"core"}}},
      {"memory_store", {"store", {"core"}}},
      {"kernelbench", {"bench", {"core", "process", "launch"}}},
      {"agent",
       {"agent",
        {"core", "process", "compile", "launch", "codegen", "verify", "reference", "ptxvm",
         "redteam", "search", "store", "bench"}}},
  };
  return kParts;
}

const Part* part_of(const std::string& path) {
  const Part* best = nullptr;
  std::size_t length = 0;
  for (const auto& [folder, part] : parts()) {
    if (path.starts_with(folder + "/") && folder.size() >= length)
      best = &part, length = folder.size();
  }
  return best;
}

bool is_source(const fs::path& path) {
  const std::string extension = path.extension();
  return extension == ".h" || extension == ".cpp" || extension == ".hpp";
}

// The include directives of a file: {line number, path}.
std::vector<std::pair<int, std::string>> includes(const fs::path& path) {
  std::vector<std::pair<int, std::string>> found;
  std::ifstream in(path);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const std::size_t hash = line.find_first_not_of(" \t");
    if (hash == std::string::npos || line.compare(hash, 8, "#include") != 0) continue;
    const std::size_t open = line.find_first_of("<\"", hash + 8);
    if (open == std::string::npos) continue;
    const std::size_t close = line.find_first_of(">\"", open + 1);
    if (close != std::string::npos)
      found.emplace_back(number, line.substr(open + 1, close - open - 1));
  }
  return found;
}

template <typename Visit>
void for_each_source(Visit visit) {
  const fs::path root = KW_SOURCE_DIR;
  for (const char* top :
       {"codegen", "verifier", "search", "memory_store", "kernelbench", "agent"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (entry.is_regular_file() && is_source(entry.path())) {
        visit(fs::relative(entry.path(), root).string(), entry.path());
      }
    }
  }
}

TEST(Dependencies, NoIncludeCrossesAnEdgeThatIsNotDrawn) {
  int checked = 0;
  for_each_source([&](const std::string& relative, const fs::path& path) {
    const Part* part = part_of(relative);
    ASSERT_NE(part, nullptr) << relative << " belongs to no part";
    for (const auto& [line, include] : includes(path)) {
      EXPECT_EQ(include.find("tests/"), std::string::npos)
          << relative << ":" << line << " uses a test's file";
      if (!include.starts_with("kw/")) continue;
      ++checked;
      const std::string prefix = include.substr(3, include.find('/', 3) - 3);
      EXPECT_TRUE(prefix == part->own || part->may_use.contains(prefix))
          << relative << ":" << line << ": " << part->own << " may not include kw/" << prefix;
    }
  });
  EXPECT_GT(checked, 50);
}

TEST(Dependencies, HeavyHeadersStayInTheirPlaces) {
  for_each_source([&](const std::string& relative, const fs::path& path) {
    const bool is_public = relative.find("/include/") != std::string::npos;
    for (const auto& [line, include] : includes(path)) {
      const std::string place = relative + ":" + std::to_string(line) + " includes " + include;
      if (include == "sqlite3.h") {
        EXPECT_TRUE(relative.starts_with("memory_store/src/")) << place;
      }
      if (include.starts_with("boost/") || include == "CLI/CLI.hpp" || include == "CLI11.hpp" ||
          include == "curl/curl.h") {
        EXPECT_TRUE(relative.starts_with("agent/") && !is_public) << place;
      }
      if (include == "cuda.h" || include == "nvrtc.h" || include == "sqlite3.h") {
        EXPECT_FALSE(is_public) << place;
      }
      if (include == "nlohmann/json.hpp") {
        EXPECT_EQ(relative, "codegen/core/include/kw/core/json.h") << place;
      }
      if (include == "regex") ADD_FAILURE() << place << ": <regex> costs seconds per file";
    }
  });
}

TEST(Dependencies, EveryPartHasAReadme) {
  for (const auto& [folder, part] : parts()) {
    EXPECT_TRUE(fs::exists(fs::path(KW_SOURCE_DIR) / folder / "README.md")) << folder;
  }
}

}  // namespace
