// One attention call, checked: the first step of every backend of this repository with the arguments that cross the
// ABI.
#pragma once

#include <fastvideo/attention.hpp>
#include <fastvideo/tensor_view.hpp>
#include <initializer_list>
#include <string>

namespace fastvideo {

/// The sizes of one call: q and out [batch, queries, heads, size], k and v [batch, keys, kv_heads, size].
struct CallShape {
  int64_t batch, queries, keys, heads, kv_heads, size;
};

namespace detail {

inline std::string shape_text(const int64_t* shape, int n) {
  std::string text = "[";
  for (int i = 0; i < n; ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

inline void expect_tensor(const char* name, const fv_tensor* tensor, fv_dtype dtype, fv_device device,
                          std::initializer_list<int64_t> shape) {
  const int n = static_cast<int>(shape.size());
  if (tensor == nullptr) throw std::invalid_argument(std::string("attention: no tensor ") + name);
  if (tensor->ndim != n || !std::equal(shape.begin(), shape.end(), tensor->shape))
    throw std::invalid_argument(std::string("attention: ") + name + " is " + shape_text(tensor->shape, tensor->ndim) +
                                ", not " + shape_text(shape.begin(), n));
  if (!same_dtype(tensor->dtype, dtype))
    throw std::invalid_argument(std::string("attention: ") + name + " is " + dtype_name(tensor->dtype) + ", not " +
                                dtype_name(dtype));
  if (tensor->device.type != device.type || tensor->device.index != device.index)
    throw std::invalid_argument(std::string("attention: ") + name + " is on another device than its site");
  if (n > 0 && tensor->strides[n - 1] != 1 && tensor->shape[n - 1] != 1)
    throw std::invalid_argument(std::string("attention: the last stride of ") + name + " is " +
                                std::to_string(tensor->strides[n - 1]) + ", not 1");
}

}  // namespace detail

/// Checks that q, k, v, out, key_lengths and log_sum_exp agree with the site and with each other, so that no kernel
/// reads or writes outside them. Throws std::invalid_argument that names the tensor and both shapes.
inline CallShape check_call(const fv_attention_site& site, const fv_attention_args& args) {
  if (args.q == nullptr || args.k == nullptr || args.q->ndim != 4 || args.k->ndim != 4)
    throw std::invalid_argument("attention: q and k must have four dimensions");
  const CallShape s{args.q->shape[0], args.q->shape[1], args.k->shape[1],
                    site.query_heads, site.kv_heads,    site.head_size};
  if (s.batch > site.batch || s.queries > site.query_length || s.keys > site.key_length)
    throw std::invalid_argument("attention: a call of batch " + std::to_string(s.batch) + ", " +
                                std::to_string(s.queries) + " queries and " + std::to_string(s.keys) +
                                " keys on a site of " + std::to_string(site.batch) + ", " +
                                std::to_string(site.query_length) + " and " + std::to_string(site.key_length));
  detail::expect_tensor("q", args.q, site.dtype, site.device, {s.batch, s.queries, s.heads, s.size});
  detail::expect_tensor("k", args.k, site.dtype, site.device, {s.batch, s.keys, s.kv_heads, s.size});
  detail::expect_tensor("v", args.v, site.dtype, site.device, {s.batch, s.keys, s.kv_heads, s.size});
  detail::expect_tensor("out", args.out, site.dtype, site.device, {s.batch, s.queries, s.heads, s.size});
  if (args.key_lengths != nullptr)
    detail::expect_tensor("key_lengths", args.key_lengths, kInt32, site.device, {s.batch});
  if (args.log_sum_exp != nullptr)
    detail::expect_tensor("log_sum_exp", args.log_sum_exp, kFloat32, site.device, {s.batch, s.heads, s.queries});
  return s;
}

}  // namespace fastvideo
