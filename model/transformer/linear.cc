#include "model/transformer/linear.h"

#include "model/transformer/layers.h"
#include "model/transformer/prepared_matrix.h"
#include "model/transformer/prepared_parts.h"

namespace alignsae {

Linear::Linear(const at::Tensor& weight, const at::Tensor& bias,
               WeightType type, const at::Tensor& row_scale)
    : bias_(bias.defined() ? bias.contiguous() : bias) {
  if (weight.is_cpu()) {
    packed_ = std::make_shared<const PreparedMatrix>(weight, bias.defined(),
                                                     type, row_scale);
  } else {
    weight_ = type == WeightType::kBf16 ? weight.to(at::kBFloat16) : weight;
    if (bias_.defined()) bias_ = bias_.to(weight_.scalar_type());
  }
}

Linear::Linear(const PreparedParts& parts, const std::string& name,
               WeightType type)
    : bias_(parts.Find(name + ".bias")),
      packed_(std::make_shared<const PreparedMatrix>(parts, name,
                                                     bias_.defined(), type)) {}

void Linear::Save(const std::string& name, PreparedParts& parts) const {
  parts.Put(name + ".bias", bias_);
  packed_->Save(name, parts);
}

at::ScalarType Linear::input_type() const {
  if (packed_ == nullptr) return weight_.scalar_type();
  return packed_->type() == WeightType::kBf16 ? at::kBFloat16 : at::kFloat;
}

at::Tensor Linear::Plain(const at::Tensor& x) const {
  return bias_.defined() ? at::addmm(bias_, x, weight_) : at::mm(x, weight_);
}

at::Tensor Linear::Apply(const at::Tensor& x) const {
  if (packed_ == nullptr) return Plain(x).to(at::kFloat);
  at::Tensor y = at::empty({x.size(0), packed_->outputs()}, at::kFloat);
  if (x.size(0) > 0) packed_->Multiply(x, bias_, Finish::kNone, y);
  return y;
}

at::Tensor Linear::ApplyActivated(const at::Tensor& x,
                                  Activation activation) const {
  if (packed_ == nullptr && activation == Activation::kGeluTanh) {
    return Activate(Plain(x), activation);
  }
  const Finish finish = FinishOf(activation);
  // The kernels of our own have the tanh form only.
  const bool apart = packed_ == nullptr || (packed_->IsOurs(x.size(0)) &&
                                            finish != Finish::kGeluTanh);
  if (apart) return Activate(Apply(x), activation).to(input_type());
  at::Tensor y = at::empty({x.size(0), packed_->outputs()}, input_type());
  packed_->Multiply(x, bias_, finish, y);
  return y;
}

void Linear::AddTo(const at::Tensor& x, at::Tensor& sum) const {
  if (packed_ == nullptr) {
    sum.add_(Plain(x));
  } else {
    packed_->Multiply(x, bias_, Finish::kAdd, sum);
  }
}

std::optional<Linear> Linear::Columns(int64_t first, int64_t count) const {
  Linear part;
  if (packed_ == nullptr) {
    part.weight_ = weight_.narrow(1, first, count);
  } else {
    part.packed_ = packed_->Columns(first, count);
    if (part.packed_ == nullptr) return std::nullopt;
  }
  if (bias_.defined()) part.bias_ = bias_.narrow(0, first, count);
  return part;
}

int64_t Linear::outputs() const {
  return packed_ != nullptr ? packed_->outputs() : weight_.size(1);
}

int64_t Linear::bytes() const {
  return packed_ != nullptr ? packed_->bytes() : weight_.nbytes();
}

}  // namespace alignsae
