// A plugin written against the bare C ABI, so that one fault at a time can be put in: FAKE_FAULT names it.
#include <fastvideo/attention.h>

#include <cstdio>
#include <stdexcept>

namespace {

enum class Fault {
  none,
  wrong_abi,
  small_struct,
  wrong_id,
  no_version,
  missing_item,
  other_item,
  null_item,
  throws,
  throws_int,
  declines,
  declines_silently,
  no_table,
  table_throws,
  small_table,
  no_run,
};
constexpr Fault fault = Fault::FAKE_FAULT;

fv_status refuse() { return FV_REFUSED; }

// Never called by the loader: it only asks whether they are there.
const fv_attention_interface table = {
    fault == Fault::small_table ? 8 : sizeof(fv_attention_interface),
    0,
    [](const fv_services*, const fv_entry*, uint32_t, fv_attention**, fv_text*) { return refuse(); },
    [](fv_attention*) {},
    [](fv_attention*, const fv_attention_site*, fv_attention_support*, fv_text*) { return refuse(); },
    [](fv_attention*, const fv_attention_site*, fv_attention_plan**, fv_attention_plan_info*, fv_text*) {
      return refuse();
    },
    nullptr,
    fault == Fault::no_run ? nullptr : +[](fv_attention_plan*, const fv_attention_args*, fv_text*) { return refuse(); },
    [](fv_attention_plan*) {},
};

const void* get_interface(const char*) {
  if constexpr (fault == Fault::table_throws) throw 5;
  return fault == Fault::no_table ? nullptr : &table;
}

const fv_item item = {sizeof(fv_item), 0, "attention", fault == Fault::other_item ? "OTHER" : "FAKE", "cpu",
                      get_interface};
const fv_item* const items[] = {fault == Fault::null_item ? nullptr : &item};
const fv_plugin plugin = {fault == Fault::small_struct ? 16 : sizeof(fv_plugin),
                          FV_ABI_MAJOR,
                          FV_ABI_MINOR + (fault == Fault::wrong_abi ? 1 : 0),
                          fault == Fault::wrong_id ? "org.example.other" : "org.example.fake",
                          fault == Fault::no_version ? nullptr : "1.0.0",
                          fault == Fault::missing_item ? 0 : 1,
                          0,
                          items};

}  // namespace

extern "C" const fv_plugin* fastvideo_plugin(const fv_services* host, fv_text* error) {
  if constexpr (fault == Fault::throws) throw std::runtime_error("thrown on purpose");
  if constexpr (fault == Fault::throws_int) throw 5;
  if constexpr (fault == Fault::declines) {
    std::snprintf(error->data, error->capacity, "not for host %s", host->host_version);
    return nullptr;
  }
  if constexpr (fault == Fault::declines_silently) return nullptr;
  return &plugin;
}
