// Cooperative groups, as NVRTC compiles them.

#include <map>

#include "ptxvm/foreign.h"

namespace kw::ptxvm {
namespace {

std::vector<int> small_numbers(std::size_t n, int below, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<int> out(n);
  for (int& x : out) x = static_cast<int>(engine() % static_cast<std::uint32_t>(below));
  return out;
}

TEST(CooperativeGroups, TilesReduceShuffleScanAndVote) {
  constexpr std::size_t n = 96;
  Foreign k("groups/groups.ptx");
  const auto in = small_numbers(n, 10, 1);
  const auto sums = k.out<int>("sums", n / 8), shuffled = k.out<int>("shuffled", n),
             prefixes = k.out<int>("prefixes", n);
  const auto odd = k.out<unsigned>("odd", n);
  k.run({1}, n, 0, Arguments(k.in("in", in), sums, shuffled, prefixes, odd), "tiles");
  std::vector<int> want_sums(n / 8), want_shuffled, want_prefixes;
  std::vector<unsigned> want_odd;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t first = i / 8 * 8, rank = i % 8;
    want_prefixes.push_back(want_sums[i / 8]);
    want_sums[i / 8] += in[i];
    want_shuffled.push_back(in[first + (rank ^ 3)] + (rank < 7 ? in[i + 1] : 0));
    unsigned ballot = 0;
    for (unsigned j = 0; j < 8; ++j) {
      if (in[first + j] % 2 != 0) ballot |= 1u << j;
      if (in[first + j] == 5) ballot |= 256;
    }
    want_odd.push_back(ballot);
  }
  EXPECT_EQ(download<int>(k.memory, sums), want_sums);
  EXPECT_EQ(download<int>(k.memory, shuffled), want_shuffled);
  EXPECT_EQ(download<int>(k.memory, prefixes), want_prefixes);
  EXPECT_EQ(download<unsigned>(k.memory, odd), want_odd);
}

TEST(CooperativeGroups, TilesOfASizeKnownAtRunTime) {
  constexpr std::size_t n = 64;
  const auto in = small_numbers(n, 100, 2);
  for (const std::size_t size : {4u, 16u, 32u}) {
    Foreign k("groups/groups.ptx");
    const auto sums = k.out<int>("sums", n / size);
    k.run({1}, n, n * sizeof(int), Arguments(k.in("in", in), sums, static_cast<int>(size)),
          "runtime_tiles");
    std::vector<int> want(n / size);
    for (std::size_t i = 0; i < n; ++i) want[i / size] += in[i];
    EXPECT_EQ(download<int>(k.memory, sums), want);
  }
}

TEST(CooperativeGroups, CoalescedThreadsCompactWithOneAtomic) {
  constexpr std::size_t n = 300;
  Foreign k("groups/groups.ptx");
  const auto in = small_numbers(n, 1000, 3);
  const auto out = k.out<int>("out", n), count = upload(k.memory, "count", std::vector<int>(1));
  k.run({5}, 64, 0, Arguments(k.in("in", in), out, count, int{n}), "compact");
  std::vector<int> want;
  for (const int x : in) {
    if (x % 3 == 0) want.push_back(x);
  }
  ASSERT_EQ(download<int>(k.memory, count).front(), static_cast<int>(want.size()));
  auto got = download<int>(k.memory, out);
  got.resize(want.size());
  std::sort(got.begin(), got.end());
  std::sort(want.begin(), want.end());
  EXPECT_EQ(got, want);
}

TEST(CooperativeGroups, LabelsAndBinaryPartitions) {
  constexpr std::size_t n = 64;
  Foreign k("groups/groups.ptx");
  const auto in = small_numbers(n, 5, 4);
  const auto sums = k.out<int>("sums", n);
  const auto members = k.out<unsigned>("members", n);
  k.run({1}, n, 0, Arguments(k.in("in", in), sums, members), "labels");
  std::vector<int> want_sums;
  std::vector<unsigned> want_members;
  for (std::size_t i = 0; i < n; ++i) {
    int sum = 0;
    unsigned size = 0, rank = 0;
    for (std::size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) {
      if (in[j] == in[i]) sum += in[j] + 1;
      if ((in[j] > 2) != (in[i] > 2)) continue;
      ++size;
      rank += j < i ? 1 : 0;
    }
    want_sums.push_back(sum);
    want_members.push_back(size * 100 + rank);
  }
  EXPECT_EQ(download<int>(k.memory, sums), want_sums);
  EXPECT_EQ(download<unsigned>(k.memory, members), want_members);
}

TEST(CooperativeGroups, AsynchronousCopyToSharedMemory) {
  Foreign k("groups/groups.ptx");
  const auto in = random_floats(512, 5);
  const auto out = k.out<float>("out", 512);
  k.run({2}, 256, 0, Arguments(k.in("in", in), out), "async_copy");
  std::vector<float> want;
  for (std::size_t i = 0; i < 512; ++i) want.push_back(in[i / 256 * 256 + 255 - i % 256]);
  EXPECT_EQ(download<float>(k.memory, out), want);
}

TEST(CooperativeGroups, TheWholeGridWaitsForItself) {
  constexpr std::size_t n = 6 * 64;
  Foreign k("groups/groups.ptx");
  const auto in = small_numbers(n, 100, 6);
  const auto scratch = k.out<int>("scratch", 3 * n), out = k.out<int>("out", n);
  k.run({6}, 64, 0, Arguments(k.in("in", in), scratch, out), "grid_phases");
  std::vector<int> v = in;
  for (int phase = 0; phase < 3; ++phase) {
    const std::vector<int> before = v;
    for (std::size_t i = 0; i < n; ++i) v[i] += before[(i + 17) % n];
  }
  EXPECT_EQ(download<int>(k.memory, out), v);
}

}  // namespace
}  // namespace kw::ptxvm
