#include "server/grpc/reflection_service.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "model/base/quote.h"

namespace alignsae {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

constexpr const char* kMethods[] = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
constexpr size_t kMaxNameBytes = 512;

// `file` and all that it imports, each once.
void AddFile(const google::protobuf::FileDescriptor& file,
             std::set<std::string>& seen, ServerReflectionResponse& response) {
  if (!seen.insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(
      proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), seen, response);
  }
}

void NotFound(absl::string_view what, absl::string_view name,
              ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(
      grpc::StatusCode::NOT_FOUND);
  response.mutable_error_response()->set_error_message(
      absl::StrCat(what, ": must be one that the server has, got ",
                   Quoted(name.substr(0, kMaxNameBytes))));
}

void AnswerFile(const google::protobuf::FileDescriptor* file,
                absl::string_view what, absl::string_view name,
                ServerReflectionResponse& response) {
  if (file == nullptr) {
    NotFound(what, name, response);
    return;
  }
  std::set<std::string> seen;
  AddFile(*file, seen, response);
}

void AnswerNumbers(const std::string& type,
                   ServerReflectionResponse& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const Descriptor* message = pool.FindMessageTypeByName(type);
  if (message == nullptr) {
    NotFound("all_extension_numbers_of_type", type, response);
    return;
  }
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(message, &extensions);
  auto* numbers = response.mutable_all_extension_numbers_response();
  numbers->set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    numbers->add_extension_number(extension->number());
  }
}

}  // namespace

class ReflectionService::Stream final
    : public grpc::ServerBidiReactor<ServerReflectionRequest,
                                     ServerReflectionResponse> {
 public:
  Stream(const ReflectionService* service, const grpc::Status& permitted)
      : service_(service) {
    if (permitted.ok()) {
      StartRead(&request_);
    } else {
      Finish(permitted);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    response_ = service_->Answer(request_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&request_);
    if (!ok) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  const ReflectionService* const service_;
  ServerReflectionRequest request_;
  ServerReflectionResponse response_;
};

// What the code that protoc generates for a service does, for two names of it.
ReflectionService::ReflectionService(std::vector<std::string> services,
                                     Permit permit)
    : services_(std::move(services)), permit_(std::move(permit)) {
  services_.emplace_back("grpc.reflection.v1.ServerReflection");
  for (size_t i = 0; i < std::size(kMethods); ++i) {
    AddMethod(new grpc::internal::RpcServiceMethod(
        kMethods[i], grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodCallback(
        static_cast<int>(i),
        new grpc::internal::CallbackBidiHandler<ServerReflectionRequest,
                                                ServerReflectionResponse>(
            [this](grpc::CallbackServerContext* context) {
              return new Stream(this, permit_ == nullptr ? grpc::Status::OK
                                                         : permit_(context));
            }));
  }
}

ServerReflectionResponse ReflectionService::Answer(
    const ServerReflectionRequest& request) const {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()),
                 "file_by_filename", request.file_by_filename(), response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AnswerFile(
          pool.FindFileContainingSymbol(request.file_containing_symbol()),
          "file_containing_symbol", request.file_containing_symbol(), response);
      break;
    case ServerReflectionRequest::kFileContainingExtension: {
      const auto& asked = request.file_containing_extension();
      const Descriptor* message =
          pool.FindMessageTypeByName(asked.containing_type());
      const FieldDescriptor* extension =
          message == nullptr
              ? nullptr
              : pool.FindExtensionByNumber(message, asked.extension_number());
      AnswerFile(extension == nullptr ? nullptr : extension->file(),
                 "file_containing_extension", asked.containing_type(),
                 response);
      break;
    }
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      AnswerNumbers(request.all_extension_numbers_of_type(), response);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services_) {
        response.mutable_list_services_response()->add_service()->set_name(
            service);
      }
      break;
    default:
      response.mutable_error_response()->set_error_code(
          grpc::StatusCode::INVALID_ARGUMENT);
      response.mutable_error_response()->set_error_message(
          "message_request: must be there");
      break;
  }
  return response;
}

}  // namespace alignsae
