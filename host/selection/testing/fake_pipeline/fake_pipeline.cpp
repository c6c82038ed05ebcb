// A pipeline for the host's tests: a text encoder, a transformer and a decoder of nothing but attention calls.
#include <fcntl.h>
#include <sys/mman.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fastvideo/plugin.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "host/selection/testing/throwing.hpp"

namespace {

using fastvideo::Host;
using fastvideo::Options;

constexpr int kLayers = 2;
constexpr int kTextTokens = 6;
constexpr int kHeadSize = 4;

struct Request {
  int64_t height, width, frames, steps, branches;
  int64_t grid[3];
  int64_t tokens() const { return grid[0] * grid[1] * grid[2]; }

  explicit Request(const Options& options)
      : height(options.integer("height")),
        width(options.integer("width")),
        frames((options.integer("num_frames") - 1) / 4 * 4 + 1),
        steps(options.integer("num_inference_steps")),
        branches(options.number("guidance_scale") > 1 ? 2 : 1),
        grid{(frames - 1) / 4 + 1, 2, 3} {}
};

// A float32 tensor [1, tokens, 1, kHeadSize] that owns its memory.
class Tokens {
 public:
  explicit Tokens(int64_t tokens) : data_(static_cast<size_t>(tokens * kHeadSize)), shape_{1, tokens, 1, kHeadSize} {}
  const fv_tensor* get() {
    tensor_ = {data_.data(), {FV_DEVICE_CPU, 0}, 4, fastvideo::kFloat32, shape_, strides_, 0};
    return &tensor_;
  }
  float& at(int64_t token, int64_t d) { return data_[static_cast<size_t>(token * kHeadSize + d)]; }
  int64_t count() const { return shape_[1]; }
  /// The residual connection, weighed so that many layers stay in range and the tokens stay apart.
  void add(const Tokens& other) {
    for (size_t i = 0; i < data_.size(); ++i) data_[i] = (7 * data_[i] + other.data_[i]) / 8;
  }

 private:
  std::vector<float> data_;
  int64_t shape_[4];
  int64_t strides_[4] = {shape_[1] * kHeadSize, kHeadSize, kHeadSize, 1};
  fv_tensor tensor_{};
};

fv_attention_site site_of(const char* role, int64_t queries, int64_t keys) {
  fv_attention_site site{};
  site.struct_size = sizeof site;
  site.role = role;
  site.device = {FV_DEVICE_CPU, 0};
  site.dtype = fastvideo::kFloat32;
  site.head_size = kHeadSize;
  site.query_heads = site.kv_heads = site.total_heads = 1;
  site.layers = kLayers;
  site.batch = 1;
  site.query_length = queries;
  site.key_length = keys;
  site.scale = 0.5;
  return site;
}

// The attention session of a run.
class Session {
 public:
  Session(const Host& run, std::vector<fv_attention_site> sites)
      : service_(run.service<fv_attention_service>(FV_ATTENTION_SERVICE)), bindings_(sites.size()) {
    std::vector<const fv_attention_site*> pointers;
    for (const fv_attention_site& site : sites) pointers.push_back(&site);
    fastvideo::TextBuffer text;
    fastvideo::check(service_->open(service_->context, pointers.data(), static_cast<uint32_t>(sites.size()),
                                    bindings_.data(), &order_, &order_count_, &session_, text.get()),
                     text);
    resident_.resize(sites.size());
    for (size_t i = 0; i < sites.size(); ++i) {
      resident_[i].resize(bindings_[i]->info->resident_bytes + 256);
      fastvideo::check(service_->prepare(service_->context, bindings_[i], aligned(resident_[i]), nullptr, text.get()),
                       text);
      scratch_.resize(std::max<size_t>(scratch_.size(), bindings_[i]->info->scratch_bytes + 256));
    }
  }
  ~Session() { service_->close(service_->context, session_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Token at a position of the sequence that the plans see.
  int64_t raster(int64_t position) const { return order_ == nullptr ? position : order_[position]; }

  Tokens run(size_t site, int layer, int step, Tokens& q, Tokens& k) {
    Tokens out(q.count());
    fv_attention_args args{};
    args.struct_size = sizeof args;
    args.q = q.get();
    args.k = args.v = k.get();
    args.out = out.get();
    args.scratch = aligned(scratch_);
    args.step = step;
    args.layer = layer;
    fastvideo::TextBuffer text;
    fastvideo::check(service_->run(service_->context, bindings_[site], &args, text.get()), text);
    return out;
  }

 private:
  static void* aligned(std::vector<char>& bytes) {
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    return reinterpret_cast<void*>((address + 255) / 256 * 256);
  }

  const fv_attention_service* service_;
  std::vector<const fv_attention_binding*> bindings_;
  const int64_t* order_ = nullptr;
  int64_t order_count_ = 0;
  fv_attention_session* session_ = nullptr;
  std::vector<std::vector<char>> resident_;
  std::vector<char> scratch_;
};

enum : size_t { kText, kSelf, kCross, kDecoder };

std::vector<fv_attention_site> sites_of(const Request& request, bool joint) {
  fv_attention_site self = site_of(FV_ROLE_DIT_SELF, request.tokens(), request.tokens());
  std::copy(request.grid, request.grid + 3, self.grid);
  std::vector<fv_attention_site> sites{site_of(FV_ROLE_TEXT_SELF, kTextTokens, kTextTokens), self,
                                       site_of(FV_ROLE_DIT_CROSS, request.tokens(), kTextTokens),
                                       site_of(FV_ROLE_VAE_MID, 6, 6)};
  if (joint) {
    sites.push_back(self);
    sites.back().role = FV_ROLE_DIT_JOINT;
  }
  return sites;
}

class Fake : public fastvideo::Pipeline {
 public:
  Fake(const Host& host, const std::string& folder) : host_(host) {
    if (std::filesystem::exists(folder + "/broken")) throw fastvideo::Refused(folder + "/broken is here");
  }

  void check(const Options& options, const fv_pipeline_plan_sink& sink) override {
    const Request request(options);
    if (options.string("behaviour") == "refuses") throw fastvideo::Refused("height 7 is impossible, 8 is possible");
    const std::string behaviour(options.string("behaviour"));
    for (const fv_attention_site& site : sites_of(request, behaviour == "joint")) {
      const bool in_loop = std::string_view(site.role).starts_with("dit.");
      if (behaviour == "no_tokens" && in_loop) {
        fv_attention_site empty = site;
        empty.query_length = empty.key_length = empty.grid[0] = 0;
        sink.site(sink.context, &empty, 1);
        continue;
      }
      if (behaviour == "null_role") {
        fv_attention_site nameless = site;
        nameless.role = nullptr;
        sink.site(sink.context, &nameless, 1);
      }
      if (behaviour == "null_site") sink.site(sink.context, nullptr, 1);
      const fv_attention_site told = in_the_way_of(behaviour, site);
      sink.site(sink.context, &told, in_loop ? kLayers * request.steps * request.branches : kLayers);
    }
    sink.component(sink.context, "transformer", 123456789);
    sink.peak(sink.context, "denoise", (static_cast<uint64_t>(options.integer("gibibytes")) << 30) + 4096);
    sink.peak(sink.context, "decode", 2048);
    if (request.frames != options.integer("num_frames"))
      sink.corrected(sink.context, "num_frames", std::to_string(options.integer("num_frames")).c_str(),
                     std::to_string(request.frames).c_str(), "frames are 1 plus a multiple of 4");
    CacheLoop loop(request);
    if (behaviour == "null_signal") loop.signals[0] = nullptr;
    if (behaviour == "no_steps") loop.info.steps = 0;
    if (behaviour == "small_loop") loop.info.struct_size = 8;
    sink.cache(sink.context, behaviour == "null_loop" ? nullptr : &loop.info);
    if (behaviour == "keeps_elsewhere") sink.kept(sink.context, "dreaming", "blocks", 1);
    if (behaviour == "keeps_what") sink.kept(sink.context, "denoise", "colour", 1);
    if (behaviour == "null_names") {
      sink.component(sink.context, nullptr, 1);
      sink.peak(sink.context, nullptr, 1);
      sink.corrected(sink.context, nullptr, nullptr, nullptr, nullptr);
    }
  }

  // The site, or one that cannot be.
  static fv_attention_site in_the_way_of(const std::string& behaviour, fv_attention_site site) {
    static const char* const names[2] = {"gate", nullptr};
    if (behaviour == "small_site") site.struct_size = 8;
    if (behaviour == "odd_device") site.device.type = 99;
    if (behaviour == "odd_type") site.dtype.code = 99;
    if (behaviour == "no_bits") site.dtype.bits = 0;
    if (behaviour == "odd_mask") site.masks = 1u << 30;
    if (behaviour == "odd_requirement") site.require = uint64_t{1} << 60;
    if (behaviour == "null_input") site.inputs = names, site.input_count = 2;
    if (behaviour == "many_inputs") site.inputs = names, site.input_count = 1u << 31;
    return site;
  }

  // What a run measures: the number of each step.
  std::vector<double> measure_early(const Options& options, std::span<const fv_cache_measure> measures) {
    std::vector<double> all;
    for (int64_t step = 0; step < Request(options).steps; ++step)
      all.insert(all.end(), measures.size(), static_cast<double>(step));
    return all;
  }

  void run(const Host& run, const Options& options, const fastvideo::PipelineSink& sink) override {
    const Request request(options);
    const std::string behaviour(options.string("behaviour"));
    const fastvideo::Progress progress(run);
    const bool has_word = options.string("prompt").find("fail") != std::string_view::npos;
    if (behaviour == "fails" || (behaviour == "fails_at_word" && has_word))
      throw std::runtime_error("the weights are rotten");
    if (behaviour == "waits") wait(run, progress);
    if (behaviour == "waits_deaf") wait_deaf(run, sink, request);
    if (behaviour == "maps_a_file") touch_mapped(run, progress);
    Session session(run, sites_of(request, behaviour == "joint"));

    progress.stage("encode text");
    Tokens text(kTextTokens);
    const std::string_view prompt = options.string("prompt");
    for (int64_t i = 0; i < kTextTokens; ++i)
      for (int64_t d = 0; d < kHeadSize; ++d)
        text.at(i, d) =
            prompt.empty() ? 0.f : static_cast<float>(prompt[static_cast<size_t>(i + d) % prompt.size()]) / 64;
    for (int layer = 0; layer < kLayers; ++layer) text = session.run(kText, layer, -1, text, text);

    progress.stage("denoise", request.steps);
    const Tokens video = denoise(run, request, options, session, text, progress);

    progress.stage("decode");
    Tokens latent(6);
    for (int layer = 0; layer < kLayers; ++layer) session.run(kDecoder, layer, -1, latent, latent);
    give(request, behaviour, video, sink);
  }

 private:
  // What the loop looks like to a caching strategy.
  struct CacheLoop {
    explicit CacheLoop(const Request& request)
        : sigmas(static_cast<size_t>(request.steps + 1)),
          timesteps(static_cast<size_t>(request.steps)),
          experts(static_cast<size_t>(request.steps)) {
      for (int64_t i = 0; i <= request.steps; ++i)
        sigmas[static_cast<size_t>(i)] = 1 - static_cast<double>(i) / static_cast<double>(request.steps);
      info.struct_size = sizeof info;
      info.cuts = FV_CUT_MODEL;
      info.model = "fake";
      info.preset = "";
      info.steps = static_cast<int32_t>(request.steps);
      info.branches = static_cast<int32_t>(request.branches);
      info.branches_at_once = 1;
      info.blocks = kLayers;
      info.experts = 1;
      info.signal_count = 1;
      info.signals = signals;
      info.early = early;
      info.sigmas = sigmas.data();
      info.timesteps = timesteps.data();
      info.expert_of_step = experts.data();
    }
    const char* signals[1] = {"latent.in"};
    uint8_t early[1] = {1};
    std::vector<double> sigmas, timesteps;
    std::vector<int32_t> experts;
    fv_cache_session_info info{};
  };

  // Runs the transformer for each step and branch, unless the strategy leaves the pass out.
  Tokens denoise(const Host& run, const Request& request, const Options& options, Session& session, Tokens& text,
                 const fastvideo::Progress& progress) {
    CacheLoop loop(request);
    const auto* cache = run.service<fv_cache_service>(FV_CACHE_SERVICE);
    fv_cache_session* cache_session = nullptr;
    fv_cache_plan plan{};
    plan.struct_size = sizeof plan;
    fastvideo::TextBuffer error;
    if (cache != nullptr)
      fastvideo::check(cache->open(cache->context, &loop.info, &cache_session, &plan, error.get()), error);
    const auto close = [cache](fv_cache_session* open) { cache->close(cache->context, open); };
    const std::unique_ptr<fv_cache_session, decltype(close)> closed_at_the_end(cache_session, close);
    const std::vector<bool> left_out =
        plan.is_static != 0 ? scheduled(*cache, cache_session, plan, request) : std::vector<bool>();

    Tokens video(request.tokens());
    for (int64_t i = 0; i < request.tokens(); ++i)
      for (int64_t d = 0; d < kHeadSize; ++d)
        video.at(i, d) = static_cast<float>(std::sin(static_cast<double>(session.raster(i) * kHeadSize + d) +
                                                     static_cast<double>(options.integer("seed"))));
    for (int64_t step = 0; step < request.steps; ++step) {
      for (int64_t branch = 0; branch < request.branches; ++branch) {
        if (plan.is_static != 0) {
          if (left_out[static_cast<size_t>(step * request.branches + branch)]) continue;
        } else if (cache != nullptr && leaves_out(*cache, cache_session, plan, step, request, branch)) {
          continue;
        }
        for (int layer = 0; layer < kLayers; ++layer) {
          video.add(session.run(kSelf, layer, static_cast<int>(step), video, video));
          video.add(session.run(kCross, layer, static_cast<int>(step), video, text));
        }
      }
      if (options.boolean("verbose"))
        run.log(FV_LOG_INFO, "org.fastvideo.test.pipeline", "step " + std::to_string(step));
      progress.step(step + 1);
    }
    Tokens raster(request.tokens());
    for (int64_t i = 0; i < request.tokens(); ++i)
      for (int64_t d = 0; d < kHeadSize; ++d) raster.at(session.raster(i), d) = video.at(i, d);
    return raster;
  }

  // Which passes a static plan leaves out, [steps][branches].
  static std::vector<bool> scheduled(const fv_cache_service& cache, fv_cache_session* session,
                                     const fv_cache_plan& plan, const Request& request) {
    std::vector<double> measurements;
    for (int64_t step = 0; step < request.steps; ++step)
      measurements.insert(measurements.end(), plan.measure_count, static_cast<double>(step));
    const auto count = static_cast<size_t>(request.steps * request.branches);
    std::vector<std::vector<double>> coefficients(count, std::vector<double>(plan.slot_count + 1));
    std::vector<fv_cache_decision> decisions;
    for (size_t i = 0; i < count; ++i)
      decisions.push_back({sizeof(fv_cache_decision), FV_CACHE_COMPUTE, coefficients[i].data()});
    std::vector<fv_cache_decision*> pointers;
    for (fv_cache_decision& decision : decisions) pointers.push_back(&decision);
    fastvideo::TextBuffer error;
    fastvideo::check(cache.schedule(cache.context, session, measurements.data(), pointers.data(), error.get()), error);
    std::vector<bool> left_out;
    for (const fv_cache_decision& decision : decisions) left_out.push_back(decision.action == FV_CACHE_COMBINE);
    return left_out;
  }

  static bool leaves_out(const fv_cache_service& cache, fv_cache_session* session, const fv_cache_plan& plan,
                         int64_t step, const Request& request, int64_t branch) {
    const auto branch_of_row = static_cast<int32_t>(branch);
    fv_cache_point point{};
    point.struct_size = sizeof point;
    point.step = static_cast<int32_t>(step);
    point.steps = static_cast<int32_t>(request.steps);
    point.branches = &branch_of_row;
    point.batch = 1;
    const std::vector<double> measurements(plan.measure_count, static_cast<double>(step));
    std::vector<double> coefficients(plan.slot_count + 1);
    fv_cache_decision decision{sizeof(fv_cache_decision), FV_CACHE_COMPUTE, coefficients.data()};
    fastvideo::TextBuffer error;
    fastvideo::check(cache.decide(cache.context, session, &point, measurements.data(), &decision, error.get()), error);
    if (decision.action == FV_CACHE_COMBINE) return true;
    fastvideo::check(cache.observe(cache.context, session, &point, measurements.data(), error.get()), error);
    return false;
  }

  static void wait(const fastvideo::Host& run, const fastvideo::Progress& progress) {
    progress.stage("wait", 1000);
    run.log(FV_LOG_INFO, "org.fastvideo.test.pipeline", "waiting");
    for (;;) {
      progress.throw_if_cancelled();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  // Begins a video, and then hears of no cancellation.
  static void wait_deaf(const fastvideo::Host& run, const fastvideo::PipelineSink& sink, const Request& request) {
    sink.video(static_cast<int32_t>(request.width), static_cast<int32_t>(request.height), request.frames, 16, 1);
    run.log(FV_LOG_INFO, "org.fastvideo.test.pipeline", "waiting");
    for (;;) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  // Reads the file that FAKE_MAPPED_FILE names as memory, over and over, until somebody cuts it short.
  static void touch_mapped(const fastvideo::Host& run, const fastvideo::Progress& progress) {
    const int file = ::open(std::getenv("FAKE_MAPPED_FILE"), O_RDONLY);
    constexpr size_t bytes = 1 << 16;
    const volatile char* data = static_cast<char*>(::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0));
    run.log(FV_LOG_INFO, "org.fastvideo.test.pipeline", "waiting");
    for (;;) {
      progress.throw_if_cancelled();
      static_cast<void>(data[bytes - 1]);
    }
  }

  // Grey frames, one call a frame, whose brightness is that of the tokens.
  static void give(const Request& request, const std::string& behaviour, Tokens video,
                   const fastvideo::PipelineSink& sink) {
    std::vector<uint8_t> pixels(static_cast<size_t>(request.height * request.width * 3));
    int64_t shape[4] = {1, request.height, request.width, 3};
    int64_t strides[4] = {request.height * request.width * 3, request.width * 3, 3, 1};
    fv_tensor frame{pixels.data(), {FV_DEVICE_CPU, 0}, 4, fastvideo::kUInt8, shape, strides, 0};
    if (behaviour == "wrong_type") frame.dtype = fastvideo::kFloat32;
    if (behaviour == "null_shape") frame.shape = nullptr;
    if (behaviour == "no_video") return;
    if (behaviour == "early_frames") sink.frames(frame);
    if (behaviour == "wrong_shape") shape[1] += 1;
    if (behaviour == "negative_frames") shape[0] = -1;
    sink.video(static_cast<int32_t>(request.width), static_cast<int32_t>(request.height), request.frames, 16, 1);
    const int64_t count = request.frames + (behaviour == "many_frames" ? 1 : behaviour == "few_frames" ? -1 : 0);
    for (int64_t f = 0; f < count; ++f) {
      for (size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = static_cast<uint8_t>(
            128 + 100 * std::sin(100 * video.at((static_cast<int64_t>(i) + f) % request.tokens(), i % kHeadSize)));
      try {
        sink.frames(frame);
      } catch (const std::exception&) {
        if (behaviour != "ignores_errors") throw;
      }
    }
  }

  Host host_;
};

const void* pipeline_interface(const char* id) {
  using Table = fastvideo::detail::PipelineTable<Fake>;
  using fastvideo::test::throw_in;
  const void* usual = Table::get_interface(id);
  if (std::string_view(id) == FV_EARLY_SIGNALS_INTERFACE) {
    static fv_early_signals_interface early = *static_cast<const fv_early_signals_interface*>(usual);
    early.measure = [](auto... args) {
      return throw_in("pipeline.measure") ? fv_status{FV_CANCELLED} : Table::measure_early(args...);
    };
    return &early;
  }
  if (std::string_view(id) != FV_PIPELINE_INTERFACE) return usual;
  static fv_pipeline_interface table = *static_cast<const fv_pipeline_interface*>(usual);
  table.create = [](auto... args) {
    return throw_in("pipeline.create") ? fv_status{FV_CANCELLED} : Table::create(args...);
  };
  table.check = [](auto... args) {
    return throw_in("pipeline.check") ? fv_status{FV_CANCELLED} : Table::check(args...);
  };
  table.run = [](auto... args) { return throw_in("pipeline.run") ? fv_status{FV_CANCELLED} : Table::run(args...); };
  table.destroy = [](auto... args) { Table::destroy(args...), throw_in("pipeline.destroy"); };
  return &table;
}

}  // namespace

#ifndef FAKE_PIPELINE
#define FAKE_PIPELINE "fake"
#endif

FASTVIDEO_PLUGIN(fastvideo::detail::item("pipeline", FAKE_PIPELINE, "cpu", pipeline_interface))
