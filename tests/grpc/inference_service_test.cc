// What the Open Inference Protocol is told of server and models.

#include "server/grpc/inference_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "model/base/version.h"
#include "tests/api/parse_fixture.h"
#include "tests/support/serving_fixture.h"

namespace alignsae {
namespace {

using ::inference::GRPCInferenceService;
using ::testing::ElementsAre;

class InferenceServiceTest : public ServingTest {
 protected:
  InferenceServiceTest()
      : service_(&env_, [this] { return ready_.load(); }, {"a.Service"}) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = GRPCInferenceService::NewStub(server_->InProcessChannel({}));
  }
  ~InferenceServiceTest() override {
    registry_.EndAll();
    server_->Shutdown();
    lanes_.Stop();
  }

  // Fills `response` by the method of the stub.
  template <typename Request, typename Response>
  grpc::Status Ask(grpc::Status (GRPCInferenceService::Stub::*method)(
                       grpc::ClientContext*, const Request&, Response*),
                   const std::string& request, Response* response) {
    grpc::ClientContext context;
    response->Clear();
    return (stub_.get()->*method)(&context, FromText<Request>(request),
                                  response);
  }

  std::atomic<bool> ready_{false};
  InferenceServiceImpl service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

using Stub = GRPCInferenceService::Stub;

TEST_F(InferenceServiceTest, TheServerTellsOfItself) {
  inference::ServerLiveResponse live;
  ASSERT_TRUE(Ask(&Stub::ServerLive, "", &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(Ask(&Stub::ServerReady, "", &ready).ok());
  EXPECT_FALSE(ready.ready());
  ready_ = true;
  ASSERT_TRUE(Ask(&Stub::ServerReady, "", &ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse metadata;
  ASSERT_TRUE(Ask(&Stub::ServerMetadata, "", &metadata).ok());
  EXPECT_EQ(metadata.name(), "alignsae-server");
  EXPECT_EQ(metadata.version(), kVersion);
  EXPECT_THAT(metadata.extensions(), ElementsAre("a.Service"));
}

TEST_F(InferenceServiceTest, AModelIsReadyFromItsLoadToTheDrain) {
  inference::ModelReadyResponse ready;
  ASSERT_TRUE(Ask(&Stub::ModelReady, "", &ready).ok());
  EXPECT_FALSE(ready.ready());
  Load();
  for (const char* asked : {"", "name: 'small'", "version: '1'"}) {
    ASSERT_TRUE(Ask(&Stub::ModelReady, asked, &ready).ok()) << asked;
    EXPECT_TRUE(ready.ready()) << asked;
  }
  registry_.RefuseNew();
  ASSERT_TRUE(Ask(&Stub::ModelReady, "name: 'small'", &ready).ok());
  EXPECT_FALSE(ready.ready());
}

TEST_F(InferenceServiceTest, WhatIsNotServedIsNotFound) {
  Load();
  inference::ModelReadyResponse ready;
  inference::ModelMetadataResponse metadata;
  for (const auto& [asked, told] :
       {std::pair("name: 'no'", "name: must be one that is loaded, got \"no\""),
        std::pair("version: '2'",
                  "version: must be the generation that serves, 1, or empty, "
                  "got \"2\"")}) {
    grpc::Status status = Ask(&Stub::ModelReady, asked, &ready);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(status.error_message(), told);
    status = Ask(&Stub::ModelMetadata, asked, &metadata);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(status.error_message(), told);
  }
}

TEST_F(InferenceServiceTest, AModelTellsItsNameVersionAndTensors) {
  inference::ModelMetadataResponse metadata;
  EXPECT_EQ(Ask(&Stub::ModelMetadata, "", &metadata).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  Load();
  ASSERT_TRUE(Ask(&Stub::ModelMetadata, "name: 'small'", &metadata).ok());
  EXPECT_EQ(metadata.name(), "small");
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  EXPECT_EQ(metadata.platform(), "alignsae");
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).name(), "token_ids");
  EXPECT_EQ(metadata.inputs(0).datatype(), "INT64");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1));
  ASSERT_EQ(metadata.outputs_size(), 1);
  EXPECT_EQ(metadata.outputs(0).name(), "concept_probabilities");
  EXPECT_EQ(metadata.outputs(0).datatype(), "FP32");
  EXPECT_THAT(metadata.outputs(0).shape(),
              ElementsAre(static_cast<int64_t>(
                  catalog_->checkpoints[0].concepts.size())));
}

}  // namespace
}  // namespace alignsae
