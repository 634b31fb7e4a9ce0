// Names of the API's RPCs, "Service/Method", as in metrics and log lines.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_SERVER_API_METHODS_H_
#define ALIGNSAE_SERVER_API_METHODS_H_

#include <string>
#include <vector>

namespace alignsae {

inline constexpr char kRpcReadConcepts[] = "ConceptService/ReadConcepts";
inline constexpr char kRpcReadConceptsStream[] =
    "ConceptService/ReadConceptsStream";
inline constexpr char kRpcInspectSlots[] = "ConceptService/InspectSlots";
inline constexpr char kRpcExplainSlot[] = "ConceptService/ExplainSlot";
inline constexpr char kRpcWatchSlots[] = "ConceptService/WatchSlots";
inline constexpr char kRpcValidateBinding[] = "ConceptService/ValidateBinding";
inline constexpr char kRpcSwap[] = "SteeringService/Swap";
inline constexpr char kRpcGenerate[] = "SteeringService/Generate";
inline constexpr char kRpcComplete[] = "SteeringService/Complete";
inline constexpr char kRpcSweepAlpha[] = "SteeringService/SweepAlpha";
inline constexpr char kRpcSwapMatrix[] = "SteeringService/SwapMatrix";
inline constexpr char kRpcFindAlpha[] = "SteeringService/FindAlpha";
inline constexpr char kRpcGetModel[] = "ModelService/GetModel";
inline constexpr char kRpcListConcepts[] = "ModelService/ListConcepts";
inline constexpr char kRpcTokenize[] = "ModelService/Tokenize";
inline constexpr char kRpcDetokenize[] = "ModelService/Detokenize";
inline constexpr char kRpcModelReady[] = "GRPCInferenceService/ModelReady";
inline constexpr char kRpcModelMetadata[] =
    "GRPCInferenceService/ModelMetadata";
inline constexpr char kRpcListCheckpoints[] = "OperatorService/ListCheckpoints";
inline constexpr char kRpcLoadCheckpoint[] = "OperatorService/LoadCheckpoint";
inline constexpr char kRpcUnloadCheckpoint[] =
    "OperatorService/UnloadCheckpoint";
inline constexpr char kRpcReloadModel[] = "OperatorService/ReloadModel";
inline constexpr char kRpcUnloadModel[] = "OperatorService/UnloadModel";
inline constexpr char kRpcSetRollout[] = "OperatorService/SetRollout";
// Not of the API, and no Call.
inline constexpr char kRpcReflection[] =
    "ServerReflection/ServerReflectionInfo";

// For everybody.
inline std::vector<std::string> RpcMethods() {
  return {kRpcReadConcepts, kRpcReadConceptsStream, kRpcInspectSlots,
          kRpcWatchSlots,   kRpcExplainSlot,        kRpcValidateBinding,
          kRpcSwap,         kRpcGenerate,           kRpcComplete,
          kRpcSweepAlpha,   kRpcSwapMatrix,         kRpcFindAlpha,
          kRpcGetModel,     kRpcListConcepts,       kRpcTokenize,
          kRpcDetokenize};
}

// Of the Open Inference Protocol, over gRPC only.
inline std::vector<std::string> InferenceMethods() {
  return {kRpcModelReady, kRpcModelMetadata};
}

// For operators, on a port of their own.
inline std::vector<std::string> OperatorMethods() {
  return {kRpcListCheckpoints, kRpcLoadCheckpoint, kRpcUnloadCheckpoint,
          kRpcReloadModel,     kRpcUnloadModel,    kRpcSetRollout};
}

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_METHODS_H_
