// Task documents that are nearly right: named faults (tests/fuzz/corpus/task), and every committed
// small task with each of its members removed or replaced.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/bench/tasks.h"
#include "kw/core/json.h"

namespace kw::bench {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(TaskDocuments, WithANamedFaultAreRefusedAndValidOnesAccepted) {
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(KW_SOURCE_DIR "/tests/fuzz/corpus/task")) {
    const std::string name = entry.path().filename().string();
    const auto task = parse_task(read(entry.path()));
    if (name.starts_with("bad-")) {
      ++seen;
      ASSERT_FALSE(task) << name;
      EXPECT_EQ(task.error().code, Errc::InvalidArgument) << name << ": " << task.error().message;
      EXPECT_FALSE(task.error().message.empty()) << name;
    } else if (name.starts_with("valid-")) {
      ++seen;
      EXPECT_TRUE(task) << name << ": " << task.error().message;
    }
  }
  EXPECT_GT(seen, 30);
}

/// Calls `use` with copies of a document in which one member or element is missing or another
/// value.
template <typename Use>
void mutate(Json& whole, Json& place, const Use& use) {
  static const Json replacements[] = {nullptr,
                                      true,
                                      -1,
                                      0,
                                      std::int64_t{1} << 62,
                                      18446744073709551615u,
                                      1e308,
                                      -0.5,
                                      "",
                                      "x",
                                      Json::array(),
                                      Json::object(),
                                      Json::array({Json::array(), -7})};
  const Json saved = place;
  for (const Json& replacement : replacements) {
    place = replacement;
    use(whole);
  }
  place = saved;
  if (place.is_object()) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : place.items()) keys.push_back(key);
    for (const std::string& key : keys) {
      place.erase(key);
      use(whole);
      place = saved;
      mutate(whole, place[key], use);
    }
  } else if (place.is_array()) {
    for (std::size_t i = 0; i < saved.size(); ++i) {
      place.erase(i);
      use(whole);
      place = saved;
      mutate(whole, place[i], use);
    }
  }
}

TEST(TaskDocuments, WithOneMemberChangedAreRefusedOrSurviveARoundTrip) {
  std::size_t accepted = 0, refused = 0;
  for (const char* name : {"kernelbench:1/94@small", "kernelbench:2/76@small"}) {
    Json document = Json::parse(*find_task_json(name));
    mutate(document, document, [&](const Json& mutant) {
      const auto task = parse_task(dump(mutant));
      if (!task) {
        ++refused;
        ASSERT_EQ(task.error().code, Errc::InvalidArgument) << task.error().message;
        return;
      }
      ++accepted;
      ASSERT_TRUE(validate(*task));
      const std::string once = to_json(*task);
      const auto again = parse_task(once);
      ASSERT_TRUE(again) << again.error().message;
      ASSERT_EQ(to_json(*again), once);
    });
  }
  EXPECT_GT(refused, 10 * accepted / 4);
  EXPECT_GT(accepted, 0u);
}

}  // namespace
}  // namespace kw::bench
