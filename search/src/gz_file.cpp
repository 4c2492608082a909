#include "gz_file.h"

#include <zlib.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace kw::search {

namespace {

constexpr unsigned kChunk = 256u << 10;

struct CloseGz {
  void operator()(gzFile_s* file) const noexcept { (void)gzclose_r(file); }  // only read
};

tl::unexpected<Error> read_error(gzFile_s* file, const std::filesystem::path& path) {
  int code = Z_OK;
  const char* text = gzerror(file, &code);
  if (code == Z_ERRNO) {
    return fail(Errc::Io, "{}: {}", path.string(), std::generic_category().message(errno));
  }
  return fail(Errc::Corrupt, "{}: damaged gzip data: {}", path.string(), text);
}

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t limit) {
  if (std::error_code ec; !std::filesystem::is_regular_file(path, ec)) {
    return fail(Errc::NotFound, "{}: no such file", path.string());
  }
  const std::unique_ptr<gzFile_s, CloseGz> file(gzopen(path.c_str(), "rb"));
  if (!file) {
    return fail(Errc::Io, "{}: {}", path.string(), std::generic_category().message(errno));
  }
  (void)gzbuffer(file.get(), kChunk);
  std::string text;
  for (;;) {
    const std::size_t have = text.size();
    text.resize(have + kChunk);
    const int got = gzread(file.get(), text.data() + have, kChunk);
    if (got < 0) return read_error(file.get(), path);
    text.resize(have + static_cast<std::size_t>(got));
    if (text.size() > limit) {
      return fail(Errc::ResourceExhausted, "{}: more than {} bytes of text", path.string(), limit);
    }
    if (static_cast<unsigned>(got) < kChunk) break;
  }
  // A file that ends within its data shows only in the error state.
  int code = Z_OK;
  (void)gzerror(file.get(), &code);
  if (code != Z_OK) return read_error(file.get(), path);
  return text;
}

}  // namespace kw::search
