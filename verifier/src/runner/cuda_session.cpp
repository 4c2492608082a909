#include "cuda_session.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fill_kernel.h"
#include "helper_kernels.h"
#include "parallel_copy.h"

namespace kw::verify {

namespace {

constexpr std::size_t kChunk = std::size_t{32} << 20;
constexpr std::size_t kSmallChunk = std::size_t{1} << 20;
constexpr unsigned kThreads = 256;

Status check(const cu::Table& api, cu::Result result, const char* call) {
  return launch::check(api, result, call);
}

}  // namespace

Result<std::unique_ptr<CudaSession>> CudaSession::open(int ordinal,
                                                       const std::string& helper_cubin) {
  KW_ASSIGN(const cu::Table* api, launch::load_driver());
  KW_ASSIGN(const launch::DeviceFacts facts, launch::device_facts(*api, ordinal));
  KW_ASSIGN(launch::PrimaryContext context, launch::PrimaryContext::retain(*api, ordinal));
  std::unique_ptr<CudaSession> session(new CudaSession(*api, std::move(context)));
  session->l2_bytes_ = facts.l2_bytes;
  session->sm_count_ = static_cast<unsigned>(std::max<std::int64_t>(facts.limits.sm_count, 1));
  // No line may be pinned in L2 past the reads that empty it.
  api->context_set_limit(cu::kLimitPersistingL2, 0);
  KW_ASSIGN(session->stream_, launch::make_stream(*api));
  KW_ASSIGN(session->helpers_, launch::load_module(*api, helper_cubin));
  KW_ASSIGN(session->fill_, session->helper(kFillKernel));
  KW_ASSIGN(session->hash_, session->helper(kHashKernel));
  KW_ASSIGN(session->guard_, session->helper(kGuardKernel));
  KW_ASSIGN(session->read_, session->helper(kReadKernel));
  KW_RETURN_IF_ERROR(session->reserve_results(64));
  const DeviceRange some{launch::address(session->results_), 64};
  KW_RETURN_IF_ERROR(session->hash({some}));  // warms the driver up
  return session;
}

Result<cu::Function> CudaSession::helper(const char* name) {
  cu::Function function = nullptr;
  KW_RETURN_IF_ERROR(
      check(*api_, api_->module_function(&function, helpers_.get(), name), "cuModuleGetFunction"));
  return function;
}

Status CudaSession::launch(cu::Function function, std::uint64_t threads,
                           std::vector<void*> parameters) {
  const std::uint64_t wanted = std::max<std::uint64_t>(1, (threads + kThreads - 1) / kThreads);
  const auto blocks = static_cast<unsigned>(std::min<std::uint64_t>(wanted, 8ull * sm_count_));
  return check(*api_,
               api_->launch(function, blocks, 1, 1, kThreads, 1, 1, 0, stream_.get(),
                            parameters.data(), nullptr),
               "cuLaunchKernel");
}

Status CudaSession::reserve_results(std::size_t words) {
  if (words <= result_words_) return {};
  results_.reset();
  result_words_ = 0;
  KW_ASSIGN(results_, launch::allocate(*api_, words * sizeof(std::uint64_t)));
  result_words_ = words;
  return {};
}

Status CudaSession::fill(const FillSpec& spec, cu::DevicePtr out) {
  if (spec.elements == 0) return {};
  KW_ASSIGN(FillLaunch what, fill_launch(spec, out));
  const std::size_t second = (what.sizes[0] + 7) / 8 * 8;
  std::array<void*, 2> parameters{what.parameters.data(), what.parameters.data() + second};
  return check(*api_,
               api_->launch(fill_, what.grid, 1, 1, what.block, 1, 1, 0, stream_.get(),
                            parameters.data(), nullptr),
               "cuLaunchKernel(kw_fill)");
}

Status CudaSession::fill_bytes(DeviceRange range, std::uint8_t value) {
  if (range.bytes == 0) return {};
  return check(*api_, api_->fill_bytes(range.begin, value, range.bytes, stream_.get()),
               "cuMemsetD8Async");
}

Status CudaSession::copy_in(cu::DevicePtr to, std::span<const std::byte> from) {
  if (from.empty()) return {};
  KW_RETURN_IF_ERROR(check(*api_, api_->copy_to_device(to, from.data(), from.size(), stream_.get()),
                           "cuMemcpyHtoDAsync"));
  return check(*api_, synchronize(), "cuStreamSynchronize");
}

/// Two chunks: small where little is asked for, since pinning memory takes time.
Status CudaSession::reserve_staging(std::size_t bytes) {
  const std::size_t wanted = bytes > kSmallChunk ? kChunk : kSmallChunk;
  if (staging_chunk_ >= wanted) return {};
  KW_RETURN_IF_ERROR(check(*api_, synchronize(), "cuStreamSynchronize"));
  staging_.reset();
  staging_chunk_ = 0;
  KW_ASSIGN(staging_, launch::allocate_pinned(*api_, 2 * wanted));
  staging_chunk_ = wanted;
  while (staged_.size() < 2) {
    KW_ASSIGN(launch::Event event, launch::make_event(*api_));
    staged_.push_back(std::move(event));
  }
  return {};
}

Status CudaSession::copy_out(DeviceRange from, std::span<std::byte> to) {
  KW_RETURN_IF_ERROR(reserve_staging(from.bytes));
  auto* staging = static_cast<std::byte*>(staging_.get());
  const std::size_t chunk = staging_chunk_;
  const std::size_t chunks = (from.bytes + chunk - 1) / chunk;
  const auto size_of_chunk = [&](std::size_t i) {
    return std::min<std::size_t>(chunk, from.bytes - i * chunk);
  };
  // Chunk i is on the bus while chunk i-1 is copied on.
  for (std::size_t i = 0; i <= chunks; ++i) {
    if (i < chunks) {
      KW_RETURN_IF_ERROR(
          check(*api_,
                api_->copy_to_host(staging + (i % 2) * chunk, from.begin + i * chunk,
                                   size_of_chunk(i), stream_.get()),
                "cuMemcpyDtoHAsync"));
      KW_RETURN_IF_ERROR(
          check(*api_, api_->event_record(staged_[i % 2].get(), stream_.get()), "cuEventRecord"));
    }
    if (i == 0) continue;
    const std::size_t done = i - 1;
    KW_RETURN_IF_ERROR(
        check(*api_, api_->event_synchronize(staged_[done % 2].get()), "cuEventSynchronize"));
    parallel_copy(to.subspan(done * chunk, size_of_chunk(done)),
                  {staging + (done % 2) * chunk, size_of_chunk(done)});
  }
  return {};
}

Result<std::vector<std::uint64_t>> CudaSession::hash(const std::vector<DeviceRange>& ranges) {
  KW_RETURN_IF_ERROR(reserve_results(ranges.size()));
  const std::uint64_t result_bytes = ranges.size() * sizeof(std::uint64_t);
  KW_RETURN_IF_ERROR(fill_bytes({launch::address(results_), result_bytes}, 0));
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].bytes == 0) continue;
    cu::DevicePtr data = ranges[i].begin;
    std::uint64_t quads = ranges[i].bytes / 16;
    cu::DevicePtr tail = data + 16 * quads;
    auto tail_bytes = static_cast<std::uint32_t>(ranges[i].bytes % 16);
    cu::DevicePtr out = launch::address(results_) + i * sizeof(std::uint64_t);
    KW_RETURN_IF_ERROR(launch(hash_, quads, {&data, &quads, &tail, &tail_bytes, &out}));
  }
  std::vector<std::uint64_t> hashes(ranges.size());
  KW_RETURN_IF_ERROR(copy_out({launch::address(results_), result_bytes},
                              std::as_writable_bytes(std::span(hashes))));
  return hashes;
}

Result<std::vector<bool>> CudaSession::differs(const std::vector<DeviceRange>& ranges,
                                               std::uint8_t value) {
  KW_RETURN_IF_ERROR(reserve_results(ranges.size()));
  const std::uint64_t result_bytes = ranges.size() * sizeof(std::uint64_t);
  KW_RETURN_IF_ERROR(fill_bytes({launch::address(results_), result_bytes}, 0));
  std::vector<bool> out(ranges.size(), false);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    // The bytes before the first whole word come to the host: there are at most three.
    const std::uint64_t lead =
        std::min<std::uint64_t>((4 - ranges[i].begin % 4) % 4, ranges[i].bytes);
    if (lead > 0) {
      std::array<std::byte, 4> bytes{};
      KW_RETURN_IF_ERROR(copy_out({ranges[i].begin, lead}, std::span(bytes).first(lead)));
      out[i] = std::any_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(lead),
                           [&](std::byte b) { return b != std::byte{value}; });
    }
    cu::DevicePtr words = ranges[i].begin + lead;
    std::uint64_t count = (ranges[i].bytes - lead) / 4;
    if (count == 0) continue;
    std::uint32_t wanted = value * 0x01010101u;
    cu::DevicePtr flag = launch::address(results_) + i * sizeof(std::uint64_t);
    KW_RETURN_IF_ERROR(launch(guard_, count, {&words, &count, &wanted, &flag}));
  }
  std::vector<std::uint64_t> flags(ranges.size());
  KW_RETURN_IF_ERROR(copy_out({launch::address(results_), result_bytes},
                              std::as_writable_bytes(std::span(flags))));
  for (std::size_t i = 0; i < ranges.size(); ++i) out[i] = out[i] || flags[i] != 0;
  return out;
}

Status CudaSession::enqueue_read(DeviceRange range) {
  cu::DevicePtr data = range.begin;
  std::uint64_t quads = range.bytes / 16;
  cu::DevicePtr sink = launch::address(results_);
  return launch(read_, quads, {&data, &quads, &sink});
}

}  // namespace kw::verify
