// ArenaMessages: request and answer of a unary RPC in one arena, for RPCs whose
// answers have very many parts.
//
// Without it gRPC's threads, of which there are two, free each part by itself
// when the call is over, and wait for whoever else has hold of the allocator: a
// thread of low priority may have it and not the processor.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.
//
// Example, in the constructor of a service:
//   SetMessageAllocatorFor_Tokenize(&tokenize_messages_);

#ifndef ALIGNSAE_SERVER_GRPC_ARENA_MESSAGES_H_
#define ALIGNSAE_SERVER_GRPC_ARENA_MESSAGES_H_

#include <google/protobuf/arena.h>
#include <grpcpp/support/message_allocator.h>

#include <cstddef>

namespace alignsae {

template <typename Request, typename Response>
class ArenaMessages final : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    return new Holder;
  }

 private:
  class Holder final : public grpc::MessageHolder<Request, Response> {
   public:
    Holder() : arena_(Options()) {
      this->set_request(
          google::protobuf::Arena::CreateMessage<Request>(&arena_));
      this->set_response(
          google::protobuf::Arena::CreateMessage<Response>(&arena_));
    }
    void Release() override { delete this; }

   private:
    // Blocks double up to this size.
    static constexpr size_t kLargestBlock = 256 << 10;
    static google::protobuf::ArenaOptions Options() {
      google::protobuf::ArenaOptions options;
      options.max_block_size = kLargestBlock;
      return options;
    }
    google::protobuf::Arena arena_;
  };
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_ARENA_MESSAGES_H_
