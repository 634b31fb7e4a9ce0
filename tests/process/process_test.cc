#include "server/process/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(ProcessTest, ForbidsCoreDumpsAndSurvivesABrokenPipe) {
  ASSERT_OK(InitProcess());
  rlimit limit = {1, 1};
  ASSERT_EQ(getrlimit(RLIMIT_CORE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, 0u);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);  // And not death.
  close(ends[1]);
}

TEST(ProcessTest, TellsOfTheFirstSignal) {
  ASSERT_OK(InitProcess());
  SignalWatcher watcher([](int) { std::abort(); });
  kill(getpid(), SIGTERM);
  watcher.Wait();
}

TEST(ProcessTest, ExitsOnTheSecondSignalWhateverRuns) {
  // The log's thread of other tests must not be forked.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_OK(InitProcess());
  EXPECT_EXIT(
      {
        SignalWatcher watcher([](int code) { std::_Exit(40 + code); });
        kill(getpid(), SIGTERM);
        watcher.Wait();
        kill(getpid(), SIGINT);
        pause();
      },
      ::testing::ExitedWithCode(41), "");
}

TEST(ProcessTest, ExitsOnTheFirstSignalWhileItIsToldTo) {
  // The log's thread of other tests must not be forked.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_OK(InitProcess());
  EXPECT_EXIT(
      {
        SignalWatcher watcher([](int code) { std::_Exit(40 + code); });
        watcher.set_exit_at_once(true);
        kill(getpid(), SIGTERM);
        pause();
      },
      ::testing::ExitedWithCode(40), "");
}

TEST(ProcessTest, WritesThePortFile) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/ports.json");
  const auto text = [&path] {
    std::ifstream file(path);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  };
  ASSERT_OK(
      WritePortFile(path, {{"grpc", 50051}, {"admin", 9464}, {"http", 0}}));
  EXPECT_EQ(text(), "{\"grpc\":50051,\"admin\":9464}\n");
  ASSERT_OK(
      WritePortFile(path, {{"grpc", 50051}, {"admin", 9464}, {"http", 8080}}));
  EXPECT_EQ(text(), "{\"grpc\":50051,\"admin\":9464,\"http\":8080}\n");
}

}  // namespace
}  // namespace alignsae
