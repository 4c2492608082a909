// CUB's block- and warp-wide algorithms and the agents of its device-wide ones.

#include <limits>
#include <numeric>

#include "ptxvm/foreign.h"

namespace kw::ptxvm {
namespace {

constexpr std::size_t kThreads = 128, kItems = 3, kTile = kThreads * kItems;

std::vector<int> integers(std::size_t n, std::uint32_t seed, int low = -1000, int high = 1000) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> draw(low, high);
  std::vector<int> out(n);
  for (int& x : out) x = draw(engine);
  return out;
}

// CUB's merges load the word behind a tile, which nobody has written, and do not use it
// (cub/block/block_merge_sort.cuh, SerialMerge; the tile has one word more for this).
auto loads_word_behind_tile(std::int64_t tile_bytes) {
  return [tile_bytes](const Finding& f) {
    return f.kind == FindingKind::UninitialisedRead && f.space == Space::Shared && !f.is_write &&
           f.bytes == 4 && f.offset % (tile_bytes + 4) == tile_bytes;
  };
}

TEST(CubBlock, ReducesInThreeWays) {
  const auto in = integers(2 * kThreads, 1);
  std::vector<int> want;
  for (std::size_t b = 0; b < 2; ++b) {
    const auto first = in.begin() + static_cast<std::ptrdiff_t>(b * kThreads);
    want.push_back(std::accumulate(first, first + kThreads, 0));
    want.push_back(*std::max_element(first, first + 100));
  }
  for (const char* kernel : {"reduce_warps", "reduce_raking", "reduce_commutative"}) {
    SCOPED_TRACE(kernel);
    Foreign k("cub/block.ptx");
    const auto out = k.out<int>("out", 4);
    k.run({2}, kThreads, 0, Arguments(k.in("in", in), out), kernel);
    EXPECT_EQ(download<int>(k.memory, out), want);
  }
}

TEST(CubBlock, ScansInThreeWays) {
  const auto in = integers(kTile, 2);
  std::vector<int> sums, maxima;
  int sum = 0, largest = in.front();
  for (const int x : in) {
    sums.push_back(sum);
    sum += x;
    maxima.push_back(largest = std::max(largest, x));
  }
  for (const char* kernel : {"scan_raking", "scan_memoize", "scan_warps"}) {
    SCOPED_TRACE(kernel);
    Foreign k("cub/block.ptx");
    const auto a = k.out<int>("sums", kTile), b = k.out<int>("maxima", kTile);
    k.run({1}, kThreads, 0, Arguments(k.in("in", in), a, b), kernel);
    EXPECT_EQ(download<int>(k.memory, a), sums);
    EXPECT_EQ(download<int>(k.memory, b), maxima);
  }
}

TEST(CubBlock, RadixSortsPairsInDescendingOrder) {
  Foreign k("cub/block.ptx");
  auto in = random_floats(kTile, 3);
  for (std::size_t i = 0; i < kTile; i += 7) in[i] = 0.25f;  // equal keys keep their order
  const auto keys = k.out<float>("keys", kTile);
  const auto values = k.out<int>("values", kTile);
  k.run({1}, kThreads, 0, Arguments(k.in("in", in), keys, values), "radix_sort");
  std::vector<int> order(kTile);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return in[static_cast<std::size_t>(a)] > in[static_cast<std::size_t>(b)];
  });
  EXPECT_EQ(download<int>(k.memory, values), order);
  std::vector<float> sorted;
  for (const int i : order) sorted.push_back(in[static_cast<std::size_t>(i)]);
  EXPECT_EQ(download<float>(k.memory, keys), sorted);
}

TEST(CubBlock, MergeSorts) {
  Foreign k("cub/block.ptx");
  auto in = integers(350, 4);
  const auto out = k.out<int>("out", in.size());
  k.run({1}, kThreads, 0, Arguments(k.in("in", in), out, 350), "merge_sort");
  std::sort(in.begin(), in.end());
  EXPECT_EQ(download<int>(k.memory, out), in);
}

TEST(CubBlock, CountsHistogramsInTwoWays) {
  std::vector<std::uint8_t> in;
  for (const int x : integers(kTile, 5, 0, 63)) in.push_back(static_cast<std::uint8_t>(x));
  std::vector<unsigned> want(64);
  for (const std::uint8_t x : in) ++want[x];
  for (const char* kernel : {"histogram_atomic", "histogram_sort"}) {
    SCOPED_TRACE(kernel);
    Foreign k("cub/block.ptx");
    const auto out = k.out<unsigned>("out", 64);
    k.run({1}, kThreads, 0, Arguments(k.in("in", in), out), kernel);
    EXPECT_EQ(download<unsigned>(k.memory, out), want);
  }
}

TEST(CubBlock, ExchangesAndFlagsHeads) {
  Foreign k("cub/block.ptx");
  const auto in = integers(kTile, 6, 0, 2);
  const auto striped = k.out<int>("striped", kTile), heads = k.out<int>("heads", kTile);
  k.run({1}, kThreads, 0, Arguments(k.in("in", in), striped, heads), "exchange_and_heads");
  std::vector<int> want(kTile);
  for (std::size_t i = 0; i < kTile; ++i) want[i] = i == 0 || in[i] != in[i - 1] ? 1 : 0;
  EXPECT_EQ(download<int>(k.memory, heads), want);
  EXPECT_EQ(download<int>(k.memory, striped), in);  // striped stores put every item back
}

TEST(CubWarp, ReducesScansAndSorts) {
  Foreign k("cub/block.ptx");
  std::vector<double> in;
  for (const int x : integers(kThreads, 7)) in.push_back(x / 64.0);
  const auto sums = k.out<double>("sums", 8), prefixes = k.out<double>("prefixes", kThreads),
             segmented = upload(k.memory, "segmented", std::vector<double>(kThreads));
  const auto sorted = k.out<int>("sorted", 2 * kThreads);
  k.documented = loads_word_behind_tile(64 * sizeof(int));
  k.run({1}, kThreads, 0, Arguments(k.in("in", in), sums, prefixes, segmented, sorted), "warps");
  std::vector<double> want_sums(8), want_prefixes, want_segmented(kThreads);
  std::vector<int> want_sorted;
  for (std::size_t t = 0; t < kThreads; ++t) {
    want_sums[t / 16] += in[t];
    want_prefixes.push_back(in[t] + (t % 32 == 0 ? 0 : want_prefixes.back()));
    std::size_t head = t - t % 5;
    if (head / 32 != t / 32) head = t / 32 * 32;
    want_segmented[head] += in[t];
    want_sorted.push_back(static_cast<int>(in[t] * 1000));
    want_sorted.push_back(static_cast<int>(in[t] * 777) - 3);
  }
  for (std::ptrdiff_t w = 0; w < 4; ++w)
    std::sort(want_sorted.begin() + 64 * w, want_sorted.begin() + 64 * (w + 1));
  EXPECT_EQ(download<double>(k.memory, sums), want_sums);
  EXPECT_EQ(download<double>(k.memory, prefixes), want_prefixes);
  EXPECT_EQ(download<double>(k.memory, segmented), want_segmented);
  EXPECT_EQ(download<int>(k.memory, sorted), want_sorted);
}

TEST(CubDevice, ReducesInTwoLaunches) {
  constexpr int n = 10007, per_block = 1024, blocks = 10;
  Foreign k("cub/device.ptx");
  const auto in = random_floats(n, 8, 0, 1);
  const auto partial = k.out<float>("partial", blocks), out = k.out<float>("out", 1);
  k.run({blocks}, kThreads, 0, Arguments(k.in("in", in), partial, n, per_block), "reduce");
  k.run({1}, kThreads, 0, Arguments(partial, out, blocks, blocks), "reduce");
  expect_near(download<float>(k.memory, out), {std::accumulate(in.begin(), in.end(), 0.0)}, 1e-5,
              0);
}

TEST(CubDevice, ScansInOnePassByLookingBack) {
  constexpr int n = 9999, tiles = (n + 511) / 512;
  Foreign k("cub/device.ptx");
  const auto in = integers(n, 9);
  const auto out = k.out<int>("out", n);
  const auto status = k.out<std::uint64_t>("status", 32 + tiles);
  k.run({1}, kThreads, 0, Arguments(status, tiles), "scan_init");
  k.run({tiles}, kThreads, 0, Arguments(k.in("in", in), out, status, n, tiles), "scan");
  std::vector<int> want;
  int sum = 5;
  for (const int x : in) {
    want.push_back(sum);
    sum += x;
  }
  EXPECT_EQ(download<int>(k.memory, out), want);
}

TEST(CubDevice, CountsHistogramsInSharedAndInGlobalMemory) {
  constexpr int n = 5001, blocks = 3;
  const auto in = random_floats(n, 12, -0.1f, 1.1f);
  std::vector<int> want(64);
  for (const float x : in) {
    if (x >= 0 && x < 1) ++want[static_cast<std::size_t>(x * 64)];
  }
  for (const char* kernel : {"histogram_shared", "histogram_global"}) {
    SCOPED_TRACE(kernel);
    Foreign k("cub/histogram.ptx");
    const auto bins = upload(k.memory, "bins", std::vector<int>(64)),
               block_bins = k.out<int>("block bins", 64 * blocks);
    k.run({blocks}, kThreads, 0, Arguments(k.in("in", in), n, bins, block_bins), kernel);
    EXPECT_EQ(download<int>(k.memory, bins), want);
  }
}

TEST(CubDevice, RadixSortsInOneSweepForEachDigit) {
  constexpr int n = 3000, bits = 18, digit_bits = 6, passes = 3, tile = 512;
  constexpr std::size_t digits = 64, tiles = (n + tile - 1) / tile;
  Foreign k("cub/device.ptx");
  std::vector<unsigned> keys, values(n);
  for (const int x : integers(n, 10, 0, (1 << bits) - 1)) keys.push_back(static_cast<unsigned>(x));
  std::iota(values.begin(), values.end(), 0u);
  const auto bins = upload(k.memory, "bins", std::vector<unsigned>(passes * digits));
  std::uint64_t from = upload(k.memory, "keys", keys), to = k.out<unsigned>("keys 2", n),
                values_from = upload(k.memory, "values", values),
                values_to = k.out<unsigned>("values 2", n);
  k.run({3}, kThreads, 0, Arguments(bins, from, unsigned{n}, bits), "radix_histogram");
  auto counts = download<unsigned>(k.memory, bins);
  for (std::size_t pass = 0; pass < passes; ++pass) {
    const auto first = counts.begin() + static_cast<std::ptrdiff_t>(pass * digits);
    std::exclusive_scan(first, first + digits, first, 0u);
  }
  const auto starts = upload(k.memory, "starts", counts);
  for (unsigned pass = 0; pass < passes; ++pass) {
    const auto lookback = upload(k.memory, "lookback", std::vector<int>(tiles * digits)),
               counter = upload(k.memory, "counter", std::vector<int>(1));
    k.run({tiles}, kThreads, 0,
          Arguments(lookback, counter, std::uint64_t{0}, starts + pass * digits * sizeof(unsigned),
                    to, from, values_to, values_from, n, static_cast<int>(pass) * digit_bits,
                    digit_bits),
          "radix_onesweep");
    std::swap(from, to);
    std::swap(values_from, values_to);
  }
  std::stable_sort(values.begin(), values.end(),
                   [&](unsigned a, unsigned b) { return keys[a] < keys[b]; });
  EXPECT_EQ(download<unsigned>(k.memory, values_from), values);
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(download<unsigned>(k.memory, from), keys);
}

TEST(CubDevice, MergeSortsTilesAlongPartitionedPaths) {
  constexpr int n = 3777, tile = 512, tiles = (n + tile - 1) / tile;
  Foreign k("cub/device.ptx");
  auto in = integers(n, 11);
  const auto a = upload(k.memory, "a", in), b = k.out<int>("b", n),
             at = k.out<int>("partitions", tiles + 1);
  k.documented = loads_word_behind_tile(tile * sizeof(int));
  bool ping = true;  // the tiles are sorted in place
  k.run({tiles}, kThreads, 0, Arguments(ping, a, a, n, b), "merge_tiles");
  for (int merged = 2; merged / 2 < tiles; merged *= 2, ping = !ping) {
    k.run({1}, 32, 0, Arguments(ping, a, b, n, tiles + 1, at, merged), "merge_partition");
    k.run({tiles}, kThreads, 0, Arguments(ping, a, n, b, at, merged), "merge");
  }
  std::sort(in.begin(), in.end());
  EXPECT_EQ(download<int>(k.memory, ping ? a : b), in);
  EXPECT_GT(k.documented_findings, 0u);
}

}  // namespace
}  // namespace kw::ptxvm
