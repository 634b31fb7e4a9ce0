#include "server/api/held_bytes.h"

#include <algorithm>

#include "server/api/render_activity.h"
#include "server/metrics/metrics.h"

namespace alignsae {
namespace {

// A call with its reactor, context and message without content.
constexpr int64_t kCall = 16 << 10;
// A generated token: its event, the message and what is sent.
constexpr int64_t kToken = 384;
constexpr int64_t kTopLogprob = 128;
constexpr int64_t kReading = 512;
constexpr int64_t kReadingConcept = 32;
constexpr int64_t kPromptToken = 16;
constexpr int64_t kPositionEffect = 192;
constexpr int64_t kFeature = 64;
constexpr int64_t kTokenPiece = 128;
constexpr int64_t kDescribed = 512;
constexpr int64_t kCertificate = 256;
// A concept's activity, or a pair, as message and as JSON.
constexpr int64_t kActivity = 1024;

int64_t MostConcepts(const Catalog& catalog) {
  size_t most = 0;
  for (const CheckpointInfo& checkpoint : catalog.checkpoints) {
    most = std::max(most, checkpoint.concepts.size());
  }
  return static_cast<int64_t>(most);
}

int64_t OfSequence(const SequenceSpec& sequence, int64_t reading,
                   const Catalog& catalog) {
  const int64_t new_tokens = sequence.max_new_tokens;
  int64_t bytes =
      kReading + kPromptToken * static_cast<int64_t>(sequence.prompt.size());
  bytes += new_tokens * (kToken + kTopLogprob * sequence.sampling.n_logprobs +
                         (sequence.trace ? reading : 0));
  if (sequence.prompt_logprobs.has_value()) {
    bytes += static_cast<int64_t>(sequence.prompt.size()) *
             (kToken + kTopLogprob * *sequence.prompt_logprobs);
  }
  for (const Observation& observation : sequence.observations) {
    const int64_t residual =
        observation.whole ? int64_t{4} * catalog.model.d_model : 0;
    bytes += static_cast<int64_t>(observation.positions.size()) *
             (reading + residual);
  }
  for (const Intervention& intervention : *sequence.interventions) {
    const int64_t positions =
        static_cast<int64_t>(intervention.positions.prompt.size()) +
        (intervention.positions.generated ? new_tokens : 0);
    bytes += (kPositionEffect + (intervention.measure ? reading : 0)) *
             std::min<int64_t>(positions, kMaxReceiptPositions);
    if (intervention.vector != nullptr) {
      bytes += int64_t{4} * catalog.model.d_model;
    }
  }
  return bytes;
}

}  // namespace

int64_t HeldBytes(const RequestSpec& spec, const Catalog& catalog) {
  const int64_t reading = kReading + kReadingConcept * MostConcepts(catalog);
  int64_t bytes = kCall;
  for (const SequenceSpec& sequence : spec.sequences) {
    bytes += OfSequence(sequence, reading, catalog);
  }
  return bytes;
}

int64_t HeldFeatureBytes(int64_t positions, int top_k) {
  return positions * top_k * kFeature;
}

int64_t HeldTokenizeBytes(int64_t tokens, int64_t text_bytes) {
  return kCall + tokens * kTokenPiece + 2 * text_bytes;
}

int64_t HeldDetokenizeBytes(int64_t bytes) {
  // As bytes and as text, of which each byte may become three; both are sent.
  return kCall + 8 * bytes;
}

int64_t HeldCatalogBytes(const Catalog& catalog,
                         const std::vector<int>& checkpoints,
                         bool include_evaluation) {
  int64_t bytes = kCall;
  for (int index : checkpoints) {
    const CheckpointInfo& checkpoint = catalog.checkpoints[index];
    bytes += kDescribed;
    for (const Concept& entry : checkpoint.concepts) {
      bytes += kDescribed + 2 * static_cast<int64_t>(entry.description.size() +
                                                     entry.example.size());
      if (entry.certificate) bytes += kCertificate;
    }
    if (include_evaluation) {
      bytes += 2 * static_cast<int64_t>(checkpoint.evaluation_json.size());
    }
  }
  return bytes;
}

int64_t HeldActivityBytes(const CheckpointInfo& checkpoint) {
  const auto concepts = std::min(checkpoint.concepts.size(),
                                 static_cast<size_t>(kMaxConceptLabels) + 1);
  size_t longest = 0;
  for (const Concept& entry : checkpoint.concepts) {
    longest = std::max(longest, entry.name.size());
  }
  const int64_t names =
      kActivity + 4 * static_cast<int64_t>(longest);  // Of a row, or a pair.
  return kCall +
         2 * (static_cast<int64_t>(concepts) + kMaxSteeredPairs) * names;
}

}  // namespace alignsae
