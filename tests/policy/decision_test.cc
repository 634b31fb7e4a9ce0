#include "server/policy/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "model/base/status_payload.h"
#include "tests/policy/small_policy.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::Eq;

Principal Of(const Credentials& credentials) {
  return Identify(SmallState(), credentials, "host").value();
}
Principal Editor() { return Of({{}, "Bearer secret", ""}); }
Principal Owner() { return Of({{"spiffe://example.org/ops"}, "", ""}); }
Principal Reader() { return Of({}); }

AskedChange Swap(const std::string& target, std::optional<double> alpha = 1) {
  AskedChange change;
  change.target = target;
  change.alpha = alpha;
  return change;
}

std::string Said(const Principal& principal, const AskedAll& asked) {
  const absl::Status status = Decide(principal, asked);
  if (status.ok()) return "OK";
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_EQ(ReasonOf(status), "POLICY");
  return std::string(status.message());
}

TEST(DecisionTest, EachRightHasItsSentence) {
  EXPECT_EQ(Said(Editor(), {{"main"}, {Swap("job")}, {}}), "OK");
  EXPECT_EQ(Said(Editor(), {{"whole"}, {}, {}}),
            "checkpoint: must be one of main (checkpoints of group editors), "
            "got \"whole\"");
  EXPECT_EQ(Said(Reader(), {{"main"}, {Swap("job")}, {}}),
            "mode: must be absent (no steer of group readers), got SWAP");
  EXPECT_EQ(Said(Editor(), {{"main"}, {Swap("city")}, {}}),
            "target: must be one of job (steer.concepts of group editors), "
            "got \"city\"");
  // A feature that is no concept is nobody's but of who may steer all.
  EXPECT_EQ(Said(Editor(), {{"main"}, {Swap("")}, {}}),
            "target: must be one of job (steer.concepts of group editors), "
            "got a slot that is no concept");
  AskedChange change = Swap("job");
  change.mode = InterventionMode::kAblate;
  change.place = "interventions[2]";
  EXPECT_EQ(Said(Editor(), {{"main"}, {change}, {}}),
            "interventions[2].mode: must be one of ADD, SWAP (steer.modes of "
            "group editors), got ABLATE");
  change.mode = InterventionMode::kAdd;
  change.vector = true;
  EXPECT_EQ(Said(Editor(), {{"main"}, {change}, {}}),
            "interventions[2].vector: must be absent (steer.vectors of group "
            "editors), got one");
  EXPECT_EQ(Said(Owner(), {{"main"}, {change, Swap("")}, {}}), "OK");
}

TEST(DecisionTest, AlphaIsInItsRangeAtBothEnds) {
  const FieldNames sweep = {"targets", "alphas"};
  for (double alpha : {-2.0, 0.0, 2.0}) {
    EXPECT_EQ(Said(Editor(), {{}, {Swap("job", alpha)}, sweep}), "OK");
  }
  EXPECT_EQ(Said(Editor(), {{}, {Swap("job", 2.001)}, sweep}),
            "alphas: must be in [-2, 2] active means (steer.alpha of group "
            "editors), got 2.001");
  EXPECT_NE(
      Said(
          Editor(),
          {{}, {Swap("job", std::numeric_limits<double>::quiet_NaN())}, sweep}),
      "OK");
  EXPECT_EQ(Said(Editor(), {{}, {Swap("job", std::nullopt)}, sweep}), "OK");
}

TEST(DecisionTest, ASourceMustBeOneThatMayBeCleared) {
  PolicyState state = *SmallState();
  state.policy.groups[1].steer->sources = {false, {"job", "city"}};
  Principal editor = Editor();
  editor.state = std::make_shared<const PolicyState>(state);
  EXPECT_EQ(Said(editor, {{}, {Swap("job")}, {}}),
            "source: must be one of city, job (steer.sources of group "
            "editors), got none, which is whatever is on top");
  AskedChange change = Swap("job");
  change.source = "other";
  EXPECT_EQ(Said(editor, {{}, {change}, {}}),
            "source: must be one of city, job (steer.sources of group "
            "editors), got \"other\"");
  change.source = "city";
  EXPECT_EQ(Said(editor, {{}, {change}, {}}), "OK");
  // A mode of one slot clears nothing else.
  change = Swap("job");
  change.mode = InterventionMode::kAdd;
  EXPECT_EQ(Said(editor, {{}, {change}, {}}), "OK");
}

TEST(DecisionTest, RpcsAndModels) {
  EXPECT_OK(DecideRpc(Reader(), "ModelService/GetModel"));
  EXPECT_THAT(
      std::string(DecideRpc(Reader(), "SteeringService/Swap").message()),
      Eq("rpc: must be one that is allowed (rpcs of group readers), "
         "got SteeringService/Swap"));
  EXPECT_OK(DecideModel(Editor(), "small"));
  EXPECT_THAT(std::string(DecideModel(Editor(), "other").message()),
              Eq("model: must be one of small (models of group editors), got "
                 "\"other\""));
}

}  // namespace
}  // namespace alignsae
