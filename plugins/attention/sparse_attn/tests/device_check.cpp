// SPARSE_ATTN/sm90 without any framework: the chosen blocks against the definition in float64, and the output against
// attention in float64 to the chosen blocks; also captured in a CUDA graph. on_device.py looks at long sequences.
//
//   sparse_device_check LIBRARY [few]     few: the cases for a sanitizer
//
// Exit code 0: all right, 1: a fault, 77: no GPU that can run it.
#include <cstring>
#include <type_traits>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/device.hpp"
#include "plugins/attention/sparse_attn/sm90/workspace.hpp"
#include "plugins/attention/sparse_attn/tests/definition.hpp"
#include "plugins/attention/sparse_attn/tests/options.hpp"

namespace fastvideo::sparse {
namespace {

int runs = 0;

class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes) {
    check(cudaMalloc(&data_, bytes + 1), "allocating " + std::to_string(bytes) + " bytes");
    poison();
  }
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* get() const { return data_; }
  void poison() { fastvideo::poison(data_, bytes_); }
  void upload(const void* from) { fastvideo::upload(data_, from, bytes_); }
  template <class T>
  std::vector<T> download(size_t offset, size_t count) const {
    std::vector<T> into(count);
    check(cudaMemcpy(into.data(), static_cast<char*>(data_) + offset, count * sizeof(T), cudaMemcpyDeviceToHost),
          "downloading");
    return into;
  }

 private:
  size_t bytes_;
  void* data_ = nullptr;
};

// A contiguous tensor in device memory.
class Tensor {
 public:
  Tensor(fv_dtype dtype, std::vector<int64_t> shape, const void* from = nullptr)
      : shape_(std::move(shape)), strides_(shape_) {
    count_ = 1;
    for (size_t i = shape_.size(); i-- > 0; count_ *= shape_[i]) strides_[i] = count_;
    memory_ = std::make_unique<Memory>(static_cast<size_t>(count_) * dtype.bits / 8);
    if (from != nullptr) memory_->upload(from);
    view_ = {memory_->get(),
             {FV_DEVICE_CUDA, 0},
             static_cast<int32_t>(shape_.size()),
             dtype,
             shape_.data(),
             strides_.data(),
             0};
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  void poison() { memory_->poison(); }
  template <class T>
  std::vector<T> download() const {
    return memory_->download<T>(0, static_cast<size_t>(count_));
  }
  const fv_tensor* get() const { return &view_; }

 private:
  std::vector<int64_t> shape_, strides_;
  int64_t count_;
  std::unique_ptr<Memory> memory_;
  fv_tensor view_{};
};

// Rounding of the output (half a unit in the last place) and of the weights before the second product, as for
// FLASH_ATTN/sm90, whose main loop this is.
template <class T>
constexpr double kOutputBound = std::is_same_v<T, cpu::BFloat16> ? 6e-3 : 8e-4;
constexpr double kLogSumExpBound = 1e-5;
// The means are rounded to 16 bits, 2^-9 each in bfloat16: scores of up to four are off by up to 0.03.
constexpr double kMassBound = 0.02;

struct Case {
  Problem p;
  const char* key_block = "auto";
  double threshold = 0;  // 0: routed
};

// Ragged and whole blocks, one block, text on both sides, key lengths, shared heads, more work than thread blocks.
std::vector<Case> cases() {
  std::vector<Case> made;
  const auto add = [&](std::initializer_list<int64_t> grid, double share, double mass) -> Problem& {
    Problem& p = made.emplace_back().p;
    std::copy(grid.begin(), grid.end(), p.grid);
    p.share = share;
    p.mass = mass;
    return p;
  };
  add({6, 16, 16}, 0.25, 0).heads = 2;
  add({1, 1, 1}, 0.2, 0);
  add({3, 7, 5}, 0.2, 0);
  Problem& shared = add({7, 13, 11}, 0, 0.5);
  shared.batch = 2;
  shared.heads = 2;
  Problem& text = add({5, 16, 16}, 0.3, 0);
  text.before = 3;
  text.after = 77;
  text.heads = text.kv_heads = 2;
  Problem& padded = add({8, 12, 14}, 0.4, 0);
  padded.after = 300;
  padded.batch = 5;
  padded.key_lengths = {1644, 1400, 500, 2, 0};
  Problem& by_mass = made.emplace_back(made.back()).p;
  by_mass.share = 0;
  by_mass.mass = 0.6;
  Problem& sinks = add({8, 12, 14}, 0, 0.3);
  sinks.sinks = 168;
  sinks.deviation = 1.5;
  Problem& many = add({4, 12, 12}, 0.3, 0);
  many.heads = 40;
  many.kv_heads = 20;
  return made;
}

// The chosen blocks against the definition, and the output against attention to the chosen blocks.
template <class T>
void compare_chosen(const Problem& p, const Memory& scratch, Elements<T>& q, Elements<T>& k, Elements<T>& v,
                    Elements<T>& out, const std::vector<float>& log_sum_exp, const std::string& what,
                    Difference& found) {
  Routing routing{};
  routing.rows = static_cast<int>(p.rows);
  routing.width = static_cast<int>(p.width);
  routing.queries = routing.keys = static_cast<int>(p.tokens());
  const Workspace at = workspace_of(routing, p.batch, p.heads, p.kv_heads, p.size);
  const auto rows = static_cast<size_t>(p.batch * p.heads * routing.query_blocks());
  const auto stride = static_cast<size_t>(routing.key_blocks(routing.keys));
  const std::vector<int> counts = scratch.download<int>(at.counts, rows);
  const std::vector<uint16_t> lists = scratch.download<uint16_t>(at.lists, rows * stride);
  size_t row = 0;
  for (int64_t b = 0; b < p.batch; ++b)
    for (int64_t h = 0; h < p.heads; ++h)
      for (int64_t i = 0; i < routing.query_blocks(); ++i, ++row) {
        const auto* list = lists.data() + row * stride;
        const std::set<int64_t> chosen(list, list + counts[row]), best = visited(p, q, k, b, h, i);
        const std::vector<double> mass = masses(p, q, k, b, h, i);
        const std::string where = what + ", row " + std::to_string(row);
        expect(static_cast<int>(chosen.size()) == counts[row], where + ": a key block is listed twice");
        for (int n = 1; n < counts[row]; ++n) expect(list[n] < list[n - 1], where + ": not descending");
        double held = 0, could = 0;
        for (const int64_t j : chosen) held += mass.at(static_cast<size_t>(j));
        for (const int64_t j : best) {
          could += mass[static_cast<size_t>(j)];
          if (visits_all(p, i) || always(p, b, i, j))
            expect(chosen.contains(j), where + ": key block " + std::to_string(j) + " is missing");
        }
        if (p.mass > 0) {
          expect(held >= std::min(p.mass, could) - kMassBound, where + ": holds " + std::to_string(held));
          Problem more = p;
          more.mass = p.mass + kMassBound;
          expect(chosen.size() <= visited(more, q, k, b, h, i).size(), where + ": visits more than it needs");
        } else {
          expect(chosen.size() == best.size(),
                 where + ": visits " + std::to_string(chosen.size()) + " of " + std::to_string(best.size()));
          expect(held >= could - kMassBound,
                 where + ": holds " + std::to_string(held) + " where " + std::to_string(could) + " can be had");
        }
        compare(p, q, k, v, out, log_sum_exp, b, h, i, chosen, found);
      }
}

// Against the key blocks that the definition of the threshold does not leave out, for 64 queries at a time.
template <class T>
void compare_above(const Problem& p, double threshold, Elements<T>& q, Elements<T>& k, Elements<T>& v, Elements<T>& out,
                   const std::vector<float>& lse, const std::string& what, Difference& found) {
  constexpr int64_t kGroup = 64;
  int64_t kept = 0, all = 0;
  for (int64_t b = 0; b < p.batch; ++b)
    for (int64_t h = 0; h < p.heads; ++h)
      for (int64_t first = 0; first < p.tokens(); first += kGroup) {
        bool close = false;
        const int64_t end = std::min(first + kGroup, p.tokens());
        const std::set<int64_t> chosen = above(p, threshold, q, k, b, h, first, end, kGroup, close);
        kept += static_cast<int64_t>(chosen.size());
        all += (p.keys_of(b) + p.width - 1) / p.width;
        if (!close) compare_rows(p, q, k, v, out, lse, b, h, first, end, chosen, found);
      }
  std::printf("%s: %.2f of the blocks kept\n", what.c_str(), static_cast<double>(kept) / static_cast<double>(all));
}

template <class T>
void run_case(const char* file, const Case& c, int64_t size, fv_dtype dtype) {
  Problem p = c.p;
  p.size = size;
  GivenOptions options;
  if (c.threshold > 0)
    options.string("select", "threshold").number("threshold", c.threshold);
  else
    options.string("key_block", c.key_block)
        .integer("sink_tokens", p.sinks)
        .number(p.mass > 0 ? "mass" : "share", p.mass > 0 ? p.mass : p.share);
  AttentionLibrary library(file, options.get());
  fv_attention_site site = p.site(FV_DEVICE_CUDA, dtype);
  site.require |= FV_REQUIRE_CAPTURE;
  if (!library.supports(site)) return;  // key blocks of the other head size
  AttentionLibrary::Plan plan = library.plan(site);
  if (plan.status() != FV_OK) return expect(false, library.message());
  // "sm90_128x144, ...": the blocks are the kernel's.
  if (std::sscanf(plan.info().kernel, "sm90_%ldx%ld", &p.rows, &p.width) != 2)
    return expect(false, std::string("an unknown kernel ") + plan.info().kernel);
  ++runs;
  const std::string what =
      dtype_name(dtype) + ", " + (c.threshold > 0 ? "threshold " + std::to_string(c.threshold) + ", " : "") + p.text();

  Elements<T> q(p.batch, p.tokens(), p.heads, size), k(p.batch, p.tokens(), p.kv_heads, size), v = k, out = q;
  std::mt19937 random(7);
  q.fill_walk(random, p.deviation);
  k.fill_walk(random, p.deviation);
  v.fill_normal(random);
  fill_missing_keys(p, k, v);
  const Tensor dq(dtype, {p.batch, p.tokens(), p.heads, size}, q.data.data());
  const Tensor dk(dtype, {p.batch, p.tokens(), p.kv_heads, size}, k.data.data());
  const Tensor dv(dtype, {p.batch, p.tokens(), p.kv_heads, size}, v.data.data());
  Tensor dout(dtype, {p.batch, p.tokens(), p.heads, size}), lse(kFloat32, {p.batch, p.heads, p.tokens()});
  const Tensor lengths(kInt32, {p.batch}, p.key_lengths.empty() ? nullptr : p.key_lengths.data());
  Memory scratch(plan.info().scratch_bytes);
  const Stream stream;
  fv_attention_args args{};
  args.q = dq.get();
  args.k = dk.get();
  args.v = dv.get();
  args.out = dout.get();
  args.log_sum_exp = lse.get();
  args.key_lengths = p.key_lengths.empty() ? nullptr : lengths.get();
  args.steps = 1;
  args.stream = stream.get();
  const auto once = [&] {
    if (plan.run(args, scratch.get()) != FV_OK) throw std::runtime_error(library.message());
  };
  once();
  stream.wait(what);
  out.data = dout.download<T>();
  const std::vector<float> log_sum_exp = lse.download<float>();

  Difference found;
  if (c.threshold > 0)
    compare_above(p, c.threshold, q, k, v, out, log_sum_exp, what, found);
  else
    compare_chosen(p, scratch, q, k, v, out, log_sum_exp, what, found);
  expect(found.relative() <= kOutputBound<T>, what + ": relative error " + std::to_string(found.relative()));
  expect(found.log_sum_exp <= kLogSumExpBound * p.deviation * p.deviation,
         what + ": log-sum-exp off by " + std::to_string(found.log_sum_exp));

  dout.poison();
  lse.poison();
  scratch.poison();
  run_captured(stream, once, what);
  const std::vector<T> again = dout.download<T>();
  // The result does not depend on which block takes which tile.
  expect(std::memcmp(again.data(), out.data.data(), again.size() * sizeof(T)) == 0 &&
             lse.download<float>().size() == log_sum_exp.size() &&
             std::memcmp(lse.download<float>().data(), log_sum_exp.data(), log_sum_exp.size() * sizeof(float)) == 0,
         what + ": a captured run differs");
}

int run(int argc, char** argv) {
  const bool few = argc == 3 && std::string(argv[2]) == "few";
  if (argc != 2 && !few) {
    std::puts("usage: sparse_device_check LIBRARY [few]");
    return 2;
  }
  if (!has_hopper()) {
    std::puts("skipped: no GPU of compute capability 9.0");
    return kNoDevice;
  }
  const std::vector<Case> all = cases();
  std::vector<Case> chosen = few ? std::vector<Case>{all[3], all[5]} : all;
  if (!few)
    for (const char* key_block : {"144", "176"})
      for (const size_t i : {0, 4, 5}) {
        chosen.push_back(all[i]);
        chosen.back().key_block = key_block;
      }
  // The threshold: several key blocks, key lengths, shared heads; scores that differ.
  for (const size_t i : few ? std::vector<size_t>{5} : std::vector<size_t>{0, 3, 5, 8}) {
    chosen.push_back(all[i]);
    chosen.back().threshold = 0.02;
    chosen.back().p.deviation = 3;
  }
  for (const Case& c : chosen)
    for (const int64_t size : {64, 128}) {
      run_case<cpu::BFloat16>(argv[1], c, size, kBFloat16);
      run_case<cpu::Float16>(argv[1], c, size, kFloat16);
    }
  expect(runs > 0, "no case was taken");
  std::printf("%d cases, %d failures\n", runs, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace fastvideo::sparse

int main(int argc, char** argv) { return fastvideo::report(fastvideo::sparse::run, argc, argv); }
