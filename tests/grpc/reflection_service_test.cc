#include "server/grpc/reflection_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "alignsae/v1/steering_service.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace alignsae {
namespace {

using ::grpc::reflection::v1::ServerReflectionRequest;
using ::grpc::reflection::v1::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kSteering[] = "alignsae.v1.SteeringService";

class ReflectionServiceTest : public ::testing::Test {
 protected:
  ReflectionServiceTest() {
    v1::SwapRequest::descriptor();  // So that its file is linked.
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = server_->InProcessChannel({});
  }
  ~ReflectionServiceTest() override { server_->Shutdown(); }

  // The answers to `requests`, in one stream of `version`.
  std::vector<ServerReflectionResponse> Ask(
      const std::string& version,
      const std::vector<ServerReflectionRequest>& requests) {
    const std::string method = "/grpc.reflection." + version +
                               ".ServerReflection/ServerReflectionInfo";
    const grpc::internal::RpcMethod rpc(
        method.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING, channel_);
    grpc::ClientContext context;
    const std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest,
                                                   ServerReflectionResponse>>
        stream(grpc::internal::ClientReaderWriterFactory<
               ServerReflectionRequest,
               ServerReflectionResponse>::Create(channel_.get(), rpc,
                                                 &context));
    std::vector<ServerReflectionResponse> answers;
    for (const ServerReflectionRequest& request : requests) {
      EXPECT_TRUE(stream->Write(request));
      EXPECT_TRUE(stream->Read(&answers.emplace_back()));
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return answers;
  }

  static std::vector<std::string> FilesOf(
      const ServerReflectionResponse& response) {
    std::vector<std::string> names;
    for (const std::string& bytes :
         response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  ReflectionService service_{{kSteering}};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(ReflectionServiceTest, BothNamesAnswerAlike) {
  ServerReflectionRequest list;
  list.set_host("h");
  list.set_list_services("");
  ServerReflectionRequest symbol;
  symbol.set_file_containing_symbol("alignsae.v1.SteeringService.Swap");
  for (const char* version : {"v1", "v1alpha"}) {
    const auto answers = Ask(version, {list, symbol, list});
    ASSERT_EQ(answers.size(), 3u);
    std::vector<std::string> names;
    for (const auto& one : answers[0].list_services_response().service()) {
      names.push_back(one.name());
    }
    EXPECT_THAT(names,
                ElementsAre(kSteering, "grpc.reflection.v1.ServerReflection"));
    EXPECT_EQ(answers[0].valid_host(), "h");
    EXPECT_EQ(answers[0].original_request().SerializeAsString(),
              list.SerializeAsString());
    const std::vector<std::string> files = FilesOf(answers[1]);
    EXPECT_EQ(files[0], "alignsae/v1/steering_service.proto");
    // With all that it imports, each once.
    EXPECT_THAT(files, Contains("alignsae/v1/common.proto").Times(1));
    EXPECT_THAT(files, Contains("alignsae/v1/generation.proto").Times(1));
    EXPECT_EQ(answers[2].SerializeAsString(), answers[0].SerializeAsString());
  }
}

TEST_F(ReflectionServiceTest, AnswersEveryKindOfQuestion) {
  ServerReflectionRequest request;
  request.set_file_by_filename("alignsae/v1/common.proto");
  EXPECT_THAT(FilesOf(service_.Answer(request)),
              ElementsAre("alignsae/v1/common.proto"));
  request.set_all_extension_numbers_of_type("alignsae.v1.SwapRequest");
  EXPECT_EQ(service_.Answer(request)
                .all_extension_numbers_response()
                .base_type_name(),
            "alignsae.v1.SwapRequest");
}

TEST_F(ReflectionServiceTest, SaysWhatIsNotThere) {
  std::vector<ServerReflectionRequest> requests(4);
  requests[0].set_file_by_filename("no.proto");
  requests[1].set_file_containing_symbol("alignsae.v1.Nothing");
  requests[2].set_all_extension_numbers_of_type("Nothing");
  requests[3].mutable_file_containing_extension()->set_containing_type(
      "alignsae.v1.SwapRequest");
  for (const ServerReflectionRequest& request : requests) {
    const ServerReflectionResponse response = service_.Answer(request);
    const auto& error = response.error_response();
    EXPECT_EQ(error.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_THAT(error.error_message(), HasSubstr(": must be one that"));
  }
  EXPECT_EQ(service_.Answer({}).error_response().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace alignsae
