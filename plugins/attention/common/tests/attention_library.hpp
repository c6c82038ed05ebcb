// An attention backend's library in a test: opened as the host opens it, called through the ABI, without a host.
#pragma once

#include <dlfcn.h>

#include <fastvideo/plugin.hpp>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace fastvideo {

/// The first item of a library, created without services, so that it runs on the calling thread.
class AttentionLibrary {
 public:
  /// Throws std::runtime_error with the reason if the library cannot be opened or the backend cannot be created.
  explicit AttentionLibrary(const char* file, std::span<const fv_entry> options = {}) {
    void* handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    services_ = {sizeof(services_), FV_ABI_MAJOR, FV_ABI_MINOR, "test",
                 [](const fv_services*, const char*) -> const void* { return nullptr; }};
    const auto entry = reinterpret_cast<fv_plugin_entry>(dlsym(handle, "fastvideo_plugin"));
    const fv_plugin* plugin = entry(&services_, text_.get());
    check(plugin == nullptr ? FV_FAILED : FV_OK, text_);
    table_ = static_cast<const fv_attention_interface*>(plugin->items[0]->get_interface(FV_ATTENTION_INTERFACE));
    check(table_->create(&services_, options.data(), static_cast<uint32_t>(options.size()), &backend_, text_.get()),
          text_);
  }
  ~AttentionLibrary() { table_->destroy(backend_); }
  AttentionLibrary(const AttentionLibrary&) = delete;
  AttentionLibrary& operator=(const AttentionLibrary&) = delete;

  /// Whether the backend takes a site; message() is its reason.
  bool supports(const fv_attention_site& site) {
    char reason[1024] = {};
    fv_attention_support support{};
    support.struct_size = sizeof(support);
    support.reason = {reason, sizeof(reason), 0};
    check(table_->supports(backend_, &site, &support, text_.get()), text_);
    message_ = reason;
    score_ = support.score;
    return support.supported == 1;
  }

  /// A plan for a site, destroyed with this object.
  class Plan {
   public:
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    ~Plan() {
      if (plan_ != nullptr) library_.table_->destroy_plan(plan_);
    }

    const fv_attention_plan_info& info() const { return info_; }
    /// Why there is no plan, FV_OK if there is one; message() of the library says more.
    fv_status status() const { return status_; }

    /// resident: resident_bytes of info(), 256-byte aligned. Only for plans that need it.
    fv_status prepare(void* resident, void* stream) {
      const fv_status status = library_.table_->prepare(plan_, resident, stream, library_.text_.get());
      library_.message_ = library_.text_.str();
      return status;
    }

    /// scratch: scratch_bytes of info(), 256-byte aligned.
    fv_status run(fv_attention_args args, void* scratch) {
      args.struct_size = sizeof(args);
      args.scratch = scratch;
      const fv_status status = library_.table_->run(plan_, &args, library_.text_.get());
      library_.message_ = library_.text_.str();
      return status;
    }

   private:
    friend class AttentionLibrary;
    Plan(AttentionLibrary& library, const fv_attention_site& site) : library_(library) {
      info_.struct_size = sizeof(info_);
      status_ = library.table_->plan(library.backend_, &site, &plan_, &info_, library.text_.get());
      library.message_ = library.text_.str();
    }
    AttentionLibrary& library_;
    fv_attention_plan* plan_ = nullptr;
    fv_attention_plan_info info_{};
    fv_status status_ = FV_OK;
  };

  Plan plan(const fv_attention_site& site) { return {*this, site}; }

  /// Plans, runs once on the CPU and destroys; returns the status of the first step that failed. message() says why.
  fv_status run(const fv_attention_site& site, const fv_attention_args& args) {
    Plan made = plan(site);
    if (made.status() != FV_OK) return made.status();
    std::vector<char> room(made.info().scratch_bytes + 256);
    void* start = room.data();
    size_t bytes = room.size();
    return made.run(args, std::align(256, made.info().scratch_bytes, start, bytes));
  }

  const std::string& message() const { return message_; }
  /// The score of the site last asked about: estimated microseconds.
  double score() const { return score_; }

 private:
  fv_services services_{};
  TextBuffer text_;
  std::string message_;
  double score_ = 0;
  const fv_attention_interface* table_ = nullptr;
  fv_attention* backend_ = nullptr;
};

}  // namespace fastvideo
