// What is loaded, as wire messages.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_RENDER_CATALOG_H_
#define ALIGNSAE_SERVER_API_RENDER_CATALOG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "alignsae/v1/common.pb.h"
#include "alignsae/v1/model_service.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "model/steering/catalog.h"
#include "server/config/server_config.h"

namespace alignsae {

// `checkpoint`: index into the catalog of the one that was read from.
v1::AnswerInfo RenderInfo(const Catalog& catalog, const std::string& request_id,
                          std::optional<int> checkpoint);
v1::HookPoint RenderHook(const HookPoint& hook);
// [R] columns of the readings of `checkpoint`.
google::protobuf::RepeatedPtrField<v1::ConceptLabel> RenderLabels(
    const CheckpointInfo& checkpoint);
v1::Model RenderModel(const ModelInfo& model);
v1::Checkpoint RenderCheckpoint(const CheckpointInfo& checkpoint);
// Of a model whose KV cache holds `kv_tokens`.
v1::Limits RenderLimits(const ServerConfig& config, int64_t kv_tokens);
v1::CheckpointConcepts RenderConcepts(const CheckpointInfo& checkpoint,
                                      bool include_evaluation);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RENDER_CATALOG_H_
