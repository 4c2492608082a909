#include "npy.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

namespace kw::agent::vm {
namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};

/// The header is a Python dictionary of three known keys.
class Dictionary {
 public:
  explicit Dictionary(std::string_view text) : left_(text) {}

  struct Fields {
    std::string descr;
    bool fortran_order = false;
    Shape shape;
  };

  Result<Fields> read() {
    Fields out;
    bool have_descr = false, have_order = false, have_shape = false;
    if (!take('{')) return malformed("it does not begin with {");
    while (!take('}')) {
      const auto key = quoted();
      if (!key || !take(':')) return malformed("a key and a colon are expected");
      bool good = false;
      if (*key == "descr" && !have_descr) {
        good = have_descr = descr(out.descr);
      } else if (*key == "fortran_order" && !have_order) {
        good = have_order = boolean(out.fortran_order);
      } else if (*key == "shape" && !have_shape) {
        good = have_shape = shape(out.shape);
      }
      if (!good) return malformed("'" + *key + "' is unknown, there twice, or has no usable value");
      if (!take(',') && !at('}')) return malformed("a comma is missing");
    }
    skip();
    if (!left_.empty()) return malformed("there is text after }");
    if (!have_descr || !have_order || !have_shape) {
      return malformed("descr, fortran_order and shape are not all there");
    }
    return out;
  }

 private:
  static tl::unexpected<Error> malformed(std::string_view why) {
    return fail(Errc::InvalidArgument, "the .npy header is not well-formed: {}", why);
  }
  void skip() {
    const std::size_t to = left_.find_first_not_of(" \t\r\n");
    left_.remove_prefix(to == std::string_view::npos ? left_.size() : to);
  }
  bool at(char c) {
    skip();
    return left_.starts_with(c);
  }
  bool take(char c) {
    if (!at(c)) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view text) {
    skip();
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }
  std::optional<std::string> quoted() {
    skip();
    if (left_.empty() || (left_[0] != '\'' && left_[0] != '"')) return std::nullopt;
    const std::size_t end = left_.find(left_[0], 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string out(left_.substr(1, end - 1));
    left_.remove_prefix(end + 1);
    return out;
  }
  bool descr(std::string& out) {
    if (at('[')) {  // a list of fields: the caller refuses records by name
      out = "record";
      const std::size_t end = left_.find(']');
      if (end == std::string_view::npos) return false;
      left_.remove_prefix(end + 1);
      return true;
    }
    auto text = quoted();
    if (!text) return false;
    out = std::move(*text);
    return true;
  }
  bool boolean(bool& out) {
    out = word("True");
    return out || word("False");
  }
  bool shape(Shape& out) {
    if (!take('(')) return false;
    while (!take(')')) {
      skip();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), extent);
      if (error != std::errc{} || extent < 0 || out.size() == 32) return false;
      left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
      out.push_back(extent);
      if (!take(',') && !at(')')) return false;
    }
    return true;
  }

  std::string_view left_;
};

Result<const Element*> supported_element(const std::string& descr) {
  if (const Element* element = find_npy_element(descr)) return element;
  const char kind = descr.size() > 1 ? descr[1] : '?';
  if (descr.starts_with('>')) {
    return fail(Errc::Unsupported,
                "the array is big-endian ('{}'): save a.astype(a.dtype.newbyteorder('<'))", descr);
  }
  if (descr == "record" || kind == 'V') {
    return fail(Errc::Unsupported,
                "the array holds records or raw bytes: save its fields, or a.view('u1')");
  }
  if (kind == 'O') {
    return fail(Errc::Unsupported, "the array holds Python objects: save numbers");
  }
  return fail(Errc::Unsupported,
              "the array's elements are '{}': f8, f4, f2, i8 to i1, u8 to u1 and b1 are read",
              descr);
}

std::string shape_text(const Shape& shape) {
  std::string out = "(";
  for (const std::int64_t extent : shape) out += fmt::format("{}, ", extent);
  if (shape.size() > 1) out.resize(out.size() - 2);
  if (shape.size() == 1) out.resize(out.size() - 1);
  return out + ")";
}

Result<std::uint64_t> size_of_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return fail(errno == ENOENT ? Errc::NotFound : Errc::Io, "{}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return fail(Errc::InvalidArgument, "{} is no regular file", path);
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view head, std::uint64_t file_bytes) {
  if (!head.starts_with(kMagic) || head.size() < 10) {
    return fail(Errc::InvalidArgument, "it is no .npy file: numpy.save() makes one");
  }
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(head[i]));
  };
  const std::uint64_t version = byte(6);
  if (version < 1 || version > 3) {
    return fail(Errc::Unsupported, ".npy version {} is not known: 1, 2 and 3 are", version);
  }
  std::uint64_t begin = 10, size = byte(8) | byte(9) << 8;
  if (version > 1) {
    if (head.size() < 12) return fail(Errc::InvalidArgument, "the .npy header is cut off");
    begin = 12;
    size |= byte(10) << 16 | byte(11) << 24;
  }
  if (size > kMaxNpyHeaderBytes - begin) {
    return fail(Errc::InvalidArgument, "the .npy header claims {} bytes; {} are read at most", size,
                kMaxNpyHeaderBytes - begin);
  }
  if (begin + size > file_bytes || begin + size > head.size()) {
    return fail(Errc::InvalidArgument, "the .npy header is cut off");
  }
  KW_ASSIGN(const Dictionary::Fields fields, Dictionary(head.substr(begin, size)).read());
  NpyHeader out;
  KW_ASSIGN(out.element, supported_element(fields.descr));
  // An array of one extent is the same in both orders.
  if (fields.fortran_order && fields.shape.size() > 1) {
    return fail(Errc::Unsupported,
                "the array is in Fortran order: save numpy.ascontiguousarray(a)");
  }
  out.shape = fields.shape;
  KW_ASSIGN(const std::int64_t count, element_count(out.shape));
  out.data_offset = begin + size;
  const std::uint64_t have = file_bytes - out.data_offset;
  if (static_cast<std::uint64_t>(count) > have / out.element->bytes) {
    return fail(Errc::InvalidArgument,
                "the file is cut off: {} elements of {} bytes, {} bytes there", count,
                out.element->bytes, have);
  }
  out.data_bytes = static_cast<std::uint64_t>(count) * out.element->bytes;
  return out;
}

Result<NpyHeader> read_npy_header(const std::string& path) {
  KW_ASSIGN(const std::uint64_t bytes, size_of_file(path));
  std::ifstream file(path, std::ios::binary);
  std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kMaxNpyHeaderBytes)),
                   '\0');
  if (!file || !file.read(head.data(), static_cast<std::streamsize>(head.size()))) {
    return fail(Errc::Io, "{} cannot be read", path);
  }
  auto header = parse_npy_header(head, bytes);
  if (!header) return wrap(header.error(), path);
  return header;
}

Status read_npy_data(const std::string& path, const NpyHeader& header, std::span<std::byte> to) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(header.data_offset));
  if (!file ||
      !file.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()))) {
    return fail(Errc::Io, "{} cannot be read", path);
  }
  return {};
}

Status write_npy(const std::string& path, const Element& element, const Shape& shape,
                 std::span<const std::byte> data) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                   element.npy, shape_text(shape));
  // The elements begin at a multiple of 64; the header ends with a line feed.
  header.resize((kMagic.size() + 4 + header.size() + 1 + 63) / 64 * 64 - kMagic.size() - 4 - 1,
                ' ');
  header += '\n';
  const std::string beside = path + ".part";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(beside.c_str(), "wb"),
                                                       std::fclose);
  if (!file) return fail(Errc::Io, "{}: {}", beside, std::strerror(errno));
  const std::array<char, 4> lead{1, 0, static_cast<char>(header.size() & 0xff),
                                 static_cast<char>(header.size() >> 8)};
  const auto put = [&](const void* bytes, std::size_t size) {
    return std::fwrite(bytes, 1, size, file.get()) == size;
  };
  bool good = put(kMagic.data(), kMagic.size()) && put(lead.data(), lead.size()) &&
              put(header.data(), header.size()) && put(data.data(), data.size());
  good = std::fclose(file.release()) == 0 && good;
  std::error_code ec;
  if (good) std::filesystem::rename(beside, path, ec);
  if (!good || ec) {
    std::error_code ignored;
    std::filesystem::remove(beside, ignored);
    return fail(Errc::Io, "{} could not be written", path);
  }
  return {};
}

}  // namespace kw::agent::vm
