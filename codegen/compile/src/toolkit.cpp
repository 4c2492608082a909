#include "kw/compile/toolkit.h"

#include <array>
#include <cstdlib>
#include <optional>

namespace kw::compile {

namespace {

namespace fs = std::filesystem;

// Newest first. 11.2 is the last soname before NVRTC's became stable within a major.
constexpr std::array<const char*, 3> kLibraries{"libnvrtc.so.13", "libnvrtc.so.12",
                                                "libnvrtc.so.11.2"};
// A toolkit, a library folder, and the layouts of NVIDIA's wheels.
constexpr std::array<const char*, 9> kLibraryFolders{"",
                                                     "lib64",
                                                     "lib",
                                                     "targets/x86_64-linux/lib",
                                                     "targets/sbsa-linux/lib",
                                                     "lib/x86_64-linux-gnu",
                                                     "nvidia/cu13/lib",
                                                     "nvidia/cuda_nvrtc/lib",
                                                     "cuda_nvrtc/lib"};
constexpr std::array<const char*, 12> kIncludeFolders{"include",
                                                      "include/cccl",
                                                      "../include",
                                                      "../include/cccl",
                                                      "targets/x86_64-linux/include",
                                                      "nvidia/cu13/include",
                                                      "nvidia/cu13/include/cccl",
                                                      "nvidia/cuda_runtime/include",
                                                      "nvidia/cuda_cccl/include",
                                                      "nvidia/cuda_nvrtc/include",
                                                      "../nvidia/cuda_runtime/include",
                                                      "../nvidia/cuda_cccl/include"};

bool holds_headers(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "cuda_fp16.h", ignored) ||
         fs::is_directory(folder / "cuda" / "std", ignored);
}

std::vector<fs::path> include_roots(const fs::path& base) {
  std::vector<fs::path> roots;
  for (const char* folder : kIncludeFolders) {
    const fs::path root = (base / folder).lexically_normal();
    if (holds_headers(root)) roots.push_back(root);
  }
  return roots;
}

std::optional<Toolkit> look_in(const fs::path& base) {
  for (const char* library : kLibraries) {
    for (const char* folder : kLibraryFolders) {
      std::error_code ignored;
      const fs::path path = base / folder / library;
      if (fs::is_regular_file(path, ignored)) {
        return Toolkit{path.lexically_normal().string(), include_roots(base), base.string()};
      }
    }
  }
  return std::nullopt;
}

std::vector<fs::path> places(const std::string& configured) {
  std::vector<fs::path> out;
  if (!configured.empty()) out.emplace_back(configured);
  // These variables are how toolkits are found everywhere; nothing else here reads the environment.
  const auto add_variable = [&](const char* name) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      out.emplace_back(value);
    }
  };
  add_variable("KW_NVRTC_DIR");
#ifdef KW_DEVELOPMENT_SOURCE_DIR
  out.emplace_back(fs::path(KW_DEVELOPMENT_SOURCE_DIR) / ".deps" / "nvrtc");
#endif
  add_variable("CUDA_HOME");
  add_variable("CUDA_PATH");
  out.insert(out.end(), {"/usr/local/cuda", "/opt/cuda", "/usr"});
  return out;
}

}  // namespace

Toolkit find_toolkit(const std::string& configured) {
  std::optional<Toolkit> found;
  std::vector<fs::path> headers;  // a library may come without any: then the first that are seen
  std::string searched;
  for (const fs::path& place : places(configured)) {
    if (!found) found = look_in(place);
    if (found && !found->include_roots.empty()) return *found;
    if (headers.empty()) headers = include_roots(place);
    searched += (searched.empty() ? "" : ", ") + place.string();
  }
  if (!found) found = Toolkit{{}, {}, "dynamic linker, after " + searched};
  found->include_roots = headers;
  return *found;
}

}  // namespace kw::compile
