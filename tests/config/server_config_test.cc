#include "server/config/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::TestWithParam;
using ::testing::ValuesIn;

using Env = std::map<std::string, std::string>;

absl::StatusOr<ConfigOutcome> Parse(std::vector<std::string> args,
                                    const Env& env = {}) {
  return ParseServerConfig(
      args, [&env](const std::string& name) -> std::optional<std::string> {
        const auto it = env.find(name);
        if (it == env.end()) return std::nullopt;
        return it->second;
      });
}

// Flags that are enough, and more.
std::vector<std::string> With(std::vector<std::string> more) {
  std::vector<std::string> args = {"--model", ::testing::TempDir()};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/", name);
  std::ofstream(path) << text;
  return path;
}

TEST(ServerConfigTest, DefaultsToLoopbackAndTheContractsNumbers) {
  ASSERT_OK_AND_ASSIGN(const ConfigOutcome outcome, Parse(With({})));
  const ServerConfig& config = outcome.config;
  EXPECT_EQ(config.listen.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(config.admin_listen.ToString(), "127.0.0.1:9464");
  EXPECT_EQ(config.limits.max_prompt_bytes, 65536);
  EXPECT_EQ(config.limits.max_receive_message_bytes, 1 << 20);
  EXPECT_EQ(config.limits.max_deadline_seconds, 60);
  EXPECT_EQ(config.lame_duck_seconds, 5);
  EXPECT_EQ(config.drain_seconds, 20);
  EXPECT_TRUE(config.reflection);
  EXPECT_EQ(outcome.text_to_print, "");
}

TEST(ServerConfigTest, ReflectionIsOnAtLoopbackUnlessItIsGiven) {
  const auto reflects = [](std::vector<std::string> args) {
    const auto outcome = Parse(With(std::move(args)));
    EXPECT_OK(outcome.status());
    return outcome.ok() && outcome->config.reflection;
  };
  EXPECT_TRUE(reflects({"--listen=localhost:1"}));
  EXPECT_TRUE(reflects({"--listen=[::1]:0"}));
  EXPECT_FALSE(reflects({"--listen=0.0.0.0:1"}));
  EXPECT_TRUE(reflects({"--listen=0.0.0.0:1", "--reflection"}));
  EXPECT_FALSE(reflects({"--reflection=false"}));
}

TEST(ServerConfigTest, TakesFlags) {
  ASSERT_OK_AND_ASSIGN(
      const ConfigOutcome outcome,
      Parse(With({"--sae", "/tmp,/", "--whole-sae", "--listen", "[::1]:0",
                  "--kv-slots=8", "--kv-tokens=4096", "--drain-seconds", "1.5",
                  "--reflection"})));
  const ServerConfig& config = outcome.config;
  EXPECT_THAT(config.saes, ElementsAre("/tmp", "/"));
  EXPECT_TRUE(config.whole_sae);
  EXPECT_EQ(config.listen.host, "::1");
  EXPECT_EQ(config.listen.port, 0);
  EXPECT_EQ(config.listen.ToString(), "[::1]:0");
  EXPECT_EQ(config.kv_slots, 8);
  EXPECT_EQ(config.kv_tokens, 4096);
  EXPECT_EQ(config.drain_seconds, 1.5);
  EXPECT_TRUE(config.reflection);
}

TEST(ServerConfigTest, FewerSlotsWhereEachTakesAWholeContext) {
  const auto slots = [](std::vector<std::string> args) {
    const auto outcome = Parse(With(std::move(args)));
    EXPECT_OK(outcome.status());
    return outcome.ok() ? outcome->config.kv_slots : 0;
  };
  EXPECT_EQ(slots({}), 64);
  EXPECT_EQ(slots({"--device=cuda"}), 16);
  EXPECT_EQ(slots({"--device=cuda", "--kv-slots=40"}), 40);
}

TEST(ServerConfigTest, TheFrontDoorIsOffUntilItHasAnAddress) {
  ASSERT_OK_AND_ASSIGN(const ConfigOutcome none, Parse(With({})));
  EXPECT_FALSE(none.config.http.on);
  ASSERT_OK_AND_ASSIGN(
      const ConfigOutcome outcome,
      Parse(With({"--http-listen=[::1]:8080",
                  "--http-allowed-hosts=steer.example,fd00::7",
                  "--http-allowed-origins=https://a.example,http://b:3000",
                  "--http-max-connections=7", "--http-request-seconds=2.5"})));
  const HttpConfig& http = outcome.config.http;
  EXPECT_TRUE(http.on);
  EXPECT_EQ(http.listen.ToString(), "[::1]:8080");
  EXPECT_THAT(http.allowed_hosts, ElementsAre("steer.example", "fd00::7"));
  EXPECT_THAT(http.allowed_origins,
              ElementsAre("https://a.example", "http://b:3000"));
  EXPECT_EQ(http.max_connections, 7);
  EXPECT_EQ(http.request_seconds, 2.5);
  EXPECT_OK(Parse(
      With({"--http-listen=127.0.0.2:1", "--tls-cert=/etc/hostname",
            "--tls-key=/etc/hostname", "--tls-client-ca=/etc/hostname"})));
}

TEST(ServerConfigTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  const std::string file =
      WriteFile("order.toml", "kv-slots = 3\nthreads = 3\ndrain-seconds = 3\n");
  ASSERT_OK_AND_ASSIGN(
      const ConfigOutcome outcome,
      Parse(With({"--config", file, "--kv-slots", "5"}),
            {{"ALIGNSAE_KV_SLOTS", "4"}, {"ALIGNSAE_THREADS", "4"}}));
  EXPECT_EQ(outcome.config.kv_slots, 5);
  EXPECT_EQ(outcome.config.threads, 4);
  EXPECT_EQ(outcome.config.drain_seconds, 3);
}

TEST(ServerConfigTest, TakesEverythingFromTheEnvironment) {
  const std::string file = WriteFile("env.toml", "lame-duck-seconds = 1\n");
  ASSERT_OK_AND_ASSIGN(const ConfigOutcome outcome,
                       Parse({}, {{"ALIGNSAE_MODEL", ::testing::TempDir()},
                                  {"ALIGNSAE_CONFIG", file},
                                  {"ALIGNSAE_REFLECTION", "true"},
                                  {"ALIGNSAE_LOG_LEVEL", ""}}));
  EXPECT_TRUE(outcome.config.reflection);
  EXPECT_EQ(outcome.config.lame_duck_seconds, 1);
  EXPECT_EQ(outcome.config.log_level, "info");  // Empty is not set.
}

TEST(ServerConfigTest, IgnoresVariablesThatKubernetesSets) {
  EXPECT_OK(Parse(With({}), {{"ALIGNSAE_SERVICE_HOST", "10.0.0.1"},
                             {"ALIGNSAE_PORT", "tcp://10.0.0.1:50051"}}));
}

TEST(ServerConfigTest, KnowsWhatOnlyThisHostReaches) {
  for (const char* host : {"127.0.0.1", "127.8.0.1", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host :
       {"0.0.0.0", "::", "10.127.0.1", "", "localhost.example"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(ServerConfigTest, HelpNamesEverySettingAndItsVariable) {
  ASSERT_OK_AND_ASSIGN(const ConfigOutcome outcome, Parse({"--help"}));
  for (const char* flag : {"model",
                           "sae",
                           "whole-sae",
                           "device",
                           "threads",
                           "listen",
                           "admin-listen",
                           "http-listen",
                           "http-allowed-hosts",
                           "http-allowed-origins",
                           "http-max-connections",
                           "http-request-seconds",
                           "port-file",
                           "tls-cert",
                           "tls-key",
                           "tls-client-ca",
                           "reflection",
                           "kv-slots",
                           "kv-tokens",
                           "prefix-cache-tokens",
                           "max-prompt-bytes",
                           "max-deadline-seconds",
                           "lame-duck-seconds",
                           "drain-seconds",
                           "log-level",
                           "config"}) {
    EXPECT_THAT(outcome.text_to_print, HasSubstr(absl::StrCat("--", flag)));
  }
  EXPECT_THAT(outcome.text_to_print,
              AllOf(HasSubstr("Env:ALIGNSAE_KV_SLOTS"),
                    HasSubstr("127.0.0.1:50051"), HasSubstr("9464")));
}

TEST(ServerConfigTest, VersionIsPrinted) {
  ASSERT_OK_AND_ASSIGN(const ConfigOutcome outcome, Parse({"--version"}));
  EXPECT_EQ(outcome.text_to_print, "alignsae-server 0.1.0\n");
}

TEST(ServerConfigTest, WhatIsNotGivenFollowsWhatItDependsOn) {
  ASSERT_OK_AND_ASSIGN(
      const ConfigOutcome outcome,
      Parse(With({"--max-queued-sequences=10", "--max-queued-tokens=100",
                  "--max-receive-bytes=2048", "--max-deadline-seconds=90"})));
  const Limits& limits = outcome.config.limits;
  EXPECT_EQ(limits.max_prompts_per_batch, 10);
  EXPECT_EQ(limits.max_sweep_cells, 9);
  EXPECT_EQ(limits.max_new_tokens, 49);
  EXPECT_EQ(limits.max_prompt_bytes, 1024);
  EXPECT_EQ(outcome.config.connections.max_age_grace_seconds, 90);
}

TEST(ServerConfigTest, CacheIsTheUsersUnlessItIsGiven) {
  const auto cache = [](std::vector<std::string> flags, const Env& env) {
    return Parse(With(std::move(flags)), env)->config.cache_dir;
  };
  const Env both = {{"XDG_CACHE_HOME", "/x"}, {"HOME", "/h"}};
  EXPECT_EQ(cache({}, both), "/x/alignsae");
  EXPECT_EQ(cache({}, {{"HOME", "/h"}}), "/h/.cache/alignsae");
  EXPECT_EQ(cache({}, {{"XDG_CACHE_HOME", "not/absolute"}}), "");
  EXPECT_EQ(cache({"--cache-dir=/mine"}, both), "/mine");
  EXPECT_EQ(cache({"--cache-dir=off"}, both), "");
}

TEST(ServerConfigTest, KernelTuningIsOnUnlessItIsTurnedOff) {
  EXPECT_EQ(Parse(With({}), {})->config.kernel_tuning, "on");
  EXPECT_EQ(Parse(With({"--kernel-tuning=off"}), {})->config.kernel_tuning,
            "off");
  EXPECT_FALSE(Parse(With({"--kernel-tuning=fast"}), {}).ok());
}

TEST(ServerConfigTest, WhatIsGivenIsKeptAtItsLimit) {
  ASSERT_OK_AND_ASSIGN(
      const ConfigOutcome outcome,
      Parse(With({"--max-queued-sequences=10", "--max-prompts-per-batch=10",
                  "--max-sweep-cells=9", "--max-queued-tokens=1000",
                  "--max-new-tokens=499", "--max-receive-bytes=2048",
                  "--max-prompt-bytes=1024"})));
  const Limits& limits = outcome.config.limits;
  EXPECT_EQ(limits.max_prompts_per_batch, 10);
  EXPECT_EQ(limits.max_sweep_cells, 9);
  EXPECT_EQ(limits.max_new_tokens, 499);
  EXPECT_EQ(limits.max_prompt_bytes, 1024);
  // The smallest queue takes a Swap.
  EXPECT_OK(Parse(With({"--max-queued-sequences=2", "--max-queued-tokens=4"})));
  EXPECT_OK(
      Parse(With({"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"})));
}

struct BadCase {
  std::string name;
  std::vector<std::string> args;
  Env env;
  std::string sentence;
};

class BadConfigTest : public TestWithParam<BadCase> {};

TEST_P(BadConfigTest, IsRefusedWithOneSentence) {
  EXPECT_THAT(
      Parse(GetParam().args, GetParam().env),
      StatusIs(absl::StatusCode::kInvalidArgument, GetParam().sentence));
}

std::vector<BadCase> BadCases() {
  const std::string typo = WriteFile("typo.toml", "kv-slot = 3\n");
  const std::string sweep = WriteFile("sweep.toml", "max-sweep-cells = 20\n");
  const std::string wrong = WriteFile("wrong.toml", "kv-slots = many\n");
  const std::string large =
      WriteFile("large.toml", std::string((1 << 20) + 1, '#'));
  return {
      {"NoModel",
       {},
       {},
       "--model: must be set; give a bundle or a GPT-2 directory"},
      {"ModelMissing",
       {"--model", "/nowhere/at/all"},
       {},
       "--model: must be an existing directory, got \"/nowhere/at/all\""},
      {"UnknownFlag",
       With({"--kv-slot", "3"}),
       {},
       "no flag \"--kv-slot\"; did you mean --kv-slots?"},
      {"TooSmall",
       With({"--kv-slots", "0"}),
       {},
       "--kv-slots: must be an integer in [2, 1024], got 0"},
      {"NegativeKvTokens",
       With({"--kv-tokens", "-1"}),
       {},
       "--kv-tokens: must be an integer in [0, 1099511627776], got -1"},
      {"NegativeTokens",
       With({"--prefix-cache-tokens", "-1"}),
       {},
       "--prefix-cache-tokens: must be an integer in [0, 1073741824], got -1"},
      {"NotANumber",
       With({"--kv-slots", "many"}),
       {},
       "--kv-slots: must be an integer in [2, 1024], got many"},
      {"NegativeSeconds",
       With({"--drain-seconds", "-1"}),
       {},
       "--drain-seconds: must be a number of seconds in [0, 3600], got -1"},
      {"NaNSeconds",
       With({"--drain-seconds", "nan"}),
       {},
       "--drain-seconds: must be a number of seconds in [0, 3600], got nan"},
      {"BadEndpoint",
       With({"--listen", "50051"}),
       {},
       "--listen: must be host:port with a port in [0, 65535], got "
       "\"50051\""},
      {"PortTooLarge",
       With({"--admin-listen", "127.0.0.1:65536"}),
       {},
       "--admin-listen: must be host:port with a port in [0, 65535], got "
       "\"127.0.0.1:65536\""},
      {"BareIpv6",
       With({"--listen", "::1:5"}),
       {},
       "--listen: must be host:port with a port in [0, 65535], got "
       "\"::1:5\""},
      {"BadLevel",
       With({"--log-level", "loud"}),
       {},
       "--log-level: must be one of debug, info, warning, error, got "
       "\"loud\""},
      {"BadDevice",
       With({"--device", "tpu"}),
       {},
       "--device: must be one of cpu, cuda, got \"tpu\""},
      {"CertWithoutKey",
       With({"--tls-cert", "/etc/hostname"}),
       {},
       "--tls-cert and --tls-key: must be set together"},
      {"ClientCaWithoutTls",
       With({"--tls-client-ca", "/etc/hostname"}),
       {},
       "--tls-client-ca: must not be set without --tls-cert"},
      {"KeyMissing",
       With({"--tls-key", "/nowhere.pem"}),
       {},
       "--tls-key: must be an existing file, got \"/nowhere.pem\""},
      {"KeyWithoutEnd",
       With({"--tls-key", "/dev/zero"}),
       {},
       "--tls-key: must be an existing file, got \"/dev/zero\""},
      {"ConfigWithoutEnd",
       With({"--config", "/dev/zero"}),
       {},
       "--config: must be an existing file, got \"/dev/zero\""},
      {"ConfigWithoutEndFromTheEnvironment",
       With({}),
       {{"ALIGNSAE_CONFIG", "/dev/zero"}},
       "--config: must be an existing file, got \"/dev/zero\""},
      {"ConfigTooLarge",
       With({"--config", large}),
       {},
       "--config: must have at most 1048576 bytes, got 1048577 in \"" + large +
           "\""},
      {"BatchLargerThanQueue",
       With({"--max-queued-sequences=10", "--max-prompts-per-batch=64"}),
       {},
       "--max-prompts-per-batch: must be at most 10, as "
       "--max-queued-sequences is 10, got 64"},
      {"SweepLargerThanQueue",
       With({"--max-queued-sequences=10", "--max-sweep-cells=10"}),
       {},
       "--max-sweep-cells: must be at most 9, one less than "
       "--max-queued-sequences, which is 10, got 10"},
      {"SweepOfTheFileLargerThanTheQueueOfTheEnvironment",
       With({"--config", sweep}),
       {{"ALIGNSAE_MAX_QUEUED_SEQUENCES", "16"}},
       "--max-sweep-cells: must be at most 15, one less than "
       "--max-queued-sequences, which is 16, got 20"},
      {"QueueWithoutRoomForASwap",
       With({"--max-queued-sequences", "1"}),
       {},
       "--max-queued-sequences: must be at least 2, the arms of a Swap, got 1"},
      {"TokensWithoutRoomForASwap",
       With({"--max-queued-tokens", "3"}),
       {},
       "--max-queued-tokens: must be at least 4, the arms of a Swap of one "
       "token, got 3"},
      {"AnswersLargerThanQueuedTokens",
       With({"--max-queued-tokens=1000", "--max-new-tokens=500"}),
       {},
       "--max-new-tokens: must be at most 499, so that the arms of a Swap fit "
       "into --max-queued-tokens, which is 1000, got 500"},
      {"PromptLargerThanMessage",
       With({"--max-prompt-bytes=1048576"}),
       {},
       "--max-prompt-bytes: must be at most 1047552, 1024 less than "
       "--max-receive-bytes, which is 1048576, got 1048576"},
      {"MessageLargerThanMemory",
       With({"--grpc-memory-mib=16", "--max-receive-bytes=16777217"}),
       {},
       "--grpc-memory-mib: must hold a message of --max-receive-bytes "
       "(16777217), got 16"},
      {"GraceShorterThanCalls",
       With({"--max-connection-age-grace-seconds=59.5"}),
       {},
       "--max-connection-age-grace-seconds: must be at least "
       "--max-deadline-seconds (60), got 59.5"},
      {"OnePortForBoth",
       With({"--admin-listen", "127.0.0.1:50051"}),
       {},
       "--admin-listen: must differ from --listen, got 127.0.0.1:50051 for "
       "both"},
      {"OnePortForGrpcAndHttp",
       With({"--http-listen", "127.0.0.1:50051"}),
       {},
       "--http-listen: must differ from --listen, got 127.0.0.1:50051 for "
       "both"},
      {"OnePortForAdminAndHttp",
       With({"--http-listen", "127.0.0.1:9464"}),
       {},
       "--http-listen: must differ from --admin-listen, got 127.0.0.1:9464 "
       "for both"},
      {"OnePortForOperatorsAndAdmin",
       With({"--operator-listen", "127.0.0.1:9464"}),
       {},
       "--operator-listen: must differ from --admin-listen, got "
       "127.0.0.1:9464 for both"},
      {"OperatorsForEverybody",
       With({"--operator-listen=0.0.0.0:50052", "--tls-cert=/etc/hostname",
             "--tls-key=/etc/hostname"}),
       {},
       "--operator-listen: must be a loopback address without "
       "--tls-client-ca, as whoever reaches it may change what is served, got "
       "0.0.0.0:50052"},
      {"NoDirectoryOfBundles",
       With({"--bundles-dir=/no/such/directory"}),
       {},
       "--bundles-dir: must be an existing directory, got "
       "\"/no/such/directory\""},
      {"HttpBesideClientCertificates",
       With({"--http-listen=127.evil.example:1", "--tls-cert=/etc/hostname",
             "--tls-key=/etc/hostname", "--tls-client-ca=/etc/hostname"}),
       {},
       "--http-listen: must be a loopback address with --tls-client-ca and "
       "without --policy, as it asks for no certificate, got "
       "127.evil.example:1"},
      {"HostWithPort",
       With({"--http-allowed-hosts=a.example:80"}),
       {},
       "--http-allowed-hosts: must be a name or an address without a port, got "
       "\"a.example:80\""},
      {"OriginWithPath",
       With({"--http-allowed-origins=https://a.example/"}),
       {},
       "--http-allowed-origins: must be scheme://host[:port] or *, got "
       "\"https://a.example/\""},
      {"OriginWithoutScheme",
       With({"--http-allowed-origins=a.example"}),
       {},
       "--http-allowed-origins: must be scheme://host[:port] or *, got "
       "\"a.example\""},
      {"BadVariable",
       With({}),
       {{"ALIGNSAE_KV_SLOTS", "x"}},
       "--kv-slots: must be an integer in [2, 1024], got x"},
      {"UnknownKeyInFile",
       With({"--config", typo}),
       {},
       "--config: INI was not able to parse kv-slot"},
      {"BadValueInFile",
       With({"--config", wrong}),
       {},
       "--kv-slots: must be an integer in [2, 1024], got many"},
      {"FileMissing",
       With({"--config", "/nowhere.toml"}),
       {},
       "--config: must be an existing file, got \"/nowhere.toml\""},
  };
}

INSTANTIATE_TEST_SUITE_P(All, BadConfigTest, ValuesIn(BadCases()),
                         [](const ::testing::TestParamInfo<BadCase>& test) {
                           return test.param.name;
                         });

}  // namespace
}  // namespace alignsae
