#include "tools/bench/attention_bench.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fastvideo/core.hpp>
#include <fastvideo/tensor_view.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "host/cli/output_guard.hpp"
#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/model/device.hpp"
#include "host/plugins/library_file.hpp"
#include "host/plugins/plugin_code.hpp"
#include "sdk/testing/device_memory.hpp"
#include "tools/bench/output_file.hpp"
#include "tools/bench/report.hpp"
#include "tools/bench/shape_bench.hpp"

namespace fastvideo::host {
namespace {

constexpr int64_t kMostRepeats = 10000;
// Large enough to keep the device busy to its end, small enough to run among the backends.
constexpr int64_t kProductOnCuda = 8192;
constexpr int64_t kProductOnCpu = 512;

fv_dtype dtype_of(const std::string& name, bool is_cuda) {
  if (name.empty()) return is_cuda ? kBFloat16 : kFloat32;
  if (name == "float32") return kFloat32;
  if (name == "bfloat16") return kBFloat16;
  if (name == "float16") return kFloat16;
  throw RequestError("--dtype " + name + ": one of float32, bfloat16, float16 is needed");
}

int64_t repeats_of(const std::string& text) {
  if (text.empty()) return 10;
  int64_t number = 0;
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
  site.head_size = static_cast<int32_t>(shape.head_size);
  site.query_heads = site.kv_heads = site.total_heads = static_cast<int32_t>(shape.heads);
  site.layers = 1;
  site.batch = shape.batch;
  site.query_length = shape.queries;
  site.key_length = shape.keys;
  site.scale = 1 / std::sqrt(static_cast<double>(shape.head_size));
  return site;
}

// A backend as named on the command line, with the settings of its options.
struct Contestant {
  std::string asked;
  Settings settings;
  std::unique_ptr<AttentionSelector> selector;
};

// The matrix product of the first item that offers one; nothing if no item does.
std::optional<OfferedProduct> product_of(const std::vector<const CatalogItem*>& items, Loader& loader) {
  using Table = fv_matrix_product_interface;
  for (const CatalogItem* item : items)
    if (const void* table = further_table(loader.load(*item).code, *item->item, FV_MATRIX_PRODUCT_INTERFACE,
                                          sizeof(Table), {{"multiply", offsetof(Table, multiply)}}))
      return OfferedProduct{static_cast<const Table*>(table), item->item->full_name()};
  return std::nullopt;
}

std::string scientific(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", number);
  return text;
}

double teraflops(const TimedLine& line) { return line.operations / spread_of(line.seconds).median / 1e12; }

std::string table(const AttentionShape& shape, fv_dtype dtype, const std::vector<TimedLine>& lines) {
  std::vector<std::vector<std::string>> rows{
      {"backend", "runs", "median", "least to most", "TFLOP/s", "relative error", "largest error", "estimate"}};
  std::string failed;
  for (const TimedLine& line : lines) {
    if (!line.failure.empty()) {
      failed += "  " + line.asked + ": no time: " + line.failure + "\n";
      continue;
    }
    const Spread spread = spread_of(line.seconds);
    rows.push_back({line.asked, line.backend + (line.kernel.empty() ? "" : " (" + line.kernel + ")"),
                    readable_seconds(spread.median),
                    readable_seconds(spread.least) + " to " + readable_seconds(spread.most),
                    fixed(teraflops(line), teraflops(line) < 10 ? 4 : 1), scientific(line.error.relative),
                    scientific(line.error.largest), line.estimate > 0 ? readable_seconds(line.estimate) : "-"});
  }
  return shape.text() + " " + dtype_name(dtype) + "\n" + (rows.size() > 1 ? text_table(rows) : "") + failed + "\n";
}

nlohmann::ordered_json json_of(const AttentionShape& shape, fv_dtype dtype, const std::vector<TimedLine>& lines) {
  nlohmann::ordered_json json{{"shape", shape.text()}, {"dtype", dtype_name(dtype)}};
  for (const TimedLine& line : lines) {
    nlohmann::ordered_json one{{"asked", line.asked}, {"backend", line.backend}, {"kernel", line.kernel}};
    one["failure"] = line.failure.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(line.failure);
    if (line.failure.empty()) {
      one["seconds"] = line.seconds;
      one["median_seconds"] = spread_of(line.seconds).median;
      one["estimate_seconds"] = line.estimate > 0 ? nlohmann::ordered_json(line.estimate) : nullptr;
      one["tflops"] = teraflops(line);
      one["relative_error"] = line.error.relative;
      one["largest_error"] = line.error.largest;
    }
    json["backends"].push_back(std::move(one));
  }
  return json;
}

void require_aligned(const AttentionShape& shape, fv_dtype dtype) {
  const int64_t step = 16 / (dtype.bits / 8);
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
  const RunDevice device = resolve_device(base, [] { return std::string(); });
  const fv_dtype dtype = dtype_of(flags.dtype, device.is_cuda());
  const int64_t repeats = repeats_of(flags.repeat);
  std::vector<AttentionShape> shapes;
  for (const std::string& text : flags.shapes) {
    shapes.push_back(parse_attention_shape(text));
    require_aligned(shapes.back(), dtype);
  }
  if (!flags.json.empty()) check_result_file("--json", flags.json, ".json");
  OutputGuard(resolve({}), catalog).writes("--json", flags.json);

  Loader loader(library_path(base), host.get(), device.is_cuda());
  OpenBackends backends(loader, host.get());
  SelfTests self_tests(device.facts);
  std::vector<std::unique_ptr<Contestant>> contestants;
  for (const std::string& word : backends_of(flags.backends)) {
    std::vector<Given> given = parse_choice(word, "attention", catalog);
    Given for_roles = given.front();  // for both roles that shapes may have, whichever roles the backend claims
    given.front().path = std::string("attention.roles.") + FV_ROLE_DIT_SELF;
    for_roles.path = std::string("attention.roles.") + FV_ROLE_DIT_CROSS;
    given.push_back(for_roles);
    Contestant& one = *contestants.emplace_back(std::make_unique<Contestant>());
    one.asked = word;
    one.settings = resolve(given);
    one.selector = std::make_unique<AttentionSelector>(one.settings, catalog, backends, self_tests, device.facts);
  }

  std::string text = device.name + " (" + device.description + "); " + std::to_string(repeats) + " timed runs each\n\n";
  nlohmann::ordered_json json{{"fastvideo", std::string(host_version())},
                              {"device", device.name + " (" + device.description + ")"}};
  std::string failed;
  bool is_any_timed = false, is_product_offered = false;
  const Host services(host.get());
  for (const AttentionShape& shape : shapes) {
    const auto memory = testing::make_device_memory(device.facts.device);
    ShapeBench bench(shape, site_of(shape, dtype, device.facts.device), *memory, services);
    for (const auto& contestant : contestants) bench.enter(contestant->asked, *contestant->selector);
    if (const auto product = product_of(bench.items(), loader)) {
      is_product_offered = true;
      bench.enter(*product, device.is_cuda() ? kProductOnCuda : kProductOnCpu);
    }
    bench.run(repeats, cancel);
    const std::vector<TimedLine> lines = bench.lines();
    for (const TimedLine& line : lines) {
      is_any_timed = is_any_timed || line.failure.empty();
      if (!line.failure.empty()) failed += (failed.empty() ? "" : ", ") + line.asked + " at " + shape.text();
    }
    text += table(shape, dtype, lines);
    json["shapes"].push_back(json_of(shape, dtype, lines));
  }
  if (!is_any_timed) throw RequestError("no backend could be timed\n" + text);
  if (!flags.json.empty()) write_result_file(flags.json, json.dump(2) + "\n");
  text +=
      "TFLOP/s = 4 B H Lq Lk D / median (of a matrix product of size N: 2 N^3). Errors: against float64 at a sample "
      "of query rows, the worse of the first and the last run; relative in the L2 norm. Estimate: the backend's "
      "own.\n";
  if (!is_product_offered) text += "No ceiling: none of these backends offers a matrix product to measure it with.\n";
  return {std::move(text), failed.empty() ? "" : "without a time: " + failed};
}

}  // namespace fastvideo::host
