#include "server/grpc/health_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "grpc/health/v1/health.grpc.pb.h"

namespace alignsae {
namespace {

using ::grpc::health::v1::Health;
using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

constexpr char kApi[] = "alignsae.v1.ModelService";

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() : service_({kApi}, /*max_watches=*/2) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = Health::NewStub(server_->InProcessChannel({}));
  }
  ~HealthServiceTest() override { server_->Shutdown(); }

  grpc::Status Check(const std::string& name, HealthCheckResponse* response) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(name);
    return stub_->Check(&context, request, response);
  }

  HealthCheckResponse::ServingStatus StatusOf(const std::string& name) {
    HealthCheckResponse response;
    const grpc::Status status = Check(name, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  HealthService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Health::Stub> stub_;
};

// A Watch stream that is cancelled when it goes.
class Watch {
 public:
  Watch(Health::Stub& stub, const std::string& name) {
    HealthCheckRequest request;
    request.set_service(name);
    reader_ = stub.Watch(&context_, request);
  }
  ~Watch() {
    context_.TryCancel();
    if (reader_ != nullptr) End();
  }

  HealthCheckResponse::ServingStatus Next() {
    HealthCheckResponse response;
    EXPECT_TRUE(reader_->Read(&response));
    return response.status();
  }

  // What the server ended the stream with; nothing may be called after it.
  grpc::Status End() {
    HealthCheckResponse rest;
    while (reader_->Read(&rest)) {
    }
    const grpc::Status status = reader_->Finish();
    reader_.reset();
    return status;
  }

  // Whether the server has ended the stream.
  bool Ended() {
    HealthCheckResponse response;
    return !reader_->Read(&response);
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

TEST_F(HealthServiceTest, ListTellsEveryName) {
  const auto list = [this] {
    grpc::ClientContext context;
    grpc::health::v1::HealthListResponse response;
    EXPECT_TRUE(stub_->List(&context, {}, &response).ok());
    std::map<std::string, HealthCheckResponse::ServingStatus> statuses;
    for (const auto& [name, one] : response.statuses()) {
      statuses[name] = one.status();
    }
    return statuses;
  };
  for (bool ready : {false, true}) {
    service_.SetReady(ready);
    const auto statuses = list();
    EXPECT_EQ(statuses.size(), 5u);
    for (const auto& [name, status] : statuses) {
      EXPECT_EQ(status, StatusOf(name)) << name;
    }
    EXPECT_EQ(statuses.count(kApi), 1u);
  }
}

TEST_F(HealthServiceTest, LivenessDoesNotWaitForReadiness) {
  EXPECT_EQ(StatusOf("liveness"), HealthCheckResponse::SERVING);
  for (const char* name : {"", "readiness", kApi}) {
    EXPECT_EQ(StatusOf(name), HealthCheckResponse::NOT_SERVING) << name;
  }
  service_.SetReady(true);
  for (const char* name : {"liveness", "", "readiness", kApi}) {
    EXPECT_EQ(StatusOf(name), HealthCheckResponse::SERVING) << name;
  }
  service_.SetReady(false);
  EXPECT_EQ(StatusOf("liveness"), HealthCheckResponse::SERVING);
  EXPECT_EQ(StatusOf(kApi), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, UnknownServiceIsNotFound) {
  HealthCheckResponse response;
  const grpc::Status status = Check("no.such.Service", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(),
            "service: must be \"\", liveness, readiness or a service of the "
            "API");
}

TEST_F(HealthServiceTest, LongNameIsRefused) {
  HealthCheckResponse response;
  const grpc::Status status = Check(std::string(201, 'x'), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "service: must be at most 200 bytes, got 201");
}

TEST_F(HealthServiceTest, WatchTellsTheStateNowAndEveryChange) {
  Watch watch(*stub_, "readiness");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  service_.SetReady(true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  service_.SetReady(true);  // No change: nothing is sent.
  service_.SetReady(false);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, WatchOfAnUnknownServiceSaysSo) {
  Watch watch(*stub_, "no.such.Service");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthServiceTest, TheOldestWatchGivesWayToANewOne) {
  Watch first(*stub_, "");
  EXPECT_EQ(first.Next(), HealthCheckResponse::NOT_SERVING);
  Watch second(*stub_, "");
  EXPECT_EQ(second.Next(), HealthCheckResponse::NOT_SERVING);
  Watch third(*stub_, "readiness");
  EXPECT_EQ(third.Next(), HealthCheckResponse::NOT_SERVING);
  const grpc::Status status = first.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("gave way"));
  service_.SetReady(true);
  EXPECT_EQ(second.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(third.Next(), HealthCheckResponse::SERVING);
}

TEST_F(HealthServiceTest, AWatchOfAnUnknownNameGivesWayFirst) {
  Watch first(*stub_, "");
  EXPECT_EQ(first.Next(), HealthCheckResponse::NOT_SERVING);
  Watch unknown(*stub_, "no.such.Service");
  EXPECT_EQ(unknown.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  Watch third(*stub_, "");
  EXPECT_EQ(third.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(unknown.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  service_.SetReady(true);
  EXPECT_EQ(first.Next(), HealthCheckResponse::SERVING);
}

TEST_F(HealthServiceTest, ShutdownEndsOpenWatches) {
  Watch watch(*stub_, "liveness");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  server_->Shutdown(std::chrono::system_clock::now());  // Does not hang.
  EXPECT_TRUE(watch.Ended());
}

}  // namespace
}  // namespace alignsae
