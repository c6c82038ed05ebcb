#include "host/request/memory_fit.hpp"

#include <gtest/gtest.h>

#include <map>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

using Strings = std::vector<std::string>;

// A pipeline of 4k+1 frames and sides that are multiples of 16, which takes a byte for each pixel of each frame.
struct Toy {
  Item item;
  std::vector<ItemSetting> parameters;
  std::map<std::string, int64_t> asked;
  int calls = 0;

  Toy(int64_t frames, int64_t height, int64_t width)
      : asked{{"num_frames", frames}, {"height", height}, {"width", width}} {
    for (const auto& [name, value] : asked) {
      OptionSpec option{.name = name, .type = OptionType::integer};
      if (name != "width") option.flag = name == "height" ? "--height" : "--num-frames";
      item.options.push_back(option);
      ItemSetting setting;
      setting.name = name;
      setting.setting.value = value;
      parameters.push_back(setting);
    }
  }

  Strings that_fit(int64_t bytes) {
    return smaller_requests(item, parameters, [&](const Changes& changes) {
      ++calls;
      std::map<std::string, int64_t> now = asked;
      for (const auto& [name, value] : changes) now[name] = value;
      if (now["num_frames"] % 4 != 1 || now["height"] % 16 != 0 || now["width"] % 16 != 0)
        throw RequestError("impossible");
      return now["num_frames"] * now["height"] * now["width"] <= bytes;
    });
  }
};

TEST(MemoryFit, NamesTheMostFramesAndTheNextSize) {
  Toy toy(81, 480, 832);
  // 33 frames are 13.2 million, 37 14.8; three quarters of the sides 18.2, half 8.1.
  EXPECT_EQ(toy.that_fit(14'000'000), (Strings{"--num-frames 33", "--height 240 --set request.width=416"}));
  EXPECT_EQ(toy.that_fit(480 * 832 * 77), (Strings{"--num-frames 77", "--height 352 --set request.width=624"}));
  EXPECT_LT(toy.calls, 200);
}

TEST(MemoryFit, ChangesBothWhereOneIsNotEnough) {
  Toy toy(100001, 8192, 8192);
  EXPECT_EQ(toy.that_fit(3'000'000), (Strings{"--height 1024 --set request.width=1024 --num-frames 1"}));
  EXPECT_EQ(toy.that_fit(1), Strings{});
}

TEST(MemoryFit, AsksOnlyForWhatThePipelineHas) {
  Toy toy(81, 480, 832);
  toy.parameters.clear();
  EXPECT_EQ(toy.that_fit(1'000'000'000), Strings{});
  EXPECT_EQ(toy.calls, 0);
}

}  // namespace
}  // namespace fastvideo::host
