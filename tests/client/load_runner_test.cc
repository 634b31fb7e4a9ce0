#include "client/load/load_runner.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "alignsae/v1/concept_service.grpc.pb.h"
#include "alignsae/v1/model_service.grpc.pb.h"
#include "alignsae/v1/steering_service.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Serving = grpc::health::v1::HealthCheckResponse;

// A server of two concepts that answers everything at once.
class Models final : public v1::ModelService::Service {
  grpc::Status ListConcepts(grpc::ServerContext*,
                            const v1::ListConceptsRequest*,
                            v1::ListConceptsResponse* response) override {
    v1::CheckpointConcepts* checkpoint = response->add_checkpoints();
    for (const char* name : {"birth_city", "employer"}) {
      v1::Concept* entry = checkpoint->add_concepts();
      entry->set_name(name);
      entry->set_example("Where?");
    }
    return grpc::Status::OK;
  }
};

class Concepts final : public v1::ConceptService::Service {
 public:
  std::atomic<bool> whole{true};

 private:
  grpc::Status ReadConcepts(grpc::ServerContext*,
                            const v1::ReadConceptsRequest* request,
                            v1::ReadConceptsResponse* response) override {
    for (int i = 0; whole && i < request->prompts_size(); ++i) {
      response->add_readings();
    }
    return grpc::Status::OK;
  }
};

class Steering final : public v1::SteeringService::Service {
 public:
  std::atomic<bool> whole{true};

 private:
  void Answer(v1::ArmResult* arm) {
    if (whole) arm->set_generated_token_count(12);
  }
  grpc::Status Swap(grpc::ServerContext*, const v1::SwapRequest*,
                    v1::SwapResponse* response) override {
    Answer(response->mutable_baseline());
    Answer(response->mutable_steered());
    return grpc::Status::OK;
  }
  grpc::Status Complete(grpc::ServerContext*, const v1::CompleteRequest*,
                        v1::CompleteResponse* response) override {
    Answer(response->add_arms());
    return grpc::Status::OK;
  }
  grpc::Status Generate(
      grpc::ServerContext*, const v1::GenerateRequest*,
      grpc::ServerWriter<v1::GenerateResponse>* writer) override {
    v1::GenerateResponse event;
    event.mutable_token()->set_text("a");
    for (int i = 0; i < 12; ++i) writer->Write(event);
    event.mutable_summary();
    if (whole) writer->Write(event);
    return grpc::Status::OK;
  }
};

class Health final : public grpc::health::v1::Health::Service {
 public:
  std::atomic<int> code{grpc::StatusCode::OK};
  std::atomic<Serving::ServingStatus> serving{Serving::SERVING};

 private:
  grpc::Status Check(grpc::ServerContext*,
                     const grpc::health::v1::HealthCheckRequest*,
                     Serving* response) override {
    if (code != grpc::StatusCode::OK) {
      return grpc::Status(static_cast<grpc::StatusCode>(code.load()), "no");
    }
    response->set_status(serving);
    return grpc::Status::OK;
  }
};

class LoadRunnerTest : public ::testing::Test {
 protected:
  LoadRunnerTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    for (grpc::Service* service : {static_cast<grpc::Service*>(&models_),
                                   static_cast<grpc::Service*>(&concepts_),
                                   static_cast<grpc::Service*>(&steering_),
                                   static_cast<grpc::Service*>(&health_)}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    options_.target = absl::StrCat("127.0.0.1:", port);
    options_.concurrency = 2;
    options_.connections = 1;
    options_.duration = absl::Milliseconds(200);
    options_.warmup = absl::ZeroDuration();
    options_.mix = {{"read", 1}};
    options_.health_every = absl::Milliseconds(20);
  }

  nlohmann::json Report() {
    absl::StatusOr<LoadResult> result = RunLoad(options_);
    EXPECT_OK(result.status());
    if (!result.ok()) return {};
    return LoadReport(options_, result->samples, result->health,
                      result->seconds);
  }

  Models models_;
  Concepts concepts_;
  Steering steering_;
  Health health_;
  LoadOptions options_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(LoadRunnerTest, AServerThatServesPasses) {
  const nlohmann::json report = Report();
  EXPECT_GT(report["codes"].value("OK", 0), 0);
  EXPECT_GT(report["health"]["count"], 0);
  EXPECT_EQ(report["health"]["failed"], 0);
  EXPECT_EQ(report["health"]["answers"].value("SERVING", 0),
            report["health"]["checks"]);
  EXPECT_OK(Verdict(report));
}

TEST_F(LoadRunnerTest, AHealthCheckThatIsAnsweredWithAnErrorHasFailed) {
  health_.code = grpc::StatusCode::RESOURCE_EXHAUSTED;
  const nlohmann::json report = Report();
  EXPECT_EQ(report["health"]["count"], 0);
  EXPECT_GT(report["health"]["failed"], 0);
  EXPECT_EQ(report["health"]["failed"], report["health"]["checks"]);
  EXPECT_EQ(report["health"]["answers"].value("RESOURCE_EXHAUSTED", 0),
            report["health"]["checks"]);
  // No latency is claimed for what was never served.
  EXPECT_FALSE(report["health"].contains("p99_ms"));
  EXPECT_THAT(ReportText(report), AllOf(HasSubstr("RESOURCE_EXHAUSTED"),
                                        Not(HasSubstr("health: p50"))));
  EXPECT_THAT(Verdict(report), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("health checks: ")));
}

TEST_F(LoadRunnerTest, AHealthCheckThatSaysNotServingHasFailed) {
  health_.serving = Serving::NOT_SERVING;
  const nlohmann::json report = Report();
  EXPECT_EQ(report["health"]["count"], 0);
  EXPECT_EQ(report["health"]["answers"].value("NOT_SERVING", 0),
            report["health"]["checks"]);
  EXPECT_THAT(Verdict(report), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("NOT_SERVING")));
}

TEST_F(LoadRunnerTest, AServerThatGoesAwayFailsItsHealthChecksAndItsCalls) {
  // The first call of a run asks for the concepts; whatever comes after that
  // meets a closed port.
  options_.warmup = absl::Milliseconds(300);
  std::thread killer([&] {
    absl::SleepFor(absl::Milliseconds(100));
    server_->Shutdown(std::chrono::system_clock::now());
  });
  const nlohmann::json report = Report();
  killer.join();
  EXPECT_EQ(report["health"]["answers"].value("UNAVAILABLE", 0),
            report["health"]["checks"]);
  EXPECT_EQ(report["health"]["failed"], report["health"]["checks"]);
  EXPECT_FALSE(report["codes"].contains("OK"));
  EXPECT_GT(report["codes"].value("UNAVAILABLE", 0), 0);
  EXPECT_FALSE(report.contains("latency"));
  EXPECT_THAT(Verdict(report),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("none of")));
}

TEST_F(LoadRunnerTest, AnAnswerWithoutWhatWasAskedForIsNoOk) {
  for (const bool whole : {true, false}) {
    concepts_.whole = whole;
    steering_.whole = whole;
    for (const char* rpc : {"read", "swap", "complete", "generate"}) {
      options_.mix = {{rpc, 1}};
      const nlohmann::json report = Report();
      EXPECT_EQ(report["codes"].contains("OK"), whole) << rpc << report;
      EXPECT_EQ(report["codes"].contains("INCOMPLETE"), !whole) << rpc;
      EXPECT_EQ(report["good_per_s"] > 0, whole) << rpc;
      EXPECT_EQ(Verdict(report).ok(), whole) << rpc;
      EXPECT_EQ(report["tokens_per_s"] > 0, whole && std::string(rpc) != "read")
          << rpc;
    }
  }
}

}  // namespace
}  // namespace alignsae
