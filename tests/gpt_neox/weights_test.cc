#include "model/gpt_neox/weights.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "model/base/file.h"
#include "model/gpt_neox/gpt_neox.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using Tensors = std::vector<std::pair<std::string, at::Tensor>>;

// The directory of a golden model with other tensors in its file.
class GptNeoXWeightsTest : public ::testing::Test {
 protected:
  GptNeoXWeightsTest() {
    std::filesystem::create_directories(directory_);
    std::filesystem::copy_file(
        GoldenDirectory("gpt_neox", "parallel") + "/config.json",
        directory_ + "/config.json",
        std::filesystem::copy_options::overwrite_existing);
    const SafetensorsFile file =
        SafetensorsFile::Open(GoldenDirectory("gpt_neox", "parallel") +
                              "/model.safetensors")
            .value();
    for (const auto& [name, entry] : file.header().tensors) {
      if (entry.dtype != DType::kF32) continue;  // Masks.
      tensors_.emplace_back(name,
                            ReadFloatTensor(file, name, entry.shape).value());
    }
  }

  at::Tensor& Find(const std::string& name) {
    for (auto& [own, tensor] : tensors_) {
      if (own == name) return tensor;
    }
    ADD_FAILURE() << name;
    return tensors_.front().second;
  }

  void Rename(const std::string& from, const std::string& to) {
    for (auto& [name, tensor] : tensors_) {
      if (name == from) name = to;
    }
  }

  absl::StatusOr<GptNeoX> Load() {
    EXPECT_OK(WriteTensors(directory_ + "/model.safetensors", tensors_, {}));
    return GptNeoX::Load(directory_);
  }

  const std::string directory_ = ::testing::TempDir() + "/gpt_neox_weights";
  Tensors tensors_;
};

TEST_F(GptNeoXWeightsTest, HeadUnderTheNameOfTransformers5Loads) {
  Rename("embed_out.weight", "lm_head.weight");
  EXPECT_OK(Load().status());
}

TEST_F(GptNeoXWeightsTest, WhatIsMissingTooManyOrNotANumberIsNamed) {
  const std::string bias = "gpt_neox.layers.2.attention.dense.bias";
  const Tensors good = tensors_;
  Rename(bias, "gpt_neox.layers.2.attention.dense.offset");
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("tensor \"" + bias + "\": must be in the file"));
  tensors_ = good;
  tensors_.emplace_back("gpt_neox.layers.9.x", at::ones({2}));
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("\"gpt_neox.layers.9.x\": must not be in the file: a "
                        "GPT-NeoX of this config.json has no such tensor"));
  tensors_ = good;
  Rename("embed_out.weight", "gpt_neox.head");
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("\"embed_out.weight\": must be in the file when "
                        "config.json's tie_word_embeddings is false"));
  tensors_ = good;
  tensors_.emplace_back("lm_head.weight", Find("embed_out.weight"));
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("\"lm_head.weight\": must not be there beside "
                        "\"embed_out.weight\""));
  tensors_ = good;
  Find(bias) = at::full({32}, std::numeric_limits<float>::infinity());
  const absl::Status status = Load().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(bias + "\": must be finite, got inf at [0]"));
  tensors_ = good;
  Find(bias) = at::ones({31});
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr(bias));
}

TEST_F(GptNeoXWeightsTest, TiedHeadThatIsAnotherIsRefused) {
  std::string json = ReadFile(directory_ + "/config.json").value();
  const std::string key = "\"tie_word_embeddings\": false";
  json.replace(json.find(key), key.size(), "\"tie_word_embeddings\": true");
  ASSERT_OK(WriteFileAtomically(directory_ + "/config.json", json));
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("\"embed_out.weight\": must equal "
                        "gpt_neox.embed_in.weight"));
  Find("embed_out.weight") = Find("gpt_neox.embed_in.weight");
  EXPECT_OK(Load().status());
}

}  // namespace
}  // namespace alignsae
