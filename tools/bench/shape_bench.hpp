// Times backends and a matrix product at one shape of attention, in turn.
#pragma once

#include <fastvideo/matrix_product.h>

#include <memory>
#include <string>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/services/attention_session.hpp"
#include "sdk/testing/device_memory.hpp"
#include "tools/bench/attention_reference.hpp"

namespace fastvideo::host {

/// One backend at one shape, or the matrix product.
struct TimedLine {
  std::string asked;    ///< as on the command line; "matrix product 8192"
  std::string backend;  ///< "FLASH_ATTN/sm90"; for the product, the item that offers it
  std::string kernel;
  std::string failure;          ///< not empty: why there is no time
  double operations = 0;        ///< of one run
  double estimate = 0;          ///< seconds; 0: none
  std::vector<double> seconds;  ///< of every timed run
  AttentionError error;         ///< the worst of the first and the last run
};

/// A matrix product that an item offers.
struct OfferedProduct {
  const fv_matrix_product_interface* table = nullptr;
  std::string item;  ///< "TORCH_SDPA/torch"
};

/// One shape on one device. Not thread-safe.
class ShapeBench {
 public:
  /// Makes the inputs: up to three sets, until they exceed any cache. Borrows its arguments.
  ShapeBench(const AttentionShape& shape, const fv_attention_site& site, testing::DeviceMemory& memory,
             const Host& host);
  ~ShapeBench();
  ShapeBench(const ShapeBench&) = delete;
  ShapeBench& operator=(const ShapeBench&) = delete;

  /// Plans a backend; a refusal or failure becomes the line's `failure`.
  void enter(const std::string& asked, AttentionSelector& selector);

  /// The added items whose libraries are open.
  std::vector<const CatalogItem*> items() const;

  /// Adds the product of two square matrices of `size`.
  void enter(const OfferedProduct& product, int64_t size);

  /// One untimed run of each line, then `repeats` timed runs in turn, the order reversed from round to round. Inputs
  /// rotate, outputs are poisoned before every run and compared after the first and the last one. Throws
  /// CancelledError.
  void run(int64_t repeats, const CancelToken& cancel);

  /// The results, in the order in which lines were added.
  std::vector<TimedLine> lines() const;

 private:
  class Entry;
  class BackendEntry;
  class ProductEntry;
  struct InputSet;

  const AttentionShape shape_;
  const fv_attention_site site_;
  testing::DeviceMemory& memory_;
  const Host& host_;
  std::vector<InputSet> sets_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace fastvideo::host
