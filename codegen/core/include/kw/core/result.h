#pragma once
// Errors as values. A candidate that is wrong is an Outcome (outcome.h); a failure of ours is an
// Error.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace kw {

enum class Errc {
  InvalidArgument,    // bad usage or bad input; exit code 2
  NotFound,           // a named thing does not exist; exit code 2
  Unsupported,        // understood, but not handled by this release; exit code 2
  Corrupt,            // stored data is damaged or from a newer release; exit code 3
  Io,                 // disk, pipe or socket; exit code 3
  Unavailable,        // no device, compiler or endpoint; exit code 3
  ResourceExhausted,  // a bound of ours was reached; exit code 4
  DeadlineExceeded,   // exit code 4
  Cancelled,          // exit code 130
  Conflict,           // another process or a newer fencing token won; exit code 3
  Internal,           // a bug of ours; exit code 3
};

/// The stable name of a code, as shown in JSON ("invalid_argument").
std::string_view to_string(Errc code) noexcept;

/// The process exit code of an error: 2 usage or input, 3 environment, 4 budget or deadline, 130
/// interrupted.
int exit_code(Errc code) noexcept;

struct Error {
  Errc code = Errc::Internal;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(Errc code, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

/// Adds context in front of a message: wrap(error, "opening store") -> "opening store: ...".
[[nodiscard]] inline tl::unexpected<Error> wrap(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace kw

#define KW_CONCAT_INNER(a, b) a##b
#define KW_CONCAT(a, b) KW_CONCAT_INNER(a, b)

/// KW_ASSIGN(auto value, expression): the value of a Result, or return its error from the enclosing
/// function.
#define KW_ASSIGN(lhs, ...) KW_ASSIGN_INNER(KW_CONCAT(kw_result_, __LINE__), lhs, __VA_ARGS__)
#define KW_ASSIGN_INNER(temporary, lhs, ...)                                          \
  auto temporary = (__VA_ARGS__);                                                     \
  if (!temporary) return ::tl::unexpected<::kw::Error>(std::move(temporary).error()); \
  lhs = std::move(*temporary)

/// KW_RETURN_IF_ERROR(expression): return the error of a Status or Result, otherwise go on.
#define KW_RETURN_IF_ERROR(...)                                            \
  do {                                                                     \
    if (auto kw_status_ = (__VA_ARGS__); !kw_status_)                      \
      return ::tl::unexpected<::kw::Error>(std::move(kw_status_).error()); \
  } while (false)
