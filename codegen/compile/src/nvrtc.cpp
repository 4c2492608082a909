#include "nvrtc.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace kw::compile {

namespace {

// nvrtc.h, as far as it is used: stable since CUDA 11.1, declared here so that no toolkit is needed
// to build.
using NvrtcProgram = void*;
using NvrtcResult = int;
constexpr NvrtcResult kSuccess = 0;
constexpr NvrtcResult kCompilationFailed = 6;

}  // namespace

struct Nvrtc::Table {
  NvrtcResult (*version)(int* major, int* minor);
  const char* (*error_string)(NvrtcResult);
  NvrtcResult (*create)(NvrtcProgram*, const char* source, const char* name, int headers,
                        const char* const* texts, const char* const* names);
  NvrtcResult (*destroy)(NvrtcProgram*);
  NvrtcResult (*compile)(NvrtcProgram, int options, const char* const* texts);
  NvrtcResult (*log_size)(NvrtcProgram, std::size_t*);
  NvrtcResult (*log)(NvrtcProgram, char*);
  NvrtcResult (*ptx_size)(NvrtcProgram, std::size_t*);
  NvrtcResult (*ptx)(NvrtcProgram, char*);
  NvrtcResult (*cubin_size)(NvrtcProgram, std::size_t*);
  NvrtcResult (*cubin)(NvrtcProgram, char*);
};

namespace {

/// libnvrtc opens its built-ins by soname when it first compiles; loading them beforehand from the
/// same folder spares it the search path.
void preload_builtins(const std::string& library) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::path(library).parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("libnvrtc-builtins.so.")) {
      ::dlopen(entry.path().c_str(), RTLD_NOW | RTLD_GLOBAL);
    }
  }
}

void* open_library(const std::string& library, std::string& tried) {
  std::vector<std::string> names{library};
  if (library.empty()) names = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"};
  for (const std::string& name : names) {
    if (void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    tried = ::dlerror();
  }
  return nullptr;
}

template <typename Size, typename Get>
std::string fetch(NvrtcProgram program, Size size_of, Get get) {
  std::size_t size = 0;
  if (size_of(program, &size) != kSuccess || size == 0) return {};
  std::string text(size, '\0');
  if (get(program, text.data()) != kSuccess) return {};
  return text;
}

/// Sizes count the final zero of texts.
void drop_final_zero(std::string& text) {
  if (!text.empty() && text.back() == '\0') text.pop_back();
}

}  // namespace

Result<Nvrtc> Nvrtc::load(const std::string& library) {
  if (!library.empty()) preload_builtins(library);
  std::string tried;
  void* handle = open_library(library, tried);
  if (handle == nullptr) {
    return fail(Errc::Unavailable,
                "NVRTC was not found ({}); install the CUDA toolkit or set KW_NVRTC_DIR", tried);
  }
  auto table = std::make_unique<Table>();
  const char* missing = nullptr;
  const auto fill = [&](auto& pointer, const char* name) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(::dlsym(handle, name));
    if (pointer == nullptr) missing = name;
  };
  fill(table->version, "nvrtcVersion");
  fill(table->error_string, "nvrtcGetErrorString");
  fill(table->create, "nvrtcCreateProgram");
  fill(table->destroy, "nvrtcDestroyProgram");
  fill(table->compile, "nvrtcCompileProgram");
  fill(table->log_size, "nvrtcGetProgramLogSize");
  fill(table->log, "nvrtcGetProgramLog");
  fill(table->ptx_size, "nvrtcGetPTXSize");
  fill(table->ptx, "nvrtcGetPTX");
  fill(table->cubin_size, "nvrtcGetCUBINSize");
  fill(table->cubin, "nvrtcGetCUBIN");
  if (missing != nullptr) {
    return fail(Errc::Unavailable, "this NVRTC has no {}: CUDA 11.2 or newer is needed", missing);
  }
  int major = 0, minor = 0;
  if (table->version(&major, &minor) != kSuccess) {
    return fail(Errc::Unavailable, "NVRTC does not tell its version");
  }
  Nvrtc nvrtc(table.release());
  nvrtc.version_ = fmt::format("{}.{}", major, minor);
  return nvrtc;
}

Result<NvrtcOutput> Nvrtc::compile(const NvrtcInput& input) const {
  std::vector<const char*> names, texts, options;
  for (const auto& [name, text] : input.headers) {
    names.push_back(name.c_str());
    texts.push_back(text.c_str());
  }
  for (const std::string& option : input.options) options.push_back(option.c_str());

  NvrtcProgram program = nullptr;
  NvrtcResult rc = table_->create(&program, input.source.c_str(), kVirtualName,
                                  static_cast<int>(names.size()), texts.data(), names.data());
  if (rc != kSuccess) {
    return fail(Errc::Unavailable, "nvrtcCreateProgram: {}", table_->error_string(rc));
  }
  const auto destroy = [this](void* p) { table_->destroy(&p); };
  const std::unique_ptr<void, decltype(destroy)> owner(program, destroy);

  rc = table_->compile(program, static_cast<int>(options.size()), options.data());
  NvrtcOutput output;
  output.ok = rc == kSuccess;
  output.log = fetch(program, table_->log_size, table_->log);
  drop_final_zero(output.log);
  output.log.resize(std::min(output.log.size(), kMaxLogBytes));
  if (rc != kSuccess && rc != kCompilationFailed) {
    return fail(Errc::Unavailable, "nvrtcCompileProgram: {} {}", table_->error_string(rc),
                output.log.substr(0, 400));
  }
  output.ptx = fetch(program, table_->ptx_size, table_->ptx);
  drop_final_zero(output.ptx);
  if (!output.ok) return output;
  output.cubin = fetch(program, table_->cubin_size, table_->cubin);
  if (output.ptx.empty() || output.cubin.empty()) {
    return fail(Errc::Unavailable, "NVRTC gave no PTX or no cubin");
  }
  return output;
}

}  // namespace kw::compile
