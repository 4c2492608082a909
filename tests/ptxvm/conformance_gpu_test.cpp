// The conformance suite on a GPU through its driver, against the virtual machine. With
// KW_RECORD=FILE set it writes the device's digests there: that is how data/h100.txt is made.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "ptxvm/conformance.h"
#include "ptxvm/driver.h"

namespace kw::ptxvm {
namespace {

// Runs cases on the device.
class Device {
 public:
  bool open() {
    return driver_.open() &&
           driver_.allocate(&in_, conformance::kLanes * conformance::kRecordBytes) == 0 &&
           driver_.allocate(&out_, conformance::kLanes * conformance::kResultBytes) == 0;
  }
  // 0, or the driver's error code.
  int run(const conformance::Case& c, std::vector<std::byte>& results) {
    const auto records = conformance::inputs(c.inputs);
    results.assign(conformance::kLanes * conformance::kResultBytes, std::byte{});
    void* module = nullptr;
    void* function = nullptr;
    if (const int rc = driver_.load(&module, c.ptx.c_str()); rc != 0) return rc;
    void* arguments[] = {&in_, &out_};
    int rc = driver_.upload(in_, records.data(), records.size());
    if (rc == 0) rc = driver_.set(out_, 0xff, results.size());
    if (rc == 0) rc = driver_.function(&function, module, "k");
    if (rc == 0) rc = driver_.launch(function, conformance::kLanes / 128, 128, arguments);
    if (rc == 0) rc = driver_.synchronize();
    if (rc == 0) rc = driver_.download(results.data(), out_, results.size());
    driver_.unload(module);
    return rc;
  }
  std::string name() {
    char text[256] = "";
    driver_.device_name(text, sizeof text);
    return text;
  }

 private:
  Driver driver_;
  Driver::Address in_ = 0, out_ = 0;
};

// Where two sets of results first differ, for a message.
std::string first_difference(const conformance::Case& c, const std::vector<std::byte>& a,
                             const std::vector<std::byte>& b) {
  for (std::size_t lane = 0; lane < conformance::kLanes; ++lane) {
    for (std::size_t k = 0; k < c.result_bytes; ++k) {
      const std::size_t i = lane * conformance::kResultBytes + k;
      if (a[i] == b[i]) continue;
      const auto hex = [&](const std::vector<std::byte>& bytes) {
        std::string out;
        for (std::size_t j = c.result_bytes; j-- > 0;) {
          char digits[4];
          std::snprintf(digits, sizeof digits, "%02x",
                        static_cast<unsigned>(bytes[lane * conformance::kResultBytes + j]));
          out += digits;
        }
        return out;
      };
      return "lane " + std::to_string(lane) + ": " + hex(a) + ", device " + hex(b);
    }
  }
  return "equal";
}

TEST(PtxVmGpu, EveryInstructionMatchesTheDevice) {
  Device device;
  if (!device.open()) {
    if (std::getenv("KW_REQUIRE_GPU") != nullptr) FAIL() << "no usable CUDA driver or device";
    GTEST_SKIP() << "no usable CUDA driver or device";
  }
  const char* path = std::getenv("KW_RECORD");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> record(
      path != nullptr ? std::fopen(path, "w") : nullptr, std::fclose);
  std::size_t exact = 0, approximate = 0, different = 0, refused = 0;
  for (const conformance::Case& c : conformance::cases()) {
    std::vector<std::byte> on_device;
    const int rc = device.run(c, on_device);
    EXPECT_EQ(rc, 0) << c.name << "\n" << c.ptx;
    if (rc != 0) {
      std::printf("device error %d: %s\n", rc, c.name.c_str());
      if (rc != 218 && rc != 222 && rc != 209)
        break;  // not one of the compiler's: nothing after it would run
      continue;
    }
    std::string refusal;
    const auto on_vm = conformance::run_on_vm(c, &refusal);
    if (on_vm.empty()) {
      ++refused;
      ADD_FAILURE() << c.name << ": " << refusal;
    }
    if (c.approximate) {
      ++approximate;
      const auto theirs = conformance::deviation(c, on_device);
      const auto ours = on_vm.empty() ? conformance::Deviation{} : conformance::deviation(c, on_vm);
      EXPECT_GT(theirs.checked, 100u) << c.name;
      EXPECT_LE(theirs.worst, 1) << c.name << ": the device at lane " << theirs.lane;
      EXPECT_LE(ours.worst, 1) << c.name << ": the virtual machine at lane " << ours.lane;
      std::printf(
          "approximate %-32s error over the ISA's bound: device %.3f, virtual machine %.3f (%zu "
          "operands)\n",
          c.name.c_str(), theirs.worst, ours.worst, theirs.checked);
      continue;
    }
    ++exact;
    const auto digest = conformance::digest(c, on_device);
    if (record) {
      std::fprintf(record.get(), "%s\t%016llx\n", c.name.c_str(),
                   static_cast<unsigned long long>(digest));
      std::fflush(record.get());
    }
    if (on_vm.empty() || conformance::digest(c, on_vm) == digest) continue;
    ++different;
    ADD_FAILURE() << c.name << ": " << first_difference(c, on_vm, on_device);
  }
  std::printf("%s: %zu exact cases, %zu of them different and %zu refused; %zu approximate\n",
              device.name().c_str(), exact, different, refused, approximate);
}

}  // namespace
}  // namespace kw::ptxvm
