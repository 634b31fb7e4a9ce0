#include "model/train/common/optimizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace alignsae {

AdamW::AdamW(std::vector<TrainedTensor> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const TrainedTensor& parameter : parameters_) {
    m_.push_back(at::zeros_like(parameter.value));
    v_.push_back(at::zeros_like(parameter.value));
  }
}

double AdamW::ClipGradNorm(double max_norm) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> norms;
  for (const TrainedTensor& parameter : parameters_) {
    if (parameter.value.grad().defined()) {
      norms.push_back(at::norm(parameter.value.grad()));
    }
  }
  if (norms.empty()) return 0;
  const double norm = at::norm(at::stack(norms)).item<double>();
  if (max_norm > 0 && norm > max_norm) {
    for (const TrainedTensor& parameter : parameters_) {
      at::Tensor grad = parameter.value.grad();
      if (grad.defined()) grad.mul_(max_norm / norm);
    }
  }
  return norm;
}

void AdamW::Step(double lr) {
  at::NoGradGuard no_grad;
  ++steps_;
  const double correction1 = 1 - std::pow(options_.beta1, steps_);
  const double correction2 = 1 - std::pow(options_.beta2, steps_);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& value = parameters_[i].value;
    const at::Tensor grad = value.grad();
    if (!grad.defined()) continue;
    if (parameters_[i].decay) value.mul_(1 - lr * options_.weight_decay);
    m_[i].mul_(options_.beta1).add_(grad, 1 - options_.beta1);
    v_[i].mul_(options_.beta2).addcmul_(grad, grad, 1 - options_.beta2);
    const at::Tensor denominator =
        v_[i].div(correction2).sqrt_().add_(options_.epsilon);
    value.addcdiv_(m_[i], denominator, -lr / correction1);
    value.mutable_grad() = at::Tensor();
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::State() const {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state.emplace_back("adam.m." + parameters_[i].name, m_[i]);
    state.emplace_back("adam.v." + parameters_[i].name, v_[i]);
  }
  return state;
}

double LearningRate(const LearningRateSchedule& schedule, int64_t step) {
  const double warmup =
      schedule.warmup_steps > 0
          ? std::min(1.0, static_cast<double>(step + 1) /
                              static_cast<double>(schedule.warmup_steps))
          : 1.0;
  const double progress = std::min(
      1.0, static_cast<double>(step) /
               static_cast<double>(std::max<int64_t>(1, schedule.total_steps)));
  const double cosine = 0.5 * (1 + std::cos(M_PI * progress));
  return schedule.peak * warmup *
         (schedule.floor_ratio + (1 - schedule.floor_ratio) * cosine);
}

}  // namespace alignsae
