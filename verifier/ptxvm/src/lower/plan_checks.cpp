// Which registers the checks of values follow.

#include <algorithm>
#include <utility>

#include "lower/checks.h"
#include "lower/value_flow.h"

namespace kw::ptxvm {
namespace {

using Flags = std::vector<bool>;

/// Finds what to follow. Registers are those that are read in place of folded ones.
class Planner {
 public:
  Planner(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds)
      : kernel_(kernel), cfg_(cfg), folds_(folds), registers_(kernel.registers.size()) {
    for (std::size_t i = 0; i < kernel.code.size(); ++i) {
      if (!folds.silent[i]) code_.push_back(&kernel.code[i]);
    }
  }

  ValueChecks run(Slots& slots) {
    out_.maybe_unwritten.resize(registers_);
    out_.chain.resize(registers_);
    out_.exact.resize(registers_);
    out_.address.resize(registers_);
    out_.aliased.resize(registers_);
    end_ = out_.begin = slots.bytes;
    follow_unwritten();
    find_addresses();
    place_chains();
    place_addresses();
    out_.flags_end = end_;
    for (std::size_t r = 0; r < registers_; ++r) {
      if (out_.chain[r] != 0) out_.exact[r] = take(512);
    }
    slots.bytes = (end_ + 255) / 256 * 256;
    return std::move(out_);
  }

 private:
  using In = const FlatInstruction&;

  // The register that is read for the operand, -1 for none and for values known before the launch.
  int read(const Operand& op) const {
    const int r = register_of(op);
    return r < 0 || folds_.is_known(r) ? -1 : folds_.of(r);
  }
  static int written(In in) { return in.operands.empty() ? -1 : register_of(in.operands[0]); }

  std::uint32_t take(std::uint32_t bytes) {
    end_ = (end_ + bytes - 1) / bytes * bytes;
    const std::uint32_t at = end_;
    end_ += bytes;
    return at;
  }

  std::uint32_t& flags_of_written(int r) {
    return out_.maybe_unwritten[static_cast<std::size_t>(folds_.of(r))];
  }

  // What some path reads before it writes it, values that a shuffle may take from a lane that is
  // not there, and what is made of that. No predicates of the latter: partial reductions compare
  // what they get and then ignore it.
  void follow_unwritten() {
    for (const int r : read_before_written(kernel_, cfg_)) place_flags_of_written(r);
    spread_unwritten([](int) { return true; });
    for (const FlatInstruction* in : code_) {
      if (is_partial_shuffle(*in, folds_) && shuffle_result(*in) >= 0)
        place_flags_of_written(shuffle_result(*in));
    }
    spread_unwritten([&](int r) { return class_of_register(kernel_, r) != RegisterClass::Mask; });
  }

  bool place_flags_of_written(int r) {
    std::uint32_t& at = flags_of_written(r);
    if (at != 0) return false;
    at = take(kFlagBytes);
    return true;
  }

  template <class Wanted>
  void spread_unwritten(Wanted wanted) {
    for (bool changed = true; changed;) {
      changed = false;
      for (const FlatInstruction* in : code_) {
        if (!passes_on(*in)) continue;
        const std::vector<int> from = registers_read(*in);
        if (std::none_of(from.begin(), from.end(), [&](int r) { return flags_of_written(r) != 0; }))
          continue;
        for (const int r : registers_written(*in)) {
          if (wanted(r)) changed |= place_flags_of_written(r);
        }
      }
    }
  }

  // Adds the sources of `wanted`'s definitions, as `follow` says, until nothing is new.
  template <class Follow>
  void close(Flags& wanted, Follow follow) const {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = code_.size(); i-- > 0;) {
        In in = *code_[i];
        const int d = written(in);
        if (d < 0 || !wanted[static_cast<std::size_t>(d)] || !follow(in)) continue;
        for (std::size_t k = 1; k < in.operands.size(); ++k) {
          const int r = read(in.operands[k]);
          if (r < 0 || class_of_register(kernel_, r) != class_of_register(kernel_, d)) continue;
          changed |= !wanted[static_cast<std::size_t>(r)];
          wanted[static_cast<std::size_t>(r)] = true;
        }
      }
    }
  }

  void find_addresses() {
    addresses_.resize(registers_);
    for (const FlatInstruction* in : code_) {
      if (!is_global_access(*in)) continue;
      for (const Operand& op : in->operands) {
        if (op.kind != Operand::Kind::Memory || op.reg < 0 || folds_.is_known(op.reg)) continue;
        const int r = folds_.of(op.reg);
        if (class_of_register(kernel_, r) == RegisterClass::W64)
          addresses_[static_cast<std::size_t>(r)] = true;
      }
    }
    bool is_unsigned = false;
    close(addresses_,
          [&](In in) { return is_address_arithmetic(in) || is_widening(in, &is_unsigned); });
  }

  void place_chains() {
    Flags chain(registers_);
    bool is_unsigned = false;
    for (const FlatInstruction* in : code_) {
      const int d = written(*in);
      if (d < 0 || !is_widening(*in, &is_unsigned) || !addresses_[static_cast<std::size_t>(d)])
        continue;
      for (std::size_t k = 1; k < in->operands.size(); ++k) {
        const int r = read(in->operands[k]);
        if (r >= 0 && class_of_register(kernel_, r) == RegisterClass::W32)
          chain[static_cast<std::size_t>(r)] = true;
      }
    }
    close(chain, is_chain);
    // What nothing computes cannot have wrapped.
    Flags computed(registers_);
    for (bool changed = true; changed;) {
      changed = false;
      for (const FlatInstruction* in : code_) {
        const int d = written(*in);
        if (d < 0 || !is_chain(*in) || !chain[static_cast<std::size_t>(d)] ||
            computed[static_cast<std::size_t>(d)])
          continue;
        const int from = in->operands.size() > 1 ? read(in->operands[1]) : -1;
        if (is_copy(*in) && (from < 0 || !computed[static_cast<std::size_t>(from)])) continue;
        computed[static_cast<std::size_t>(d)] = changed = true;
      }
    }
    for (std::size_t r = 0; r < registers_; ++r) {
      if (chain[r] && computed[r]) out_.chain[r] = take(kFlagBytes);
    }
  }

  // Registers whose flags the result may get, if `in` computes addresses.
  template <class Visit>
  void visit_sources(In in, Visit visit) const {
    bool is_unsigned = false;
    const bool widens = is_widening(in, &is_unsigned);
    if (!widens && !is_address_arithmetic(in)) return;
    for (std::size_t k = 1; k < in.operands.size(); ++k) {
      const int r = read(in.operands[k]);
      if (r >= 0) visit(static_cast<std::size_t>(r), widens, is_unsigned);
    }
  }

  void place_addresses() {
    Flags made(registers_);  // of a chain
    for (bool changed = true; changed;) {
      changed = false;
      for (const FlatInstruction* in : code_) {
        const int d = written(*in);
        if (d < 0 || !addresses_[static_cast<std::size_t>(d)] || made[static_cast<std::size_t>(d)])
          continue;
        visit_sources(*in, [&](std::size_t r, bool widens, bool) {
          if (!(widens && out_.chain[r] != 0) && !made[r]) return;
          made[static_cast<std::size_t>(d)] = changed = true;
        });
      }
    }
    for (bool progress = true; progress;) {
      progress = false;
      for (const FlatInstruction* in : code_) {
        const int d = written(*in);
        if (d < 0 || !made[static_cast<std::size_t>(d)]) continue;
        std::uint32_t& at = out_.address[static_cast<std::size_t>(d)];
        if (at != 0) continue;
        at = inherited(*in, made);
        out_.aliased[static_cast<std::size_t>(d)] = at != 0;
        progress |= at != 0;
      }
    }
    for (std::size_t r = 0; r < registers_; ++r) {
      if (made[r] && out_.address[r] == 0) out_.address[r] = take(kFlagBytes);
    }
  }

  // Where one source's flags are the result's at all times: both are defined once, and the source
  // cannot change while the result is in use. 0 if there is no such source, or not yet.
  std::uint32_t inherited(In in, const Flags& made) const {
    const auto once = [&](std::size_t r) { return folds_.once[r]; };
    if (!once(static_cast<std::size_t>(written(in)))) return 0;
    unsigned sources = 0;
    std::uint32_t at = 0;
    visit_sources(in, [&](std::size_t r, bool widens, bool is_unsigned) {
      const bool chain = widens && out_.chain[r] != 0;
      if (!chain && !made[r]) return;
      ++sources;
      if (once(r) && !(chain && is_unsigned)) at = chain ? out_.chain[r] : out_.address[r];
    });
    return sources == 1 ? at : 0;
  }

  static constexpr std::uint32_t kFlagBytes = 16;

  const FlatKernel& kernel_;
  const Cfg& cfg_;
  const Folds& folds_;
  const std::size_t registers_;
  std::vector<const FlatInstruction*> code_;
  Flags addresses_;
  ValueChecks out_;
  std::uint32_t end_ = 0;
};

}  // namespace

ValueChecks plan_value_checks(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds,
                              Slots& slots) {
  return Planner(kernel, cfg, folds).run(slots);
}

}  // namespace kw::ptxvm
