// ServicesTest: the services over a real gRPC channel.

#ifndef ALIGNSAE_TESTS_GRPC_SERVICES_FIXTURE_H_
#define ALIGNSAE_TESTS_GRPC_SERVICES_FIXTURE_H_

#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/grpc/concept_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/steering_service.h"
#include "tests/api/parse_fixture.h"
#include "tests/support/serving_fixture.h"

namespace alignsae {

// A server on a loopback port whose model is loaded when Load() is called.
class ServicesTest : public ServingTest {
 protected:
  ServicesTest() : concepts_(&env_), steering_(&env_), models_(&env_) {
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
