#include "tools/bench/shape_bench.hpp"

#include <algorithm>
#include <cmath>
#include <fastvideo/tensor_view.hpp>

#include "host/error/error.hpp"
#include "host/selection/border.hpp"

namespace fastvideo::host {
namespace {

using testing::DeviceMemory;
using testing::Elements;

constexpr size_t kSampledRows = 32;
constexpr size_t kMostSets = 3;
constexpr size_t kEnoughBytes = size_t{256} << 20;  // inputs larger than any cache
constexpr size_t kSampledElements = 256;            // of a matrix product

// A dense tensor in given memory.
class DeviceTensor {
 public:
  DeviceTensor(void* data, std::vector<int64_t> shape, const fv_attention_site& site)
      : shape_(std::move(shape)), strides_(shape_.size()) {
    int64_t stride = 1;
    for (size_t i = shape_.size(); i-- > 0; stride *= shape_[i]) strides_[i] = stride;
    bytes_ = static_cast<size_t>(stride) * site.dtype.bits / 8;
    tensor_ = {data, site.device, static_cast<int32_t>(shape_.size()), site.dtype, shape_.data(), strides_.data(), 0};
  }
  DeviceTensor(const DeviceTensor&) = delete;
  DeviceTensor& operator=(const DeviceTensor&) = delete;

  const fv_tensor* get() const { return &tensor_; }
  size_t bytes() const { return bytes_; }

 private:
  std::vector<int64_t> shape_, strides_;
  size_t bytes_ = 0;
  fv_tensor tensor_{};
};

std::unique_ptr<DeviceTensor> put(DeviceMemory& memory, const Elements& elements, std::vector<int64_t> shape,
                                  const fv_attention_site& site) {
  void* data = memory.allocate(elements.bytes().size());
  memory.upload(data, elements.bytes());
  return std::make_unique<DeviceTensor>(data, std::move(shape), site);
}

std::unique_ptr<DeviceTensor> make(DeviceMemory& memory, std::vector<int64_t> shape, const fv_attention_site& site) {
  size_t bytes = site.dtype.bits / 8U;
  for (const int64_t size : shape) bytes *= static_cast<size_t>(size);
  return std::make_unique<DeviceTensor>(memory.allocate(bytes), std::move(shape), site);
}

}  // namespace

// Inputs on the device, and the expected outputs.
struct ShapeBench::InputSet {
  std::unique_ptr<DeviceTensor> q, k, v;
  std::vector<ReferenceRow> reference;
};

// A backend or matrix product that is timed.
class ShapeBench::Entry {
 public:
  virtual ~Entry() = default;

  // An exception becomes the failure of the line, which is not run again.
  template <class Body>
  void attempt(Body&& body) {
    if (!line.failure.empty()) return;
    try {
      body();
    } catch (const CancelledError&) {
      throw;
    } catch (const std::bad_alloc&) {
      line.failure = "out of memory";
    } catch (const std::exception& e) {
      line.failure = e.what();
    }
  }

  void poison(DeviceMemory& memory) const {
    if (line.failure.empty()) memory.poison(out->get()->data, out->bytes());
  }

  // Enqueues run number `number`.
  virtual void run(size_t number) = 0;
  // Compares the output of run number `number`, the latest run.
  virtual void compare(size_t number) = 0;

  TimedLine line;
  std::unique_ptr<DeviceTensor> out;

 protected:
  void note(const AttentionError& error) {
    line.error = {std::max(line.error.relative, error.relative), std::max(line.error.largest, error.largest)};
  }
};

class ShapeBench::BackendEntry final : public Entry {
 public:
  BackendEntry(const ShapeBench& bench, const std::string& asked, AttentionSelector& selector) : bench_(bench) {
    const AttentionShape& s = bench.shape_;
    line.asked = asked;
    line.operations = s.operations();
    attempt([&] {
      const fv_attention_site* site = &bench.site_;
      session_ = std::make_unique<AttentionSession>(selector, std::span(&site, 1));
      AttentionBinding& binding = *session_->bindings().front();
      item = binding.choice.item;
      line.backend = binding.choice.backend->name;
      line.kernel = binding.kernel;
      line.estimate = binding.choice.support.score / 1e6;
      out = make(bench.memory_, {s.batch, s.queries, s.heads, s.head_size}, bench.site_);
      void* resident = room("resident", binding.info.resident_bytes);
      TextBuffer text;
      require_ok(AttentionSession::prepare(binding, resident, bench.memory_.stream(), text.get()), text, line.backend);
      scratch_ = room("scratch", binding.info.scratch_bytes);
    });
  }

  void run(size_t number) override {
    const InputSet& set = bench_.sets_[number % bench_.sets_.size()];
    fv_attention_args args{};
    args.struct_size = sizeof args;
    args.q = set.q->get();
    args.k = set.k->get();
    args.v = set.v->get();
    args.out = out->get();
    args.scratch = scratch_;
    args.stream = bench_.memory_.stream();
    args.steps = 1;
    TextBuffer text;
    require_ok(AttentionSession::run(*session_->bindings().front(), &args, text.get()), text, line.backend);
  }

  void compare(size_t number) override {
    Elements elements(out->bytes() / (bench_.site_.dtype.bits / 8U), bench_.site_.dtype);
    bench_.memory_.download(elements.bytes(), out->get()->data);
    const InputSet& set = bench_.sets_[number % bench_.sets_.size()];
    note(fastvideo::host::compare(bench_.shape_, elements, set.reference, bench_.host_));
  }

  const CatalogItem* item = nullptr;

 private:
  void* room(const char* what, uint64_t bytes) const {
    try {
      return bench_.memory_.allocate(bytes);
    } catch (const std::bad_alloc&) {
      throw std::runtime_error("out of memory: " + line.backend + " asks for " + std::to_string(bytes) + " bytes of " +
                               what + " memory");
    }
  }

  const ShapeBench& bench_;
  std::unique_ptr<AttentionSession> session_;
  void* scratch_ = nullptr;
};

class ShapeBench::ProductEntry final : public Entry {
 public:
  ProductEntry(const ShapeBench& bench, const OfferedProduct& product, int64_t size)
      : bench_(bench), table_(product.table), size_(size) {
    line.asked = "matrix product " + std::to_string(size);
    line.backend = product.item;
    line.operations = 2.0 * static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
    attempt([&] {
      const size_t count = static_cast<size_t>(size * size);
      const Elements elements = normal_elements(count, bench.site_.dtype, 1, bench.host_);
      factor_ = put(bench.memory_, elements, {size, size}, bench.site_);
      out = make(bench.memory_, {size, size}, bench.site_);
      for (size_t i = 0; i < kSampledElements; ++i) {
        const size_t at = i * (count / kSampledElements) + i % 7;
        double sum = 0;
        for (size_t j = 0; j < static_cast<size_t>(size); ++j)
          sum += double{elements.at(at / size_ * size_ + j)} * double{elements.at(j * size_ + at % size_)};
        reference_.emplace_back(at, sum);
      }
    });
  }

  void run(size_t) override {
    TextBuffer text;
    const fv_status status = called(call_name("multiply", line.backend), text.get(), [&] {
      return table_->multiply(factor_->get(), factor_->get(), out->get(), bench_.memory_.stream(), text.get());
    });
    require_ok(status, text, line.backend);
  }

  void compare(size_t) override {
    Elements elements(size_ * size_, bench_.site_.dtype);
    bench_.memory_.download(elements.bytes(), out->get()->data);
    double difference = 0, norm = 0, largest = 0;
    for (const auto& [at, expected] : reference_) {
      const double error = double{elements.at(at)} - expected;
      if (!std::isfinite(error)) throw std::runtime_error("an element of the product is not finite");
      difference += error * error;
      norm += expected * expected;
      largest = std::max(largest, std::fabs(error));
    }
    note({std::sqrt(difference / norm), largest});
  }

 private:
  const ShapeBench& bench_;
  const fv_matrix_product_interface* table_;
  size_t size_;
  std::unique_ptr<DeviceTensor> factor_;
  std::vector<std::pair<size_t, double>> reference_;
};

ShapeBench::ShapeBench(const AttentionShape& shape, const fv_attention_site& site, DeviceMemory& memory,
                       const Host& host)
    : shape_(shape), site_(site), memory_(memory), host_(host) {
  const size_t row = static_cast<size_t>(shape.batch * shape.heads * shape.head_size) * site.dtype.bits / 8;
  const size_t set = row * static_cast<size_t>(shape.queries + 2 * shape.keys);
  for (size_t i = 0; i < std::clamp(kEnoughBytes / set, size_t{1}, kMostSets); ++i) {
    const AttentionInputs inputs(shape, site.dtype, 2 * i + 1, host);
    const auto on_device = [&](const Elements& elements, int64_t length) {
      return put(memory, elements, {shape.batch, length, shape.heads, shape.head_size}, site);
    };
    sets_.push_back({on_device(inputs.q, shape.queries), on_device(inputs.k, shape.keys),
                     on_device(inputs.v, shape.keys),
                     reference_rows(shape, inputs, site.scale, kSampledRows, 2 * i + 2, host)});
  }
}

ShapeBench::~ShapeBench() = default;

void ShapeBench::enter(const std::string& asked, AttentionSelector& selector) {
  entries_.push_back(std::make_unique<BackendEntry>(*this, asked, selector));
}

void ShapeBench::enter(const OfferedProduct& product, int64_t size) {
  entries_.push_back(std::make_unique<ProductEntry>(*this, product, size));
}

std::vector<const CatalogItem*> ShapeBench::items() const {
  std::vector<const CatalogItem*> items;
  for (const auto& entry : entries_)
    if (const auto* backend = dynamic_cast<const BackendEntry*>(entry.get()))
      if (backend->item != nullptr) items.push_back(backend->item);
  return items;
}

void ShapeBench::run(int64_t repeats, const CancelToken& cancel) {
  for (const auto& entry : entries_) {
    cancel.throw_if_requested();
    entry->attempt([&] {
      entry->poison(memory_);
      entry->run(0);
      entry->compare(0);
    });
  }
  // Run number 1 is the run of the first timed round.
  const size_t count = entries_.size();
  const auto round = [&](size_t piece) { return piece / count; };
  const auto entry_of = [&](size_t piece) -> Entry& {
    return *entries_[round(piece) % 2 == 0 ? piece % count : count - 1 - piece % count];
  };
  const std::vector<double> seconds = memory_.time(
      count * static_cast<size_t>(repeats),
      [&](size_t piece) {
        cancel.throw_if_requested();
        entry_of(piece).poison(memory_);
      },
      [&](size_t piece) {
        Entry& entry = entry_of(piece);
        entry.attempt([&] { entry.run(round(piece) + 1); });
      });
  for (size_t piece = 0; piece < seconds.size(); ++piece) entry_of(piece).line.seconds.push_back(seconds[piece]);
  for (const auto& entry : entries_) {
    entry->attempt([&] { entry->compare(static_cast<size_t>(repeats)); });
    if (!entry->line.failure.empty()) entry->line.seconds.clear();
  }
}

std::vector<TimedLine> ShapeBench::lines() const {
  std::vector<TimedLine> all;
  for (const auto& entry : entries_) all.push_back(entry->line);
  return all;
}

}  // namespace fastvideo::host
