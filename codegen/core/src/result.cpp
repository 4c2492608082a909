#include "kw/core/result.h"

namespace kw {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::InvalidArgument:
      return "invalid_argument";
    case Errc::NotFound:
      return "not_found";
    case Errc::Unsupported:
      return "unsupported";
    case Errc::Corrupt:
      return "corrupt";
    case Errc::Io:
      return "io";
    case Errc::Unavailable:
      return "unavailable";
    case Errc::ResourceExhausted:
      return "resource_exhausted";
    case Errc::DeadlineExceeded:
      return "deadline_exceeded";
    case Errc::Cancelled:
      return "cancelled";
    case Errc::Conflict:
      return "conflict";
    case Errc::Internal:
      return "internal";
  }
  return "internal";
}

int exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::InvalidArgument:
    case Errc::NotFound:
    case Errc::Unsupported:
      return 2;
    case Errc::Corrupt:
    case Errc::Io:
    case Errc::Unavailable:
    case Errc::Conflict:
    case Errc::Internal:
      return 3;
    case Errc::ResourceExhausted:
    case Errc::DeadlineExceeded:
      return 4;
    case Errc::Cancelled:
      return 130;
  }
  return 3;
}

}  // namespace kw
