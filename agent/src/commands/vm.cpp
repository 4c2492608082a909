#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "command.h"
#include "kw/agent/workshop.h"
#include "kw/ptxvm/coverage.h"
#include "output.h"
#include "vm/page.h"

namespace kw::agent {
namespace {

/// "G", "G,G" or "G,G,G"; what is left out is 1.
Result<ptxvm::Dim3> parse_extents(const std::string& option, std::string_view text) {
  ptxvm::Dim3 out;
  const std::array<std::uint32_t*, 3> to{&out.x, &out.y, &out.z};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto [stopped, error] = std::from_chars(at, end, *to[i]);
    if (error != std::errc{}) break;
    if (stopped == end) return out;
    if (*stopped != ',') break;
    at = stopped + 1;
  }
  return fail(Errc::InvalidArgument, "{} '{}' is not one to three numbers, as in 64 or 64,2",
              option, text);
}

Result<std::uint64_t> parse_number(const std::string& option, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(Errc::InvalidArgument, "{} '{}' is no natural number", option, text);
  }
  return value;
}

Status parse_checks(std::string_view text, ptxvm::Options& options) {
  struct Check {
    std::string_view name;
    bool ptxvm::Options::*flag;  // nullptr: always on
  };
  constexpr std::array kChecks{
      Check{"bounds", nullptr},
      Check{"sync", nullptr},
      Check{"uninit", &ptxvm::Options::check_uninitialised},
      Check{"race", &ptxvm::Options::check_races},
      Check{"async", &ptxvm::Options::check_async_copies},
      Check{"registers", &ptxvm::Options::check_registers},
      Check{"index", &ptxvm::Options::check_index_overflow},
  };
  const auto set = [&](const Check& check, bool on) {
    if (check.flag != nullptr) options.*check.flag = on;
  };
  if (text == "all" || text == "none") {
    for (const Check& each : kChecks) set(each, text == "all");
    return {};
  }
  for (const Check& each : kChecks) set(each, false);
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const auto known = std::find_if(kChecks.begin(), kChecks.end(),
                                    [&](const Check& each) { return each.name == name; });
    if (known == kChecks.end()) {
      return fail(Errc::InvalidArgument,
                  "there is no check '{}': all, none, or some of bounds,uninit,race,sync,async,"
                  "registers,index",
                  name);
    }
    set(*known, true);
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

class VmCommand final : public Command {
 public:
  std::string name() const override { return "vm"; }
  std::string about() const override {
    return "run a kernel of your own on the PTX virtual machine, with its checks and counters";
  }
  std::string examples() const override {
    return "  kernelwright vm vadd.cu --grid 4 --block 256 --arg normal:f32:1000 normal:f32:1000 "
           "out:c.npy=f32:1000 1000\n"
           "  kernelwright vm k.ptx --kernel sum --grid 8 --block 128 --arg npy:x.npy zeros:f32:1 "
           "i32:1024 --schedules 8\n"
           "  kernelwright vm gemm.cu --grid 8,8 --block 256 --shared 32768 --arg ... --check none "
           "--counters\n"
           "Arguments, one for each parameter and in their order:\n"
           "  5, i32:5, f16:1.5, hex:00ff (a structure), null, npy:FILE, out:FILE=f32:64,128,\n"
           "  zeros:f32:64, ones:, const:f32:64:0.5, iota:i32:64[:start=0:step=1],\n"
           "  uniform:f32:64[:seed=1:low=0:high=1], normal:f32:64[:seed=1:mean=0:std=1],\n"
           "  uninit:f32:64, arg:0[+BYTES] (the array of another argument), ro:ARRAY (not to be "
           "written)\n"
           "Types: f64 f32 f16 bf16 i64 i32 i16 i8 u64 u32 u16 u8 bool. docs/ptxvm.md says more.";
  }
  void declare(Arguments& a) override {
    a.positional("file", file_, "a .cu or .ptx file", false);
    a.option("--kernel", kernel_, "which kernel, mangled or not; needless if there is but one");
    a.option("--grid", grid_, "blocks: X, X,Y or X,Y,Z");
    a.option("--block", block_, "threads of a block: X, X,Y or X,Y,Z");
    a.option("--shared", shared_, 0, 227 << 10, "bytes of dynamic shared memory");
    a.option("--arg", arguments_, "an argument, see below");
    a.option("--save", saves_,
             "ARGUMENT=FILE.npy: an array argument after the launch; they count from 0");
    a.option("--check", checks_,
             "all, none, or some of bounds,uninit,race,sync,async,registers,index; bounds and sync "
             "are always on (default all)");
    a.option("--schedules", schedules_, 1, 1000,
             "run under so many orders of warps, blocks and lanes, compare the results bitwise");
    a.flag("--counters", counters_, "show what a profiler's first page shows, but for times");
    a.option("--trace", trace_, "BLOCK:WARP: write down the instructions of that warp");
    a.option("--trace-limit", trace_limit_, 1, 1'000'000, "instructions that a trace keeps");
    a.option("--threads", threads_, 0, 256, "host threads; 0: one per CPU");
    a.option("--seed", seed_, "of generated arrays and schedules (default 0)");
    a.option("--budget", budget_, "warp instructions a block may execute (default 4294967296)");
    a.option("--launch-budget", launch_budget_,
             "the same for all blocks together, 64 for each that starts (default 68719476736)");
    a.option("--deadline", deadline_, 1, 86400, "seconds the whole run may take");
    a.flag("--exact-mma", exact_, "sum tensor-core products exactly, not as hardware truncates");
    a.option("--perturb-approx", perturb_,
             "a seed above 0: results of .approx instructions anywhere within the ISA's error");
    a.flag("--coverage", coverage_, "print which instructions the machine runs, and run nothing");
    a.option("--arch", arch_, "what a .cu is compiled for (default compute_80)");
  }

  Result<int> run(const Invocation& invocation) override {
    if (coverage_) {
      KW_RETURN_IF_ERROR(print(ptxvm::coverage_table()));
      return 0;
    }
    KW_ASSIGN(vm::Wish wish, make_wish());
    KW_ASSIGN(const auto compiler, make_compiler(nullptr));
    KW_ASSIGN(const vm::Module module,
              vm::load_module(file_, arch_, *compiler, invocation.interrupted));
    KW_ASSIGN(const vm::Launched launched, vm::launch(module, wish, invocation.interrupted));
    const vm::Page page{module, wish, launched};
    vm::Sources sources(module);
    if (invocation.globals.json) {
      KW_RETURN_IF_ERROR(print(vm::document(page, sources, counters_)));
    } else {
      std::string text;
      if (!trace_.empty()) text += vm::trace_text(page, sources);
      if (counters_) text += vm::counters_text(page, sources);
      text += vm::findings_text(page, sources);
      for (const vm::ArrayResult& array : launched.arrays) {
        if (array.saved_to.empty()) continue;
        text += fmt::format(
            "saved {}: {} {}{}\n", array.saved_to, array.element->name, kw::to_string(array.shape),
            array.unwritten == 0 ? std::string{}
                                 : fmt::format(", {} bytes of it never written", array.unwritten));
      }
      KW_RETURN_IF_ERROR(print(text));
    }
    return launched.reply.clean() ? 0 : 1;
  }

 private:
  Result<vm::Wish> make_wish() const {
    vm::Wish wish;
    if (file_.empty()) return fail(Errc::InvalidArgument, "which .cu or .ptx file is to be run?");
    if (grid_.empty() || block_.empty()) {
      return fail(Errc::InvalidArgument,
                  "--grid and --block say how many blocks of how many threads");
    }
    wish.kernel = kernel_;
    KW_ASSIGN(wish.grid, parse_extents("--grid", grid_));
    KW_ASSIGN(wish.block, parse_extents("--block", block_));
    wish.shared_bytes = static_cast<std::uint32_t>(shared_);
    for (const std::string& text : arguments_) {
      KW_ASSIGN(vm::Argument argument, vm::parse_argument(text));
      wish.arguments.push_back(std::move(argument));
    }
    for (const std::string& text : saves_) KW_RETURN_IF_ERROR(apply_save(text, wish));
    KW_RETURN_IF_ERROR(parse_checks(checks_, wish.options));
    wish.schedules = static_cast<std::uint32_t>(schedules_);
    wish.options.count_memory = wish.options.model_caches = counters_;
    wish.options.threads = static_cast<unsigned>(threads_);
    wish.options.exact_tensor_accumulation = exact_;
    KW_ASSIGN(wish.options.seed, parse_number("--seed", seed_));
    KW_ASSIGN(wish.options.instruction_budget, parse_number("--budget", budget_));
    KW_ASSIGN(wish.options.launch_budget, parse_number("--launch-budget", launch_budget_));
    KW_ASSIGN(wish.options.perturb_approximations, parse_number("--perturb-approx", perturb_));
    if (!trace_.empty()) {
      const std::size_t colon = trace_.find(':');
      if (colon == std::string::npos) {
        return fail(Errc::InvalidArgument, "--trace takes BLOCK:WARP, as in 0:0");
      }
      KW_ASSIGN(wish.options.trace.block, parse_number("--trace", trace_.substr(0, colon)));
      KW_ASSIGN(const std::uint64_t warp, parse_number("--trace", trace_.substr(colon + 1)));
      if (wish.options.trace.block >= wish.grid.count() || warp >= (wish.block.count() + 31) / 32) {
        return fail(Errc::InvalidArgument, "--trace {}: the launch has no such block or warp",
                    trace_);
      }
      wish.options.trace.warp = static_cast<std::uint32_t>(warp);
      wish.options.trace.max_records = static_cast<std::uint32_t>(trace_limit_);
    }
    wish.arch = arch_;
    wish.deadline = std::chrono::seconds(deadline_);
    return wish;
  }

  static Status apply_save(const std::string& text, vm::Wish& wish) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals + 1 == text.size()) {
      return fail(Errc::InvalidArgument, "--save takes ARGUMENT=FILE.npy, as in 2=c.npy");
    }
    KW_ASSIGN(const std::uint64_t index, parse_number("--save", text.substr(0, equals)));
    auto* const array = index < wish.arguments.size()
                            ? std::get_if<vm::Array>(&wish.arguments[index].what)
                            : nullptr;
    if (array == nullptr) {
      return fail(Errc::InvalidArgument, "--save {}: argument {} is no array (they count from 0)",
                  text, index);
    }
    array->save_to = text.substr(equals + 1);
    return {};
  }

  std::string file_, kernel_, grid_, block_, checks_ = "all", trace_, seed_ = "0",
                                             budget_ = "4294967296", launch_budget_ = "68719476736",
                                             perturb_ = "0", arch_ = "compute_80";
  std::vector<std::string> arguments_, saves_;
  int shared_ = 0, schedules_ = 1, trace_limit_ = 10'000, threads_ = 0, deadline_ = 600;
  bool counters_ = false, exact_ = false, coverage_ = false;
};

}  // namespace

std::unique_ptr<Command> make_vm_command() { return std::make_unique<VmCommand>(); }

}  // namespace kw::agent
