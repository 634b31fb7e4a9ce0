// ReflectionService: grpc.reflection.v1.ServerReflection, and the same under
// its older name, v1alpha, which many clients still call.
//
// Decision: not Debian's libgrpc++_reflection, which knows v1alpha only and
// turns itself on for every server of a process that loads it.
//
// Threads: answered on gRPC's own, from descriptors that are in the program; a
// client has one answer under way for each stream. Nothing blocks.
//
// Thread-safety: immutable. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_REFLECTION_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_REFLECTION_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.grpc.pb.h"

namespace alignsae {

class ReflectionService final : public grpc::Service {
 public:
  // Whether the caller may ask; null: everybody may.
  using Permit = std::function<grpc::Status(grpc::CallbackServerContext*)>;
  // `services`: full names of those to list beside this one.
  explicit ReflectionService(std::vector<std::string> services,
                             Permit permit = nullptr);

  // The answer to one request.
  grpc::reflection::v1::ServerReflectionResponse Answer(
      const grpc::reflection::v1::ServerReflectionRequest& request) const;

 private:
  class Stream;

  std::vector<std::string> services_;
  const Permit permit_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_REFLECTION_SERVICE_H_
