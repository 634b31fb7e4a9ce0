// What a policy makes of calls, from their beginning to the audit log.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/api/access.h"
#include "server/api/model_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "server/policy/policy_guard.h"
#include "tests/api/api_fixture.h"
#include "tests/policy/small_policy.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PolicyCallsTest : public ApiTest {
 protected:
  PolicyCallsTest() {
    EXPECT_OK(WriteFileAtomically(files_.policy, kSmallPolicy));
    EXPECT_OK(WriteFileAtomically(files_.tokens, SmallTokens()));
    Access access =
        OpenAccess({files_.policy, files_.tokens, audit_path_}).value();
    guard_ = std::move(access.policy);
    audit_ = std::move(access.audit);
    env_.policy = guard_.get();
    env_.audit = audit_.get();
  }
  ~PolicyCallsTest() override {
    for (const std::string& path :
         {files_.policy, files_.tokens, audit_path_}) {
      unlink(path.c_str());
    }
  }

  static Caller Anna() {
    Caller caller;
    caller.request_id = "r-1";
    caller.host = "ipv4:10.0.0.7";
    caller.credentials.authorization = "Bearer secret";
    return caller;
  }
  static Caller Ops() {
    Caller caller;
    caller.credentials.certificate = {"spiffe://example.org/ops"};
    return caller;
  }

  WireStatus RunSwap(const Caller& caller, const std::string& request,
                     v1::SwapResponse* response) {
    return Run(&Swap, MakeCall(kRpcSwap, caller),
               FromText<v1::SwapRequest>(request), response);
  }
  std::string Audit() {
    audit_.reset();
    env_.audit = nullptr;
    return ReadFile(audit_path_).value();
  }

  const PolicyGuard::Files files_ = {
      absl::StrCat(::testing::TempDir(), "/calls_policy.", getpid()),
      absl::StrCat(::testing::TempDir(), "/calls_tokens.", getpid())};
  const std::string audit_path_ =
      absl::StrCat(::testing::TempDir(), "/calls_audit.", getpid());
  std::unique_ptr<PolicyGuard> guard_;
  std::unique_ptr<AuditLog> audit_;
};

constexpr char kToJob[] =
    "prompt { text: 'xyz' } target { name: 'job' } "
    "generation { max_new_tokens: 2 }";
constexpr char kToCity[] =
    "prompt { text: 'xyz' } target { name: 'city' } "
    "generation { max_new_tokens: 2 }";

TEST_F(PolicyCallsTest, EveryRpcIsOpenToWhomThePolicySays) {
  std::vector<std::string> methods = RpcMethods();
  for (const std::string& method : InferenceMethods()) {
    methods.push_back(method);
  }
  for (const std::string& method : OperatorMethods()) {
    methods.push_back(method);
  }
  for (const std::string& method : methods) {
    const bool operators = method.rfind("OperatorService/", 0) == 0;
    const bool reads =
        method.rfind("ConceptService/", 0) == 0 || method == kRpcGetModel;
    Caller wrong;
    wrong.credentials.authorization = "Bearer wrong";
    const auto code = [&](const Caller& caller) {
      const auto call = MakeCall(method.c_str(), caller);
      const absl::Status status = call->status();
      call->End(status);
      return status.code();
    };
    using absl::StatusCode;
    EXPECT_EQ(code(wrong), StatusCode::kUnauthenticated) << method;
    EXPECT_EQ(code({}), reads ? StatusCode::kOk : StatusCode::kPermissionDenied)
        << method;
    EXPECT_EQ(code(Anna()),
              operators ? StatusCode::kPermissionDenied : StatusCode::kOk)
        << method;
    EXPECT_EQ(code(Ops()), StatusCode::kOk) << method;
  }
}

TEST_F(PolicyCallsTest, ARefusalChangesNothing) {
  Load();
  v1::SwapResponse response;
  const WireStatus refused = RunSwap(Anna(), kToCity, &response);
  EXPECT_EQ(refused.code, absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.field, "target");
  EXPECT_EQ(refused.reason, "POLICY");
  EXPECT_EQ(Metric("alignsae_prompt_tokens_total"), "0");
  EXPECT_EQ(Metric("alignsae_steering_total{mode=\"SWAP\"}"), "0");
  EXPECT_EQ(Metric("alignsae_queue_wait_seconds_count"), "0");
  EXPECT_EQ(memory_.answers.used(), 0);
  EXPECT_EQ(memory_.requests.used(), 0);
  EXPECT_EQ(guard_->counts().denied, 1);
}

TEST_F(PolicyCallsTest, AnAnswerHasAReceiptIdThatTheAuditKnows) {
  Load();
  v1::SwapResponse response;
  ASSERT_EQ(RunSwap(Anna(), kToJob, &response).code, absl::StatusCode::kOk);
  ASSERT_EQ(response.steered().receipts_size(), 1);
  const std::string id = response.steered().receipts(0).receipt_id();
  EXPECT_EQ(id.size(), 16u);
  v1::SwapResponse second;
  RunSwap(Anna(), kToJob, &second);
  EXPECT_NE(second.steered().receipts(0).receipt_id(), id);
  RunSwap(Anna(), kToCity, &second);
  v1::GetModelResponse model;
  Run(&GetModel, MakeCall(kRpcGetModel, Anna()), v1::GetModelRequest(), &model);

  const std::vector<std::string> lines =
      absl::StrSplit(Audit(), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);  // Not of GetModel.
  const nlohmann::json line = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(line["principal"], "anna");
  EXPECT_EQ(line["host"], "ipv4:10.0.0.7");
  EXPECT_EQ(line["rpc"], "SteeringService/Swap");
  EXPECT_EQ(line["request_id"], "r-1");
  EXPECT_EQ(line["receipt_id"], id);
  EXPECT_EQ(line["model"], "small");
  EXPECT_EQ(line["generation_id"], 1);
  EXPECT_EQ(line["outcome"], "OK");
  ASSERT_EQ(line["interventions"].size(), 1u);
  EXPECT_EQ(line["interventions"][0]["mode"], "SWAP");
  EXPECT_EQ(line["interventions"][0]["concept"], "job");
  EXPECT_EQ(line["interventions"][0]["alpha"], 1.25);
  EXPECT_EQ(line["interventions"][0]["position_count"], 1);
  EXPECT_TRUE(line.contains("norm_ratio"));
  EXPECT_THAT(lines[0], Not(HasSubstr("xyz")));  // The prompt.
  const nlohmann::json denied = nlohmann::json::parse(lines[2]);
  EXPECT_EQ(denied["outcome"], "PERMISSION_DENIED");
  EXPECT_EQ(denied["field"], "target");
  EXPECT_FALSE(denied.contains("norm_ratio"));
}

TEST_F(PolicyCallsTest, WhatMayNotBeUsedIsNotShown) {
  Load();
  v1::GetModelResponse model;
  ASSERT_EQ(Run(&GetModel, MakeCall(kRpcGetModel, Anna()),
                v1::GetModelRequest(), &model)
                .code,
            absl::StatusCode::kOk);
  ASSERT_EQ(model.checkpoints_size(), 1);
  EXPECT_EQ(model.checkpoints(0).name(), "main");
  v1::ListConceptsResponse concepts;
  EXPECT_EQ(
      Run(&ListConcepts, MakeCall(kRpcListConcepts, Anna()),
          FromText<v1::ListConceptsRequest>("checkpoint: 'whole'"), &concepts)
          .code,
      absl::StatusCode::kPermissionDenied);
  ASSERT_EQ(Run(&ListConcepts, MakeCall(kRpcListConcepts, Anna()),
                v1::ListConceptsRequest(), &concepts)
                .code,
            absl::StatusCode::kOk);
  EXPECT_EQ(concepts.checkpoints_size(), 1);
}

TEST_F(PolicyCallsTest, QuotasAreThoseOfThePrincipal) {
  Load();
  EXPECT_EQ(MakeCall(kRpcSwap, Anna())->max_slots(), 2);
  EXPECT_EQ(MakeCall(kRpcSwap, Anna())->owner().origin, "anna");
  EXPECT_EQ(MakeCall(kRpcSwap, Ops())->max_slots(), 0);
  // Two arms of 3 + 64 - 3 tokens; 600 a minute.
  v1::SwapResponse response;
  const std::string large = absl::StrCat(
      "prompt { text: 'xyz' } target { name: 'job' } generation { "
      "max_new_tokens: 61 }");
  int ran = 0;
  WireStatus last;
  for (int i = 0; i < 6; ++i) {
    last = RunSwap(Anna(), large, &response);
    ran += last.code == absl::StatusCode::kOk ? 1 : 0;
  }
  EXPECT_EQ(ran, 4);
  EXPECT_EQ(last.reason, "QUOTA");
  EXPECT_FALSE(last.retry_pushback.empty());
  // What is held: of the caller's own bytes, whatever others leave.
  const auto call = MakeCall(kRpcSwap, Anna());
  EXPECT_TRUE(call->TryHold(900 << 10));
  EXPECT_FALSE(call->TryHold(200 << 10));
}

}  // namespace
}  // namespace alignsae
