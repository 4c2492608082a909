// The first 41 tasks at small sizes, solved in the virtual machine by the program as a user runs
// it.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "fakes/temp_dir.h"
#include "program.h"

namespace kw::e2e {
namespace {

TEST(FirstTasks, AreAllSolvedWithoutAGpu) {
  const fakes::TempDir dir;
  const Ended ended =
      run({"generate", "first41", "--device", "vm", "--json", "--store", dir / "s.sqlite"});
  ASSERT_EQ(ended.code, 0) << ended.err << ended.out;
  const auto answer = nlohmann::json::parse(ended.out);
  ASSERT_EQ(answer["results"].size(), 41u);
  std::vector<double> seconds;
  for (const auto& result : answer["results"]) {
    const auto task = result["task"].get<std::string>();
    EXPECT_EQ(result["status"], "solved") << task;
    EXPECT_EQ(result["winner"]["judged_again"], true) << task;
    seconds.push_back(result["seconds"].get<double>());
    EXPECT_LT(seconds.back(), 20) << task;
  }
  std::sort(seconds.begin(), seconds.end());
  EXPECT_LT(seconds[seconds.size() / 2], 3);
}

}  // namespace
}  // namespace kw::e2e
