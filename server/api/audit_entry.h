// AuditEntry: what a call asked to steer and what became of it, as one line of
// the audit log. Never with text of a prompt or an answer.
//
//   {"time", "principal", "host", "client", "rpc", "request_id", "receipt_id",
//    "model", "generation_id", "outcome", "reason",
//    "interventions": [{"mode", "checkpoint", "concept", "slot",
//                       "source_concept", "source_slot", "vector", "alpha",
//                       "unit", "hook", "positions", "position_count",
//                       "generated", "when": {"concept", "bound", "above"}}],
//    "more_interventions", "positions_applied", "norm_ratio"}
//
// What an intervention does not have is absent; 256 of them are listed; so are
// receipt_id and what follows from the model's work where it never ran.
// norm_ratio is the largest norm(change) / norm(h) of the positions that
// receipts list; positions are the first 32 of the prompt.
//
// Thread-safety: not thread-safe; whoever works on the call, one at a time.

#ifndef ALIGNSAE_SERVER_API_AUDIT_ENTRY_H_
#define ALIGNSAE_SERVER_API_AUDIT_ENTRY_H_

#include <cstdint>
#include <string>

#include "model/scheduler/request.h"
#include "model/steering/catalog.h"
#include "nlohmann/json.hpp"

namespace alignsae {

class AuditEntry {
 public:
  // Whether the call asked for an intervention.
  bool steers() const { return !interventions_.empty(); }

  // What is about to be submitted, before it is decided on.
  void SetAsked(const RequestSpec& spec, const Catalog& catalog);
  // A sequence has ended.
  void AddFinished(const SequenceFinished& finished);

  // With what is known of the model's work.
  void AddTo(nlohmann::ordered_json& line) const;

 private:
  nlohmann::ordered_json interventions_ = nlohmann::ordered_json::array();
  int64_t more_ = 0;  // That are not listed.
  std::string model_;
  uint64_t generation_ = 0;
  bool ran_ = false;
  int64_t positions_applied_ = 0;
  double norm_ratio_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_AUDIT_ENTRY_H_
