// Names of the API's RPCs, "Service/Method", as in metrics and log lines.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_SERVER_API_METHODS_H_
#define ALIGNSAE_SERVER_API_METHODS_H_

#include <string>
#include <vector>

namespace alignsae {

inline constexpr char kReadConcepts[] = "ConceptService/ReadConcepts";
inline constexpr char kInspectSlots[] = "ConceptService/InspectSlots";
inline constexpr char kSwap[] = "SteeringService/Swap";
inline constexpr char kGenerate[] = "SteeringService/Generate";
inline constexpr char kComplete[] = "SteeringService/Complete";
inline constexpr char kSweepAlpha[] = "SteeringService/SweepAlpha";
inline constexpr char kGetModel[] = "ModelService/GetModel";
inline constexpr char kListConcepts[] = "ModelService/ListConcepts";
inline constexpr char kTokenize[] = "ModelService/Tokenize";
inline constexpr char kDetokenize[] = "ModelService/Detokenize";

inline std::vector<std::string> RpcMethods() {
  return {kReadConcepts, kInspectSlots, kSwap,         kGenerate, kComplete,
          kSweepAlpha,   kGetModel,     kListConcepts, kTokenize, kDetokenize};
}

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_METHODS_H_
