#include "server/http/connect_rpcs.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/api/concept_rpcs.h"
#include "server/api/explain_slot.h"
#include "server/api/find_alpha.h"
#include "server/api/methods.h"
#include "server/api/model_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "server/http/connect_stream.h"

namespace alignsae {
namespace {

using google::protobuf::Message;

constexpr char kPackage[] = "/alignsae.v1.";

// `Rpc`: the RPC's function of server/api.
template <typename Request, typename Response,
          void (*Rpc)(std::shared_ptr<Call>, const Request*, Response*, Done)>
ConnectRpc Unary(absl::string_view method) {
  return {method, &Request::default_instance(), &Response::default_instance(),
          [](std::shared_ptr<Call> call, const Message& request,
             Message* response, Done done) {
            Rpc(std::move(call), static_cast<const Request*>(&request),
                static_cast<Response*>(response), std::move(done));
          }};
}

template <typename Request, typename Response, auto Rpc>
ConnectRpc StreamRpc(absl::string_view method) {
  return {method, &Request::default_instance(), &Response::default_instance(),
          nullptr, [](std::shared_ptr<ConnectCall> call) {
            const auto sink = std::make_shared<ConnectStream<Response>>(call);
            sink->Start(Rpc(call->call,
                            static_cast<const Request*>(call->request.get()),
                            sink));
          }};
}

std::map<std::string, ConnectRpc, std::less<>> AllRpcs() {
  std::map<std::string, ConnectRpc, std::less<>> all;
  for (const ConnectRpc& rpc :
       {Unary<v1::ReadConceptsRequest, v1::ReadConceptsResponse, &ReadConcepts>(
            kRpcReadConcepts),
        Unary<v1::InspectSlotsRequest, v1::InspectSlotsResponse, &InspectSlots>(
            kRpcInspectSlots),
        Unary<v1::ExplainSlotRequest, v1::ExplainSlotResponse, &ExplainSlot>(
            kRpcExplainSlot),
        StreamRpc<v1::WatchSlotsRequest, v1::WatchSlotsResponse, &WatchSlots>(
            kRpcWatchSlots),
        StreamRpc<v1::ValidateBindingRequest, v1::ValidateBindingResponse,
                  &ValidateBinding>(kRpcValidateBinding),
        Unary<v1::SwapRequest, v1::SwapResponse, &Swap>(kRpcSwap),
        StreamRpc<v1::GenerateRequest, v1::GenerateResponse, &Generate>(
            kRpcGenerate),
        Unary<v1::CompleteRequest, v1::CompleteResponse, &Complete>(
            kRpcComplete),
        StreamRpc<v1::SweepAlphaRequest, v1::SweepAlphaResponse, &SweepAlpha>(
            kRpcSweepAlpha),
        StreamRpc<v1::SwapMatrixRequest, v1::SwapMatrixResponse, &SwapMatrix>(
            kRpcSwapMatrix),
        Unary<v1::FindAlphaRequest, v1::FindAlphaResponse, &FindAlpha>(
            kRpcFindAlpha),
        Unary<v1::GetModelRequest, v1::GetModelResponse, &GetModel>(
            kRpcGetModel),
        Unary<v1::ListConceptsRequest, v1::ListConceptsResponse, &ListConcepts>(
            kRpcListConcepts),
        Unary<v1::TokenizeRequest, v1::TokenizeResponse, &Tokenize>(
            kRpcTokenize),
        Unary<v1::DetokenizeRequest, v1::DetokenizeResponse, &Detokenize>(
            kRpcDetokenize)}) {
    all[absl::StrCat(kPackage, rpc.method)] = rpc;
  }
  return all;
}

}  // namespace

const ConnectRpc* FindConnectRpc(absl::string_view path) {
  static const auto* const all = new auto(AllRpcs());
  const auto found = all->find(path);
  return found == all->end() ? nullptr : &found->second;
}

}  // namespace alignsae
