// What people give to `kernelwright vm`: .npy files, arguments, signatures.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "fakes/temp_dir.h"
#include "kw/ptxvm/program.h"
#include "vm/argument.h"
#include "vm/bind.h"
#include "vm/messages.h"
#include "vm/npy.h"

namespace kw::agent::vm {
namespace {

using ::testing::HasSubstr;

std::string npy(const std::string& dictionary, char version = 1, std::size_t data = 16) {
  std::string size(version == 1 ? 2 : 4, '\0');
  size[0] = static_cast<char>(dictionary.size() & 0xff);
  size[1] = static_cast<char>(dictionary.size() >> 8);
  return std::string("\x93NUMPY", 6) + version + '\0' + size + dictionary + std::string(data, 'x');
}

Result<NpyHeader> parsed(const std::string& file) { return parse_npy_header(file, file.size()); }

TEST(Npy, ReadsEveryVersionAndElement) {
  for (const char version : {'\1', '\2', '\3'}) {
    const auto header =
        parsed(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", version));
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_EQ(header->element->name, "f32");
    EXPECT_EQ(header->shape, (Shape{2, 2}));
    EXPECT_EQ(header->data_bytes, 16u);
  }
  const auto scalar = parsed(npy("{\"shape\": (), 'descr': '|b1', 'fortran_order': True}"));
  ASSERT_TRUE(scalar);
  EXPECT_EQ(scalar->data_bytes, 1u);
  EXPECT_TRUE(parsed(npy("{'descr': '<u2', 'fortran_order': True, 'shape': (8,), }")))
      << "one extent is the same in both orders";
}

TEST(Npy, RefusesByNameWhatItDoesNotRead) {
  const auto message = [](const std::string& file) {
    const auto header = parsed(file);
    return header ? std::string("accepted") : header.error().message;
  };
  const auto with = [](const std::string& descr, const std::string& order = "False",
                       const std::string& shape = "(2, 2)") {
    return npy("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + "}");
  };
  EXPECT_THAT(message(with("'<f4'", "True")), HasSubstr("ascontiguousarray"));
  EXPECT_THAT(message(with("'>f4'")), HasSubstr("big-endian"));
  EXPECT_THAT(message(with("'|O'")), HasSubstr("Python objects"));
  EXPECT_THAT(message(with("[('a', '<f4'), ('b', '<i4')]")), HasSubstr("records"));
  EXPECT_THAT(message(with("'<c8'")), HasSubstr("'<c8'"));
  EXPECT_THAT(message(with("'<f4'", "False", "(3, 3)")), HasSubstr("cut off"));
  EXPECT_THAT(message(with("'<f4'", "False", "(4611686018427387904, 8)")),
              ::testing::Not("accepted"));
  EXPECT_THAT(message(with("'<f4'", "False", "(-1,)")), HasSubstr("shape"));
  EXPECT_THAT(message(with("'<f4'", "Maybe")), HasSubstr("fortran_order"));
  EXPECT_THAT(message("PK\x03\x04 a zip file"), HasSubstr("no .npy"));
  EXPECT_THAT(message(""), HasSubstr("no .npy"));
  EXPECT_THAT(message(std::string("\x93NUMPY\x09\x00\x10\x00", 10)), HasSubstr("version 9"));
  std::string huge = npy("{}", 2);
  huge.replace(8, 4, "\xff\xff\xff\xff");
  EXPECT_THAT(message(huge), HasSubstr("claims"));
}

TEST(Npy, EveryPrefixOfAFileIsAnErrorOrTheFile) {
  const std::string whole =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", 1, 16);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parsed(whole.substr(0, size))) << size;
  }
  for (std::size_t i = 0; i < whole.size() - 16; ++i) {
    std::string broken = whole;
    for (const char c : {'\0', '\xff', '(', '\'', '9'}) {
      broken[i] = c;
      (void)parsed(broken);  // must only not crash
    }
  }
}

TEST(Npy, WhatIsWrittenIsReadBack) {
  fakes::TempDir dir;
  for (const Element& element : elements()) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3, 4}, Shape{0, 5}}) {
      const auto count = static_cast<std::size_t>(element_count(shape).value());
      std::vector<std::byte> data(count * element.bytes, std::byte{7});
      const std::string path = dir / "a.npy";
      ASSERT_TRUE(write_npy(path, element, shape, data));
      const auto header = read_npy_header(path);
      ASSERT_TRUE(header) << header.error().message;
      EXPECT_EQ(header->shape, shape);
      EXPECT_EQ(header->element->bytes, element.bytes);
      EXPECT_EQ(header->data_offset % 64, 0u);
      std::vector<std::byte> back(data.size());
      ASSERT_TRUE(read_npy_data(path, *header, back));
      EXPECT_EQ(back, data);
    }
  }
  EXPECT_EQ(read_npy_header(dir / "none.npy").error().code, Errc::NotFound);
  EXPECT_FALSE(read_npy_header(dir / ""));
  EXPECT_FALSE(write_npy(dir / "no/such/folder.npy", *find_element("f32"), {1}, {}));
}

template <class T>
T number(const char* type, const std::string& text) {
  const auto bytes = number_bytes(*find_element(type), text);
  EXPECT_TRUE(bytes) << type << ":" << text;
  T value{};
  if (bytes) std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

TEST(Numbers, AreExactAndInRange) {
  EXPECT_EQ(number<std::int32_t>("i32", "-2147483648"), INT32_MIN);
  EXPECT_EQ(number<std::int64_t>("i64", "-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(number<std::uint64_t>("u64", "0xffffffffffffffff"), UINT64_MAX);
  EXPECT_EQ(number<float>("f32", "1.5"), 1.5f);
  for (const auto& [type, text] : {std::pair{"i8", "128"},
                                   {"u8", "-1"},
                                   {"u32", "4294967296"},
                                   {"i32", "1.5"},
                                   {"i32", ""},
                                   {"i32", "5x"},
                                   {"i32", "--5"},
                                   {"f32", "1.5x"},
                                   {"f32", ""},
                                   {"bool", "2"},
                                   {"i64", "9223372036854775808"},
                                   {"u64", "18446744073709551616"}}) {
    EXPECT_FALSE(number_bytes(*find_element(type), text)) << type << ":" << text;
  }
}

TEST(Numbers, SixteenBitFloatsRoundToNearestEven) {
  EXPECT_EQ(number<std::uint16_t>("f16", "1"), 0x3c00);
  EXPECT_EQ(number<std::uint16_t>("f16", "-2"), 0xc000);
  EXPECT_EQ(number<std::uint16_t>("f16", "65504"), 0x7bff);
  EXPECT_EQ(number<std::uint16_t>("f16", "65520"), 0x7c00) << "a tie goes to infinity";
  EXPECT_EQ(number<std::uint16_t>("f16", "65519"), 0x7bff);
  EXPECT_EQ(number<std::uint16_t>("f16", "5.9604644775390625e-8"), 0x0001) << "the least";
  EXPECT_EQ(number<std::uint16_t>("f16", "2.98023223876953125e-8"), 0x0000) << "half of it: even";
  EXPECT_EQ(number<std::uint16_t>("f16", "6.103515625e-5"), 0x0400) << "the least normal";
  EXPECT_EQ(number<std::uint16_t>("f16", "1.00048828125"), 0x3c00);
  EXPECT_EQ(number<std::uint16_t>("f16", "1.0014648438"), 0x3c02);
  EXPECT_EQ(number<std::uint16_t>("f16", "-inf"), 0xfc00);
  EXPECT_EQ(number<std::uint16_t>("f16", "nan") & 0x7c00, 0x7c00);
  EXPECT_EQ(number<std::uint16_t>("bf16", "1"), 0x3f80);
  EXPECT_EQ(number<std::uint16_t>("bf16", "1.00390625"), 0x3f80) << "a tie goes to even";
  EXPECT_EQ(number<std::uint16_t>("bf16", "3.4e38"), 0x7f80);
  EXPECT_EQ(number<std::uint16_t>("bf16", "-0.0"), 0x8000);
}

Array array_of(const std::string& text) {
  auto argument = parse_argument(text);
  EXPECT_TRUE(argument) << (argument ? "" : argument.error().message);
  return argument ? std::get<Array>(argument->what) : Array{};
}

template <class T>
std::vector<T> filled(const std::string& text, std::uint64_t seed = 0) {
  Array array = array_of(text);
  std::vector<T> out(static_cast<std::size_t>(open_array(array).value()) / sizeof(T));
  EXPECT_TRUE(fill_array(array, seed, std::as_writable_bytes(std::span(out))));
  return out;
}

TEST(Arguments, GeneratorsMakeWhatTheySay) {
  EXPECT_EQ(filled<float>("zeros:f32:2,3"), std::vector<float>(6, 0.0f));
  EXPECT_EQ(filled<std::int64_t>("ones:i64:2"), (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(filled<std::uint64_t>("const:u64:1:0xffffffffffffffff"),
            std::vector<std::uint64_t>{UINT64_MAX});
  EXPECT_EQ(filled<std::int32_t>("iota:i32:4:start=5:step=-2"),
            (std::vector<std::int32_t>{5, 3, 1, -1}));
  const auto one = filled<float>("uniform:f32:1000:seed=1:low=2:high=3");
  EXPECT_EQ(one, filled<float>("uniform:f32:1000:seed=1:low=2:high=3", 99));
  EXPECT_NE(one, filled<float>("uniform:f32:1000:seed=2:low=2:high=3"));
  EXPECT_NE(filled<float>("normal:f32:8", 1), filled<float>("normal:f32:8", 2)) << "--seed counts";
  for (const float x : one) EXPECT_TRUE(x >= 2 && x <= 3);
  std::array<int, 10> seen{};
  for (const std::int32_t x : filled<std::int32_t>("uniform:i32:1000"))
    ++seen.at(static_cast<std::size_t>(x));
  for (const int n : seen) EXPECT_GT(n, 50);
  EXPECT_EQ(array_of("out:a=b.npy=f16:4").save_to, "a=b.npy");
  EXPECT_TRUE(array_of("ro:zeros:f32:4").read_only);
}

TEST(Arguments, WhatIsWrongIsNamedWithWhatWouldBeRight) {
  for (const auto& [text, part] : {std::pair{"", "empty"},
                                   {"f33:1", "f32"},
                                   {"zeros:f33:4", "no type 'f33'"},
                                   {"zeros:f32", "zeros:TYPE:EXTENTS"},
                                   {"zeros:f32:4x", "extent"},
                                   {"zeros:f32:", "extent"},
                                   {"zeros:f32:4:5", "behind"},
                                   {"const:f32:4", "VALUE"},
                                   {"const:i8:4:300", "-128 to 127"},
                                   {"normal:i32:4", "floats"},
                                   {"uniform:f32:4:low=3:high=1", "no range"},
                                   {"uniform:f32:4:sed=1", "seed="},
                                   {"hex:abc", "two digits"},
                                   {"hex:zz", "no byte"},
                                   {"hex:", "two digits"},
                                   {"npy:", "npy:PATH"},
                                   {"out:y.npy", "out:PATH=TYPE:EXTENTS"},
                                   {"out:=f32:4", "out:PATH"},
                                   {"arg:x", "number of an argument"},
                                   {"arg:0+", "offset"},
                                   {"ro:i32:5", "in front of an array"},
                                   {"i32:nine", "an integer"},
                                   {"zeros:f32:99999999999999999999", "extent"}}) {
    const auto argument = parse_argument(text);
    ASSERT_FALSE(argument) << text;
    EXPECT_EQ(argument.error().code, Errc::InvalidArgument) << text;
    EXPECT_THAT(argument.error().message, HasSubstr(part)) << text;
  }
  Array large = array_of("zeros:f64:4000000,4000000");
  EXPECT_EQ(open_array(large).error().code, Errc::ResourceExhausted);
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "ro:";
  EXPECT_FALSE(parse_argument(nested + "zeros:f32:1"));
}

/// A program with the entries `kernels` ("name(.param .u64 a, ...)").
std::shared_ptr<const ptxvm::Program> program(std::initializer_list<const char*> kernels) {
  std::string ptx = ".version 8.0\n.target sm_80\n.address_size 64\n";
  for (const char* kernel : kernels) ptx += std::string(".visible .entry ") + kernel + "{ ret; }\n";
  auto loaded = ptxvm::load(ptx);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return *loaded;
}

TEST(Kernels, AreFoundByTheNamesPeopleUse) {
  const auto p =
      program({"_Z4vaddPKfPfi(.param .u64 a, .param .u64 b, .param .u32 n)",
               "_Z3sumIfEvPKT_Pf(.param .u64 a, .param .u64 b)",
               "_Z3sumIdEvPKT_Pf(.param .u64 a, .param .u64 b)", "plain(.param .u32 a)"});
  for (const char* name : {"vadd", "_Z4vaddPKfPfi", "vadd(float const*, float*, int)"}) {
    EXPECT_EQ(find_entry(*p, name).value()->name, "_Z4vaddPKfPfi") << name;
  }
  EXPECT_EQ(find_entry(*p, "sum<double>").value()->name, "_Z3sumIdEvPKT_Pf");
  EXPECT_EQ(find_entry(*p, "plain").value()->name, "plain");
  EXPECT_EQ(find_entry(*p, "sum").error().code, Errc::NotFound);
  EXPECT_THAT(find_entry(*p, "").error().message, HasSubstr("plain"));
  EXPECT_EQ(find_entry(*program({"only()"}), "").value()->name, "only");
}

Result<std::vector<std::byte>> bound(const ptxvm::Program& p,
                                     const std::vector<std::string>& texts) {
  std::vector<LaunchArgument> arguments;
  for (const std::string& text : texts) {
    const Argument argument = parse_argument(text).value();
    LaunchArgument& a = arguments.emplace_back();
    a.shown = text;
    if (const auto* n = std::get_if<Number>(&argument.what)) {
      a.kind = n->element ? LaunchArgument::Kind::Number : LaunchArgument::Kind::Untyped;
      a.value = n->element ? number_bytes(*n->element, n->text).value() : n->text;
      if (n->element) a.element = n->element->name;
    } else if (const auto* b = std::get_if<Bytes>(&argument.what)) {
      a.kind = LaunchArgument::Kind::Bytes;
      a.value = b->bytes;
    } else if (std::holds_alternative<Array>(argument.what)) {
      a.kind = LaunchArgument::Kind::Array;
    }
  }
  const std::vector<std::uint64_t> addresses{0x700000001000};
  return bind_arguments(p.kernels().front(), arguments, addresses);
}

TEST(Binding, LaysArgumentsOutAsTheKernelDeclaresThem) {
  const auto p =
      program({"k(.param .u64 .ptr .global .align 4 a, .param .u32 n, .param .f64 x, "
               ".param .align 2 .b8 h[2], .param .align 8 .b8 s[16], .param .u8 b)"});
  EXPECT_EQ(signature_of(p->kernels().front()), "(pointer, u32, f64, 2 bytes, 16 bytes, u8)");
  const auto block = bound(*p, {"zeros:f32:4", "-1", "1.5", "f16:1",
                                "hex:000102030405060708090a0b0c0d0e0f", "bool:true"});
  ASSERT_TRUE(block) << block.error().message;
  ASSERT_EQ(block->size(), 49u);
  const auto at = [&]<class T>(std::size_t offset, T value) {
    std::memcpy(&value, block->data() + offset, sizeof value);
    return value;
  };
  EXPECT_EQ(at(0, std::uint64_t{}), 0x700000001000u);
  EXPECT_EQ(at(8, std::uint32_t{}), 0xffffffffu);
  EXPECT_EQ(at(16, 0.0), 1.5);
  EXPECT_EQ(at(24, std::uint16_t{}), 0x3c00);
  EXPECT_EQ(at(33, std::uint8_t{}), 1);
  EXPECT_EQ(at(48, std::uint8_t{}), 1);
}

TEST(Binding, AMismatchIsNamedWithACure) {
  const auto p =
      program({"k(.param .u64 .ptr a, .param .u32 n, .param .f32 x, .param .align 4 .b8 s[8])"});
  const auto message = [&](const std::vector<std::string>& texts) {
    const auto block = bound(*p, texts);
    return block ? std::string("it fits") : block.error().message;
  };
  EXPECT_EQ(message({"null", "5", "1", "hex:0000000000000000"}), "it fits");
  EXPECT_THAT(message({"null", "5", "1"}),
              HasSubstr("takes 4 parameters (pointer, u32, f32, 8 bytes), 3 given"));
  EXPECT_THAT(message({"5", "5", "1", "hex:0000000000000000"}), HasSubstr("parameter 0"));
  EXPECT_THAT(message({"5", "5", "1", "hex:0000000000000000"}), HasSubstr("zeros:f32:1024"));
  EXPECT_THAT(message({"null", "f32:5", "1", "hex:0000000000000000"}), HasSubstr("u32:5"));
  EXPECT_THAT(message({"null", "zeros:i32:1", "1", "hex:0000000000000000"}),
              HasSubstr("not a pointer"));
  EXPECT_THAT(message({"null", "i64:5", "1", "hex:0000000000000000"}), HasSubstr("4 bytes"));
  EXPECT_THAT(message({"null", "5", "i32:1", "hex:0000000000000000"}), HasSubstr("f32:1.5"));
  EXPECT_THAT(message({"null", "5", "x", "hex:0000000000000000"}), HasSubstr("'x' is no f32"));
  EXPECT_THAT(message({"null", "5", "1", "hex:00"}), HasSubstr("8 bytes, 1 given"));
  const auto mangled = program({"_Z1kPfi(.param .u64 a, .param .u32 n)"});
  EXPECT_EQ(signature_of(mangled->kernels().front()), "(pointer, u32)") << "the name says it";
}

TEST(Messages, CrossWhole) {
  Reply reply;
  reply.kernel = "k";
  reply.findings.push_back({3, {}});
  reply.findings[0].finding.kind = ptxvm::FindingKind::Race;
  reply.findings[0].finding.other.emplace().instruction = "st.shared.f32 [%r1], %f1";
  reply.counters.by_class[5] = 7;
  reply.counters.lines.resize(2);
  reply.counters.lines[1].global_sectors = 9;
  reply.files[1] = "a.cu";
  reply.trace.push_back({{1, 2}, 3, 4, "add.u32"});
  reply.differences.push_back({1, "y", 2, 3});
  reply.unwritten = {1, 2};
  const std::string bytes = encode(reply);
  const auto back = decode_reply(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_reply(std::string_view(bytes).substr(0, size))) << size;
  }
  Request request;
  request.ptx = "ptx";
  request.arguments.resize(2);
  request.arrays.resize(1);
  request.registers["k"] = 12;
  request.options.check_races = true;
  request.options.trace = {1, 2, 3};
  const std::string sent = encode(request);
  ASSERT_TRUE(decode_request(sent));
  EXPECT_EQ(encode(*decode_request(sent)), sent);
}

}  // namespace
}  // namespace kw::agent::vm
