#pragma once
// Where NVRTC and the headers of device code are.

#include <filesystem>
#include <string>
#include <vector>

namespace kw::compile {

struct Toolkit {
  std::string nvrtc;  // path of libnvrtc.so.<major>; empty: ask the dynamic linker
  std::vector<std::filesystem::path> include_roots;  // may be empty: then no header is available
  std::string origin;                                // what was searched successfully, for `doctor`
};

/// Looks in `configured` (a toolkit, a folder of wheels or a library folder), KW_NVRTC_DIR,
/// .deps/nvrtc of the source tree in builds made there, CUDA_HOME, CUDA_PATH, /usr/local/cuda,
/// /opt/cuda and /usr; at last the dynamic linker may try. Majors 13, 12 and 11.2 are known.
Toolkit find_toolkit(const std::string& configured = {});

}  // namespace kw::compile
