// A bundle appears whole or not at all, and nothing else is ever deleted.

#include "model/bundle/bundle_writer.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/counter_rng.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::UnorderedElementsAre;

class BundleWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = absl::StrCat(::testing::TempDir(), "/bundle_writer_test_",
                         test->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name) const {
    return absl::StrCat(root_, "/", name);
  }
  std::vector<std::string> Names(const std::string& below = "") const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Path(below))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  // Writes a bundle whose bundle.json holds `text`.
  absl::Status Write(const std::string& text) {
    return WriteBundleAtomically(
        Path("demo"), [&text](const std::string& directory) {
          return WriteFileAtomically(directory + "/bundle.json", text);
        });
  }

  std::string root_;
};

TEST_F(BundleWriterTest, MakesANewBundleAndItsParents) {
  ASSERT_OK(WriteBundleAtomically(
      Path("a/b/demo/"), [](const std::string& directory) {
        std::filesystem::create_directories(directory + "/gpt2/deep");
        return WriteFileAtomically(directory + "/gpt2/deep/f", "x");
      }));
  EXPECT_THAT(ReadFile(Path("a/b/demo/gpt2/deep/f")), IsOkAndHolds("x"));
  EXPECT_THAT(Names("a/b"), UnorderedElementsAre("demo"));
}

TEST_F(BundleWriterTest, ReplacesAnOldBundleAsAWhole) {
  ASSERT_OK(Write("old"));
  ASSERT_OK(WriteFileAtomically(Path("demo/only_in_old"), ""));
  ASSERT_OK(Write("new"));
  EXPECT_THAT(ReadFile(Path("demo/bundle.json")), IsOkAndHolds("new"));
  EXPECT_THAT(Names("demo"), UnorderedElementsAre("bundle.json"));
  EXPECT_THAT(Names(), UnorderedElementsAre("demo"));
}

TEST_F(BundleWriterTest, KeepsTheOldBundleInPlaceWhileTheNewOneIsFilled) {
  ASSERT_OK(Write("old"));
  EXPECT_OK(
      WriteBundleAtomically(Path("demo"), [this](const std::string& directory) {
        EXPECT_OK(WriteFileAtomically(directory + "/bundle.json", "new"));
        EXPECT_THAT(ReadFile(Path("demo/bundle.json")), IsOkAndHolds("old"));
        return absl::OkStatus();
      }));
}

TEST_F(BundleWriterTest, KeepsTheOldBundleWhenFillingFails) {
  ASSERT_OK(Write("old"));
  EXPECT_THAT(WriteBundleAtomically(
                  Path("demo"),
                  [](const std::string& directory) -> absl::Status {
                    EXPECT_OK(WriteFileAtomically(directory + "/half", ""));
                    return absl::InternalError("gave up");
                  }),
              StatusIs(absl::StatusCode::kInternal, "gave up"));
  EXPECT_THAT(ReadFile(Path("demo/bundle.json")), IsOkAndHolds("old"));
  EXPECT_THAT(Names(), UnorderedElementsAre("demo"));
}

TEST_F(BundleWriterTest, ClearsWhatAKilledWriterLeft) {
  std::filesystem::create_directories(Path("demo.partial-bundle/gpt2"));
  ASSERT_OK(
      WriteFileAtomically(Path("demo.partial-bundle/gpt2/half"), "stale"));
  ASSERT_OK(Write("new"));
  EXPECT_THAT(Names("demo"), UnorderedElementsAre("bundle.json"));
  EXPECT_THAT(Names(), UnorderedElementsAre("demo"));
}

// A process that writes one version after another until it is killed.
void WriteForEver(const std::string& directory) {
  for (int version = 1;; ++version) {
    const absl::Status written =
        WriteBundleAtomically(directory, [version](const std::string& work) {
          for (const char* name : {"/a", "/bundle.json", "/z"}) {
            ALIGNSAE_RETURN_IF_ERROR(
                WriteFileAtomically(work + name, absl::StrCat(version)));
          }
          return absl::OkStatus();
        });
    if (!written.ok()) _exit(1);
  }
}

TEST_F(BundleWriterTest, KilledAtAnyPointItLeavesOneVersionWhole) {
  std::set<std::string> versions;
  CounterRng rng(1);
  absl::Duration longest = absl::Milliseconds(10);
  for (int kills = 0; kills < 60; ++kills) {
    const pid_t writer = fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) WriteForEver(Path("demo"));
    absl::SleepFor(longest * rng.NextUniform());
    ASSERT_EQ(kill(writer, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(writer, &status, 0), writer);
    ASSERT_TRUE(WIFSIGNALED(status));  // It did not end by itself.
    if (!FileExists(Path("demo"))) {
      ASSERT_TRUE(versions.empty());  // Before the very first.
      longest *= 1.5;                 // A slow disk.
      continue;
    }
    ASSERT_OK_AND_ASSIGN(const std::string version,
                         ReadFile(Path("demo/bundle.json")));
    EXPECT_THAT(ReadFile(Path("demo/a")), IsOkAndHolds(version));
    EXPECT_THAT(ReadFile(Path("demo/z")), IsOkAndHolds(version));
    EXPECT_THAT(Names("demo"), UnorderedElementsAre("a", "bundle.json", "z"));
    if (!versions.insert(version).second) longest *= 1.2;
  }
  EXPECT_GT(versions.size(), 1u);
  ASSERT_OK(Write("last"));
  EXPECT_THAT(Names(), UnorderedElementsAre("demo"));
}

TEST_F(BundleWriterTest, RefusesToReplaceWhatIsNoBundle) {
  const auto refused = [this](const std::string& name) {
    bool filled = false;
    EXPECT_THAT(
        WriteBundleAtomically(Path(name),
                              [&filled](const std::string&) {
                                filled = true;
                                return absl::OkStatus();
                              }),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 absl::StrCat(Path(name),
                              ": must be absent, empty or a directory with "
                              "bundle.json, so that it can be replaced")));
    EXPECT_FALSE(filled);
  };
  std::filesystem::create_directories(Path("photos"));
  ASSERT_OK(WriteFileAtomically(Path("photos/1.jpg"), "x"));
  ASSERT_OK(WriteFileAtomically(Path("file"), "x"));
  std::filesystem::create_directory_symlink("photos", Path("link"));
  refused("photos");
  refused("file");
  refused("link");
  EXPECT_THAT(ReadFile(Path("photos/1.jpg")), IsOkAndHolds("x"));
}

TEST_F(BundleWriterTest, FillsAnEmptyDirectory) {
  std::filesystem::create_directories(Path("demo"));
  ASSERT_OK(Write("new"));
  EXPECT_THAT(ReadFile(Path("demo/bundle.json")), IsOkAndHolds("new"));
}

TEST_F(BundleWriterTest, DoesNotFollowALinkInPlaceOfItsWorkDirectory) {
  std::filesystem::create_directories(Path("photos"));
  ASSERT_OK(WriteFileAtomically(Path("photos/1.jpg"), "x"));
  std::filesystem::create_directory_symlink("photos",
                                            Path("demo.partial-bundle"));
  EXPECT_THAT(Write("new").code(), testing::Ne(absl::StatusCode::kOk));
  EXPECT_THAT(ReadFile(Path("photos/1.jpg")), IsOkAndHolds("x"));
}

TEST_F(BundleWriterTest, LetsOneWriterOfADirectoryAtATime) {
  EXPECT_OK(
      WriteBundleAtomically(Path("demo"), [this](const std::string& directory) {
        EXPECT_THAT(Write("intruder"),
                    StatusIs(absl::StatusCode::kAborted,
                             absl::StrCat(Path("demo.partial-bundle"),
                                          ": is being written by another "
                                          "process")));
        return WriteFileAtomically(directory + "/bundle.json", "first");
      }));
  EXPECT_THAT(ReadFile(Path("demo/bundle.json")), IsOkAndHolds("first"));
  ASSERT_OK(Write("second"));
  EXPECT_THAT(ReadFile(Path("demo/bundle.json")), IsOkAndHolds("second"));
}

TEST_F(BundleWriterTest, HashesEveryFileThatIsLoadedIntoTheManifest) {
  std::filesystem::create_directories(Path("gpt2"));
  std::filesystem::create_directories(Path("sae/main"));
  ASSERT_OK(WriteFileAtomically(Path("gpt2/model.safetensors"), "abc"));
  ASSERT_OK(WriteFileAtomically(Path("sae/main/sae_weights.safetensors"), ""));
  ASSERT_OK(WriteFileAtomically(Path("sae/main/cfg.json"), "c"));
  ASSERT_OK(WriteFileAtomically(Path("gpt2/merges.txt"), "m"));
  // What no loader reads decides no answer.
  ASSERT_OK(WriteFileAtomically(Path("gpt2/README.md"), "r"));
  ASSERT_OK(WriteFileAtomically(Path("sae/main/value_heads.safetensors"), "v"));
  Manifest manifest;
  manifest.name = "demo";
  manifest.version = "1";
  manifest.model_path = "gpt2";
  manifest.saes.push_back(ManifestSaeOf("main", SaeConfig()));
  ASSERT_OK(WriteManifestWithHashes(root_, manifest));
  ASSERT_OK_AND_ASSIGN(const std::string json, ReadFile(Path("bundle.json")));
  ASSERT_OK_AND_ASSIGN(const Manifest stored, ParseManifest(json));
  EXPECT_EQ(stored.model_sha256, Sha256Hex("abc"));
  EXPECT_EQ(stored.saes[0].sha256, Sha256Hex(""));
  EXPECT_EQ(stored.files,
            (std::map<std::string, std::string>{
                {"gpt2/merges.txt", Sha256Hex("m")},
                {"gpt2/model.safetensors", Sha256Hex("abc")},
                {"sae/main/cfg.json", Sha256Hex("c")},
                {"sae/main/sae_weights.safetensors", Sha256Hex("")}}));

  manifest.name = "";
  EXPECT_THAT(WriteManifestWithHashes(root_, manifest),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::StartsWith("bundle.json: name: must be")));
  manifest.saes[0].path = "sae/none";
  EXPECT_THAT(
      WriteManifestWithHashes(root_, manifest),
      StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr("sae/none")));
}

}  // namespace
}  // namespace alignsae
