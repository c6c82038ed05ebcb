#include "host/plugins/manifest.hpp"

#include <fastvideo/attention.h>
#include <gtest/gtest.h>

#include <random>

#include "host/config/toml.hpp"
#include "host/plugins/limits.hpp"
#include "host/plugins/testing/plugin_folder.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::manifest_head;
using test::manifest_item;
using test::refusal;

Manifest parse(const std::string& text) { return parse_manifest(text, "/plugins/fake/plugin.toml"); }

// Why a manifest is refused, without the file's name.
std::string refused(const std::string& text) {
  const std::string message = refusal([&] { parse(text); });
  EXPECT_TRUE(contains(message, "/plugins/fake/plugin.toml:"));
  return message.substr(std::min<size_t>(message.size(), sizeof("/plugins/fake/plugin.toml:") - 1));
}
std::string refused_item(const std::string& lines) { return refused(manifest_head() + manifest_item() + lines); }
Item item_with(const std::string& lines) { return parse(manifest_head() + manifest_item() + lines).items.at(0); }

// The manifest that docs/plugin_manifest.md shows. To show every key it gives a range to an option that is a string.
std::string documented_manifest() {
  const std::string page = read_text_file(FASTVIDEO_SOURCE_DIR "/docs/plugin_manifest.md");
  const size_t begin = page.find("```toml\n") + 8;
  std::string text = page.substr(begin, page.find("```", begin) - begin);
  const size_t range = text.find("  range =");
  return text.erase(range, text.find('\n', range) + 1 - range);
}

TEST(Manifest, ReadsWhatIsDocumented) {
  const Manifest manifest = parse(documented_manifest());
  EXPECT_EQ(manifest.warnings.size(), 1u) << "the page shows [item.pipeline] in an attention item";
  EXPECT_EQ(manifest.id, "org.fastvideo.torch_sdpa");
  ASSERT_EQ(manifest.items.size(), 1u);
  const Item& item = manifest.items[0];
  EXPECT_EQ(item.full_name(), "TORCH_SDPA/torch");
  EXPECT_EQ(item.settings_prefix(), "attention.TORCH_SDPA");
  EXPECT_EQ(item.library, "/plugins/fake/libtorch_sdpa.so");
  EXPECT_EQ(item.needs.torch, "2.11");
  EXPECT_EQ(item.needs.libraries, std::vector<std::string>{"libcublas.so.13"});
  EXPECT_EQ(item.limits.devices, (std::vector<std::string>{"cpu", "cuda"}));
  ASSERT_EQ(item.limits.architectures->size(), 1u);
  EXPECT_EQ(item.limits.architectures->at(0).number, 90);
  EXPECT_FALSE(item.limits.architectures->at(0).and_later);
  EXPECT_EQ(item.limits.head_sizes->list, (std::vector<int64_t>{64, 128}));
  EXPECT_EQ(item.limits.masks, FV_MASK_BOOLEAN | FV_MASK_BIAS);
  EXPECT_EQ(item.claims, std::vector<std::string>{"dit.*"});
  EXPECT_EQ(item.numerics, uint32_t{FV_NUMERICS_REORDERED});
  EXPECT_EQ(item.data.at(0).file, "/plugins/fake/coefficients.toml");
  EXPECT_EQ(item.data.at(1).option, "coefficients_file");
  EXPECT_EQ(item.calibrated_data(), &item.data.at(1));
  EXPECT_TRUE(item.options.back().is_path) << "it names a file, relative to the file that sets it";
}

TEST(Manifest, ReadsThoseOfTheRepository) {
  for (const char* folder : {"pipelines/wan", "sdk/template"}) {
    const Manifest manifest = read_manifest(std::filesystem::path(FASTVIDEO_SOURCE_DIR) / folder);
    EXPECT_TRUE(manifest.warnings.empty()) << manifest.warnings[0];
    EXPECT_FALSE(manifest.items.empty());
  }
}

TEST(Manifest, LimitsAreAbsentUnlessStated) {
  const Item item = item_with("");
  EXPECT_FALSE(item.limits.devices || item.limits.architectures || item.limits.dtypes || item.limits.head_sizes);
  EXPECT_FALSE(item.limits.masks || item.limits.roles);
  EXPECT_EQ(item.numerics, uint32_t{FV_NUMERICS_APPROXIMATE}) << "nothing better is promised";
  EXPECT_EQ(item.claims, std::vector<std::string>{"dit.*"});
  EXPECT_EQ(item_with("limits.masks = []\n").limits.masks, 0u) << "none, which is not the same as no limit";
  EXPECT_TRUE(item_with("limits.architectures = [\"sm80+\"]\n").limits.architectures->at(0).and_later);
}

TEST(Manifest, HeadSizesAreAListOrARange) {
  const HeadSizes range = *item_with("limits.head_sizes = { min = 8, max = 256, multiple = 8 }\n").limits.head_sizes;
  EXPECT_TRUE(range.contains(8) && range.contains(256) && range.contains(72));
  EXPECT_FALSE(range.contains(4) || range.contains(264) || range.contains(12));
  EXPECT_EQ(range.describe(), "from 8 to 256 in multiples of 8");
  const HeadSizes list = *item_with("limits.head_sizes = [64, 128]\n").limits.head_sizes;
  EXPECT_TRUE(list.contains(64));
  EXPECT_FALSE(list.contains(96));
  EXPECT_EQ(list.describe(), "64, 128");
}

TEST(Manifest, ReadsOptions) {
  const Item item = item_with(
      "[[item.option]]\nname = \"steps\"\ntype = \"int\"\ndefault = 4\nrange = [1, 8]\nhelp = \"Steps\"\n"
      "flag = \"--fake-steps\"\nvariable = \"FAKE_STEPS\"\n"
      "[[item.option]]\nname = \"scale\"\ntype = \"float\"\ndefault = 2\nrange = [0, 2.5]\n"
      "[[item.option]]\nname = \"kind\"\ntype = \"string\"\nchoices = [\"a\", \"b\"]\n");
  ASSERT_EQ(item.options.size(), 3u);
  EXPECT_EQ(item.options[0].default_value, Value(4));
  EXPECT_EQ(item.options[0].allowed(), "int from 1 to 8");
  EXPECT_EQ(item.options[0].flag, "--fake-steps");
  EXPECT_EQ(item.options[0].variable, "FAKE_STEPS");
  EXPECT_EQ(item.options[1].default_value, Value(2.0)) << "a float, as the option is";
  EXPECT_TRUE(item.options[2].default_value.empty());
}

TEST(Manifest, WarnsOfDevicesAndArchitecturesThatItDoesNotKnowAndTakesTheRest) {
  for (const std::string line :
       {"limits.devices = [\"npu\"]\n", "limits.architectures = [\"gfx942\"]\n", "limits.architectures = [\"90\"]\n",
        "limits.architectures = [\"sm9\"]\n", "limits.architectures = [\"sm9x\"]\n",
        "limits.architectures = [\"sm1000\"]\n", "limits.architectures = [\"sm90a\"]\n"}) {
    const Manifest manifest = parse(manifest_head() + manifest_item() + line);
    ASSERT_EQ(manifest.warnings.size(), 1u) << line;
    EXPECT_TRUE(contains(manifest.warnings[0], "is nothing that this host knows")) << line;
    const DeviceFacts cuda{{FV_DEVICE_CUDA, 0}, 90};
    EXPECT_TRUE(rule_out(manifest.items[0].limits, cuda)) << line;
  }
  const Item both = item_with("limits.architectures = [\"gfx942\", \"sm90\"]\n");
  EXPECT_EQ(rule_out(both.limits, DeviceFacts{{FV_DEVICE_CUDA, 0}, 90}), std::nullopt);
  EXPECT_EQ(rule_out(both.limits, DeviceFacts{{FV_DEVICE_CUDA, 0}, 80}), "needs gfx942, sm90, cuda:0 is sm80");
}

TEST(Manifest, WarnsOfUnknownKeysWithPlaceAndNearestName) {
  const Manifest manifest =
      parse("colour = 1\n" + manifest_head() + manifest_item() +
            "sumary = \"x\"\n[item.limits]\ndevice = [\"cpu\"]\ndtypes = [\"float8\", \"flaot32\"]\n");
  ASSERT_EQ(manifest.warnings.size(), 5u);
  const auto warned = [&](const char* text) {
    for (const std::string& warning : manifest.warnings)
      if (warning.find(text) != std::string::npos) return true;
    return false;
  };
  EXPECT_TRUE(warned("plugin.toml:1:1: unknown key 'colour' of the manifest is passed over"));
  EXPECT_TRUE(warned("plugin.toml:12:1: unknown key 'sumary' of [[item]] is passed over; did you mean 'summary'?"));
  EXPECT_TRUE(
      warned("plugin.toml:14:1: unknown key 'device' of [item.limits] is passed over; did you mean 'devices'?"));
  EXPECT_TRUE(warned("plugin.toml:15:1: 'float8' is nothing that this host knows"));
  EXPECT_TRUE(warned("did you mean 'float32'?"));
}

TEST(Manifest, ListsItemsOfUnknownKinds) {
  const Manifest manifest = parse(
      manifest_head() + "[[item]]\nkind = \"upscaler\"\nname = \"SHARP\"\nimplementation = \"cpu\"\nstrange = 1\n");
  EXPECT_FALSE(manifest.items.at(0).known_kind());
  EXPECT_TRUE(manifest.warnings.empty()) << "its keys are not ours to judge";
}

TEST(Manifest, RefusesWithPlace) {
  EXPECT_EQ(refused(""), "1:1: a manifest begins with manifest = 1");
  EXPECT_EQ(refused("manifest = 2\n").substr(0, 59), "1:1: the manifest has format 2, this host reads 1; take a n");
  EXPECT_EQ(refused("manifest = \"1\"\n"), "1:1: 'manifest' of the manifest is a string and must be an int");
  EXPECT_TRUE(contains(refused("manifest = 1\nid = = 3\n"), "2:"));
  EXPECT_EQ(refused("manifest = 1\n"), "1:1: the manifest needs 'id', a string that is not empty");
  EXPECT_TRUE(contains(refused("manifest = 1\nid = \"Org.X\"\n"), "2:1: 'Org.X' is no id"));
  EXPECT_TRUE(contains(refused("manifest = 1\nid = \"a..b\"\n"), "is no id"));
  EXPECT_TRUE(contains(refused("manifest = 1\nid = \"" + std::string(129, 'a') + "\"\n"), "at most 128 bytes"));
  EXPECT_EQ(refused("manifest = 1\nid = \"a\"\nversion = \"1\"\nabi = \"0.2\"\n"),
            "4:1: built for plugin ABI 0.2, this host takes exactly 0.1; get its version for ABI 0.1 from its author");
  EXPECT_EQ(refused(manifest_head()), "1:1: a manifest lists at least one [[item]]");
  EXPECT_EQ(refused(manifest_head() + "[item]\nkind = 1\n"),
            "5:2: 'item' of the manifest is a table and must be a list");
  EXPECT_EQ(refused(manifest_head() + "item = [1]\n"),
            "5:1: 'item' of the manifest is a list of tables, written [[item]]");
}

TEST(Manifest, RefusesWrongItems) {
  EXPECT_EQ(refused(manifest_head() + "[[item]]\nkind = \"attention\"\nname = \"A\"\n"),
            "5:1: [[item]] needs 'implementation', a string that is not empty");
  EXPECT_TRUE(contains(refused(manifest_head() + manifest_item("cache", "a/b")), "8:1: 'a/b' is no name"));
  EXPECT_TRUE(contains(refused(manifest_head() + manifest_item("attention", "Auto")),
                       "8:1: the name 'Auto' means something else"));
  for (const char* library : {"/lib/x.so", "../x.so", ".."})
    EXPECT_TRUE(contains(refused(manifest_head() + manifest_item("cache", "A", "b", library)), "10:1: '"));
  EXPECT_EQ(refused(manifest_head() + manifest_item() + manifest_item("attention", "fake")),
            "6:3: two items are called fake/cpu");
  EXPECT_EQ(refused_item("needs.torch = \"2\"\n"), "11:7: torch is LibTorch's major.minor, \"2.11\", not \"2\"");
  EXPECT_TRUE(contains(refused_item("needs.libraries = [\"/a/b.so\"]\n"), "'/a/b.so' is no file name"));
  EXPECT_TRUE(contains(refused_item("limits.devices = \"cpu\"\n"),
                       "'devices' of [item.limits] is a string and must be a list"));
  EXPECT_TRUE(contains(refused_item("limits.devices = [1]\n"), "'devices' of [item.limits] is a list of strings"));
  EXPECT_TRUE(contains(refused_item("limits.head_sizes = { min = 9, max = 8 }\n"), "min of head_sizes is above max"));
  EXPECT_TRUE(contains(refused_item("limits.head_sizes = { multiple = 0 }\n"), "'multiple' must be at least 1"));
  EXPECT_TRUE(contains(refused_item("limits.head_sizes = [0]\n"), "whole numbers from 1"));
  EXPECT_TRUE(contains(refused_item("limits.head_sizes = \"64\"\n"), "at least one number"));
  EXPECT_TRUE(
      contains(refused_item("attention.numerics = \"good\"\n"), "'good' is not one of exact, reordered, approximate"));
}

TEST(Manifest, RefusesWrongOptions) {
  const auto option = [](const std::string& lines) { return refused_item("[[item.option]]\n" + lines); };
  EXPECT_EQ(option("type = \"int\"\n"), "11:1: [[item.option]] needs 'name', a string that is not empty");
  EXPECT_TRUE(contains(option("name = \"Big\"\n"), "'Big' is no name of an option"));
  EXPECT_TRUE(contains(option("name = \"a\"\ntype = \"list\"\n"), "13:1: 'list' is no type of an option"));
  EXPECT_EQ(option("name = \"a\"\ntype = \"int\"\nrange = [1, 4]\ndefault = 5\n"),
            "15:1: the default of option 'a': 5 is out of range; allowed: int from 1 to 4");
  EXPECT_TRUE(contains(option("name = \"a\"\ntype = \"string\"\nrange = [1, 4]\n"), "a range is for numbers"));
  for (const char* range : {"[1]", "[4, 1]", "[1.5, 2]", "[\"a\", \"b\"]"})
    EXPECT_TRUE(contains(option("name = \"a\"\ntype = \"int\"\nrange = " + std::string(range) + "\n"),
                         "a range is two numbers"));
  EXPECT_TRUE(contains(option("name = \"a\"\ntype = \"int\"\nchoices = [\"x\"]\n"), "choices are for strings"));
  for (const char* flag : {"-x", "--", "--Big", "--1", "height"})
    EXPECT_TRUE(contains(option("name = \"a\"\ntype = \"int\"\nflag = \"" + std::string(flag) + "\"\n"), "is no flag"));
  EXPECT_TRUE(contains(option("name = \"a\"\ntype = \"int\"\nvariable = \"path\"\n"), "is no environment variable"));
  const std::string one = "name = \"a\"\ntype = \"int\"\n";
  EXPECT_TRUE(
      contains(option(one + "[[item.option]]\n" + one), "two options or data files of FAKE/cpu are called 'a'"));
  EXPECT_TRUE(contains(option(one + "[[item.data]]\nname = \"a\"\nfile = \"a.json\"\n"), "are called 'a'"));
  EXPECT_TRUE(contains(refused_item("[[item.data]]\nname = \"a\"\nfile = \"../a.json\"\n"),
                       "'../a.json' is no name of a file"));
  EXPECT_TRUE(contains(refused_item("[[item.data]]\nname = \"a\"\nfile = \"a.csv\"\n"), "neither .json nor .toml"));
  const std::string named = "[[item.data]]\nname = \"d\"\noption = \"o\"\n";
  const std::string path = "[[item.option]]\nname = \"o\"\ntype = \"string\"\n";
  EXPECT_EQ(item_with(path + named).calibrated_data(), nullptr);
  EXPECT_TRUE(contains(refused_item(named), "named by the option 'o', which FAKE/cpu does not have"));
  EXPECT_TRUE(contains(refused_item("[[item.option]]\nname = \"o\"\ntype = \"int\"\n" + named), "so it is a string"));
  EXPECT_TRUE(contains(refused_item(path + named + "file = \"a.toml\"\n"), "not both"));
  EXPECT_TRUE(contains(refused_item(path + named + "calibrated = \"csv\"\n"), "neither toml nor json"));
  EXPECT_TRUE(contains(refused_item("[[item.data]]\nname = \"d\"\nfile = \"a.toml\"\ncalibrated = \"toml\"\n"),
                       "read through an option"));
  EXPECT_TRUE(contains(refused_item(path + named +
                                    "calibrated = \"toml\"\n[[item.data]]\nname = \"e\"\noption = "
                                    "\"o\"\ncalibrated = \"toml\"\n"),
                       "writes one data file"));
  EXPECT_TRUE(contains(
      refused(manifest_head() + manifest_item("pipeline", "p") + "[[item.option]]\nname = \"seed\"\ntype = \"int\"\n"),
      "'seed' reaches every pipeline"));
}

TEST(Manifest, SurvivesDamage) {
  // Cut anywhere and with bytes changed it is read or refused; sanitizer builds see what else would happen.
  const std::string sound = documented_manifest();
  for (size_t length = 0; length < sound.size(); length += 7) refusal([&] { parse(sound.substr(0, length)); });
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string text = sound;
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random());
    refusal([&] { parse(text); });
  }
}

TEST(Roles, MatchPatterns) {
  EXPECT_TRUE(matches_role("dit.*", "dit.self"));
  EXPECT_TRUE(matches_role("*", "text.self"));
  EXPECT_TRUE(matches_role("vae.mid", "vae.mid"));
  EXPECT_FALSE(matches_role("dit.*", "vae.mid"));
  EXPECT_FALSE(matches_role("dit", "dit.self"));
  EXPECT_FALSE(matches_role("dit.self", "dit.selfish"));
}

}  // namespace
}  // namespace fastvideo::host
