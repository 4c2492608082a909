#pragma once
// Kernels made by other compilers (tests/ptxvm/foreign), run under every check and held against
// plain C++.

#include <cmath>
#include <functional>

#include "ptxvm/harness.h"

namespace kw::ptxvm {

using Half = std::uint16_t;  // the bits

inline float from_half(Half h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  float magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else if (exponent < 31) {
    magnitude = std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  } else {
    magnitude = fraction == 0 ? INFINITY : NAN;
  }
  return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

/// k/64 for |k| <= 64, which halves hold exactly.
inline std::vector<Half> random_halves(std::size_t n, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> draw(-64, 64);
  std::vector<Half> out(n);
  for (Half& h : out) {
    const int k = draw(engine);
    if (k == 0) continue;
    int exponent = 0;
    const float fraction = std::frexp(static_cast<float>(std::abs(k)) / 64, &exponent);
    h = static_cast<Half>((k < 0 ? 0x8000 : 0) | (exponent + 14) << 10 |
                          (static_cast<int>(fraction * 2048) & 1023));
  }
  return out;
}

inline std::vector<float> from_halves(const std::vector<Half>& halves) {
  std::vector<float> out;
  for (const Half h : halves) out.push_back(from_half(h));
  return out;
}

inline std::vector<double> softmax_of_rows(const std::vector<float>& x, std::size_t columns) {
  std::vector<double> out;
  for (std::size_t row = 0; row < x.size(); row += columns) {
    double sum = 0;
    for (std::size_t c = 0; c < columns; ++c) sum += std::exp(double{x[row + c]});
    for (std::size_t c = 0; c < columns; ++c) out.push_back(std::exp(double{x[row + c]}) / sum);
  }
  return out;
}

/// One module of tests/ptxvm/foreign with one kernel, and the memory that it works on.
class Foreign {
 public:
  explicit Foreign(const std::string& file) {
    auto loaded = load(read_file(KW_SOURCE_DIR "/tests/ptxvm/foreign/" + file));
    if (!loaded) throw std::runtime_error(file + ": " + loaded.error().message);
    program_ = *loaded;
  }

  template <class T>
  std::uint64_t in(const std::string& name, const std::vector<T>& data) {
    const std::uint64_t address = upload(memory, name, data);
    EXPECT_TRUE(memory.set_read_only(address, true));
    return address;
  }

  template <class T>
  std::uint64_t out(const std::string& name, std::size_t n) {
    return memory.allocate(name, n * sizeof(T)).value();
  }

  /// Runs the module's only kernel (or the one named) under every check and in three orders, each
  /// from the same memory; no finding is expected but those that `documented` takes. What the last
  /// order left in memory remains.
  void run(Dim3 grid, std::uint32_t threads, std::uint32_t dynamic_shared,
           const Arguments& arguments, const std::string& kernel = "") {
    Options options = with_all_checks();
    options.count_memory = true;
    options.instruction_budget = std::uint64_t{1} << 24;
    options.seed = 5;
    const std::string name = kernel.empty() ? program_->kernels().front().name : kernel;
    const std::vector<Saved> before = save();
    for (const Schedule schedule : {Schedule::InOrder, Schedule::Reversed, Schedule::Shuffled}) {
      restore(before);
      options.schedule = schedule;
      options.reverse_lanes = schedule == Schedule::Reversed;
      options.pauses = schedule == Schedule::Shuffled;
      const Report report =
          run_kernel(*program_, memory, name, grid, {threads}, arguments, options, dynamic_shared);
      EXPECT_TRUE(report.completed);
      for (const Finding& f : report.findings) {
        if (documented && documented(f)) {
          ++documented_findings;
        } else {
          ADD_FAILURE() << f.message << "\n" << f.site.instruction;
        }
      }
    }
  }

  /// True for a finding that is a fault of the foreign code itself.
  std::function<bool(const Finding&)> documented;
  std::size_t documented_findings = 0;

  const Program& program() const { return *program_; }
  Memory memory;

 private:
  struct Saved {
    std::uint64_t address;
    std::vector<std::byte> bytes;
    std::vector<std::uint8_t> initialised;
  };

  std::vector<Saved> save() const {
    std::vector<Saved> out;
    for (const Allocation* a : memory.allocations())
      out.push_back(
          {a->address, {a->bytes, a->bytes + a->size}, {a->initialised, a->initialised + a->size}});
    return out;
  }

  void restore(const std::vector<Saved>& saved) {
    for (const Saved& s : saved) {
      const Allocation* a = memory.find(s.address);
      std::copy(s.bytes.begin(), s.bytes.end(), a->bytes);
      std::copy(s.initialised.begin(), s.initialised.end(), a->initialised);
    }
  }

  std::shared_ptr<const Program> program_;
};

inline void expect_near(const std::vector<float>& got, const std::vector<double>& want,
                        double relative, double absolute) {
  ASSERT_EQ(got.size(), want.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::abs(got[i] - want[i]) <= absolute + relative * std::abs(want[i])) continue;
    if (++wrong <= 3) ADD_FAILURE() << "element " << i << ": " << got[i] << ", not " << want[i];
  }
  EXPECT_EQ(wrong, 0u);
}

}  // namespace kw::ptxvm
