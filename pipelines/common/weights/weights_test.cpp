#include "pipelines/common/weights/weights.hpp"

#include <ATen/ATen.h>
#include <sys/resource.h>

#include <cstring>

#include "pipelines/common/weights/test_files.hpp"

namespace fastvideo {
namespace {

using test::refusal;
using test::TemporaryFolder;
using test::write_file;
using test::write_safetensors;

std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

std::string header(const std::string& dtype, const std::string& shape, size_t bytes) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[0,)" + std::to_string(bytes) +
         "]}}";
}

/// A file with one tensor "w" whose data begins at an address with this remainder modulo 64.
void write_one(const std::filesystem::path& file, const std::string& dtype, const std::string& shape,
               const at::Tensor& values, size_t remainder) {
  std::string text = header(dtype, shape, values.nbytes());
  while ((8 + text.size()) % 64 != remainder) text += ' ';
  write_safetensors(file, text, bytes_of(values));
}

TEST(Weights, ConvertsBetweenAllFloatingDtypes) {
  const TemporaryFolder folder;
  const at::Tensor values = at::randn({3, 5}, at::kDouble);
  const std::pair<const char*, at::ScalarType> dtypes[] = {
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}};
  for (const auto& [stored_name, stored] : dtypes)
    for (const auto& [wanted_name, wanted] : dtypes)
      for (const size_t remainder : {0, 2, 3, 4}) {  // aligned, and not
        const at::Tensor expected = values.to(stored);
        write_one(folder / "x.safetensors", stored_name, "[3,5]", expected, remainder);
        Weights weights = Weights::open(folder / "x.safetensors");
        const at::Tensor taken = weights.take("w", {3, 5}, wanted, at::kCPU);
        EXPECT_EQ(taken.scalar_type(), wanted);
        EXPECT_TRUE(at::equal(taken, expected.to(wanted))) << stored_name << " to " << wanted_name << " " << remainder;
      }
}

TEST(Weights, BorrowsTheMappingAndOutlivesTheReader) {
  const TemporaryFolder folder;
  const at::Tensor values = at::randn({1000});
  write_one(folder / "x.safetensors", "F32", "[1000]", values, 0);
  at::Tensor first;
  at::Tensor second;
  {
    Weights weights = Weights::open(folder / "x.safetensors");
    first = weights.take("w", {1000}, at::kFloat, at::kCPU);
    second = weights.take("w", {1000}, at::kFloat, at::kCPU);
  }
  EXPECT_EQ(first.data_ptr(), second.data_ptr());  // the file's pages, not two copies
  EXPECT_TRUE(at::equal(first, values));
  first.reset();
  EXPECT_TRUE(at::equal(second, values));
}

TEST(Weights, CopiesWhatIsNotAligned) {
  const TemporaryFolder folder;
  const at::Tensor values = at::randn({1000});
  write_one(folder / "x.safetensors", "F32", "[1000]", values, 1);
  Weights weights = Weights::open(folder / "x.safetensors");
  const at::Tensor taken = weights.take("w", {1000}, at::kFloat, at::kCPU);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(taken.data_ptr()) % alignof(float), 0U);
  EXPECT_TRUE(at::equal(taken, values));
}

TEST(Weights, KeepsMemoryLowWhileConverting) {
  // 256 MiB in float32 to bfloat16, 8 MiB a tensor. The copies take 128 MiB; with the file's pages kept it would be
  // 384 MiB. In between lies what the allocator and the threads take.
  const TemporaryFolder folder;
  constexpr int64_t kCount = 32;
  constexpr int64_t kElements = 2 << 20;
  std::string text = "{";
  for (int64_t i = 0; i < kCount; ++i)
    text += (i == 0 ? "\"w" : ",\"w") + std::to_string(i) + R"(":{"dtype":"F32","shape":[)" +
            std::to_string(kElements) + R"(],"data_offsets":[)" + std::to_string(i * kElements * 4) + "," +
            std::to_string((i + 1) * kElements * 4) + "]}";
  text += "}";
  while (text.size() % 8 != 0) text += ' ';  // as save_file pads it: aligned data need no copy of their bytes
  {
    const std::string block(kElements * 4, '\1');
    write_safetensors(folder / "x.safetensors", text, "");
    std::ofstream file(folder / "x.safetensors", std::ios::binary | std::ios::app);
    for (int64_t i = 0; i < kCount; ++i) file << block;
  }
  Weights weights = Weights::open(folder / "x.safetensors");
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  std::vector<at::Tensor> taken;
  for (int64_t i = 0; i < kCount; ++i)
    taken.push_back(weights.take(std::string("w").append(std::to_string(i)), {kElements}, at::kBFloat16, at::kCPU));
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 224 << 10) << "KiB";
}

TEST(Weights, ASourceMayShowATensorUnderAnotherName) {
  const TemporaryFolder folder;
  const auto file = folder / "x.safetensors";
  write_safetensors(file,
                    R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                    bytes_of(at::tensor({1.0F, 2.0F})));
  Weights weights = Weights::open(file);
  weights.rename("a", "c");
  EXPECT_EQ(weights.names(), (std::vector<std::string>{"b", "c"}));
  EXPECT_FALSE(weights.has("a"));
  EXPECT_EQ(weights.take("c", {1}, at::kFloat, at::kCPU).item<float>(), 1);
  EXPECT_CONTAINS(refusal([&] { weights.take("c", {2}, at::kFloat, at::kCPU); }), "tensor 'a' has shape [1]");
  weights.rename("b", "c");  // c is taken
  weights.rename("d", "e");  // there is no d
  EXPECT_EQ(weights.take("b", {1}, at::kFloat, at::kCPU).item<float>(), 2);
  weights.finish();
}

// Files of two tensors, the second larger than a part.
constexpr int64_t kLarge = 5 * kLoadPart / 2 / 4;
constexpr uint64_t kAllBytes = 16 + 4 * kLarge;

std::filesystem::path write_large(const TemporaryFolder& folder) {
  std::string text = R"({"small":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"large":{"dtype":"F32","shape":[)" +
                     std::to_string(kLarge) + R"(],"data_offsets":[16,)" + std::to_string(16 + 4 * kLarge) + "]}}";
  while (text.size() % 8 != 0) text += ' ';
  write_safetensors(folder / "x.safetensors", text, bytes_of(at::arange(4 + kLarge, at::kFloat)));
  return folder / "x.safetensors";
}

TEST(Weights, SayHowMuchIsRead) {
  const TemporaryFolder folder;
  const std::filesystem::path file = write_large(folder);
  std::vector<uint64_t> done;
  const auto watch = [&](uint64_t bytes, uint64_t all) {
    EXPECT_EQ(all, kAllBytes);
    if (done.empty() || done.back() != bytes) done.push_back(bytes);
  };
  Weights weights = Weights::open(file, {&file, 1}, watch);
  EXPECT_TRUE(at::equal(weights.take("small", {4}, at::kFloat, at::kCPU), at::arange(4, at::kFloat)));
  const at::Tensor large = weights.take("large", {kLarge}, at::kBFloat16, at::kCPU);
  EXPECT_TRUE(at::equal(large, at::arange(4, 4 + kLarge, at::kFloat).to(at::kBFloat16)));
  EXPECT_EQ(done, (std::vector<uint64_t>{0, 16, 16 + kLoadPart, 16 + 2 * kLoadPart, kAllBytes}));
  weights.take("large", {kLarge}, at::kBFloat16, at::kCPU);  // once more is not more
  EXPECT_EQ(done.back(), kAllBytes);
}

TEST(Weights, AStopIsHeardInsideOfATensor) {
  const TemporaryFolder folder;
  const std::filesystem::path file = write_large(folder);
  uint64_t seen = 0;
  Weights weights = Weights::open(file, {&file, 1}, [&](uint64_t bytes, uint64_t) {
    seen = bytes;
    if (bytes > 0) throw Cancelled();
  });
  EXPECT_THROW(weights.take("large", {kLarge}, at::kBFloat16, at::kCPU), Cancelled);
  EXPECT_EQ(seen, static_cast<uint64_t>(kLoadPart));
}

TEST(Weights, RefusesWhatTheModelDoesNotExpect) {
  const TemporaryFolder folder;
  const auto file = folder / "x.safetensors";
  write_one(file, "F32", "[2,3]", at::zeros({2, 3}), 0);
  Weights weights = Weights::open(file);
  const auto take = [&](std::string_view name, at::IntArrayRef shape) {
    return refusal([&] { weights.take(name, shape, at::kFloat, at::kCPU); });
  };
  EXPECT_EQ(take("w", {3, 2}), file.string() + ": tensor 'w' has shape [2, 3], and the model needs [3, 2]");
  EXPECT_EQ(take("v", {4}), file.string() + ": no tensor 'v' of shape [4]");
  write_safetensors(file, header("F8_E4M3", "[4]", 4), "abcd");
  Weights quantised = Weights::open(file);
  EXPECT_CONTAINS(refusal([&] { quantised.take("w", {4}, at::kFloat, at::kCPU); }), "tensor 'w' is F8_E4M3");
}

TEST(Weights, SaysWhatIsInFrontOfTheNames) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name) {
    write_safetensors(folder / "x.safetensors",
                      R"({")" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234");
    Weights weights = Weights::open(folder / "x.safetensors");
    return refusal([&] { weights.take("blocks.0.w", {1}, at::kFloat, at::kCPU); });
  };
  EXPECT_CONTAINS(message("_orig_mod.blocks.0.w"), "its names begin with '_orig_mod.' (torch.compile puts that there)");
  EXPECT_CONTAINS(message("module.blocks.0.w"), "'module.' (DistributedDataParallel");
  EXPECT_CONTAINS(message("net.blocks.0.w"), "k.removeprefix('net.')");
  EXPECT_CONTAINS(message("model.diffusion_model.blocks.0.self_attn.q.weight"), "Wan's original checkpoints");
}

TEST(Weights, AnOutlineChecksAndReadsNothing) {
  const TemporaryFolder folder;
  const auto file = folder / "x.safetensors";
  write_safetensors(file, header("BF16", "[2,3]", 12), "123456789012");
  Weights outline = Weights::outline(folder.path(), {&file, 1});
  const at::Tensor taken = outline.take("w", {2, 3}, at::kFloat, at::kCPU);
  EXPECT_TRUE(taken.is_meta());
  EXPECT_EQ(taken.sizes(), (at::IntArrayRef{2, 3}));
  EXPECT_EQ(taken.scalar_type(), at::kFloat);
  outline.release("w");
  outline.finish();
  Weights other = Weights::outline(folder.path(), {&file, 1});
  other.rename("w", "v");
  EXPECT_CONTAINS(refusal([&] { other.take("v", {3, 2}, at::kFloat, at::kCPU); }), "and the model needs [3, 2]");
  EXPECT_CONTAINS(refusal([&] { other.finish(); }), "1 of 1 tensors are not used by this model: 'v'");
  EXPECT_TRUE(other.take("v", {2, 3}, at::kBFloat16, at::kCPU).is_meta());
  other.finish();
}

TEST(Weights, TellsByTheKeysOfTheConfigurationWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto file = folder / "x.safetensors";
  write_safetensors(file, header("F32", "[2,3]", 24), std::string(24, '\0'));
  Weights weights = Weights::open(file);
  weights.name_sizes({{"d_model", 5}, {"num_heads * d_kv", 8}, {"d_ff", 3}});
  const auto take = [&](at::IntArrayRef shape) {
    return refusal([&] { weights.take("w", shape, at::kFloat, at::kCPU); });
  };
  EXPECT_CONTAINS(take({8, 3}), "and the model needs [8, 3] (config.json: num_heads * d_kv = 8)");
  EXPECT_CONTAINS(take({8, 5}), "(config.json: num_heads * d_kv = 8, d_model = 5)");
  EXPECT_TRUE(take({7, 3}).ends_with("and the model needs [7, 3]"));
}

TEST(Weights, CountsLayers) {
  const TemporaryFolder folder;
  std::string text = "{";
  for (const char* name : {"blocks.0.a", "blocks.0.b", "blocks.1.a", "blocks.10.a", "head"})
    text += std::string(text.size() > 1 ? "," : "") + "\"" + name +
            "\":" + R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  write_safetensors(folder / "x.safetensors", text + "}", "");
  const Weights weights = Weights::open(folder / "x.safetensors");
  weights.require_layers("blocks.", 3, "num_layers is 3");
  weights.require_layers("module.blocks.", 2, "num_layers is 2");
  EXPECT_CONTAINS(refusal([&] { weights.require_layers("blocks.", 2, "num_layers is 2"); }),
                  "config.json says that num_layers is 2, and the weights have 3 layers 'blocks.N'");
}

TEST(Weights, NamesWhatIsLeftOver) {
  const TemporaryFolder folder;
  std::string text = R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0,4]})";
  for (const char* name : {"encoder.a", "encoder.b", "encode", "x1", "x2", "x3", "x4", "x5"})
    text += std::string(",\"") + name + "\":" + R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  write_safetensors(folder / "x.safetensors", text + "}", "1234");
  Weights weights = Weights::open(folder / "x.safetensors");
  EXPECT_TRUE(weights.has("w"));
  EXPECT_FALSE(weights.has("encoder"));
  EXPECT_EQ(weights.names().size(), 9U);
  EXPECT_EQ(weights.take("w", {}, at::kFloat, at::kCPU).dim(), 0);
  weights.skip("encoder.");
  EXPECT_EQ(weights.unused(), (std::vector<std::string>{"encode", "x1", "x2", "x3", "x4", "x5"}));
  EXPECT_CONTAINS(refusal([&] { weights.finish(); }),
                  "6 of 9 tensors are not used by this model: 'encode', 'x1', 'x2', 'x3', 'x4', ...");
  EXPECT_EQ(weights.take("x1", {0}, at::kBFloat16, at::kCPU).numel(), 0);
  weights.skip("");
  weights.finish();
}

TEST(Weights, OpensFoldersOfBothLibraries) {
  const TemporaryFolder folder;
  const at::Tensor values = at::arange(4, at::kFloat);
  write_one(folder / "transformer/diffusion_pytorch_model.safetensors", "F32", "[4]", values, 0);
  write_one(folder / "text_encoder/model-1.safetensors", "F32", "[4]", values, 0);
  write_file(folder / "text_encoder/model.safetensors.index.json", R"({"weight_map":{"w":"model-1.safetensors"}})");
  for (const char* component : {"transformer", "text_encoder"}) {
    Weights weights = Weights::open(folder / component);
    EXPECT_TRUE(at::equal(weights.take("w", {4}, at::kFloat, at::kCPU), values));
  }
  EXPECT_CONTAINS(refusal([&] { Weights::open(folder / "vae"); }), "no such file");
}

}  // namespace
}  // namespace fastvideo
