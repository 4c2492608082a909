#include <gtest/gtest.h>

#include "kw/core/clock.h"
#include "kw/core/expr.h"
#include "kw/core/format.h"
#include "kw/core/interfaces.h"
#include "kw/core/policy.h"
#include "kw/core/random.h"
#include "kw/core/sha256.h"

namespace kw {
namespace {

std::int64_t value_of(std::string_view text, const Symbols& symbols = {}) {
  const auto expr = Expr::parse(text);
  EXPECT_TRUE(expr) << expr.error().message;
  const auto value = expr->eval(symbols);
  EXPECT_TRUE(value) << value.error().message;
  return value.value_or(-999);
}

TEST(Expr, FollowsTheUsualPrecedence) {
  EXPECT_EQ(value_of("2+3*4-10/3%2"), 13);
  EXPECT_EQ(value_of("-(2+3)*2"), -10);
  EXPECT_EQ(value_of("1 + 2 < 4 && !(3 == 4) || 0"), 1);
  EXPECT_EQ(value_of("ceil_div(M, 128) * round_up(5, 4)", {{"M", 129}}), 16);
  EXPECT_EQ(value_of("select(a.b >= 2, log2(65), pow2_ceil(65))", {{"a.b", 1}}), 128);
  EXPECT_EQ(value_of("min(3, 1, 2) + max(3, 1, 2)"), 4);
}

TEST(Expr, ReportsOverflowAndDivisionByZeroInsteadOfWrapping) {
  for (const char* text : {"9223372036854775807 + 1", "4611686018427387904 * 2", "1 / 0", "1 % 0",
                           "-(0-9223372036854775807-1)", "(0-9223372036854775807-1)/-1",
                           "ceil_div(1, 0)", "log2(0)", "pow2_ceil(4611686018427387905)"}) {
    const auto expr = Expr::parse(text);
    ASSERT_TRUE(expr) << text;
    EXPECT_FALSE(expr->eval({})) << text;
  }
}

TEST(Expr, RefusesWhatIsNoExpression) {
  for (const char* text : {"", "1 +", "system(1)", "(1", "1 2", "99999999999999999999", "min()",
                           "select(1,2)", "a b", "1 =< 2"}) {
    EXPECT_FALSE(Expr::parse(text)) << text;
  }
  EXPECT_FALSE(Expr::parse(std::string(600, '1')));
  EXPECT_FALSE(Expr::parse(std::string(200, '(') + "1" + std::string(200, ')')));
  EXPECT_FALSE(Expr::parse(std::string(300, '-') + "1"));
  EXPECT_NE(Expr::parse("n")->eval({}).error().message.find("unknown name 'n'"), std::string::npos);
}

// FIPS 180-4 examples.
TEST(Sha256, MatchesThePublishedExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Known answers of Random123's kat_vectors for philox4x32-10.
TEST(Philox, MatchesThePublishedVectors) {
  EXPECT_EQ(philox(0, 0, 0), (Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822ull, 0x0370734413198a2eull, 0x85a308d3243f6a88ull),
            (Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, ReplaysFromItsSeed) {
  RandomStream a(7, purpose("search")), b(7, purpose("search")), c(7, purpose("judge"));
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t x = a.next_u64();
    EXPECT_EQ(x, b.next_u64());
    differs |= x != c.next_u64();
  }
  EXPECT_TRUE(differs);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(3), 3u);
}

TEST(JobId, IsAUuidOfVersion7AndOrdersByTime) {
  class Fixed final : public Clock {
   public:
    std::int64_t us = 1'700'000'000'000'000;
    std::int64_t wall_us() override { return us; }
    std::chrono::steady_clock::time_point now() override { return {}; }
  } clock;
  const std::string first = make_job_id(clock);
  clock.us += 2000;
  const std::string second = make_job_id(clock);
  ASSERT_EQ(first.size(), 36u);
  EXPECT_EQ(first[14], '7');
  EXPECT_NE(std::string("89ab").find(first[19]), std::string::npos);
  EXPECT_LT(first, second);
}

TEST(Policy, ReadsPresetsAndClasses) {
  EXPECT_EQ(parse_policy("tf32")->convolution, PolicyClass::Tf32);
  const auto mixed = parse_policy("contraction=ieee,convolution=tf32,recurrence=tf32,other=ieee");
  ASSERT_TRUE(mixed);
  EXPECT_EQ(*parse_policy(to_string(*mixed)), *mixed);
  EXPECT_FALSE(parse_policy("contraction=fast"));
  EXPECT_FALSE(parse_policy(""));
}

TEST(Format, SurvivesARoundTripAndChecksItsBits) {
  const auto format =
      parse_format(R"({"v":1,"name":"mxfp4","element":{"kind":"float","bits":4,"exponent_bits":2,
    "mantissa_bits":1,"bias":1,"max_value":6},"block":32,"scale":"e8m0","rule":"ceil"})");
  ASSERT_TRUE(format) << format.error().message;
  EXPECT_EQ(*code_bytes_per_row(*format, 33), 32);
  EXPECT_EQ(*blocks_per_row(*format, 33), 2);
  EXPECT_EQ(to_json(*parse_format(to_json(*format))), to_json(*format));
  EXPECT_FALSE(parse_format(
      R"({"name":"x","element":{"kind":"float","bits":4,"exponent_bits":3,"mantissa_bits":1,
    "max_value":6},"block":32,"scale":"e8m0","rule":"ceil"})"));
}

TEST(ParameterSpace, AllowsWhatItsConstraintsAllow) {
  ParameterSpace space;
  space.parameters = {{"bm", {64, 128, 256}, 128}, {"stages", {2, 3, 4}, 3}};
  space.constraints = {*Expr::parse("bm * stages * 64 <= shared")};
  space.symbols["shared"] = 32768;
  EXPECT_TRUE(space.allows({{"bm", 128}, {"stages", 4}}));
  EXPECT_FALSE(space.allows({{"bm", 256}, {"stages", 3}}));
  EXPECT_FALSE(space.allows({{"bm", 96}, {"stages", 3}}));
  EXPECT_FALSE(space.allows({{"bm", 128}}));
}

}  // namespace
}  // namespace kw
