#include "host/bench/attention_bench.hpp"

#include <fastvideo/plugin.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "host/bench/attention_reference.hpp"
#include "host/bench/output_file.hpp"
#include "host/bench/report.hpp"
#include "host/device_memory/device_memory.hpp"
#include "host/error/error.hpp"
#include "host/log/log.hpp"
#include "host/run/device.hpp"
#include "host/run/text_table.hpp"
#include "host/selection/border.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo {
namespace {

constexpr std::size_t kSampledRows = 32;
constexpr std::size_t kMostSets = 3;
constexpr std::size_t kEnoughBytes = std::size_t{256} << 20;  // inputs that no cache holds
constexpr std::int64_t kMostRepeats = 10000;

fv_dtype dtype_of(const std::string& name) {
  if (name.empty()) return kFloat32;
  if (name == "float32") return kFloat32;
  if (name == "bfloat16") return kBFloat16;
  if (name == "float16") return kFloat16;
  throw RequestError("--dtype " + name + ": one of float32, bfloat16, float16 is needed");
}

// CUDA events and memory would have to come from the driver, which this command does not speak yet.
RunDevice cpu_of(const Settings& settings) {
  RunDevice device = resolve_device(settings, [] { return "bench attention times backends on the CPU only"; });
  if (device.is_cuda())
    throw RequestError("bench attention times backends on the CPU only, not on " + device.name +
                       "; --device cpu, or time whole runs there: fastvideo bench --attention A,B");
  return device;
}

std::int64_t repeats_of(const std::string& text) {
  if (text.empty()) return 10;
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size() || number < 1 || number > kMostRepeats)
    throw RequestError("--repeat " + text + ": an int from 1 to " + std::to_string(kMostRepeats) + " is needed");
  return number;
}

std::vector<std::string> backends_of(const std::vector<std::string>& lists) {
  std::vector<std::string> words;
  for (const std::string& list : lists) {
    std::istringstream stream(list);
    for (std::string word; std::getline(stream, word, ',');)
      if (std::find(words.begin(), words.end(), word) == words.end())
        words.push_back(word);
      else
        throw RequestError("--backends: '" + word + "' is there twice");
  }
  if (words.empty()) throw RequestError("no backend is given: --backends FLASH_ATTN,TORCH_SDPA");
  return words;
}

fv_attention_site site_of(const AttentionShape& shape, fv_dtype dtype, fv_device device) {
  fv_attention_site site{};
  site.struct_size = sizeof site;
  site.role = shape.queries == shape.keys ? FV_ROLE_DIT_SELF : FV_ROLE_DIT_CROSS;
  site.device = device;
  site.dtype = dtype;
  site.head_size = static_cast<std::int32_t>(shape.head_size);
  site.query_heads = site.kv_heads = site.total_heads = static_cast<std::int32_t>(shape.heads);
  site.layers = 1;
  site.batch = shape.batch;
  site.query_length = shape.queries;
  site.key_length = shape.keys;
  site.scale = 1 / std::sqrt(static_cast<double>(shape.head_size));
  return site;
}

// A dense tensor [B, L, H, D] somewhere.
struct DeviceTensor {
  std::int64_t shape[4], strides[4];
  fv_tensor tensor;

  DeviceTensor(void* data, const AttentionShape& s, std::int64_t length, const fv_attention_site& site)
      : shape{s.batch, length, s.heads, s.head_size},
        strides{length * s.heads * s.head_size, s.heads * s.head_size, s.head_size, 1},
        tensor{data, site.device, 4, site.dtype, shape, strides, 0} {}
  DeviceTensor(const DeviceTensor&) = delete;
  DeviceTensor& operator=(const DeviceTensor&) = delete;
};

// Inputs on the device, and what attention gives there.
struct InputSet {
  std::unique_ptr<DeviceTensor> q, k, v;
  std::vector<ReferenceRow> reference;
};

// One backend at one shape.
struct Line {
  std::string asked, backend, kernel, failure;
  double estimate = 0;  // seconds; 0: none
  std::vector<double> seconds;
  AttentionError error;  // the worst of all runs
  std::unique_ptr<AttentionSession> session;
  void* scratch = nullptr;
};

// A backend as it was asked for, with the settings of its options.
struct Contestant {
  std::string asked;
  Settings settings;
  std::unique_ptr<OpenBackends> backends;
  std::unique_ptr<AttentionSelector> selector;
};

class ShapeBench {
 public:
  ShapeBench(const AttentionShape& shape, const fv_attention_site& site, DeviceMemory& memory)
      : shape_(shape),
        site_(site),
        memory_(memory),
        bytes_(static_cast<std::size_t>(shape.batch * shape.queries * shape.heads * shape.head_size) * site.dtype.bits /
               8),
        host_out_(bytes_ / (site.dtype.bits / 8U), site.dtype),
        out_(memory.allocate(bytes_), shape, shape.queries, site) {
    const std::size_t set =
        bytes_ + 2 * bytes_ / static_cast<std::size_t>(shape.queries) * static_cast<std::size_t>(shape.keys);
    for (std::size_t i = 0; i < std::clamp(kEnoughBytes / set, std::size_t{1}, kMostSets); ++i) add_set(i);
  }

  /// Plans the backend; a refusal or failure is kept as the line's.
  void enter(Contestant& contestant) {
    Line& line = lines_.emplace_back();
    line.asked = contestant.asked;
    attempt(line, [&] {
      const fv_attention_site* site = &site_;
      line.session = std::make_unique<AttentionSession>(*contestant.selector, std::span(&site, 1));
      AttentionBinding& binding = *line.session->bindings().front();
      line.backend = binding.choice.backend->name;
      line.kernel = binding.kernel;
      line.estimate = binding.choice.support.score / 1e6;
      TextBuffer text;
      void* resident = memory_.allocate(binding.info.resident_bytes);
      require_ok(AttentionSession::prepare(binding, resident, memory_.stream(), text.get()), text, line.backend);
      line.scratch = memory_.allocate(binding.info.scratch_bytes);
    });
  }

  void run(std::int64_t repeats, const CancelToken& cancel) {
    for (std::int64_t round = -1; round < repeats; ++round) {
      for (std::size_t i = 0; i < lines_.size(); ++i) {
        Line& line = lines_[round % 2 == 0 ? i : lines_.size() - 1 - i];
        cancel.throw_if_requested();
        attempt(line, [&] { run_once(line, round); });
      }
    }
  }

  std::vector<Line>& lines() { return lines_; }

 private:
  void add_set(std::size_t number) {
    const AttentionInputs inputs(shape_, site_.dtype, 2 * number + 1);
    const auto put = [&](const Elements& elements, std::int64_t length) {
      void* data = memory_.allocate(elements.bytes().size());
      memory_.upload(data, elements.bytes());
      return std::make_unique<DeviceTensor>(data, shape_, length, site_);
    };
    sets_.push_back({put(inputs.q, shape_.queries), put(inputs.k, shape_.keys), put(inputs.v, shape_.keys),
                     reference_rows(shape_, inputs, site_.scale, kSampledRows, 2 * number + 2)});
  }

  template <class Body>
  static void attempt(Line& line, Body&& body) {
    if (!line.failure.empty()) return;
    try {
      body();
    } catch (const CancelledError&) {
      throw;
    } catch (const std::exception& e) {
      line.failure = e.what();
      line.seconds.clear();
      line.session.reset();
    }
  }

  // Round -1 is not timed.
  void run_once(Line& line, std::int64_t round) {
    const InputSet& set = sets_[static_cast<std::size_t>(round + 1) % sets_.size()];
    fv_attention_args args{};
    args.struct_size = sizeof args;
    args.q = &set.q->tensor;
    args.k = &set.k->tensor;
    args.v = &set.v->tensor;
    args.out = &out_.tensor;
    args.scratch = line.scratch;
    args.stream = memory_.stream();
    args.steps = 1;
    TextBuffer text;
    fv_status status = FV_OK;
    memory_.poison(out_.tensor.data, bytes_);
    const double seconds =
        memory_.time([&] { status = AttentionSession::run(*line.session->bindings().front(), &args, text.get()); });
    require_ok(status, text, line.backend);
    memory_.download(host_out_.bytes(), out_.tensor.data);
    const AttentionError error = compare(shape_, host_out_, set.reference);
    line.error = {std::max(line.error.relative, error.relative), std::max(line.error.largest, error.largest)};
    if (round >= 0) line.seconds.push_back(seconds);
  }

  AttentionShape shape_;
  fv_attention_site site_;
  DeviceMemory& memory_;
  std::size_t bytes_;  // of the output
  Elements host_out_;
  DeviceTensor out_;
  std::vector<InputSet> sets_;
  std::vector<Line> lines_;
};

std::string scientific(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", number);
  return text;
}

double teraflops(const AttentionShape& shape, const Line& line) {
  return shape.operations() / spread_of(line.seconds).median / 1e12;
}

std::string table(const AttentionShape& shape, fv_dtype dtype, const std::vector<Line>& lines) {
  std::vector<std::vector<std::string>> rows{
      {"backend", "runs", "median", "least to most", "TFLOP/s", "relative error", "largest error", "estimate"}};
  std::string failed;
  for (const Line& line : lines) {
    if (!line.failure.empty()) {
      failed += "  " + line.asked + ": no time: " + line.failure + "\n";
      continue;
    }
    const Spread spread = spread_of(line.seconds);
    rows.push_back({line.asked, line.backend + (line.kernel.empty() ? "" : " (" + line.kernel + ")"),
                    readable_seconds(spread.median),
                    readable_seconds(spread.least) + " to " + readable_seconds(spread.most),
                    fixed(teraflops(shape, line), teraflops(shape, line) < 10 ? 4 : 1), scientific(line.error.relative),
                    scientific(line.error.largest), line.estimate > 0 ? readable_seconds(line.estimate) : "-"});
  }
  return shape.text() + " " + dtype_name(dtype) + "\n" + (rows.size() > 1 ? text_table(rows) : "") + failed + "\n";
}

nlohmann::ordered_json json_of(const AttentionShape& shape, fv_dtype dtype, const std::vector<Line>& lines) {
  nlohmann::ordered_json json{{"shape", shape.text()}, {"dtype", dtype_name(dtype)}};
  for (const Line& line : lines) {
    nlohmann::ordered_json one{{"asked", line.asked}, {"backend", line.backend}, {"kernel", line.kernel}};
    one["failure"] = line.failure.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(line.failure);
    if (line.failure.empty()) {
      one["seconds"] = line.seconds;
      one["median_seconds"] = spread_of(line.seconds).median;
      one["tflops"] = teraflops(shape, line);
      one["relative_error"] = line.error.relative;
      one["largest_error"] = line.error.largest;
    }
    json["backends"].push_back(std::move(one));
  }
  return json;
}

void require_aligned(const AttentionShape& shape, fv_dtype dtype) {
  const std::int64_t step = 16 / (dtype.bits / 8);
  if (shape.head_size % step != 0)
    throw RequestError("--shape " + shape.text() + ": head size " + std::to_string(shape.head_size) + " in " +
                       dtype_name(dtype) + " is not a multiple of 16 bytes; take a multiple of " +
                       std::to_string(step));
}

}  // namespace

BenchReport bench_attention(const AttentionBenchFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                            const HostServices& host, const CancelToken& cancel) {
  if (flags.shapes.empty()) throw RequestError("no shape is given: --shape B,H,L,D, as in --shape 1,12,4096,128");
  const Settings base = resolve({});
  const RunDevice device = cpu_of(base);
  const fv_dtype dtype = dtype_of(flags.dtype);
  const std::int64_t repeats = repeats_of(flags.repeat);
  std::vector<AttentionShape> shapes;
  for (const std::string& text : flags.shapes) {
    shapes.push_back(parse_attention_shape(text));
    require_aligned(shapes.back(), dtype);
  }
  if (!flags.json.empty()) check_result_file(flags.json, ".json");

  std::vector<std::filesystem::path> libraries;
  for (const std::string& folder : base.strings("libraries.path")) libraries.emplace_back(folder);
  Loader loader(std::move(libraries), host.get(), false);
  std::vector<std::unique_ptr<Contestant>> contestants;
  for (const std::string& word : backends_of(flags.backends)) {
    std::vector<Given> given = parse_choice(word, "attention", catalog);
    Given for_roles = given.front();  // at both roles that shapes may have, whatever the backend claims
    given.front().path = std::string("attention.roles.") + FV_ROLE_DIT_SELF;
    for_roles.path = std::string("attention.roles.") + FV_ROLE_DIT_CROSS;
    given.push_back(for_roles);
    Contestant& one = *contestants.emplace_back(std::make_unique<Contestant>());
    one.asked = word;
    one.settings = resolve(given);
    one.backends = std::make_unique<OpenBackends>(loader, one.settings, host.get());
    one.selector = std::make_unique<AttentionSelector>(one.settings, catalog, *one.backends, device.facts);
  }

  std::string text = device.name + " (" + device.description + "); " + std::to_string(repeats) + " timed runs each\n\n";
  nlohmann::ordered_json json{{"fastvideo", std::string(host_version())},
                              {"device", device.name + " (" + device.description + ")"}};
  std::string failed;
  bool is_any_timed = false;
  for (const AttentionShape& shape : shapes) {
    const auto memory = make_cpu_memory();
    ShapeBench bench(shape, site_of(shape, dtype, device.facts.device), *memory);
    for (const auto& contestant : contestants) bench.enter(*contestant);
    bench.run(repeats, cancel);
    for (const Line& line : bench.lines()) {
      is_any_timed = is_any_timed || line.failure.empty();
      if (!line.failure.empty()) failed += (failed.empty() ? "" : ", ") + line.asked + " at " + shape.text();
    }
    text += table(shape, dtype, bench.lines());
    json["shapes"].push_back(json_of(shape, dtype, bench.lines()));
  }
  if (!is_any_timed) throw RequestError("no backend could be timed\n" + text);
  if (!flags.json.empty()) write_result_file(flags.json, json.dump(2) + "\n");
  text += "TFLOP/s = 4 B H Lq Lk D / median. Errors: against float64 at " + std::to_string(kSampledRows) +
          " query rows, the worst of all runs; relative in the L2 norm. Estimate: the backend's own.\n";
  return {std::move(text), failed.empty() ? "" : "without a time: " + failed};
}

}  // namespace fastvideo
