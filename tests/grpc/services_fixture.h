// ServicesTest: the services over a real gRPC channel, with the fake executor
// behind the scheduler.

#ifndef ALIGNSAE_TESTS_GRPC_SERVICES_FIXTURE_H_
#define ALIGNSAE_TESTS_GRPC_SERVICES_FIXTURE_H_

#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "model/scheduler/step_thread.h"
#include "server/api/methods.h"
#include "server/grpc/concept_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/steering_service.h"
#include "server/registry/metrics_observer.h"
#include "tests/api/parse_fixture.h"
#include "tests/support/fake_step_executor.h"

namespace alignsae {

// A server on a loopback port whose model is loaded when Load() is called.
class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest()
      : metrics_(RpcMethods(), "test"),
        workers_(2, 64),
        env_{&serving_, &workers_,    &metrics_,
             &clock_,   &open_calls_, ServerConfig()},
        concepts_(&env_),
        steering_(&env_),
        models_(&env_),
        executor_(4) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    for (grpc::Service* service :
         std::vector<grpc::Service*>{&concepts_, &steering_, &models_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    channel_ =
        grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    concept_stub_ = v1::ConceptService::NewStub(channel_);
    steering_stub_ = v1::SteeringService::NewStub(channel_);
    model_stub_ = v1::ModelService::NewStub(channel_);
  }

  ~ServicesTest() override {
    if (steps_ != nullptr) steps_->Stop();
    server_->Shutdown();
  }

  void Load() {
    metrics_.SetCatalog(*catalog_, executor_.kv_slots());
    observer_ = std::make_unique<MetricsObserver>(&metrics_, catalog_);
    scheduler_ = std::make_unique<Scheduler>(
        SchedulerOptions(), &executor_, &clock_,
        SequenceEnv{catalog_,
                    [this](int32_t id) { return TextBytes(*tokenizer_, id); }},
        observer_.get());
    steps_ = std::make_unique<StepThread>(scheduler_.get());
    serving_.Set(std::make_shared<const Serving>(
        Serving{catalog_, tokenizer_, scheduler_.get()}));
  }

  std::string Metric(const std::string& start) {
    for (const std::string& line : std::vector<std::string>(
             absl::StrSplit(metrics_.ExpositionText(), '\n'))) {
      if (line.rfind(start, 0) == 0) return line.substr(start.size() + 1);
    }
    return "none";
  }
  // Until the metric has the value, which a call's end may be ahead of.
  bool Reaches(const std::string& start, const std::string& value) {
    for (int i = 0; i < 500 && Metric(start) != value; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return Metric(start) == value;
  }

  RealClock clock_;
  Metrics metrics_;
  ServingState serving_;
  WorkerPool workers_;
  std::atomic<int> open_calls_{0};
  RpcEnv env_;
  ConceptServiceImpl concepts_;
  SteeringServiceImpl steering_;
  ModelServiceImpl models_;
  std::shared_ptr<const Catalog> catalog_ = SmallCatalog();
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  FakeStepExecutor executor_;
  std::unique_ptr<MetricsObserver> observer_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<StepThread> steps_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ConceptService::Stub> concept_stub_;
  std::unique_ptr<v1::SteeringService::Stub> steering_stub_;
  std::unique_ptr<v1::ModelService::Stub> model_stub_;
};

inline google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  EXPECT_TRUE(details.details_size() > 0 && details.details(0).UnpackTo(&info));
  return info;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_GRPC_SERVICES_FIXTURE_H_
