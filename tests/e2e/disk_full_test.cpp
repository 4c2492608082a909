// The store on a file system that fills up in mid job: a real one, of a few hundred KiB, in a mount
// namespace of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "fakes/temp_dir.h"
#include "kw/store/store.h"
#include "relu.h"

namespace kw::e2e {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool may_mount() {
  return std::system(
             "unshare --user --map-root-user --mount sh -c "
             "'mount -t tmpfs -o size=64k none /mnt' >/dev/null 2>&1") == 0;
}

struct DiskFull : ::testing::TestWithParam<int> {};

TEST_P(DiskFull, IsNamedAndNothingIsLostWhenThereIsSpaceAgain) {
  if (!may_mount()) GTEST_SKIP() << "user namespaces that may mount a tmpfs are needed";
  const fakes::TempDir dir;
  std::filesystem::create_directory(dir / "disk");
  std::ofstream(dir / "script") << R"(set -u
cd "$1"
mount -t tmpfs -o size="$2"k none disk || exit 1
job() {  # NAME PROGRAM TASK
  "$2" generate "$3" kernelbench:1/25@small --device vm --store disk/s.sqlite --json > "$1.out" 2> "$1.err"
  echo $? > "$1.code"
}
job full "$3" "$4"
"$3" show --store disk/s.sqlite --json > show.out 2> show.err
echo $? > show.code
mount -o remount,size=64m disk
job space "$3" "$4"
cp -r disk/* .
)";
  const std::string command = "unshare --user --map-root-user --mount sh " +
                              (dir / "script").string() + " " + dir.path().string() + " " +
                              std::to_string(GetParam()) + " " + KW_PROGRAM + " " + kReluTask;
  ASSERT_EQ(std::system(command.c_str()), 0);

  EXPECT_EQ(read_all(dir / "full.code"), "3\n") << read_all(dir / "full.err");
  const std::string said = read_all(dir / "full.out");
  EXPECT_THAT(said, HasSubstr("disk is full"));
  EXPECT_THAT(said, HasSubstr("free space"));
  EXPECT_THAT(read_all(dir / "show.code"), ::testing::AnyOf("0\n", "3\n"))
      << read_all(dir / "show.err");

  EXPECT_EQ(read_all(dir / "space.code"), "0\n") << read_all(dir / "space.err");
  const Json again = Json::parse(read_all(dir / "space.out"));
  EXPECT_EQ(again["solved"], 2);
  auto store = store::Store::open(dir / "s.sqlite");
  ASSERT_TRUE(store) << store.error().message;
  // Jobs that were recorded before the disk was full are the ones that went on.
  const Json before = Json::parse(said);
  std::size_t begun = 0;
  for (const Json& result : before.value("results", Json::array())) {
    const std::string id = result["job"].get<std::string>();
    if (id.empty()) continue;
    ++begun;
    const auto job = (*store)->job(id);
    ASSERT_TRUE(job) << job.error().message;
    EXPECT_EQ(job->state, store::JobState::Done);
  }
  const auto jobs = (*store)->jobs({});
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->size(), 2u);
  std::printf("%d KiB: %zu of 2 jobs had begun\n", GetParam(), begun);
}

INSTANTIATE_TEST_SUITE_P(KiB, DiskFull, ::testing::Values(64, 384, 512, 700));

}  // namespace
}  // namespace kw::e2e
