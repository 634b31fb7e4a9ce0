// TypeMeasurement: what a number type of the weights changes in a model's
// answers, measured once on fixed texts against float32.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_STEERING_TYPE_MEASUREMENT_H_
#define ALIGNSAE_MODEL_STEERING_TYPE_MEASUREMENT_H_

#include <cstdint>
#include <string>

namespace alignsae {

struct TypeMeasurement {
  std::string type;       // "bf16" or "int8".
  int64_t positions = 0;  // Of all texts.
  double kl = 0;          // Mean KL(f32 || type), nats.
  double top1 = 0;        // Share of positions with the same most likely token.
  // The same where float32's most likely token is clearly ahead; 1 where it
  // nowhere is.
  double clear_top1 = 1;
  double seconds = 0;   // That it took.
  bool cached = false;  // It was measured at an earlier start.

  // A sampled text would be another model's, or the greedy one would.
  bool misleads() const { return !(kl <= 0.02 && clear_top1 >= 0.95); }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_TYPE_MEASUREMENT_H_
