// A plugin that is built without fastvideo_add_plugin().
#include <fastvideo/plugin.hpp>

namespace {
class Nothing : public fastvideo::AttentionBackend {
 public:
  Nothing(const fastvideo::Host&, const fastvideo::Options&) {}
  fastvideo::Support supports(const fv_attention_site&) const override { return fastvideo::Support::no("none"); }
};
}  // namespace

FASTVIDEO_PLUGIN(fastvideo::attention<Nothing>("NOTHING", "cpu"))
