// SLIDING_TILE_ATTN/sm90 without any framework: small grids against the definition in float64, also captured in a CUDA
// graph. on_device.py looks at large grids, and times them.
//
//   sliding_tile_device_check LIBRARY [few]    few: two grids, one width of key blocks; otherwise all
//
// Exit code 0: all right, 1: a fault, 77: no GPU that can run it.
#include <cstring>
#include <type_traits>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/device.hpp"
#include "plugins/attention/common/video/tile_grid.hpp"
#include "plugins/attention/sliding_tile_attn/tests/options.hpp"
#include "plugins/attention/sliding_tile_attn/tests/problem.hpp"

namespace fastvideo::sliding_tile {
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
  void download(void* to) const { check(cudaMemcpy(to, data_, bytes_, cudaMemcpyDeviceToHost), "downloading"); }

 private:
  size_t bytes_;
  void* data_ = nullptr;
};

// A contiguous tensor in device memory.
class Tensor {
 public:
  Tensor(fv_dtype dtype, std::vector<int64_t> shape) : shape_(std::move(shape)), strides_(shape_) {
    int64_t count = 1;
    for (size_t i = shape_.size(); i-- > 0; count *= shape_[i]) strides_[i] = count;
    memory_ = std::make_unique<Memory>(static_cast<size_t>(count) * dtype.bits / 8);
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
  Memory& memory() { return *memory_; }
  const fv_tensor* get() const { return &view_; }

 private:
  std::vector<int64_t> shape_, strides_;
  std::unique_ptr<Memory> memory_;
  fv_tensor view_{};
};

fv_attention_site site_of(const ProblemSize& p, fv_dtype dtype) {
  fv_attention_site site = p.site(FV_DEVICE_CUDA, dtype);
  site.require |= FV_REQUIRE_CAPTURE;
  return site;
}

// A plan with its memory, on a stream.
class Planned {
 public:
  Planned(AttentionLibrary& library, const fv_attention_site& site)
      : library_(library),
        plan_(library.plan(site)),
        resident_(bytes(plan_.info().resident_bytes)),
        scratch_(bytes(plan_.info().scratch_bytes)) {
    if (plan_.prepare(resident_.get(), stream_.get()) != FV_OK) throw std::runtime_error(library.message());
  }
  const fv_attention_plan_info& info() const { return plan_.info(); }
  const Stream& stream() const { return stream_; }
  void run(fv_attention_args args) {
    args.stream = stream_.get();
    if (plan_.run(args, scratch_.get()) != FV_OK) throw std::runtime_error(library_.message());
  }

 private:
  size_t bytes(uint64_t wanted) const {
    if (plan_.status() != FV_OK) throw std::runtime_error(library_.message());
    return wanted;
  }
  AttentionLibrary& library_;
  AttentionLibrary::Plan plan_;
  Stream stream_;
  Memory resident_, scratch_;
};

struct Case {
  ProblemSize p;
  std::vector<Extent> windows;  // of each head
};

// Ragged and whole tiles, one tile, one frame, text on both sides, padded text, shared key heads, heads with windows of
// their own (a strategy file of one step and layer).
std::vector<Case> cases() {
  const auto all_heads = [](size_t heads, int64_t t, int64_t h, int64_t w) {
    return std::vector<Extent>(heads, Extent{{t, h, w}});
  };
  std::vector<Case> made;
  const auto add = [&](const Extent& grid, const Extent& tile, std::vector<Extent> windows) -> ProblemSize& {
    Case& one = made.emplace_back();
    one.p.grid = grid;
    one.p.tile = tile;
    one.p.heads = one.p.kv_heads = static_cast<int64_t>(windows.size());
    one.windows = std::move(windows);
    return one.p;
  };
  add({{6, 16, 16}}, {{6, 8, 8}}, all_heads(2, 1, 1, 1));
  add({{6, 8, 40}}, {{6, 8, 8}}, all_heads(1, 3, 3, 3));
  ProblemSize& shared = add({{7, 13, 11}}, {{3, 5, 4}}, all_heads(2, 1, 2, 1));
  shared.batch = 2;
  shared.kv_heads = 1;
  add({{1, 17, 23}}, {{1, 6, 7}}, all_heads(2, 1, 3, 1));
  ProblemSize& text = add({{5, 9, 10}}, {{2, 4, 4}}, all_heads(2, 1, 1, 3));
  text.before = 3;
  text.after = 77;
  ProblemSize& padded = add({{4, 6, 7}}, {{2, 3, 4}}, all_heads(2, 1, 1, 1));
  padded.after = 512;
  padded.batch = 2;
  padded.key_lengths = {168, 400};                                       // of 680: no text, some
  for (const Extent& window : {Extent{{1, 1, 1}}, Extent{{9, 9, 9}}}) {  // lengths that end in the video, or nowhere
    ProblemSize& cut = add({{4, 6, 7}}, {{2, 3, 4}}, {window, window});
    cut.before = 5;
    cut.after = 130;
    cut.batch = 5;
    cut.key_lengths = {303, 171, 60, 2, 0};  // of 303
  }
  ProblemSize& own = add({{6, 9, 12}}, {{2, 3, 4}}, {{{3, 1, 1}}, {{3, 3, 3}}, {{1, 3, 3}}, {{1, 1, 1}}});
  own.after = 40;
  own.kv_heads = 2;
  add({{4, 5, 6}}, {{9, 9, 9}}, all_heads(2, 3, 3, 3));
  // More work than thread blocks: many tiles in a row, some without queries for a second consumer, some of nothing at
  // all.
  std::vector<Extent> in_turn = all_heads(16, 1, 1, 1);
  for (size_t head = 1; head < in_turn.size(); head += 2) in_turn[head] = {{4, 3, 4}};
  add({{4, 6, 8}}, {{1, 2, 2}}, std::move(in_turn));
  return made;
}

// Rounding of the output (half a unit in the last place) and of the weights before the second product, as for
// FLASH_ATTN/sm90, whose main loop this is.
template <class T>
constexpr double kOutputBound = std::is_same_v<T, cpu::BFloat16> ? 6e-3 : 8e-4;
constexpr double kLogSumExpBound = 1e-5;

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void run_case(const char* file, const char* key_block, const Case& c, int64_t size, fv_dtype dtype) {
  ProblemSize p = c.p;
  p.size = size;
  GivenOptions options;
  StrategyTable table;
  const bool one_window = std::equal(c.windows.begin() + 1, c.windows.end(), c.windows.begin());
  options.string("key_block", key_block);
  if (one_window) {
    options.string("tile", to_text(p.tile)).string("window", to_text(c.windows.front()));
  } else {
    const TileGrid tiles(p.grid, p.tile);
    table.add("tile", {p.tile[0], p.tile[1], p.tile[2]});
    table.add("tile_grid", {tiles.counts()[0], tiles.counts()[1], tiles.counts()[2]});
    for (size_t h = 0; h < c.windows.size(); ++h) table.add(0, 0, static_cast<int64_t>(h), c.windows[h]);
    options.strategy(table);
  }
  AttentionLibrary library(file, options.get());
  const fv_attention_site site = site_of(p, dtype);
  if (!library.supports(site)) return;  // key blocks of the other head size
  ++runs;
  const std::string what = dtype_name(dtype) + " D " + std::to_string(size) + ", key blocks " + key_block + ", " +
                           p.text() + ", window " + to_text(c.windows.front());
  Elements<T> q(p.batch, p.tokens(), p.heads, size), k(p.batch, p.tokens(), p.kv_heads, size), v = k, out = q;
  std::mt19937 random(7);
  for (Elements<T>* one : {&q, &k, &v}) one->fill_normal(random);
  fill_missing_keys(p, k, v);
  Tensor dq(dtype, {p.batch, p.tokens(), p.heads, size}), dk(dtype, {p.batch, p.tokens(), p.kv_heads, size});
  Tensor dv(dtype, {p.batch, p.tokens(), p.kv_heads, size}), dout(dtype, {p.batch, p.tokens(), p.heads, size});
  Tensor lse(kFloat32, {p.batch, p.heads, p.tokens()}), lengths(kInt32, {p.batch});
  dq.memory().upload(q.data.data());
  dk.memory().upload(k.data.data());
  dv.memory().upload(v.data.data());
  if (!p.key_lengths.empty()) lengths.memory().upload(p.key_lengths.data());
  fv_attention_args args{};
  args.q = dq.get();
  args.k = dk.get();
  args.v = dv.get();
  args.out = dout.get();
  args.log_sum_exp = lse.get();
  args.key_lengths = p.key_lengths.empty() ? nullptr : lengths.get();
  args.steps = 1;
  Planned plan(library, site);
  const std::vector<int64_t> raster(plan.info().token_order, plan.info().token_order + plan.info().token_count);

  std::vector<float> log_sum_exp(static_cast<size_t>(p.batch * p.heads * p.tokens())), log_sum_exp_again = log_sum_exp;
  plan.run(args);
  plan.stream().wait(what);
  dout.memory().download(out.data.data());
  lse.memory().download(log_sum_exp.data());
  const Error error = compare(p, raster, c.windows, site.scale, q, k, v, out, log_sum_exp);
  expect(error.relative <= kOutputBound<T>, what + ": relative error " + std::to_string(error.relative));
  expect(error.log_sum_exp <= kLogSumExpBound, what + ": log-sum-exp off by " + std::to_string(error.log_sum_exp));

  dout.memory().poison();
  lse.memory().poison();
  run_captured(
      plan.stream(), [&] { plan.run(args); }, what);
  Elements<T> again = out;
  dout.memory().download(again.data.data());
  lse.memory().download(log_sum_exp_again.data());
  // The result does not depend on which block takes which tile.
  expect(same_bits(again.data, out.data) && same_bits(log_sum_exp_again, log_sum_exp),
         what + ": a captured run differs");
}

void check_all(const char* file, const std::vector<Case>& grids, std::initializer_list<const char*> key_blocks) {
  for (const char* key_block : key_blocks)
    for (const int64_t size : {64, 128})
      for (const Case& c : grids) {
        run_case<cpu::BFloat16>(file, key_block, c, size, kBFloat16);
        run_case<cpu::Float16>(file, key_block, c, size, kFloat16);
      }
}

int run(int argc, char** argv) {
  const bool few = argc == 3 && std::string(argv[2]) == "few";
  if (argc != 2 && !few) {
    std::puts("usage: sliding_tile_device_check LIBRARY [few]");
    return 2;
  }
  if (!has_hopper()) {
    std::puts("skipped: no GPU of compute capability 9.0");
    return kNoDevice;
  }
  const std::vector<Case> grids = cases();
  if (few)
    check_all(argv[1], {grids[2], grids[5]}, {"auto"});  // ragged tiles and shared heads; key lengths
  else
    check_all(argv[1], grids, {"auto", "176"});
  expect(runs > 0, "no case was taken");
  std::printf("%d cases, %d failures\n", runs, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace fastvideo::sliding_tile

int main(int argc, char** argv) { return fastvideo::report(fastvideo::sliding_tile::run, argc, argv); }
