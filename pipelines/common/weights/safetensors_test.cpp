#include "pipelines/common/weights/safetensors.hpp"

#include <array>
#include <ostream>
#include <random>

#include "pipelines/common/weights/test_files.hpp"
#include "pipelines/common/weights/weight_files.hpp"

namespace fastvideo {
namespace {

using test::length_prefix;
using test::refusal;
using test::TemporaryFolder;
using test::write_file;
using test::write_safetensors;

constexpr std::array<std::string_view, 1> kStem = {"model"};

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, ReadsTheHeader) {
  const TemporaryFolder folder;
  const std::string header = R"({"__metadata__":{"format":"pt"},)" + entry("b", "F32", "[2,1]", "[2,10]") + "," +
                             entry("a", "BF16", "[]", "[0,2]") + "," + entry("none", "I64", "[3,0]", "[10,10]") + "}  ";
  write_safetensors(folder / "x.safetensors", header, std::string(10, 'x'));
  const SafetensorsHeader read = read_safetensors_header(folder / "x.safetensors");
  ASSERT_EQ(read.tensors.size(), 3U);
  EXPECT_EQ(read.metadata.at("format"), "pt");
  EXPECT_EQ(read.file_bytes, 8 + header.size() + 10);
  const SafetensorsEntry& b = read.tensors.find("b")->second;
  EXPECT_EQ(b.dtype, "F32");
  EXPECT_EQ(b.shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(b.begin, 8 + header.size() + 2);
  EXPECT_EQ(b.bytes(), 8U);
  EXPECT_EQ(read.tensors.find("a")->second.elements, 1U);
  EXPECT_EQ(read.tensors.find("none")->second.elements, 0U);
}

struct Damage {
  const char* name;
  std::string header;
  std::string data;
  std::string message;
};

std::ostream& operator<<(std::ostream& out, const Damage& damage) { return out << damage.name; }

class DamagedHeader : public testing::TestWithParam<Damage> {};

TEST_P(DamagedHeader, IsRefusedNamingFileAndTensor) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", GetParam().header, GetParam().data);
  const std::string message = refusal([&] { read_safetensors_header(folder / "x.safetensors"); });
  EXPECT_CONTAINS(message, (folder / "x.safetensors").string());
  EXPECT_CONTAINS(message, GetParam().message);
}

const std::string kFour(4, '\0');

INSTANTIATE_TEST_SUITE_P(
    Safetensors, DamagedHeader,
    testing::Values(
        Damage{"empty", "", "", "does not begin with '{'"}, Damage{"space_first", " {}", "", "does not begin with '{'"},
        Damage{"not_json", "{nonsense}", "", "not JSON"}, Damage{"cut_json", R"({"a":)", "", "not JSON"},
        Damage{"deep_json", "{\"a\":" + std::string(100000, '['), "", "1:69: nested more than 64 deep"},
        Damage{"beyond_double", R"({"a":{"shape":[1e400]}})", "",
               "the header:1:16: the number 1e400 is larger than a double holds"},
        Damage{"shape_twice", R"({"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}})", kFour,
               "the header: 'shape' comes twice under 'a'"},
        Damage{"bad_utf8", "{\"\xFF\":1}", "", "not JSON"},
        Damage{"metadata_number", R"({"__metadata__":{"step":3}})", "", "__metadata__ 'step' is not a string"},
        Damage{"metadata_list", R"({"__metadata__":[]})", "", "__metadata__ is not an object"},
        Damage{"tensor_number", R"({"a":1})", "", "tensor 'a': not an object"},
        Damage{"no_shape", R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", kFour, "tensor 'a': not an object with"},
        Damage{"unknown_dtype", "{" + entry("a", "F4", "[8]", "[0,4]") + "}", kFour, "tensor 'a': dtype \"F4\""},
        Damage{"number_dtype", R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", kFour, "dtype 4"},
        Damage{"text_shape", "{" + entry("a", "F32", R"("1")", "[0,4]") + "}", kFour, "tensor 'a': shape \"1\""},
        Damage{"negative_size", "{" + entry("a", "F32", "[-1]", "[0,4]") + "}", kFour, "tensor 'a': shape [-1]"},
        Damage{"fraction_size", "{" + entry("a", "F32", "[1.5]", "[0,4]") + "}", kFour, "tensor 'a': shape [1.5]"},
        Damage{"product_overflows", "{" + entry("a", "F32", "[4294967296,4294967296,4294967297]", "[0,4]") + "}", kFour,
               "more elements than any file"},
        Damage{"size_overflows", "{" + entry("a", "F32", "[18446744073709551615]", "[0,4]") + "}", kFour,
               "more elements than any file"},
        Damage{"zero_hides_overflow", "{" + entry("a", "F32", "[0,18446744073709551615]", "[0,0]") + "}", "",
               "more elements than any file"},
        Damage{"one_offset", "{" + entry("a", "F32", "[1]", "[4]") + "}", kFour, "tensor 'a': data_offsets [4]"},
        Damage{"negative_offset", "{" + entry("a", "F32", "[1]", "[-4,0]") + "}", kFour, "data_offsets [-4,0]"},
        Damage{"backwards", "{" + entry("a", "F32", "[1]", "[4,0]") + "}", kFour, "tensor 'a': data_offsets [4,0] run"},
        Damage{
            "truncated_data", "{" + entry("a", "F32", "[2]", "[0,8]") + "}", kFour,
            "tensor 'a': data_offsets [0,8] reach past the end of the data, which is 4 bytes: the file is truncated"},
        Damage{"huge_offset", "{" + entry("a", "F32", "[1]", "[18446744073709551612,18446744073709551615]") + "}",
               kFour, "reach past the end"},
        Damage{"shape_too_small", "{" + entry("a", "F32", "[1]", "[0,8]") + "}", kFour + kFour,
               "tensor 'a': data_offsets [0,8] hold 8 bytes, and [1] of F32 needs 4"},
        Damage{"wrong_dtype_size", "{" + entry("a", "BF16", "[1]", "[0,4]") + "}", kFour, "[1] of BF16 needs 2"},
        Damage{"overlap", "{" + entry("a", "U8", "[3]", "[0,3]") + "," + entry("b", "U8", "[2]", "[2,4]") + "}", kFour,
               "tensor 'b': overlaps tensor 'a'"},
        Damage{"same_bytes", "{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("b", "U8", "[4]", "[0,4]") + "}",
               kFour, "overlaps tensor"},
        Damage{"hole", "{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "U8", "[2]", "[2,4]") + "}", kFour,
               "tensor 'b': 1 bytes before it belong to no tensor"},
        Damage{"bytes_left", "{" + entry("a", "U8", "[3]", "[0,3]") + "}", kFour, "1 bytes at the end belong to no"},
        Damage{"duplicate", "{" + entry("a", "U8", "[2]", "[0,2]") + "," + entry("a", "U8", "[2]", "[2,4]") + "}",
               kFour, "tensor 'a': named twice"},
        Damage{"control_in_name", "{" + entry("a\\u001b[31m", "U8", "[1]", "[0,4]") + "}", kFour, "tensor 'a?[31m'"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Safetensors, RefusesWrongLengths) {
  const TemporaryFolder folder;
  const auto file = folder / "x.safetensors";
  EXPECT_CONTAINS(refusal([&] { read_safetensors_header(file); }), "no such file");
  write_file(file, "");
  EXPECT_CONTAINS(refusal([&] { read_safetensors_header(file); }), "0 bytes");
  write_file(file, length_prefix(2) + "{");
  EXPECT_CONTAINS(refusal([&] { read_safetensors_header(file); }), "truncated: a header of 2 bytes in a file of 9");
  write_file(file, length_prefix(~uint64_t{0}) + "{}");
  EXPECT_CONTAINS(refusal([&] { read_safetensors_header(file); }), "a header of 18446744073709551615 bytes");
  EXPECT_CONTAINS(refusal([&] { read_safetensors_header(folder.path()); }), "is a folder; a file is needed here");
}

TEST(Safetensors, SurvivesRandomDamage) {
  // Any byte of a good file changed: the file is read with other content or refused, and nothing else may happen.
  const TemporaryFolder folder;
  const std::string header = "{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("bb", "U8", "[4]", "[4,8]") + "}";
  const std::string good = length_prefix(header.size()) + header + std::string(8, 'd');
  std::mt19937 random(0);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    for (int n = 0; n < 1 + i % 3; ++n) bad[random() % bad.size()] = static_cast<char>(random());
    if (i % 5 == 0) bad.resize(random() % bad.size());
    write_file(folder / "x.safetensors", bad);
    try {
      read_safetensors_header(folder / "x.safetensors");
    } catch (const Refused&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(WeightFiles, ReadsShardsInOrder) {
  const TemporaryFolder folder;
  write_safetensors(folder / "model-2.safetensors", "{" + entry("b", "U8", "[1]", "[0,1]") + "}", "b");
  write_safetensors(folder / "model-1.safetensors", "{" + entry("a", "U8", "[1]", "[0,1]") + "}", "a");
  write_file(folder / "model.safetensors.index.json",
             R"({"weight_map":{"b":"model-2.safetensors","a":"model-1.safetensors"}})");
  const auto headers = read_weight_headers(folder.path(), kStem);
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0].file.filename(), "model-1.safetensors");
  EXPECT_TRUE(headers[1].tensors.contains("b"));
}

TEST(WeightFiles, ChoosesAsTheLibraryOfTheComponent) {
  const TemporaryFolder folder;
  const auto add = [&](const std::string& name) {
    write_safetensors(folder / (name + ".safetensors"), "{" + entry("a", "U8", "[1]", "[0,1]") + "}", "a");
    write_safetensors(folder / (name + "-00001-of-00001.safetensors"), "{" + entry("a", "U8", "[1]", "[0,1]") + "}",
                      "b");
    write_file(folder / (name + ".safetensors.index.json"),
               R"({"weight_map":{"a":")" + name + R"(-00001-of-00001.safetensors"}})");
  };
  add("model");
  const WeightFiles single = find_weight_files(folder.path(), "model");
  EXPECT_EQ(single.headers.front().file, folder / "model.safetensors");
  EXPECT_EQ(single.left_over,
            (std::vector<std::string>{"model-00001-of-00001.safetensors", "model.safetensors.index.json"}));
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) std::filesystem::remove(file.path());
  add("diffusion_pytorch_model");
  const WeightFiles shards = find_weight_files(folder.path(), "diffusion_pytorch_model");
  EXPECT_EQ(shards.headers.front().file, folder / "diffusion_pytorch_model-00001-of-00001.safetensors");
  EXPECT_EQ(shards.left_over, std::vector<std::string>{"diffusion_pytorch_model.safetensors"});
}

TEST(WeightFiles, AnIndexThatWasLeftOverIsNamed) {
  const TemporaryFolder folder;
  write_file(folder / "diffusion_pytorch_model.safetensors.index.json", R"({"weight_map":{"a":"3.safetensors"}})");
  const auto message = [&] { return refusal([&] { find_weight_files(folder.path(), "diffusion_pytorch_model"); }); };
  EXPECT_CONTAINS(message(), "the download or copy was not completed");
  write_file(folder / "diffusion_pytorch_model.safetensors", "");
  EXPECT_CONTAINS(message(), "saved again as diffusion_pytorch_model.safetensors, remove that index");
}

TEST(WeightFiles, RefusesAnIndexThatLies) {
  const TemporaryFolder folder;
  const auto index = folder / "model.safetensors.index.json";
  const auto message = [&](const std::string& text) {
    write_file(index, text);
    return refusal([&] { read_weight_headers(folder.path(), kStem); });
  };
  write_safetensors(folder / "1.safetensors", "{" + entry("a", "U8", "[1]", "[0,1]") + "}", "a");
  write_safetensors(folder / "2.safetensors", "{" + entry("a", "U8", "[1]", "[0,1]") + "}", "a");
  EXPECT_CONTAINS(message("{"), "not JSON");
  EXPECT_CONTAINS(message("{}"), "no weight_map");
  EXPECT_CONTAINS(message(R"({"weight_map":{}})"), "no weight_map");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":1}})"), "tensor 'a' has no file name");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":"../1.safetensors"}})"), "not a file beside the index");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":"/1.safetensors"}})"), "not a file beside the index");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":"pytorch_model.bin"}})"), "only .safetensors weights are read");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":"3.safetensors"}})"), "shard '3.safetensors' is missing");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":"m-00001-of-00003.safetensors","b":"m-00002-of-00003.safetensors"}})"),
                  "it names 2 of 3 shards ('m-00001-of-00003.safetensors')");
  EXPECT_CONTAINS(message(R"({"weight_map":{"b":"1.safetensors"}})"), "tensor 'b' is not in '1.safetensors'");
  EXPECT_CONTAINS(message(R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})"),
                  "tensor 'a' is also in '1.safetensors'");
}

TEST(WeightFiles, SaysWhatIsThereInstead) {
  const TemporaryFolder folder;
  const auto message = [&] { return refusal([&] { read_weight_headers(folder.path(), kStem); }); };
  EXPECT_CONTAINS(message(), "no weights: model.safetensors is missing; the download or copy was not completed");
  write_file(folder / "pytorch_model.bin", "pickle");
  EXPECT_CONTAINS(message(), "only pickled weights (pytorch_model.bin)");
  write_file(folder / "model-q4.gguf", "");
  EXPECT_CONTAINS(message(), "only model-q4.gguf: GGUF files hold quantised weights");
  std::filesystem::remove(folder / "model-q4.gguf");
  write_file(folder / "my_model.safetensors", "");
  EXPECT_CONTAINS(message(),
                  "only my_model.safetensors: if that file has the weights, give it the name model.safetens");
  write_file(folder / "model.fp16.safetensors", "");
  EXPECT_CONTAINS(message(),
                  "only model.fp16.safetensors, my_model.safetensors: read that variant with --variant fp16");
  std::filesystem::create_symlink("../../blobs/0a1b", folder / "model.safetensors");
  EXPECT_CONTAINS(message(), "model.safetensors: is a link to ../../blobs/0a1b, that is ");
  EXPECT_CONTAINS(message(), "which is not there: copy the file itself to its place");
  const auto cached = folder / "models--o--n/snapshots/aaa/vae";
  std::filesystem::create_directories(cached);
  std::filesystem::create_symlink("../../../blobs/0a1b", cached / "model.safetensors");
  EXPECT_CONTAINS(refusal([&] { read_weight_headers(cached, kStem); }), "hf download o/n --force-download");
  EXPECT_CONTAINS(refusal([&] { read_weight_headers(folder / "none", kStem); }), "no such folder");
}

}  // namespace
}  // namespace fastvideo
