#pragma once
// What the process that holds the virtual machine is told, and what it answers.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/ptxvm/report.h"
#include "kw/ptxvm/run.h"
#include "kw/ptxvm/schedules.h"

namespace kw::agent::vm {

enum MessageType : std::uint32_t { kRun = 1, kDone, kBroken };

/// An argument as it crosses: numbers without a type are spelt, everything else is bytes.
struct LaunchArgument {
  enum class Kind : std::uint8_t { Number, Untyped, Bytes, Null, Array };
  Kind kind = Kind::Null;
  std::string shown;    // as written after --arg
  std::string value;    // Number, Bytes: bytes. Untyped: text
  std::string element;  // Number: name of its type
  std::uint32_t array = 0;
  std::uint64_t offset = 0;  // Array: bytes
};

/// Its bytes are in a memory file of their own: descriptor `i` of the message for array `i`.
struct LaunchArray {
  std::string name;
  std::uint64_t bytes = 0;
  bool initialised = false;
  bool read_only = false;
};

struct Request {
  std::string ptx;
  std::string kernel;  // "" for the only one
  ptxvm::Dim3 grid, block;
  std::uint32_t shared_bytes = 0;
  std::vector<LaunchArgument> arguments;
  std::vector<LaunchArray> arrays;
  ptxvm::Options options;  // what is a number or a flag; isa and cancel stay at their defaults
  std::uint32_t schedules = 1;
  /// With options.model_caches: whose multiprocessor the L1 cache is of, and the registers of each
  /// kernel of the module, where they are known; options.l1_bytes is worked out from them.
  std::string arch;
  std::map<std::string, std::uint32_t> registers;
};

struct ScheduledFinding {
  std::uint32_t schedule = 0;  // the first that showed it
  ptxvm::Finding finding;
};

struct Reply {
  std::string kernel;     // as the module calls it
  std::string shown;      // demangled: "vadd(float*, int)"
  std::string signature;  // of its parameters: "(pointer, u32)"
  std::string target;     // ".target"
  std::uint32_t static_shared_bytes = 0;
  std::uint32_t local_bytes = 0;
  std::uint32_t l1_bytes = 0;                  // of the cache model: one block's share
  std::map<std::uint32_t, std::string> files;  // of the lines below, by number
  bool completed = false;
  bool findings_truncated = false;
  std::vector<ScheduledFinding> findings;
  ptxvm::Counters counters;  // of schedule 0, as the trace is
  std::vector<ptxvm::TraceRecord> trace;
  bool trace_truncated = false;
  std::vector<ptxvm::ScheduleDifference> differences;
  std::vector<std::uint64_t> unwritten;  // by array: bytes that nobody has written

  bool clean() const noexcept { return completed && findings.empty() && differences.empty(); }
};

std::string encode(const Request& request);
Result<Request> decode_request(std::string_view bytes);
std::string encode(const Reply& reply);
/// Corrupt when the bytes are no reply.
Result<Reply> decode_reply(std::string_view bytes);
/// An Error crosses as it is.
std::string encode(const Error& error);
Error decode_error(std::string_view bytes);

}  // namespace kw::agent::vm
