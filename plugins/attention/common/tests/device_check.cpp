// A Hopper backend without any framework: small shapes against the formula in float64 on the CPU, and a captured run.
// Light enough for compute-sanitizer, under which a process with LibTorch takes minutes to start.
//
//   attention_device_check LIBRARY [--few] [--errors OUT LSE] [NAME=VALUE,...]...
//
// --few: two of the shapes. OUT: the relative error permitted, LSE: that of the log-sum-exp, absolute; default: those
// of FLASH_ATTN/sm90. Each further argument is a set of options to run with; without one, no options are set. Cases
// that a library does not support are left out. Exit code 0: no fault, 1: a fault, 77: no GPU that can run it.
#include <cmath>
#include <cstdlib>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/device.hpp"
#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Bounds {
  double output, log_sum_exp;
};
std::optional<Bounds> given_bounds;

// Rounding of the output (half a unit in the last place, 2^-9 and 2^-12) and of the weights before the second product;
// ex2.approx and lg2.approx err by 2^-22, and float32 rounds the scores.
template <class T>
Bounds bounds() {
  return given_bounds.value_or(Bounds{std::is_same_v<T, cpu::BFloat16> ? 6e-3 : 8e-4, 1e-5});
}

// A tensor on the device, with its elements on the host: rows of gaps between tokens if it is padded.
template <class T>
class Tensor {
 public:
  Tensor(fv_dtype dtype, std::vector<int64_t> shape, int64_t gap = 0) : shape_(std::move(shape)), strides_(shape_) {
    int64_t count = 1;
    for (size_t i = shape_.size(); i-- > 0; count *= shape_[i]) {
      if (i + 3 == shape_.size()) count += gap;  // after all heads of a token
      strides_[i] = count;
    }
    elements_.resize(static_cast<size_t>(count));
    check(cudaMalloc(&memory_, bytes()), "allocating");
    view_ = {memory_, {FV_DEVICE_CUDA, 0}, static_cast<int32_t>(shape_.size()), dtype, shape_.data(), strides_.data(),
             0};
    poison();
  }
  ~Tensor() { cudaFree(memory_); }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  template <class... Index>
  T& operator()(Index... index) {
    const int64_t at[] = {static_cast<int64_t>(index)...};
    int64_t offset = 0;
    for (size_t i = 0; i < sizeof...(index); ++i) offset += at[i] * strides_[i];
    return elements_[static_cast<size_t>(offset)];
  }
  void poison() { fastvideo::poison(memory_, bytes()); }
  void upload() { fastvideo::upload(memory_, elements_.data(), bytes()); }
  void download() { check(cudaMemcpy(elements_.data(), memory_, bytes(), cudaMemcpyDeviceToHost), "downloading"); }
  std::vector<T>& elements() { return elements_; }
  const fv_tensor* get() const { return &view_; }

 private:
  size_t bytes() const { return elements_.size() * sizeof(T); }
  std::vector<int64_t> shape_, strides_;
  std::vector<T> elements_;
  void* memory_ = nullptr;
  fv_tensor view_{};
};

struct Case {
  int64_t batch, queries, keys, heads, kv_heads;
  std::vector<int32_t> lengths = {};  // empty: all keys
  int64_t gap = 0;                    // elements between tokens
};

// Ragged edges on both sides of both tiles, several rows and heads, rows without keys.
const Case kCases[] = {
    {1, 1, 1, 1, 1},
    {1, 7, 63, 2, 1},
    {1, 64, 64, 1, 1, {}, 64},
    {2, 129, 177, 4, 2},
    {1, 300, 352, 2, 2, {}, 8},
    {3, 130, 200, 2, 1, {200, 0, 131}},
    {2, 65, 400, 2, 2, {1, 353}, 64},
    {1, 130, 2900, 2, 1, {}, 8},  // few tiles and many keys: in pieces
    {1, 2, 4000, 84, 42},         // fewer tiles than blocks: shares that end in the midst of a tile
    {1, 9, 512, 160, 8},          // several tiles a block; the first key block is narrower than the others
    {1, 200, 769, 2, 1},
    {1, 129, 1000, 1, 1},
    {1, 70, 276, 3, 1},
};

// The cases for a sanitizer: ragged on both sides, several blocks of keys, shared heads, rows without keys.
const Case kFewCases[] = {
    {2, 129, 177, 4, 2, {}, 8},
    {3, 130, 200, 2, 1, {200, 0, 131}},
    {1, 40, 2900, 2, 1},
    {1, 9, 512, 160, 8},
};

fv_attention_site site_of(const Case& c, fv_dtype dtype, int64_t size) {
  fv_attention_site site =
      self_site(FV_DEVICE_CUDA, dtype, c.queries, static_cast<int32_t>(c.heads), static_cast<int32_t>(size));
  site.masks = c.lengths.empty() ? 0 : FV_MASK_KEY_LENGTHS;
  site.require = FV_REQUIRE_LOG_SUM_EXP | FV_REQUIRE_CAPTURE;
  site.kv_heads = static_cast<int32_t>(c.kv_heads);
  site.batch = c.batch;
  site.key_length = c.keys;
  return site;
}

// One case with its tensors.
template <class T>
class Run {
 public:
  Run(const Case& c, fv_dtype dtype, int64_t size, std::mt19937& random)
      : case_(c),
        size_(size),
        site_(site_of(c, dtype, size)),
        q_(dtype, {c.batch, c.queries, c.heads, size}, c.gap),
        k_(dtype, {c.batch, c.keys, c.kv_heads, size}, c.gap),
        v_(dtype, {c.batch, c.keys, c.kv_heads, size}, c.gap),
        out_(dtype, {c.batch, c.queries, c.heads, size}, c.gap),
        log_sum_exp_(kFloat32, {c.batch, c.heads, c.queries}),
        name_(dtype_name(dtype) + " D " + std::to_string(size) + " B " + std::to_string(c.batch) + " " +
              std::to_string(c.queries) + "x" + std::to_string(c.keys) + " H " + std::to_string(c.heads) + "/" +
              std::to_string(c.kv_heads)) {
    std::normal_distribution<float> normal;
    for (Tensor<T>* t : {&q_, &k_, &v_})
      for (T& x : t->elements()) x = cpu::from_float<T>(normal(random));
    for (size_t b = 0; b < c.lengths.size(); ++b)  // keys that a row does not have must not be used
      for (int64_t j = c.lengths[b]; j < c.keys; ++j)
        for (int64_t h = 0; h < c.kv_heads; ++h)
          for (int64_t d = 0; d < size; ++d)
            k_(b, j, h, d) = v_(b, j, h, d) = cpu::from_float<T>(std::numeric_limits<float>::quiet_NaN());
    for (Tensor<T>* t : {&q_, &k_, &v_}) t->upload();
    if (!c.lengths.empty()) {
      lengths_.emplace(kInt32, std::vector<int64_t>{c.batch});
      lengths_->elements() = c.lengths;
      lengths_->upload();
    }
  }

  void all(AttentionLibrary& library, const std::string& options) {
    if (!library.supports(site_)) return;  // a tile of the other head size, say
    ++runs_;
    const std::string what = (options.empty() ? "" : options + ", ") + name_;
    AttentionLibrary::Plan plan = library.plan(site_);
    if (plan.status() != FV_OK) return expect(false, what + ": " + library.message());
    void* scratch = nullptr;
    check(cudaMalloc(&scratch, plan.info().scratch_bytes + 1), "allocating scratch");
    const Stream stream;
    const auto once = [&] { expect(plan.run(args(stream), scratch) == FV_OK, what + ": " + library.message()); };
    poison();
    once();
    stream.wait(what);
    compare(what);
    const std::vector<T> first = out_.elements();
    poison();
    run_captured(stream, once, what);
    out_.download();
    expect(same(first, out_.elements()), what + ": a captured run gives other bits");
    check(cudaFree(scratch), "freeing");
  }

  static int runs() { return runs_; }

 private:
  fv_attention_args args(const Stream& stream) const {
    fv_attention_args args{};
    args.q = q_.get();
    args.k = k_.get();
    args.v = v_.get();
    args.out = out_.get();
    args.key_lengths = lengths_ ? lengths_->get() : nullptr;
    args.log_sum_exp = log_sum_exp_.get();
    args.stream = stream.get();
    return args;
  }

  void poison() {
    out_.poison();
    log_sum_exp_.poison();
  }

  static bool same(const std::vector<T>& a, const std::vector<T>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
  }

  void compare(const std::string& what) {
    out_.download();
    log_sum_exp_.download();
    double difference = 0, norm = 0, worst = 0;
    for (int64_t b = 0; b < case_.batch; ++b)
      for (int64_t h = 0; h < case_.heads; ++h)
        for (int64_t i = 0; i < case_.queries; ++i) compare_row(b, h, i, difference, norm, worst);
    const double error = std::sqrt(difference / std::max(norm, 1e-30));
    expect(error <= bounds<T>().output, what + ": relative error " + std::to_string(error));  // false for NaN too
    expect(worst <= bounds<T>().log_sum_exp, what + ": log-sum-exp off by " + std::to_string(worst));
  }

  void compare_row(int64_t b, int64_t h, int64_t i, double& difference, double& norm, double& worst) {
    const int64_t keys = case_.lengths.empty() ? case_.keys : case_.lengths[static_cast<size_t>(b)];
    const int64_t kv = h / (case_.heads / case_.kv_heads);
    std::vector<double> weights(static_cast<size_t>(keys)), row(static_cast<size_t>(size_));
    double top = -kInfinity, total = 0;
    for (int64_t j = 0; j < keys; ++j) {
      double score = 0;
      for (int64_t d = 0; d < size_; ++d)
        score += double{cpu::to_float(q_(b, i, h, d))} * double{cpu::to_float(k_(b, j, kv, d))};
      top = std::max(top, weights[static_cast<size_t>(j)] = score * site_.scale);
    }
    for (double& w : weights) total += w = std::exp(w - top);
    for (int64_t j = 0; j < keys; ++j)
      for (int64_t d = 0; d < size_; ++d)
        row[static_cast<size_t>(d)] += weights[static_cast<size_t>(j)] / total * double{cpu::to_float(v_(b, j, kv, d))};
    for (int64_t d = 0; d < size_; ++d) {
      const double expected = row[static_cast<size_t>(d)];
      const double error = double{cpu::to_float(out_(b, i, h, d))} - expected;
      difference += error * error;
      norm += expected * expected;
    }
    const double got = double{log_sum_exp_(b, h, i)};
    if (keys == 0)
      expect(got == -kInfinity, name_ + ": log-sum-exp of a row without keys is " + std::to_string(got));
    else
      worst = std::isnan(got) ? kInfinity : std::max(worst, std::fabs(got - (top + std::log(total))));
  }

  static inline int runs_ = 0;
  Case case_;
  int64_t size_;
  fv_attention_site site_;
  Tensor<T> q_, k_, v_, out_;
  Tensor<float> log_sum_exp_;
  std::optional<Tensor<int32_t>> lengths_;
  std::string name_;
};

// Options out of NAME=VALUE,...: flags where the value is true or false, otherwise strings.
class GivenOptions {
 public:
  explicit GivenOptions(const std::string& text) {
    for (size_t start = 0; start < text.size();) {
      const size_t end = std::min(text.find(',', start), text.size()), equals = text.find('=', start);
      if (equals >= end) throw std::runtime_error("an option is NAME=VALUE, not " + text.substr(start, end - start));
      fv_entry& entry = entries_.emplace_back();
      entry.name = texts_.emplace_back(text, start, equals - start).c_str();
      const std::string& value = texts_.emplace_back(text, equals + 1, end - equals - 1);
      const bool flag = value == "true" || value == "false";
      entry.value.type = flag ? FV_VALUE_BOOL : FV_VALUE_STRING;
      if (flag)
        entry.value.as.integer = value == "true" ? 1 : 0;
      else
        entry.value.as.string = value.c_str();
      start = end + 1;
    }
  }
  GivenOptions(const GivenOptions&) = delete;  // entries point to texts
  GivenOptions& operator=(const GivenOptions&) = delete;
  std::span<const fv_entry> get() const { return entries_; }

 private:
  std::deque<std::string> texts_;
  std::vector<fv_entry> entries_;
};

template <class T>
void check_type(AttentionLibrary& library, std::span<const Case> cases, const std::string& options, fv_dtype dtype) {
  std::mt19937 random(1);
  for (const int64_t size : {64, 128})
    for (const Case& c : cases) Run<T>(c, dtype, size, random).all(library, options);
}

void check_options(const std::string& file, std::span<const Case> cases, const std::string& options) {
  const GivenOptions given(options);
  AttentionLibrary library(file.c_str(), given.get());
  check_type<cpu::BFloat16>(library, cases, options, kBFloat16);
  check_type<cpu::Float16>(library, cases, options, kFloat16);
}

int usage() {
  std::puts("usage: attention_device_check LIBRARY [--few] [--errors OUT LSE] [NAME=VALUE,...]...");
  return 2;
}

int run(int argc, char** argv) {
  std::span<const Case> cases = kCases;
  std::vector<std::string> sets;
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--few") {
      cases = kFewCases;
    } else if (argument == "--errors") {
      if (i + 2 >= argc) return usage();
      given_bounds = {std::stod(argv[i + 1]), std::stod(argv[i + 2])};
      i += 2;
    } else {
      sets.push_back(argument);
    }
  }
  if (argc < 2 || argv[1][0] == '-') return usage();
  if (!has_hopper()) {
    std::puts("skipped: no GPU of compute capability 9.0");
    return kNoDevice;
  }
  if (sets.empty()) sets.emplace_back();
  for (const std::string& options : sets) check_options(argv[1], cases, options);
  const int runs = Run<cpu::BFloat16>::runs() + Run<cpu::Float16>::runs();
  expect(runs > 0, "no case was taken");
  std::printf("%d cases, %d failures\n", runs, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace fastvideo

int main(int argc, char** argv) { return fastvideo::report(fastvideo::run, argc, argv); }
