// SAGE_ATTN on the CPU (SageAttention2, Zhang et al. 2024): the numerics of the Hopper kernel in plain code. Scores are
// sums of products of 8-bit integers, probabilities and values e4m3; everything else is float.
#pragma once

#include <cstdint>
#include <fastvideo/attention.hpp>

#include "plugins/attention/sage_attn/settings.hpp"

namespace fastvideo::sage {

/// Bytes of memory that a call of up to these sizes needs.
uint64_t scratch_bytes(const fv_attention_site& site);

/// Computes a call that Settings::check has passed, of float32, bfloat16 or float16. Memory: scratch_bytes, aligned to
/// 64 bytes. If Settings::in_full_precision, only the output is rounded and nothing is quantised.
void attend(const Host& host, const Settings& settings, double scale, const CallShape& shape,
            const fv_attention_args& args);

}  // namespace fastvideo::sage
