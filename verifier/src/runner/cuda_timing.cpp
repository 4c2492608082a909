#include "cuda_timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace kw::verify {

namespace {

constexpr int kWarmUps = 3;
constexpr int kMaxSamples = 2000;
constexpr int kMaxRepeats = 20;
constexpr double kShortRunUs = 100;
constexpr std::uint8_t kTimingPoison = 0x7F;

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace

Status CudaTimer::enqueue_run() {
  if (!graph_) return trials_.launcher().enqueue_run(session_.stream());
  return launch::check(session_.api(), session_.api().graph_launch(graph_.get(), session_.stream()),
                       "cuGraphLaunch");
}

Status CudaTimer::enqueue_flush() {
  return session_.enqueue_read({launch::address(flush_), flush_bytes_});
}

template <typename Enqueue>
Result<double> CudaTimer::timed(Enqueue&& enqueue) {
  const cu::Table& api = session_.api();
  KW_RETURN_IF_ERROR(
      launch::check(api, api.event_record(begin_.get(), session_.stream()), "cuEventRecord"));
  KW_RETURN_IF_ERROR(enqueue());
  KW_RETURN_IF_ERROR(
      launch::check(api, api.event_record(end_.get(), session_.stream()), "cuEventRecord"));
  KW_RETURN_IF_ERROR(launch::check(api, api.event_synchronize(end_.get()), "cuEventSynchronize"));
  float milliseconds = 0;
  KW_RETURN_IF_ERROR(launch::check(
      api, api.event_elapsed_ms(&milliseconds, begin_.get(), end_.get()), "cuEventElapsedTime"));
  return 1e3 * static_cast<double>(milliseconds);
}

Status CudaTimer::prepare() {
  const cu::Table& api = session_.api();
  KW_ASSIGN(begin_, launch::make_event(api));
  KW_ASSIGN(end_, launch::make_event(api));
  // A driver without this call has no persisting window either.
  const bool reset =
      api.context_reset_persisting_l2 == nullptr || api.context_reset_persisting_l2() == 0;
  out_.counters["time.persisting_reset"] = reset ? 1 : 0;
  for (int i = 0; i < kWarmUps; ++i) KW_RETURN_IF_ERROR(enqueue_run());
  KW_RETURN_IF_ERROR(launch::check(api, session_.synchronize(), "cuStreamSynchronize"));
  // A plan that cannot be captured is timed launch by launch.
  if (auto graph = trials_.launcher().capture_run(session_.stream())) {
    graph_ = std::move(*graph);
    out_.counters["graph"] = 1;
  }
  KW_RETURN_IF_ERROR(enqueue_run());
  KW_ASSIGN(const double once_us, timed([&] { return enqueue_run(); }));
  if (once_us < kShortRunUs) {
    repeats_ = std::clamp(static_cast<int>(std::ceil(kShortRunUs / std::max(once_us, 1.0))), 2,
                          kMaxRepeats);
  }
  if (!request_.timing->cold_l2 || session_.l2_bytes() == 0) return {};
  flush_bytes_ = 2 * static_cast<std::uint64_t>(session_.l2_bytes()) / 16 * 16;
  auto flush = launch::allocate(api, flush_bytes_);
  if (!flush) {
    flush_bytes_ = 0;  // the buffers fill the device: they are larger than the cache by themselves
    return {};
  }
  flush_ = std::move(*flush);
  KW_RETURN_IF_ERROR(session_.fill_bytes({launch::address(flush_), flush_bytes_}, 0));
  return enqueue_flush();
}

Result<double> CudaTimer::sample() {
  if (repeats_ == 1) {
    if (flush_) KW_RETURN_IF_ERROR(enqueue_flush());
    return timed([&] { return enqueue_run(); });
  }
  const auto repeat = [&](bool runs) {
    return timed([&]() -> Status {
      for (int i = 0; i < repeats_; ++i) {
        if (flush_) KW_RETURN_IF_ERROR(enqueue_flush());
        if (runs) KW_RETURN_IF_ERROR(enqueue_run());
      }
      return {};
    });
  };
  KW_ASSIGN(const double with_runs, repeat(true));
  if (!flush_) return with_runs / repeats_;
  KW_ASSIGN(const double reads_alone, repeat(false));
  return std::max(0.0, with_runs - reads_alone) / repeats_;
}

Status CudaTimer::check_sample() {
  if (trials_.has_state()) return {};
  KW_RETURN_IF_ERROR(trials_.poison_outputs(kTimingPoison));
  KW_RETURN_IF_ERROR(sample());
  KW_ASSIGN(const bool same, trials_.outputs_as_judged());
  out_.counters["timed_run_as_judged"] = same ? 1 : 0;
  return {};
}

Status CudaTimer::compare_clocks() {
  const cu::Table& api = session_.api();
  KW_RETURN_IF_ERROR(launch::check(api, api.context_synchronize(), "cuCtxSynchronize"));
  const auto begin = std::chrono::steady_clock::now();
  KW_ASSIGN(const double stream_us, timed([&] {
              Status status;
              for (int i = 0; i < repeats_ && status; ++i) status = enqueue_run();
              return status;
            }));
  KW_RETURN_IF_ERROR(launch::check(api, api.context_synchronize(), "cuCtxSynchronize"));
  const std::chrono::duration<double, std::micro> device = std::chrono::steady_clock::now() - begin;
  out_.counters["time.stream_us"] = stream_us;
  out_.counters["time.device_us"] = device.count();
  return {};
}

Status CudaTimer::time_kernels() {
  const cu::Table& api = session_.api();
  std::vector<std::pair<std::string, launch::Event>> marks;
  const auto mark = [&](const std::string& kernel) -> Status {
    KW_ASSIGN(launch::Event event, launch::make_event(api));
    const cu::Result recorded = api.event_record(event.get(), session_.stream());
    marks.emplace_back(kernel, std::move(event));
    return launch::check(api, recorded, "cuEventRecord");
  };
  KW_RETURN_IF_ERROR(mark(""));
  KW_RETURN_IF_ERROR(trials_.launcher().enqueue_run(session_.stream(), mark));
  KW_RETURN_IF_ERROR(launch::check(api, session_.synchronize(), "cuStreamSynchronize"));
  for (std::size_t i = 1; i < marks.size(); ++i) {
    float milliseconds = 0;
    KW_RETURN_IF_ERROR(launch::check(
        api, api.event_elapsed_ms(&milliseconds, marks[i - 1].second.get(), marks[i].second.get()),
        "cuEventElapsedTime"));
    out_.counters["kernel_us." + marks[i].first] += 1e3 * static_cast<double>(milliseconds);
  }
  return {};
}

Result<TimingOutcome> CudaTimer::run() {
  KW_RETURN_IF_ERROR(prepare());
  const TimingRequest& wanted = *request_.timing;
  const auto start = std::chrono::steady_clock::now();
  const auto limit = std::chrono::milliseconds(request_.timing_limit_ms);
  RandomStream random(request_.seed, purpose("runner.timing"));
  const auto checked = static_cast<std::size_t>(
      random.below(static_cast<std::uint64_t>(std::max(wanted.samples, 1))));
  std::vector<double> samples;
  double total_us = 0;
  int min_clock_mhz = 0;
  std::uint64_t throttled = 0;
  while (samples.size() < kMaxSamples) {
    const bool enough =
        static_cast<int>(samples.size()) >= wanted.samples && total_us >= 1e3 * wanted.min_total_ms;
    const bool late = std::chrono::steady_clock::now() - start > limit && samples.size() >= 3;
    if (enough || late) break;
    if (samples.size() == checked) KW_RETURN_IF_ERROR(check_sample());
    KW_ASSIGN(const double us, sample());
    samples.push_back(us);
    total_us += us * repeats_;
    if (samples.size() % 16 == 1) {
      const int mhz = clock_.sm_mhz();
      if (mhz > 0 && (min_clock_mhz == 0 || mhz < min_clock_mhz)) min_clock_mhz = mhz;
      throttled |= clock_.throttle_reasons();
    }
  }
  KW_RETURN_IF_ERROR(compare_clocks());
  KW_RETURN_IF_ERROR(time_kernels());
  out_.counters["time.flush_bytes"] = static_cast<double>(flush_bytes_);
  out_.counters["time.buffer_bytes"] = trials_.buffer_bytes();
  std::ranges::sort(samples);
  Timing& timing = out_.timing;
  timing.median_us = quantile(samples, 0.5);
  timing.min_us = samples.front();
  timing.spread_us = quantile(samples, 0.75) - quantile(samples, 0.25);
  timing.samples = static_cast<int>(samples.size());
  timing.setup_us = trials_.setup_us();
  timing.protocol = fmt::format("event.{}{}.v1", flush_ ? "coldl2" : "warm",
                                repeats_ > 1 ? fmt::format(".repeat{}", repeats_) : "");
  if (min_clock_mhz > 0) out_.counters["min_sm_clock_mhz"] = min_clock_mhz;
  out_.counters["throttle_reasons"] = static_cast<double>(throttled);
  return std::move(out_);
}

}  // namespace kw::verify
