// Training of the language model on a GPU against training on the CPU.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <string>
#include <vector>

#include "model/io/safetensors.h"
#include "model/train/lm/forward.h"
#include "model/train/lm/trainer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_device.h"
#include "tests/support/tiny_model.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

class LmCudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (torch::cuda::device_count() == 0) GTEST_SKIP() << "no GPU here";
  }
  absl::StatusOr<LmResult> Train(const TemporaryDirectory& directory,
                                 const std::string& device,
                                 const std::string& matmul = "f32",
                                 int64_t stop_after = 0) const {
    LmOptions options = SmallOptions();
    options.matmul = matmul;
    return TrainLm(texts_, options,
                   {.directory = directory.path(),
                    .device = device,
                    .stop_after_steps = stop_after});
  }
  const LmTexts texts_ = LmTextsOf(SmallCorpus());
};

struct Gradients {
  double loss = 0;
  std::vector<at::Tensor> values;  // On the CPU, in the order of Named().
};

Gradients GradientsOn(at::Device device, const Gpt2Config& config,
                      const std::vector<LmExample>& examples) {
  Gpt2Weights weights = OnDevice(WideWeights(config, 3), device);
  for (auto& [name, tensor] : weights.Named()) tensor->set_requires_grad(true);
  std::vector<const LmExample*> batch;
  for (const LmExample& example : examples) batch.push_back(&example);
  at::Tensor loss = LmLoss(config, weights, Collate(batch, device));
  loss.backward();
  Gradients gradients{loss.item<double>(), {}};
  for (auto& [name, tensor] : weights.Named()) {
    gradients.values.push_back(tensor->grad().to(at::kCPU, at::kDouble));
  }
  return gradients;
}

TEST_F(LmCudaTest, LossAndGradientsAreThoseOfTheCpu) {
  Gpt2Config config;
  config.n_layer = 3;
  config.n_head = 4;
  config.d_model = 64;
  config.d_inner = 256;
  config.context_length = 64;
  config.vocab_size = 211;
  std::vector<LmExample> examples;
  for (int i = 0; i < 6; ++i) {
    examples.push_back({.tokens = RandomTokens(config, 20 + 7 * i, 5 + i),
                        .first_label = 1 + 3 * i});
  }
  const Gradients cpu = GradientsOn(at::kCPU, config, examples);
  const Gradients gpu = GradientsOn(at::kCUDA, config, examples);
  EXPECT_NEAR(gpu.loss, cpu.loss, 1e-5 * cpu.loss);
  for (size_t i = 0; i < cpu.values.size(); ++i) {
    const double error = (gpu.values[i] - cpu.values[i]).norm().item<double>() /
                         cpu.values[i].norm().item<double>();
    EXPECT_LT(error, 1e-4) << "parameter " << i;
  }
}

TEST_F(LmCudaTest, TrainsAsTheCpuAndWritesTheSameFiles) {
  const TemporaryDirectory cpu("lm_cpu"), gpu("lm_gpu");
  ASSERT_OK_AND_ASSIGN(const LmResult a, Train(cpu, "cpu"));
  ASSERT_OK_AND_ASSIGN(const LmResult b, Train(gpu, "cuda"));
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_NEAR(*a.biography_loss, *b.biography_loss, 1e-3);
  EXPECT_NEAR(*a.question_loss, *b.question_loss, 1e-3);
  for (const char* name :
       {"gpt2/config.json", "gpt2/vocab.json", "gpt2/merges.txt"}) {
    EXPECT_EQ(*ReadFile(cpu.File(name)), *ReadFile(gpu.File(name))) << name;
  }
  for (const char* name : {"gpt2/model.safetensors", "training.safetensors"}) {
    ASSERT_OK_AND_ASSIGN(const SafetensorsFile x,
                         SafetensorsFile::Open(cpu.File(name)));
    ASSERT_OK_AND_ASSIGN(const SafetensorsFile y,
                         SafetensorsFile::Open(gpu.File(name)));
    ASSERT_EQ(x.header().tensors.size(), y.header().tensors.size());
    for (const auto& [tensor, entry] : x.header().tensors) {
      const TensorEntry* other = y.Find(tensor);
      ASSERT_NE(other, nullptr) << tensor;
      EXPECT_EQ(entry.dtype, other->dtype) << tensor;
      EXPECT_EQ(entry.shape, other->shape) << tensor;
    }
  }
}

TEST_F(LmCudaTest, GoesOnWhereItWasStoppedOnItsDeviceOnly) {
  const TemporaryDirectory directory("lm_gpu_stop");
  ASSERT_OK_AND_ASSIGN(const LmResult first,
                       Train(directory, "cuda", "tf32", 5));
  EXPECT_FALSE(first.finished);
  EXPECT_EQ(Train(directory, "cpu").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Train(directory, "cuda", "f32").status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_OK_AND_ASSIGN(const LmResult last, Train(directory, "cuda:0", "tf32"));
  EXPECT_TRUE(last.finished);
  EXPECT_EQ(last.steps, 12);
}

}  // namespace
}  // namespace alignsae
