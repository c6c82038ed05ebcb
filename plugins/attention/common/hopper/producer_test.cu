// The producer alone: consumers that only record the bytes in shared memory at the places where the products read. A
// wrong head, box, panel or stage, a stage filled again before it was read, or a tail that is not zero shows.
#include <random>

#include "plugins/attention/common/hopper/listed_tiles.hpp"
#include "plugins/attention/common/tests/hopper_test.cuh"

namespace fastvideo::hopper {
namespace {

// The recorded bytes: [job][consumer] queries, [job][block] keys and values, [job][block][consumer] biases.
struct Record {
  unsigned char *queries, *keys, *values;
  float* biases;
  int blocks;  // room for so many of a job
};

__device__ void write_down(unsigned char* to, const void* from, int bytes) {
  for (int i = threadIdx.x % kWarpgroup; i < bytes / 16; i += kWarpgroup)
    reinterpret_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
}

template <class S, class KeyBlocks>
__global__ void __launch_bounds__(S::kThreads, 1)
    record_kernel(const __grid_constant__ Parameters<KeyBlocks> p, const Record record) {
  extern __shared__ __align__(1024) unsigned char raw[];
  SharedMemory<S>& shared = *reinterpret_cast<SharedMemory<S>*>(raw);
  if (threadIdx.x == 0) shared.init_barriers();
  __syncthreads();
  if (threadIdx.x < kWarpgroup) {
    if (threadIdx.x == 0)
      Producer<S, KeyBlocks>(p, shared).run(
          ProducerWalk<S, KeyBlocks>(p.scheduler, p.key_blocks, blockIdx.x, producer_jobs(p, shared)));
    return;
  }
  const int consumer = threadIdx.x / kWarpgroup - 1;
  const auto release = [&](Barrier& empty, int times = 1) {
    named_barrier_sync(1 + consumer, kWarpgroup);
    if (threadIdx.x % kWarpgroup < times) empty.arrive();
  };
  RingPlace<S::kQueryStages> queries;
  RingPlace<S::kStages> at;
  auto jobs = consumer_jobs(p, shared);
  for (int job = blockIdx.x; job < p.scheduler.jobs(); job = jobs.next(job)) {
    const int count = KeyBlocks::of(p.key_blocks, p.scheduler.tile(job)).count();
    if (count == 0) continue;
    shared.queries_full[queries.stage][consumer].wait(queries.parity);
    write_down(record.queries + static_cast<int64_t>(job * S::kConsumers + consumer) * S::kQueryBytes,
               shared.queries[queries.stage][consumer], S::kQueryBytes);
    release(shared.queries_empty[queries.stage][consumer]);
    queries.next();
    for (int i = 0; i < count; ++i, at.next()) {
      const int64_t slot = static_cast<int64_t>(job) * record.blocks + i;
      shared.keys_full[at.stage].wait(at.parity);
      if (consumer == 0) write_down(record.keys + slot * S::kKeyBytes, shared.keys[at.stage], S::kKeyBytes);
      if (S::ScoreProduct::kBiased)
        write_down(reinterpret_cast<unsigned char*>(record.biases + (slot * S::kConsumers + consumer) * S::kBiases),
                   shared.biases_of(at.stage, consumer), S::kBiasBytes);
      release(shared.keys_empty[at.stage], S::kReleasesOfKeys);
      shared.values_full[at.stage].wait(at.parity);
      if (consumer == 0)
        write_down(record.values + slot * S::kValueBytesLoaded, shared.values[at.stage], S::kValueBytesLoaded);
      release(shared.values_empty[at.stage]);
    }
  }
}

// Random bytes [batch, row, head, byte of a row]; gaps behind rows are random, too. Outside there are zeros.
struct Operand {
  int batch, rows, heads, bytes, gap;
  std::vector<unsigned char> data;
  DeviceArray<unsigned char> device;

  Operand(int batch_, int rows_, int heads_, int bytes_, int gap_, std::mt19937& random)
      : batch(batch_),
        rows(rows_),
        heads(heads_),
        bytes(bytes_),
        gap(gap_),
        data(random_bytes(batch * rows * stride(), random)),
        device(data) {}
  int stride() const { return heads * bytes + gap; }
  unsigned char at(int b, int row, int head, int byte) const {
    if (row >= rows || byte >= bytes) return 0;
    return data[static_cast<size_t>(b * rows + row) * stride() + head * bytes + byte];
  }
  TokenStrides strides(int of) const { return {rows * stride() / of, stride() / of, bytes / of}; }
  CUtensorMap bytes_map(int box_rows, int box_bytes) const {
    return make_tensor_map(token_tensor(device.get(), batch, rows, heads, bytes, strides(1)), box_rows,
                           MapElement::byte, box_bytes);
  }
  static std::vector<unsigned char> random_bytes(int count, std::mt19937& random) {
    std::vector<unsigned char> made(count);
    for (unsigned char& x : made) x = static_cast<unsigned char>(random());
    return made;
  }
};

struct Operands {
  Operand q, k, v;
  std::vector<float> biases;
};

// Runs three blocks, so that each has several tiles and every ring goes round; host: the policy's lists in memory here.
template <class S, class KeyBlocks>
void check(const Parameters<KeyBlocks>& p, const typename KeyBlocks::Scheduler& scheduler,
           const typename KeyBlocks::Data& host, const Operands& given) {
  int blocks = 1;
  for (int job = 0; job < scheduler.jobs(); ++job)
    blocks = std::max(blocks, KeyBlocks::of(host, scheduler.tile(job)).count());
  const size_t slots = static_cast<size_t>(scheduler.jobs()) * blocks;
  const DeviceArray<unsigned char> queries(scheduler.jobs() * S::kConsumers * S::kQueryBytes),
      keys(slots * S::kKeyBytes), values(slots * S::kValueBytesLoaded);
  const DeviceArray<float> biases(slots * S::kConsumers * S::kBiases + 1);
  run_kernel(record_kernel<S, KeyBlocks>, 3, S::kThreads, sizeof(SharedMemory<S>), p,
             {queries.get(), keys.get(), values.get(), biases.get(), blocks});
  const auto seen_q = queries.download(), seen_k = keys.download(), seen_v = values.download();
  const auto seen_biases = biases.download();
  for (int job = 0; job < scheduler.jobs(); ++job) {
    const auto tile = scheduler.tile(job);
    const KeyBlocks visited = KeyBlocks::of(host, tile);
    const int head = tile.head / p.heads_per_key_head;
    if (visited.count() == 0) continue;
    for (int row = 0; row < S::kRows; ++row)
      for (int byte = 0; byte < S::kRowBytes; ++byte)
        ASSERT_EQ(seen_q[static_cast<size_t>(job * S::kConsumers + row / 64) * S::kQueryBytes +
                         place(64, S::kRowBytes, row % 64, byte)],
                  given.q.at(tile.batch, tile.first_query + row, tile.head, byte))
            << "query " << row << " of job " << job << ", byte " << byte;
    for (int i = 0; i < visited.count(); ++i) {
      const int first = visited.at(i).first;
      const size_t slot = static_cast<size_t>(job) * blocks + i;
      for (int row = 0; row < S::kKeys; ++row)
        for (int byte = 0; byte < S::kRowBytes; ++byte)
          ASSERT_EQ(seen_k[slot * S::kKeyBytes + place(S::kKeys, S::kRowBytes, row, byte)],
                    given.k.at(tile.batch, first + row, head, byte))
              << "key " << first << " + " << row << " of job " << job << ", byte " << byte;
      constexpr bool kAcross = S::ValueProduct::kTransposed;
      constexpr int kRows = kAcross ? S::kHeadSize : S::kKeys, kBytes = kAcross ? S::kKeys : S::kHeadSize * 2;
      for (int row = 0; row < kRows; ++row)
        for (int byte = 0; byte < kBytes; ++byte)
          ASSERT_EQ(seen_v[slot * S::kValueBytesLoaded + place(kRows, kBytes, row, byte)],
                    kAcross ? given.v.at(tile.batch, row, head, first + byte)
                            : given.v.at(tile.batch, first + row, head, byte))
              << "values of keys from " << first << " of job " << job << ", row " << row << ", byte " << byte;
      for (int w = 0; w < S::kConsumers; ++w)
        for (int key = 0; key < S::kBiases; ++key) {  // of the last block of queries where there are no more
          const int block = std::min((tile.first_query + 64 * w) / 64, p.biases.query_blocks - 1);
          ASSERT_EQ(
              seen_biases[(slot * S::kConsumers + w) * S::kBiases + key],
              given.biases[static_cast<size_t>((tile.batch * p.heads + tile.head) * p.biases.query_blocks + block) *
                               p.biases.keys +
                           first + key])
              << "bias of key " << first + key << ", consumer " << w << " of job " << job;
        }
    }
  }
}

struct Sizes {
  int batch, queries, keys, heads, kv_heads, gap;  // gap: bytes behind all heads of a token
  std::vector<int32_t> lengths;
};
const Sizes kSizes[] = {{1, 1, 1, 1, 1, 0, {}}, {2, 200, 353, 4, 2, 32, {}}, {3, 130, 700, 2, 1, 0, {700, 0, 131}}};

Operands half_operands(const Sizes& c, int size, std::mt19937& random) {
  return {{c.batch, c.queries, c.heads, 2 * size, c.gap, random},
          {c.batch, c.keys, c.kv_heads, 2 * size, c.gap, random},
          {c.batch, c.keys, c.kv_heads, 2 * size, 0, random},
          {}};
}

template <class S, class KeyBlocks>
Parameters<KeyBlocks> half_parameters(const Sizes& c, const Operands& given) {
  Call call{};
  call.batch = c.batch;
  call.queries = c.queries;
  call.keys = c.keys;
  call.heads = c.heads;
  call.kv_heads = c.kv_heads;
  call.q = given.q.device.get();
  call.k = given.k.device.get();
  call.v = given.v.device.get();
  call.q_strides = given.q.strides(2);
  call.k_strides = given.k.strides(2);
  call.v_strides = given.v.strides(2);
  return dense::half_parameters<S, KeyBlocks>(call);
}

template <class S>
class Producer16 : public HopperTest<S> {};
TYPED_TEST_SUITE(Producer16, DenseShapes);

TYPED_TEST(Producer16, LandsEveryDenseBlock) {
  using KeyBlocks = DenseKeyBlocks<TypeParam::kKeys>;
  std::mt19937 random(1);
  for (const Sizes& c : kSizes) {
    const Operands given = half_operands(c, TypeParam::kHeadSize, random);
    const DeviceArray<int32_t> lengths(c.lengths.empty() ? std::vector<int32_t>{0} : c.lengths);
    auto p = half_parameters<TypeParam, KeyBlocks>(c, given);
    p.key_blocks = {c.lengths.empty() ? nullptr : lengths.get(), c.keys};
    check<TypeParam, KeyBlocks>(p, p.scheduler, {c.lengths.empty() ? nullptr : c.lengths.data(), c.keys}, given);
  }
}

// Runs that begin anywhere, hold less than a block, and end with the sequence; separate lists for each window. A free
// block takes the next job, and the launch runs twice in a row: the first run leaves the counter as it was.
TYPED_TEST(Producer16, LandsEveryListedRun) {
  std::mt19937 random(2);
  const Sizes c{2, 200, 500, 4, 2, 0, {}};
  const Operands given = half_operands(c, TypeParam::kHeadSize, random);
  const std::vector<KeyBlock> blocks{{3, 100}, {128, 128}, {490, 10}, {77, 1}, {256, 90}, {499, 1}, {0, 128}};
  const std::vector<QueryBlock> queries{{0, 70, 0, 3},    {70, 190, 3, 4}, {190, 200, 0, 3},  // of one window
                                        {190, 200, 4, 6}, {0, 70, 6, 7},   {70, 190, 0, 3}};  // of the other
  const DeviceArray<KeyBlock> device_blocks(blocks);
  const DeviceArray<QueryBlock> device_queries(queries);
  const DeviceArray<unsigned> counter(std::vector<unsigned>{0});
  const DeviceArray<int32_t> device_lengths(std::vector<int32_t>{500, 130});
  ListScheduler host{queries.data(), 3, c.heads, c.batch, counter.get(), {{2, 1}, {0, 0}, {1, 1}, {3, 0}}};
  ListScheduler on_device = host;
  on_device.blocks = device_queries.get();
  const auto run = [&]<bool kLengths>(std::bool_constant<kLengths>) {
    using KeyBlocks = ListedKeyBlocks<TypeParam::kKeys, kLengths>;
    const int32_t lengths[] = {500, 130};
    auto p = half_parameters<TypeParam, KeyBlocks>(c, given);
    p.key_blocks = {device_blocks.get(), device_lengths.get()};
    p.scheduler = on_device;
    for (int i = 0; i < 2; ++i) {
      check<TypeParam, KeyBlocks>(p, host, {blocks.data(), lengths}, given);
      ASSERT_EQ(counter.download()[0], 0U);
    }
  };
  run(std::false_type{});
  run(std::true_type{});
}

template <class S>
class Producer8 : public HopperTest<S> {};
TYPED_TEST_SUITE(Producer8, QuantisedShapes);

TYPED_TEST(Producer8, LandsEveryBlockWithItsBiases) {
  using S = TypeParam;
  using KeyBlocks = DenseKeyBlocks<S::kKeys>;
  std::mt19937 random(3);
  for (const Sizes& c : {kSizes[0], kSizes[1]}) {
    const int key_blocks = ceil_div(c.keys, S::kKeys), query_blocks = ceil_div(c.queries, 64), size = S::kHeadSize;
    constexpr bool kAcross = S::ValueProduct::kTransposed;
    Operands given{
        {c.batch, c.queries, c.heads, size, 0, random},
        {c.batch, c.keys, c.kv_heads, size, 0, random},
        {c.batch, kAcross ? size : c.keys, c.kv_heads, kAcross ? key_blocks * S::kKeys : 2 * size, 0, random},
        std::vector<float>(static_cast<size_t>(c.batch) * c.heads * query_blocks * key_blocks * S::kBiases + 4)};
    for (float& x : given.biases) x = static_cast<float>(random());
    const DeviceArray<float> biases(given.biases);
    Call call{};
    call.batch = c.batch;
    call.queries = c.queries;
    call.heads = c.heads;
    call.kv_heads = c.kv_heads;
    auto p = make_parameters<S, KeyBlocks>(call);
    p.queries = given.q.bytes_map(kWarpgroupRows, 128);
    p.keys = given.k.bytes_map(S::kKeys, 128);
    p.values = kAcross ? given.v.bytes_map(size, S::kKeys)
                       : make_tensor_map(
                             token_tensor(given.v.device.get(), c.batch, c.keys, c.kv_heads, size, given.v.strides(2)),
                             S::kKeys, map_element<typename S::Element>());
    p.biases = {biases.get(), query_blocks, key_blocks * S::kKeys};
    p.key_blocks = {nullptr, c.keys};
    check<S, KeyBlocks>(p, p.scheduler, {nullptr, c.keys}, given);
  }
}

}  // namespace
}  // namespace fastvideo::hopper
