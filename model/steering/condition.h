// A condition on the reading of one concept at one position: when an
// intervention is made there, or an answer ends.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_STEERING_CONDITION_H_
#define ALIGNSAE_MODEL_STEERING_CONDITION_H_

#include <optional>

namespace alignsae {

struct ReadingCondition {
  int checkpoint = 0;  // Index into Catalog::checkpoints.
  int column = 0;      // Index into the checkpoint's concepts.
  // Of these at least one is given, and what is given must hold.
  // Whether it is the top concept, and bound.
  std::optional<bool> bound = std::nullopt;
  // Its value is greater. Finite.
  std::optional<double> above = std::nullopt;

  // Of a reading with this value of the concept.
  bool Holds(double value, bool is_bound) const {
    return (!bound.has_value() || *bound == is_bound) &&
           (!above.has_value() || value > *above);
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_CONDITION_H_
