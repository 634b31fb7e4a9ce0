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
#include "server/api/methods.h"
#include "server/grpc/concept_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/steering_service.h"
#include "server/registry/model_registry.h"
#include "tests/api/parse_fixture.h"
#include "tests/support/fake_step_executor.h"

namespace alignsae {

// A server on a loopback port whose model is loaded when Load() is called.
class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest()
      : metrics_(RpcMethods(), "test"),
        executor_(4),
        registry_({SchedulerOptions(), &clock_, &metrics_}),
        lanes_({.interactive_waiting = 64, .background_waiting = 2}),
        env_{&registry_, &lanes_,      &metrics_,
             &clock_,    &open_calls_, ServerConfig()},
        concepts_(&env_),
        steering_(&env_),
        models_(&env_) {
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
    registry_.EndAll();
    server_->Shutdown();
    lanes_.Stop();
  }

  void Load() {
    ASSERT_TRUE(registry_.Load(kDefaultModel, [this] { return Model(); }).ok());
  }
  // Around the executor of the fixture, which is not the model's.
  LoadedModel Model() {
    return {catalog_, tokenizer_,
            std::shared_ptr<StepExecutor>(std::shared_ptr<void>(), &executor_)};
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
  std::shared_ptr<const Catalog> catalog_ = SmallCatalog();
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  FakeStepExecutor executor_;
  std::atomic<int> open_calls_{0};
  ModelRegistry registry_;
  Lanes lanes_;
  RpcEnv env_;
  ConceptServiceImpl concepts_;
  SteeringServiceImpl steering_;
  ModelServiceImpl models_;
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
