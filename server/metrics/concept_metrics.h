// ConceptMetrics: what is counted by the concepts of one generation of a model.
// Made by Metrics::SetCatalog, which says how long it may live.
//
// `checkpoint` and the concepts are indices into the generation's catalog;
// kNoConcept and kOtherSlot stand for no concept and for a slot that is none.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_METRICS_CONCEPT_METRICS_H_
#define ALIGNSAE_SERVER_METRICS_CONCEPT_METRICS_H_

namespace alignsae {

inline constexpr int kNoConcept = -1;  // Label `none`.
inline constexpr int kOtherSlot = -2;  // Label `other`.

class ConceptMetrics {
 public:
  virtual ~ConceptMetrics() = default;

  // The last token of a prompt. `top`: kNoConcept where none is bound.
  virtual void CountTop(int checkpoint, int top) = 0;
  // The same prompt, where it is outside of what the checkpoint knows. Of a
  // checkpoint with a gate only.
  virtual void CountOutside(int checkpoint) = 0;
  // Of the concept on top, bound or not: its probability, and that minus the
  // runner-up's.
  virtual void ObserveConfidence(int checkpoint, int top, double probability,
                                 double margin) = 0;
  // z_j / c_j. Ignored when it is not finite.
  virtual void ObserveActivationRatio(int checkpoint, int concept_index,
                                      double ratio) = 0;

  // A generated token that was traced. `top` as in CountTop.
  virtual void CountGenerated(int checkpoint, int top) = 0;

  // An intervention that met a position: the concept that it clears and the one
  // that it writes.
  virtual void CountSteered(int checkpoint, int source, int target) = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_CONCEPT_METRICS_H_
