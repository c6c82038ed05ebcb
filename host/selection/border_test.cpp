#include "host/selection/border.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

constexpr CallName kCall{"decide", "a/b", nullptr};

TEST(Border, APluginsTextIsReadFromTheBufferThatItWasLent) {
  TextBuffer text;
  const auto spoils = [&](fv_status status) {
    fv_text* const lent = text.get();
    return called(kCall, lent, [&] {
      write_text(lent, "its words");
      lent->data = reinterpret_cast<char*>(16);
      lent->capacity = 1u << 30;
      return status;
    });
  };
  EXPECT_EQ(spoils(FV_FAILED), FV_FAILED);
  EXPECT_EQ(text.str(), "its words");
  EXPECT_FALSE(text.is_replaced());
  EXPECT_EQ(spoils(FV_CANCELLED), FV_FAILED);
  EXPECT_EQ(text.str(),
            "decide says that it was cancelled, and nobody asked for that; report this to the plugin's author");
  EXPECT_EQ(called(kCall, nullptr, [] { return fv_status{FV_REFUSED}; }), FV_REFUSED);
}

TEST(Border, AStatusThatDoesNotExistIsAFailure) {
  TextBuffer text;
  EXPECT_EQ(called(kCall, text.get(), [] { return fv_status{99}; }), FV_FAILED);
  EXPECT_EQ(text.str(), "decide gave the unknown status 99 and no reason; report this to the plugin's author");
  fv_text* const lent = text.get();
  const auto says = [&] {
    write_text(lent, "its words");
    return fv_status{-1};
  };
  EXPECT_EQ(called(kCall, lent, says), FV_FAILED);
  EXPECT_EQ(text.str(), "decide gave the unknown status -1 (its words); report this to the plugin's author");
}

TEST(Border, ThisThreadComputesAsBefore) {
  const int before = std::fegetround();
  static_cast<void>(called(kCall, nullptr, [] {
    std::fesetround(FE_UPWARD);
    return fv_status{FV_OK};
  }));
  EXPECT_EQ(std::fegetround(), before);
  static_cast<void>(called(kCall, nullptr, []() -> fv_status {
    std::fesetround(FE_DOWNWARD);
    throw std::runtime_error("thrown on purpose");
  }));
  EXPECT_EQ(std::fegetround(), before);
#ifdef __SSE2__
  // As the start-up code of a plugin that is built with -ffast-math does.
  static_cast<void>(called_often(kCall, nullptr, [] {
    _mm_setcsr(_mm_getcsr() | 0x8040U);
    return fv_status{FV_OK};
  }));
  EXPECT_EQ(_mm_getcsr() & 0x8040U, 0U);
#endif
}

TEST(Border, ABufferIsWholeForTheNextCall) {
  TextBuffer text;
  write_text(text.get(), "old words");
  *text.get() = {nullptr, 0, 0};
  EXPECT_TRUE(text.is_replaced());
  EXPECT_EQ(text.get()->capacity, 8192u);
  EXPECT_FALSE(text.is_replaced());
  EXPECT_EQ(text.str(), "");
}

}  // namespace
}  // namespace fastvideo::host
