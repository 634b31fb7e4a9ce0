#include "model/train/sae/model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <tuple>

#include "model/train/common/random_order.h"

namespace alignsae {
namespace {

class JumpReluFunction : public torch::autograd::Function<JumpReluFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& pre, const at::Tensor& threshold,
                            double bandwidth) {
    context->save_for_backward({pre, threshold});
    context->saved_data["bandwidth"] = bandwidth;
    return pre * (pre > threshold);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list grads) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor& pre = saved[0];
    const at::Tensor& threshold = saved[1];
    const double bandwidth = context->saved_data["bandwidth"].toDouble();
    const at::Tensor window = (pre - threshold).abs() < bandwidth / 2;
    const at::Tensor grad_threshold =
        (grads[0] * window * (-threshold / bandwidth)).sum(0);
    return {grads[0] * (pre > threshold), grad_threshold, at::Tensor()};
  }
};

class CountActiveFunction
    : public torch::autograd::Function<CountActiveFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& pre, const at::Tensor& threshold,
                            double bandwidth) {
    context->save_for_backward({pre, threshold});
    context->saved_data["bandwidth"] = bandwidth;
    return (pre > threshold).to(pre.scalar_type()).sum(1);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list grads) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const double bandwidth = context->saved_data["bandwidth"].toDouble();
    const at::Tensor window = (saved[0] - saved[1]).abs() < bandwidth / 2;
    const at::Tensor grad_threshold =
        (grads[0].unsqueeze(1) * window * (-1 / bandwidth)).sum(0);
    return {at::Tensor(), grad_threshold, at::Tensor()};
  }
};

// Within 1 / sqrt(fan_in) of 0, as torch.nn.Linear starts. -> [shape]
at::Tensor Uniform(at::IntArrayRef shape, int64_t fan_in,
                   at::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return at::empty(shape, at::kFloat).uniform_(-bound, bound, generator);
}

}  // namespace

at::Tensor JumpRelu(const at::Tensor& pre, const at::Tensor& threshold,
                    double bandwidth) {
  return JumpReluFunction::apply(pre, threshold, bandwidth);
}

at::Tensor CountActive(const at::Tensor& pre, const at::Tensor& threshold,
                       double bandwidth) {
  return CountActiveFunction::apply(pre, threshold, bandwidth);
}

TrainableSae::TrainableSae(const SaeShape& shape, const at::Tensor& mean,
                           uint64_t seed, SaeInit init)
    : shape_(shape) {
  at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(
      RandomStream(seed, RandomPurpose::kSaeWeights, 0).NextBits());
  const at::TensorOptions options = mean.options().dtype(at::kFloat);
  const int64_t features = shape.features();
  // Drawn on the CPU, so that every device starts alike.
  if (init == SaeInit::kLinear) {
    w_dec_ = Uniform({features, shape.d_model}, shape.d_model, generator)
                 .to(options);
    b_enc_ = Uniform({features}, shape.d_model, generator).to(options);
    b_dec_ = Uniform({shape.d_model}, features, generator).to(options);
  } else {
    const at::Tensor directions =
        at::randn({features, shape.d_model}, generator);
    w_dec_ =
        (directions / directions.norm(2, {1}, /*keepdim=*/true)).to(options);
    b_enc_ = at::zeros({features}, options);
    b_dec_ = mean.to(options).clone();
  }
  w_enc_ = w_dec_.t().clone(at::MemoryFormat::Contiguous);
  if (shape.activation == SaeActivation::kJumpRelu) {
    log_threshold_ = at::full({shape.free_features},
                              std::log(kJumpReluInitialThreshold), options);
  }
  for (const TrainedTensor& parameter : Parameters()) {
    at::Tensor(parameter.value).requires_grad_(true);
  }
}

void TrainableSae::StartAtClassMeans(const at::Tensor& class_means) {
  at::NoGradGuard no_grad;
  const at::Tensor means = class_means.to(at::kDouble);
  const at::Tensor centre = means.mean(0);  // [D]
  for (int64_t r = 0; r < shape_.concepts; ++r) {
    const at::Tensor direction = means[r] - centre;  // [D]
    const double square = direction.square().sum().item<double>();
    if (square == 0) continue;
    const at::Tensor reader = direction / square;
    w_dec_[r].copy_(direction);
    w_enc_.select(1, r).copy_(reader);
    b_enc_[r].copy_(-centre.dot(reader));
  }
}

std::vector<TrainedTensor> TrainableSae::Parameters() const {
  std::vector<TrainedTensor> parameters = {{"W_enc", w_enc_},
                                           {"b_enc", b_enc_},
                                           {"W_dec", w_dec_},
                                           {"b_dec", b_dec_}};
  if (log_threshold_.defined()) {
    parameters.push_back({"log_threshold", log_threshold_});
  }
  return parameters;
}

int64_t TrainableSae::KeptOf(const at::Tensor& pool) const {
  const int64_t rows = pool.numel() / shape_.free_features;
  return shape_.of_batch ? shape_.k * rows : shape_.k;
}

at::Tensor TrainableSae::FreeL0(const at::Tensor& pre) const {
  return CountActive(pre.narrow(1, shape_.concepts, shape_.free_features),
                     log_threshold_.exp(), kJumpReluBandwidth)
      .mean();
}

double TrainableSae::SmallestKept(const at::Tensor& pre) const {
  const at::Tensor pool =
      at::relu(pre.narrow(1, shape_.concepts, shape_.free_features))
          .reshape({1, -1});
  return std::get<0>(at::topk(pool, KeptOf(pool), 1)).min().item<double>();
}

at::Tensor TrainableSae::Activate(const at::Tensor& pre) const {
  const int64_t concepts = shape_.concepts;
  switch (shape_.activation) {
    case SaeActivation::kIdentity:
      return pre;
    case SaeActivation::kRelu:
      return at::relu(pre);
    case SaeActivation::kTopK: {
      const at::Tensor z = at::relu(pre);
      const at::Tensor free_part = z.narrow(1, concepts, shape_.free_features);
      // Of a batch all rows are one.
      const at::Tensor pool =
          shape_.of_batch ? free_part.reshape({1, -1}) : free_part;
      const at::Tensor kept = std::get<1>(at::topk(pool, KeptOf(pool), 1));
      const at::Tensor mask = at::zeros_like(pool)
                                  .scatter(1, kept, 1.0)
                                  .view(free_part.sizes());  // [B, K]
      return at::cat({z.narrow(1, 0, concepts), free_part * mask}, 1);
    }
    case SaeActivation::kJumpRelu:
      return at::cat({at::relu(pre.narrow(1, 0, concepts)),
                      JumpRelu(pre.narrow(1, concepts, shape_.free_features),
                               log_threshold_.exp(), kJumpReluBandwidth)},
                     1);
  }
  return pre;
}

TrainableSae::Output TrainableSae::Forward(const at::Tensor& x) const {
  Output output;
  output.pre = at::addmm(b_enc_, x, w_enc_);
  output.z = Activate(output.pre);
  output.x_hat = at::addmm(b_dec_, output.z, w_dec_);
  return output;
}

SaeWeights TrainableSae::Export(double threshold) const {
  const auto copy = [](const at::Tensor& tensor) {
    return tensor.detach().to(at::kCPU, at::kFloat, /*non_blocking=*/false,
                              /*copy=*/true);
  };
  SaeWeights weights;
  weights.w_enc = copy(w_enc_);
  weights.b_enc = copy(b_enc_);
  weights.w_dec = copy(w_dec_);
  weights.b_dec = copy(b_dec_);
  if (log_threshold_.defined()) {
    // Concept slots are always kept: their threshold is 0.
    weights.threshold = at::cat(
        {at::zeros({shape_.concepts}), copy(log_threshold_).exp()});  // [F]
  }
  if (shape_.of_batch) {
    weights.threshold =
        at::cat({at::zeros({shape_.concepts}),
                 at::full({shape_.free_features}, threshold)});  // [F]
  }
  return weights;
}

}  // namespace alignsae
