// Kernel Tuner's two JSON forms of recorded measurements.

#include <algorithm>
#include <cmath>
#include <limits>

#include "gz_file.h"
#include "kw/core/json.h"
#include "kw/search/simulate.h"

namespace kw::search {

namespace {

constexpr double kMicrosecondsPerMillisecond = 1e3;

/// A parameter's values as they were recorded, numbered so that integers keep their value.
struct RecordedDomain {
  std::vector<Json> values;
  bool integers = true;

  std::optional<std::int64_t> number_of(const Json& value) const {
    const auto at = std::find(values.begin(), values.end(), value);
    if (at == values.end()) return std::nullopt;
    return integers ? value.get<std::int64_t>() : static_cast<std::int64_t>(at - values.begin());
  }
};
using Domains = std::vector<std::pair<std::string, RecordedDomain>>;

Status add_value(RecordedDomain& domain, const Json& value, const std::string& pointer) {
  if (!value.is_number() && !value.is_string() && !value.is_boolean()) {
    return fail(Errc::InvalidArgument, "{}: expected a number, a string or a boolean", pointer);
  }
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<std::uint64_t>() >
           static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
    domain.integers = false;
  }
  domain.values.push_back(value);
  return {};
}

std::string label_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump(value);
}

void add_parameters(TuningCache& cache, const Domains& domains) {
  for (const auto& [name, recorded] : domains) {
    Parameter parameter;
    parameter.name = name;
    for (const Json& value : recorded.values) {
      parameter.domain.push_back(*recorded.number_of(value));
      if (!recorded.integers) cache.labels[name].push_back(label_of(value));
    }
    std::sort(parameter.domain.begin(), parameter.domain.end());
    parameter.heuristic = parameter.domain[parameter.domain.size() / 2];
    cache.space.parameters.push_back(std::move(parameter));
  }
}

Result<Config> config_from(JsonReader& reader, const Domains& domains) {
  Config config;
  for (const auto& [name, domain] : domains) {
    KW_ASSIGN(const Json* value, reader.member(name));
    const auto number = domain.number_of(*value);
    if (!number) {
      return fail(Errc::InvalidArgument, "{}: {} is not in the domain of {}", reader.at(name),
                  dump(*value), name);
    }
    config[name] = *number;
  }
  return config;
}

Status add_measurement(TuningCache& cache, Config config, Measurement measurement,
                       const std::string& pointer) {
  if (cache.measurements.size() >= kMaxCacheConfigurations) {
    return fail(Errc::ResourceExhausted, "{}: more than {} configurations", pointer,
                kMaxCacheConfigurations);
  }
  if (const auto& objective = measurement.objective) {
    if (!std::isfinite(*objective) || *objective <= 0) {
      return fail(Errc::InvalidArgument, "{}: a time has to be positive and finite", pointer);
    }
    if (cache.valid == 0 || *objective < cache.optimum_us) cache.optimum_us = *objective;
    ++cache.valid;
  }
  const bool added = cache.measurements.emplace(std::move(config), std::move(measurement)).second;
  if (!added)
    return fail(Errc::InvalidArgument, "{}: a second record of one configuration", pointer);
  return {};
}

/// Seconds, from members in milliseconds; absent ones count as zero.
Result<double> cost_from(JsonReader& reader, std::initializer_list<std::string_view> members) {
  double total_ms = 0;
  for (const std::string_view member : members) {
    KW_ASSIGN(const double ms, reader.number_or(member, 0));
    if (!std::isfinite(ms) || ms < 0)
      return fail(Errc::InvalidArgument, "{}: not a duration", reader.at(member));
    total_ms += ms;
  }
  return total_ms / 1e3;
}

// ---- the cache form
// ------------------------------------------------------------------------------

Result<Domains> cache_domains(JsonReader& root) {
  KW_ASSIGN(const Json* keys, root.array("tune_params_keys"));
  KW_ASSIGN(const Json* params, root.member("tune_params"));
  KW_ASSIGN(JsonReader reader, JsonReader::object(*params, "/tune_params"));
  Domains domains;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    const Json& key = (*keys)[i];
    if (!key.is_string())
      return fail(Errc::InvalidArgument, "/tune_params_keys/{}: expected a string", i);
    auto& [name, domain] = domains.emplace_back(key.get<std::string>(), RecordedDomain{});
    KW_ASSIGN(const Json* values, reader.array(name));
    if (values->empty()) return fail(Errc::InvalidArgument, "{}: an empty domain", reader.at(name));
    for (const Json& value : *values) {
      if (std::find(domain.values.begin(), domain.values.end(), value) != domain.values.end()) {
        return fail(Errc::InvalidArgument, "{}: {} is there twice", reader.at(name), dump(value));
      }
      KW_RETURN_IF_ERROR(add_value(domain, value, reader.at(name)));
    }
  }
  if (domains.empty()) return fail(Errc::InvalidArgument, "/tune_params_keys: no parameters");
  return domains;
}

Result<Measurement> cache_measurement(JsonReader& reader) {
  Measurement measurement;
  KW_ASSIGN(const Json* time, reader.member("time"));
  if (time->is_string()) {  // "CompilationFailedConfig", "RuntimeFailedConfig", "InvalidConfig"
    measurement.failure = time->get<std::string>();
  } else {
    KW_ASSIGN(const double ms, number_from(*time, reader.at("time")));
    measurement.objective = ms * kMicrosecondsPerMillisecond;
  }
  KW_ASSIGN(measurement.cost_s, cost_from(reader, {"compile_time", "verification_time",
                                                   "benchmark_time", "framework_time"}));
  return measurement;
}

Status read_cache_form(JsonReader& root, TuningCache& cache) {
  KW_ASSIGN(cache.device, root.string_or("device_name", ""));
  KW_ASSIGN(cache.kernel, root.string_or("kernel_name", ""));
  KW_ASSIGN(const std::string objective, root.string_or("objective", "time"));
  if (objective != "time") {
    return fail(Errc::Unsupported, "/objective: only \"time\" can be replayed, not \"{}\"",
                objective);
  }
  KW_ASSIGN(const Domains domains, cache_domains(root));
  add_parameters(cache, domains);
  KW_ASSIGN(const Json* entries, root.member("cache"));
  KW_RETURN_IF_ERROR(JsonReader::object(*entries, "/cache"));
  for (const auto& [key, entry] : entries->items()) {
    const std::string pointer = "/cache/" + key;
    KW_ASSIGN(JsonReader reader, JsonReader::object(entry, pointer));
    KW_ASSIGN(Config config, config_from(reader, domains));
    KW_ASSIGN(Measurement measurement, cache_measurement(reader));
    KW_RETURN_IF_ERROR(add_measurement(cache, std::move(config), std::move(measurement), pointer));
  }
  return {};
}

// ---- the T4 form
// ---------------------------------------------------------------------------------

/// T4 lists no domains: they are the values that occur, in ascending order.
Result<Domains> t4_domains(const Json& results) {
  std::map<std::string, std::map<std::string, Json>> found;  // by printed value: each once
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string pointer = fmt::format("/results/{}", i);
    KW_ASSIGN(JsonReader reader, JsonReader::object(results[i], pointer));
    KW_ASSIGN(const Json* configuration, reader.member("configuration"));
    KW_RETURN_IF_ERROR(JsonReader::object(*configuration, pointer + "/configuration"));
    for (const auto& [name, value] : configuration->items())
      found[name].emplace(dump(value), value);
  }
  Domains domains;
  for (const auto& [name, values] : found) {
    RecordedDomain domain;
    for (const auto& [text, value] : values) {
      KW_RETURN_IF_ERROR(add_value(domain, value, "/results: parameter " + name));
    }
    std::sort(domain.values.begin(), domain.values.end());
    domains.emplace_back(name, std::move(domain));
  }
  if (domains.empty()) return fail(Errc::InvalidArgument, "/results: no configuration");
  return domains;
}

Result<double> microseconds_per(const std::string& unit, const std::string& pointer) {
  if (unit.empty() || unit == "ms") return kMicrosecondsPerMillisecond;
  if (unit == "us") return 1.0;
  if (unit == "ns") return 1e-3;
  if (unit == "s") return 1e6;
  return fail(Errc::InvalidArgument, "{}: \"{}\" is none of s, ms, us, ns", pointer, unit);
}

/// The measurement named "time".
Result<double> t4_time(JsonReader& result) {
  KW_ASSIGN(const Json* measurements, result.array("measurements"));
  for (std::size_t i = 0; i < measurements->size(); ++i) {
    KW_ASSIGN(
        JsonReader reader,
        JsonReader::object((*measurements)[i], fmt::format("{}/{}", result.at("measurements"), i)));
    KW_ASSIGN(const std::string name, reader.string("name"));
    if (name != "time") continue;
    KW_ASSIGN(const double value, reader.number("value"));
    KW_ASSIGN(const std::string unit, reader.string_or("unit", ""));
    KW_ASSIGN(const double scale, microseconds_per(unit, reader.at("unit")));
    return value * scale;
  }
  return fail(Errc::InvalidArgument, "{}: no measurement named \"time\"",
              result.at("measurements"));
}

Result<Measurement> t4_measurement(JsonReader& result) {
  Measurement measurement;
  KW_ASSIGN(const std::string invalidity, result.string("invalidity"));
  if (invalidity == "correct") {
    KW_ASSIGN(measurement.objective, t4_time(result));
  } else {
    measurement.failure = invalidity;  // "compile", "runtime", "correctness", "timeout", ...
  }
  KW_ASSIGN(const Json* times, result.member("times"));
  KW_ASSIGN(JsonReader reader, JsonReader::object(*times, result.at("times")));
  KW_ASSIGN(measurement.cost_s, cost_from(reader, {"compilation_time", "validation", "framework"}));
  if (const Json* runtimes = reader.find("runtimes"); runtimes != nullptr && runtimes->is_array()) {
    for (const Json& runtime : *runtimes) {
      KW_ASSIGN(const double ms, number_from(runtime, reader.at("runtimes")));
      if (std::isfinite(ms) && ms > 0) measurement.cost_s += ms / 1e3;
    }
  }
  return measurement;
}

Status read_t4_form(JsonReader& root, TuningCache& cache) {
  KW_ASSIGN(const Json* results, root.array("results"));
  KW_ASSIGN(const Domains domains, t4_domains(*results));
  add_parameters(cache, domains);
  for (std::size_t i = 0; i < results->size(); ++i) {
    const std::string pointer = fmt::format("/results/{}", i);
    KW_ASSIGN(JsonReader result, JsonReader::object((*results)[i], pointer));
    KW_ASSIGN(const Json* configuration, result.member("configuration"));
    KW_ASSIGN(JsonReader reader, JsonReader::object(*configuration, pointer + "/configuration"));
    KW_ASSIGN(Config config, config_from(reader, domains));
    KW_ASSIGN(Measurement measurement, t4_measurement(result));
    KW_RETURN_IF_ERROR(add_measurement(cache, std::move(config), std::move(measurement), pointer));
  }
  return {};
}

Status read_document(std::string_view text, TuningCache& cache) {
  JsonLimits limits;
  limits.bytes = kMaxCacheBytes;
  limits.nodes = 64u << 20;
  KW_ASSIGN(const Json document, parse_json(text, limits));
  KW_ASSIGN(JsonReader root, JsonReader::object(document, ""));
  if (root.find("cache") != nullptr) return read_cache_form(root, cache);
  if (root.find("results") != nullptr) return read_t4_form(root, cache);
  return fail(Errc::InvalidArgument,
              "neither a \"cache\" nor \"results\": not Kernel Tuner's JSON");
}

}  // namespace

Result<TuningCache> parse_tuning_cache(std::string_view json, std::string name) {
  TuningCache cache;
  cache.name = std::move(name);
  if (Status read = read_document(json, cache); !read) return wrap(read.error(), cache.name);
  return cache;
}

Result<TuningCache> read_tuning_cache(const std::filesystem::path& path, std::size_t limit) {
  KW_ASSIGN(const std::string text, read_text_file(path, limit));
  return parse_tuning_cache(text, path.filename().string());
}

}  // namespace kw::search
