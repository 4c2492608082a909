#include "ir/index.h"

#include <gtest/gtest.h>

#include "kw/core/random.h"

namespace kw::codegen {
namespace {

Index v(int i) { return Index::variable(i); }

std::int64_t floored(std::int64_t a, std::int64_t by) { return a / by - (a % by < 0 ? 1 : 0); }

std::int64_t value_at(const Index& index, const std::vector<std::int64_t>& at) {
  std::int64_t sum = index.constant;
  for (const Index::Term& term : index.terms) {
    const IndexAtom& atom = *term.atom;
    std::int64_t value = 0;
    if (atom.kind == IndexAtom::Kind::Variable) {
      value = at[static_cast<std::size_t>(atom.variable)];
    } else {
      const std::int64_t of = value_at(atom.of, at);
      // As C++ computes what is written: towards zero.
      value = atom.kind == IndexAtom::Kind::Mod ? of % atom.by : of / atom.by;
    }
    sum += term.coefficient * value;
  }
  return sum;
}

TEST(Index, DividesWhatIsKnownToFit) {
  const Shape extents{5, 4, 3};
  EXPECT_EQ(floor_div(v(0) * 12 + v(1) * 3 + v(2), 12, extents), v(0));
  EXPECT_EQ(modulo(v(0) * 12 + v(1) * 3 + v(2), 12, extents), v(1) * 3 + v(2));
  EXPECT_EQ(floor_div(v(1) * 3 + v(2), 3, extents), v(1));
  EXPECT_EQ(floor_div(v(0) * 6 + v(2), 12, extents), floor_div(v(0), 2, extents));
}

TEST(Index, ReshapeThereAndBackIsTheIdentity) {
  const Shape shape{6, 5, 8}, other{15, 16};
  const Shape extents{240};
  const auto at = delinearise(v(0), shape, extents);
  EXPECT_EQ(linearise(at, contiguous_strides(shape)), v(0));
  const auto twice = delinearise(linearise(at, contiguous_strides(shape)), other, extents);
  EXPECT_EQ(linearise(twice, contiguous_strides(other)), v(0));
}

TEST(Index, VectorLanesOfABroadcastRowAreConsecutive) {
  // Element 4u + w of a [10, 8] space reads column (4u + w) mod 8 of a row.
  const Shape extents{20, 4};
  const Index column = modulo(v(0) * 4 + v(1), 8, extents);
  EXPECT_EQ(column.coefficient_of(1), 1);
  EXPECT_FALSE((column - v(1)).depends_on(1));
}

TEST(Index, SimplificationKeepsTheValue) {
  RandomStream random(7, purpose("index_test"));
  for (int round = 0; round < 2000; ++round) {
    const Shape extents{static_cast<std::int64_t>(1 + random.below(7)),
                        static_cast<std::int64_t>(1 + random.below(9)), 4};
    Index index(static_cast<std::int64_t>(random.below(20)) - 8);
    std::vector<std::pair<int, std::int64_t>> steps;
    for (int i = 0; i < 3; ++i) index = index + v(i) * (static_cast<std::int64_t>(random.below(19)) - 6);
    const auto a = static_cast<std::int64_t>(1 + random.below(12));
    const auto b = static_cast<std::int64_t>(1 + random.below(12));
    const Index div = floor_div(index, a, extents), mod = modulo(index, a, extents);
    const Index nested = floor_div(div, b, extents) * b + modulo(div, b, extents);
    for (std::int64_t x = 0; x < extents[0]; ++x) {
      for (std::int64_t y = 0; y < extents[1]; ++y) {
        for (std::int64_t z = 0; z < extents[2]; ++z) {
          const std::vector<std::int64_t> at{x, y, z};
          const std::int64_t whole = value_at(index, at);
          ASSERT_EQ(value_at(div, at), floored(whole, a));
          ASSERT_EQ(value_at(mod, at), whole - a * floored(whole, a));
          ASSERT_EQ(value_at(nested, at), floored(whole, a));
        }
      }
    }
  }
}

TEST(Index, PrintsAsCode) {
  const Shape extents{7, 9};
  EXPECT_EQ(to_code(v(0) * 12 - v(1) + Index(5), {"i", "j"}), "i * 12 - j + 5");
  EXPECT_EQ(to_code(Index(0), {}), "0");
  EXPECT_EQ(to_code(floor_div(v(0) + v(1), 4, extents), {"i", "j"}), "(i + j) / 4");
}

}  // namespace
}  // namespace kw::codegen
