// The C++ layer: no exception of a plugin crosses the ABI, options read as they were given, work is covered once.
#include <gtest/gtest.h>

#include <atomic>
#include <fastvideo/plugin.hpp>

namespace {

const void* no_service(const fv_services*, const char*) { return nullptr; }
const fv_services kNoServices{sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "test", no_service};

// Throws in the function that the option "where" names.
class Thrower : public fastvideo::AttentionBackend {
 public:
  explicit Thrower(const fastvideo::Options& options) : where_(options.string("where")) { maybe("create"); }
  fastvideo::Support supports(const fv_attention_site&) const override {
    maybe("supports");
    return fastvideo::Support::yes(FV_NUMERICS_EXACT, 12.5, "always");
  }
  void run(const fv_attention_site&, const fv_attention_args&) override {
    maybe("run");
    throw 42;  // not a std::exception
  }

 private:
  void maybe(const char* here) const {
    if (where_ == here) throw std::runtime_error(std::string("thrown in ") + here);
  }
  std::string where_;
};

fv_attention_site site() {
  fv_attention_site s{};
  s.struct_size = sizeof(s);
  s.role = FV_ROLE_DIT_SELF;
  s.device = {FV_DEVICE_CPU, 0};
  s.dtype = fastvideo::kFloat32;
  s.head_size = 8;
  s.query_heads = s.kv_heads = s.total_heads = 1;
  return s;
}

struct Opened {
  explicit Opened(const char* where) {
    option.name = "where";
    option.value.type = FV_VALUE_STRING;
    option.value.as.string = where;
    created = table->create(&kNoServices, &option, 1, &backend, text.get());
  }
  ~Opened() {
    if (backend != nullptr) table->destroy(backend);
  }
  const fv_item item = fastvideo::attention<Thrower>("THROWER", "test");
  const fv_attention_interface* table =
      static_cast<const fv_attention_interface*>(item.get_interface(FV_ATTENTION_INTERFACE));
  fv_entry option{};
  fastvideo::TextBuffer text;
  fv_attention* backend = nullptr;
  fv_status created = FV_OK;
};

TEST(Border, StopsWhatAConstructorThrows) {
  Opened o("create");
  EXPECT_EQ(o.created, FV_FAILED);
  EXPECT_EQ(o.text.str(), "thrown in create");
  EXPECT_EQ(o.backend, nullptr);
}

TEST(Border, StopsWhatSupportsThrows) {
  Opened o("supports");
  ASSERT_EQ(o.created, FV_OK) << o.text.str();
  const fv_attention_site s = site();
  fv_attention_support support{};
  support.struct_size = sizeof(support);
  EXPECT_EQ(o.table->supports(o.backend, &s, &support, o.text.get()), FV_FAILED);
  EXPECT_EQ(o.text.str(), "thrown in supports");
}

TEST(Border, StopsWhatIsNoException) {
  Opened o("nowhere");
  const fv_attention_site s = site();
  fv_attention_plan* plan = nullptr;
  fv_attention_plan_info info{};
  info.struct_size = sizeof(info);
  ASSERT_EQ(o.table->plan(o.backend, &s, &plan, &info, o.text.get()), FV_OK);
  EXPECT_EQ(info.numerics, static_cast<uint32_t>(FV_NUMERICS_EXACT));
  fv_attention_args args{};
  EXPECT_EQ(o.table->run(plan, &args, o.text.get()), FV_FAILED);
  EXPECT_NE(o.text.str().find("not a std::exception"), std::string::npos);
  o.table->destroy_plan(plan);
}

TEST(Border, RefusesWhatIsNewerThanThePlugin) {
  Opened o("nowhere");
  fv_attention_site s = site();
  s.require = uint64_t{1} << 63;
  char reason[64];
  fv_attention_support support{};
  support.struct_size = sizeof(support);
  support.reason = {reason, sizeof(reason), 0};
  ASSERT_EQ(o.table->supports(o.backend, &s, &support, o.text.get()), FV_OK);
  EXPECT_EQ(support.supported, 0u);
  EXPECT_NE(std::string(reason).find("newer"), std::string::npos);
}

TEST(Border, UnknownInterfaceIsNull) {
  EXPECT_EQ(fastvideo::attention<Thrower>("A", "b").get_interface("fastvideo.attention/2"), nullptr);
  EXPECT_EQ(fastvideo::attention<Thrower>("A", "b").get_interface("fastvideo.attention/1x"), nullptr);
}

TEST(Border, StatusesKeepTheirMeaning) {
  fastvideo::TextBuffer text;
  EXPECT_EQ(fastvideo::guard(text.get(), [] { throw fastvideo::Refused("no"); }), FV_REFUSED);
  EXPECT_EQ(fastvideo::guard(text.get(), [] { throw fastvideo::Cancelled(); }), FV_CANCELLED);
  EXPECT_EQ(fastvideo::guard(text.get(), [] { throw std::bad_alloc(); }), FV_OUT_OF_MEMORY);
  EXPECT_EQ(fastvideo::guard(text.get(), [] { throw fastvideo::OutOfMemory("7 bytes"); }), FV_OUT_OF_MEMORY);
  EXPECT_EQ(text.str(), "7 bytes");
  EXPECT_THROW(fastvideo::check(FV_OUT_OF_MEMORY, text), fastvideo::OutOfMemory) << "it crosses the next border, too";
  EXPECT_THROW(fastvideo::check(FV_REFUSED, text), fastvideo::Refused);
  EXPECT_THROW(fastvideo::check(FV_CANCELLED, text), fastvideo::Cancelled);
  EXPECT_THROW(fastvideo::check(1234, text), std::runtime_error) << "an unknown status is a failure";
}

TEST(Text, IsCutToTheBuffer) {
  char data[4] = {'x', 'x', 'x', 'x'};
  fv_text text{data, 3, 0};
  fastvideo::write_text(&text, "abcdef");
  EXPECT_STREQ(data, "ab");
  EXPECT_EQ(data[3], 'x') << "nothing is written past the capacity";
  fastvideo::write_text(nullptr, "nobody wants it");
}

TEST(OptionsRead, NameAndTypeAreThoseOfTheManifest) {
  fv_entry entry{"threshold", {}};
  entry.value.type = FV_VALUE_FLOAT;
  entry.value.as.number = 0.25;
  const fastvideo::Options options(&entry, 1);
  EXPECT_EQ(options.number("threshold"), 0.25);
  EXPECT_THROW(options.integer("threshold"), std::logic_error);
  EXPECT_THROW(options.number("thresold"), std::logic_error);
  EXPECT_FALSE(options.has("thresold"));
}

TEST(ParallelFor, WithoutTheServiceRunsHere) {
  std::atomic<int64_t> sum{0};
  fastvideo::Host(&kNoServices).parallel_for(10, 3, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) sum += i;
  });
  EXPECT_EQ(sum, 45);
  EXPECT_THROW(
      fastvideo::Host(&kNoServices).parallel_for(1, 1, [](int64_t, int64_t) { throw fastvideo::Refused("x"); }),
      fastvideo::Refused);
}

}  // namespace
