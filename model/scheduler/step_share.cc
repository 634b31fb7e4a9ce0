#include "model/scheduler/step_share.h"

#include <algorithm>
#include <cstdint>

namespace alignsae {
namespace {

constexpr int kShortPrompt = 64;  // Tokens.

bool IsSoonDone(const RunningUnit& unit) {
  return !RunsLong(unit.request->spec) && unit.prompt_left() <= kShortPrompt;
}

}  // namespace

void StepShare::Choose(std::vector<RunningUnit>& running) {
  bool soon = false;
  bool others = false;
  for (RunningUnit& unit : running) {
    unit.passed_over = false;
    unit.prompt_part = INT32_MAX;
    if (unit.live() == 0) continue;
    (IsSoonDone(unit) ? soon : others) = true;
  }
  with_others_ = others && (!soon || owed_ <= absl::ZeroDuration() ||
                            passed_ >= kMostPassed);
  if (!soon) return;
  bool prompt_taken = false;
  for (RunningUnit& unit : running) {
    if (unit.live() == 0 || IsSoonDone(unit)) continue;
    const bool prompt = unit.prompt_left() > 0;
    unit.passed_over = !with_others_ || (prompt && prompt_taken);
    if (prompt) unit.prompt_part = kSharedPrompt;
    prompt_taken = prompt_taken || prompt;
  }
}

void StepShare::Took(absl::Duration duration) {
  if (with_others_) {
    owed_ = duration * kShare;
    passed_ = 0;
  } else {
    owed_ -= std::min(owed_, duration);
    ++passed_;
  }
}

}  // namespace alignsae
