#pragma once
// The text of one function under construction: registers by kind, and lane-local operations on
// them.

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kw::ptxvm::random {

/// A kind of register: r u32, d u64, f f32, g f64, h f16, b bf16, w u16, x f16x2, y bf16x2, p pred,
/// u u32 that is equal in all threads of a block.
struct Pool {
  char kind;
  int count;
  std::string_view type;  // of the declaration
  unsigned bytes;         // in the final record, 0 for predicates
};
const std::vector<Pool>& pools();

class Writer {
 public:
  explicit Writer(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::uint64_t bits() { return engine_(); }

  std::string pick(char kind);   // "%r3"
  std::string fresh(char kind);  // a register of its own: t u32, q u64, s pred, i f64
  std::string label() { return "L" + std::to_string(labels_++); }
  std::string number(unsigned width);  // a literal, often an edge value
  void line(const std::string& text) { text_ += "  " + text + "\n"; }
  void mark(const char* feature) { features_.insert(feature); }

  /// One instruction on the pools, sometimes under a predicate.
  void operation();

  /// The declarations of all registers used.
  std::string declarations() const;
  const std::string& text() const { return text_; }
  const std::set<std::string>& features() const { return features_; }

 private:
  std::string source(char kind, std::string* before, bool literals = true);

  std::mt19937_64 engine_;
  std::string text_;
  std::set<std::string> features_;
  int labels_ = 0;
  int fresh_t_ = 0, fresh_q_ = 0, fresh_s_ = 0, fresh_i_ = 0;
};

}  // namespace kw::ptxvm::random
