#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

// Null, or what failed.
extern "C" const char* kw_run(const unsigned long long* given, unsigned long long workspace, int device,
                              unsigned long long stream);

std::string kw_call(const std::vector<unsigned long long>& given, unsigned long long workspace, int device,
                    unsigned long long stream) {
  const char* failed = kw_run(given.data(), workspace, device, stream);
  return failed == nullptr ? "" : failed;
}
