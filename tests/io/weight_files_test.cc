// Where the weights of a directory lie: one file, shards by their index, and
// what is refused.

#include "model/io/weight_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/io/safetensors.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class WeightFilesTest : public ::testing::Test {
 protected:
  WeightFilesTest()
      : directory_(absl::StrCat(
            ::testing::TempDir(), "/weight_files_test.",
            ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~WeightFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string Touch(const std::string& name) {
    const std::string path = absl::StrCat(directory_, "/", name);
    EXPECT_OK(WriteFileAtomically(path, "x"));
    return path;
  }

  // A file of tensors of one value each.
  std::string Write(const std::string& name,
                    const std::vector<std::string>& tensors) {
    std::vector<TensorToWrite> values;
    for (const std::string& tensor : tensors) {
      values.push_back({.name = tensor, .shape = {1}, .data = "1234"});
    }
    const std::string path = absl::StrCat(directory_, "/", name);
    EXPECT_OK(WriteSafetensors(path, values, {}));
    return path;
  }

  std::string WriteIndex(const std::string& json) {
    const std::string path =
        absl::StrCat(directory_, "/model.safetensors.index.json");
    EXPECT_OK(WriteFileAtomically(path, json));
    return path;
  }

  const std::string directory_;
};

constexpr char kIndex[] = R"({"metadata": {"total_size": 12}, "weight_map": {
  "a": "model-1.safetensors", "b": "model-1.safetensors",
  "c": "model-2.safetensors"}})";

TEST_F(WeightFilesTest, OneFileIsEnoughWhateverLiesBesideIt) {
  Write("model.safetensors", {"a", "b"});
  EXPECT_FALSE(HasStaleIndex(directory_));
  EXPECT_OK(CheckWeights(directory_));
  Touch("model.safetensors.index.json");
  Touch("pytorch_model.bin");
  EXPECT_OK(CheckWeights(directory_));
  EXPECT_OK(CheckWholeWeights(directory_));
  EXPECT_TRUE(HasStaleIndex(directory_));
  ASSERT_OK_AND_ASSIGN(const WeightFiles files, WeightFiles::Open(directory_));
  EXPECT_EQ(files.files().size(), 1u);
  EXPECT_EQ(files.path(), absl::StrCat(directory_, "/model.safetensors"));
}

TEST_F(WeightFilesTest, FindsEachTensorInTheShardThatTheIndexNames) {
  const std::string one = Write("model-1.safetensors", {"a", "b"});
  const std::string two = Write("model-2.safetensors", {"c"});
  const std::string index = WriteIndex(kIndex);
  EXPECT_OK(CheckWeights(directory_));
  EXPECT_FALSE(HasStaleIndex(directory_));
  EXPECT_THAT(
      ShardNames(directory_),
      IsOkAndHolds(ElementsAre("model-1.safetensors", "model-2.safetensors")));
  ASSERT_OK_AND_ASSIGN(const WeightFiles files, WeightFiles::Open(directory_));
  EXPECT_EQ(files.path(), index);
  EXPECT_EQ(files.FileWith("a")->path(), one);
  EXPECT_EQ(files.FileWith("b")->path(), one);
  EXPECT_EQ(files.FileWith("c")->path(), two);
  EXPECT_EQ(files.FileWith("d"), nullptr);
}

TEST_F(WeightFilesTest, RefusesAShardThatIsNotThere) {
  Write("model-1.safetensors", {"a", "b"});
  const std::string index = WriteIndex(kIndex);
  EXPECT_THAT(WeightFiles::Open(directory_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(StartsWith(index),
                             HasSubstr("got \"model-2.safetensors\""))));
}

TEST_F(WeightFilesTest, RefusesATensorThatIsNotInItsShard) {
  Write("model-1.safetensors", {"a"});
  const std::string two = Write("model-2.safetensors", {"b", "c"});
  const std::string index = WriteIndex(kIndex);
  EXPECT_THAT(WeightFiles::Open(directory_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith(index + ": weight_map[\"b\"]: must be"),
                             HasSubstr("model-1.safetensors"))));
}

TEST_F(WeightFilesTest, RefusesATensorInTwoShards) {
  Write("model-1.safetensors", {"a", "b"});
  const std::string two = Write("model-2.safetensors", {"b", "c"});
  WriteIndex(kIndex);
  EXPECT_THAT(WeightFiles::Open(directory_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(two + ": tensor \"b\": must be in this")));
}

TEST_F(WeightFilesTest, RefusesATensorThatTheIndexDoesNotList) {
  Write("model-1.safetensors", {"a", "b"});
  const std::string two = Write("model-2.safetensors", {"c", "d"});
  WriteIndex(kIndex);
  EXPECT_THAT(WeightFiles::Open(directory_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(two + ": tensor \"d\": must be in this")));
}

TEST_F(WeightFilesTest, RefusesAShardThatIsCut) {
  Write("model-1.safetensors", {"a", "b"});
  const std::string two = Write("model-2.safetensors", {"c"});
  WriteIndex(kIndex);
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(two));
  ASSERT_OK(WriteFileAtomically(two, bytes.substr(0, bytes.size() - 1)));
  EXPECT_THAT(WeightFiles::Open(directory_),
              StatusIs(absl::StatusCode::kDataLoss, StartsWith(two)));
}

TEST_F(WeightFilesTest, RefusesAnIndexThatLeadsOutOfTheDirectory) {
  for (const char* name :
       {"../model.safetensors", "/etc/model.safetensors", "a/b.safetensors",
        "..safetensors", ".safetensors", "", "model.bin",
        "model.safetensors\\u0000.safetensors"}) {
    EXPECT_THAT(
        ParseWeightsIndex(
            absl::StrCat("{\"weight_map\": {\"a\": \"", name, "\"}}")),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 StartsWith("model.safetensors.index.json: weight_map[\"a\"]: "
                            "must be the name of a .safetensors file")))
        << name;
  }
}

TEST_F(WeightFilesTest, RefusesAnIndexThatIsNone) {
  for (const auto& [json, rule] :
       {std::pair("", ": "), std::pair("[]", ": must be a JSON object, got []"),
        std::pair("{}", ": weight_map: must be an object, got nothing"),
        std::pair(R"({"weight_map": 1})",
                  ": weight_map: must be an object, got 1"),
        std::pair(R"({"weight_map": {}})",
                  ": weight_map: must name a tensor, got {}"),
        std::pair(R"({"weight_map": {"a": 1}})", ": weight_map[\"a\"]: must"),
        std::pair(R"({"weight_map": {"a": "1.safetensors",
                                     "a": "2.safetensors"}})",
                  ": ")}) {
    EXPECT_THAT(ParseWeightsIndex(json),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith(absl::StrCat("model.safetensors.index.json",
                                                 rule))))
        << json;
  }
  std::string many = "{\"weight_map\": {";
  for (int i = 0; i <= 1024; ++i) {
    absl::StrAppend(&many, i == 0 ? "" : ",", "\"t", i, "\": \"", i,
                    ".safetensors\"");
  }
  EXPECT_THAT(ParseWeightsIndex(many + "}}"),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("must name at most 1024 files, got 1025")));
}

TEST_F(WeightFilesTest, WhereOneFileIsNeededNamesTheIndexAndWhatToDo) {
  Touch("pytorch_model.bin");
  const std::string index = Touch("model.safetensors.index.json");
  EXPECT_OK(CheckWeights(directory_));
  EXPECT_THAT(CheckWholeWeights(directory_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(StartsWith(index), HasSubstr("max_shard_size"))));
}

TEST_F(WeightFilesTest, SaysThatPicklesAreNotReadAndWhatToDo) {
  for (const char* name :
       {"pytorch_model.bin.index.json", "pytorch_model.bin"}) {
    const std::string path = Touch(name);
    const auto refused =
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(StartsWith(path + ": pickles are not read"),
                       HasSubstr("safe_serialization=True")));
    EXPECT_THAT(CheckWeights(directory_), refused);
    EXPECT_THAT(CheckWholeWeights(directory_), refused);
    EXPECT_THAT(WeightFiles::Open(directory_), refused);
  }
}

TEST_F(WeightFilesTest, SaysThatThereIsNothing) {
  const std::string missing = absl::StrCat(
      directory_, "/model.safetensors: must be there, got nothing");
  EXPECT_THAT(CheckWeights(directory_),
              StatusIs(absl::StatusCode::kNotFound, missing));
  EXPECT_THAT(WeightFiles::Open(directory_ + "/none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none/model")));
}

}  // namespace
}  // namespace alignsae
