#include "plugins/attention/flash_attn/fa3/operator.hpp"

#include <ATen/ATen.h>
#include <ATen/core/stack.h>

#include <array>
#include <limits>
#include <stdexcept>
#include <string>

#include "plugins/attention/flash_attn/fa3/open.hpp"

namespace fastvideo::fa3 {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
const c10::OperatorName kName("flash_attn_3::fwd", "");

c10::OperatorHandle registered_by(const std::filesystem::path& library) {
  open_operators(library, [] { return c10::Dispatcher::singleton().findSchema(kName).has_value(); });
  return *c10::Dispatcher::singleton().findSchema(kName);
}

c10::DispatchKey key_of(at::DeviceType device) {
  return device == at::kCUDA ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
}

}  // namespace

Operator::Operator(const std::filesystem::path& library) : handle_(registered_by(library)) {
  const c10::FunctionSchema& schema = handle_.schema();
  const auto refuse = [&](const std::string& what) {
    return std::runtime_error(library.string() + ": flash_attn_3::fwd " + what +
                              "; install a FlashAttention-3 of 2025-08 or later (this one: " + c10::str(schema) + ")");
  };
  std::vector<bool> seen(static_cast<size_t>(Argument::Part::constant));
  for (const c10::Argument& argument : schema.arguments()) {
    try {
      arguments_.push_back(understand(argument));
    } catch (const std::invalid_argument& e) {
      throw refuse(e.what());
    }
    const auto part = static_cast<size_t>(arguments_.back().part);
    if (part < seen.size()) seen[part] = true;
  }
  constexpr std::array kNames{"q", "k", "v", "out", "seqused_k", "softmax_scale"};
  for (size_t part = 0; part < seen.size(); ++part)
    if (!seen[part]) throw refuse(std::string("takes no ") + kNames[part]);
  const auto is_tensor = [&](size_t i) {
    return schema.returns().size() > i && *schema.returns()[i].type() == *c10::TensorType::get();
  };
  if (!is_tensor(0) || !is_tensor(1)) throw refuse("does not return the output and its log-sum-exp");
}

Operator::Argument Operator::understand(const c10::Argument& argument) {
  using Part = Argument::Part;
  const std::string& name = argument.name();
  const std::string type = argument.type()->str();
  const auto known = [&](Part part, std::initializer_list<const char*> types) {
    for (const char* one : types)
      if (type == one) return Argument{part};
    throw std::invalid_argument("takes " + name + " as " + type + " where " + *types.begin() + " was expected");
  };
  if (name == "q") return known(Part::q, {"Tensor"});
  if (name == "k") return known(Part::k, {"Tensor"});
  if (name == "v") return known(Part::v, {"Tensor"});
  if (name == "out") return known(Part::out, {"Tensor?"});
  if (name == "seqused_k") return known(Part::key_lengths, {"Tensor?"});
  if (name == "softmax_scale") return known(Part::scale, {"float?", "float"});
  if (name == "is_causal" && type == "bool") return {Part::constant, false};
  // 0 would let the operator choose how to split the keys, and then the same input need not give the same bits.
  if (name == "num_splits" && type == "int") return {Part::constant, int64_t{1}};
  if (argument.default_value()) return {Part::constant, *argument.default_value()};
  if (argument.type()->kind() == c10::TypeKind::OptionalType) return {Part::constant, c10::IValue()};
  throw std::invalid_argument("needs " + name + " (" + type + "), which is unknown here");
}

bool Operator::runs_on(at::DeviceType device) const { return handle_.hasKernelForDispatchKey(key_of(device)); }

void Operator::attend(const Call& call) const {
  if (call.out.numel() == 0) return;
  if (call.k.size(1) == 0) {
    call.out.zero_();
    if (call.log_sum_exp.defined()) call.log_sum_exp.fill_(kNever);
    return;
  }
  at::Tensor lengths;
  if (call.key_lengths.defined()) lengths = call.key_lengths.clamp(0, call.k.size(1));
  const auto value_of = [&](const Argument& argument) -> c10::IValue {
    switch (argument.part) {
      case Argument::Part::q:
        return call.q;
      case Argument::Part::k:
        return call.k;
      case Argument::Part::v:
        return call.v;
      case Argument::Part::out:
        return call.out;
      case Argument::Part::key_lengths:
        return lengths.defined() ? c10::IValue(lengths) : c10::IValue();
      case Argument::Part::scale:
        return call.scale;
      case Argument::Part::constant:
        break;
    }
    return argument.value;
  };
  torch::jit::Stack stack;
  stack.reserve(arguments_.size());
  for (const Argument& argument : arguments_) stack.push_back(value_of(argument));
  handle_.callBoxed(stack);
  // The operator writes into the output it is given, unless it must pad.
  if (const at::Tensor out = stack[0].toTensor(); !out.is_same(call.out) && out.data_ptr() != call.out.data_ptr())
    call.out.copy_(out);
  if (call.log_sum_exp.defined()) call.log_sum_exp.copy_(stack[1].toTensor());
  if (!lengths.defined()) return;
  // The result of a row without keys differs between versions of the operator.
  const at::Tensor blind = lengths.eq(0);
  call.out.masked_fill_(blind.view({-1, 1, 1, 1}), 0);
  if (call.log_sum_exp.defined()) call.log_sum_exp.masked_fill_(blind.view({-1, 1, 1}), kNever);
}

}  // namespace fastvideo::fa3
