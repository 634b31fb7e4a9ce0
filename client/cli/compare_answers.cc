#include "client/cli/compare_answers.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

constexpr double kLogprob = 1e-4;
constexpr double kNorm = 1e-3;

class Comparison {
 public:
  const AnswerDifference& result() const { return result_; }

  template <typename Value>
  void Same(const std::string& path, const Value& saved, const Value& again) {
    if (saved == again) return;
    Tell(path, absl::StrCat(saved), absl::StrCat(again));
  }

  void Arm(const std::string& path, const v1::ArmResult& saved,
           const v1::ArmResult& again) {
    Same(path + ".arm", static_cast<int>(saved.arm()),
         static_cast<int>(again.arm()));
    Tokens(path + ".prompt_tokens", saved.prompt_tokens(),
           again.prompt_tokens());
    Tokens(path + ".tokens", saved.tokens(), again.tokens());
    Same(path + ".finish_reason", v1::FinishReason_Name(saved.finish_reason()),
         v1::FinishReason_Name(again.finish_reason()));
    Same(path + ".receipts", saved.receipts_size(), again.receipts_size());
    const int receipts = std::min(saved.receipts_size(), again.receipts_size());
    for (int i = 0; i < receipts; ++i) {
      Receipt(absl::StrCat(path, ".receipts[", i, "]"), saved.receipts(i),
              again.receipts(i));
    }
  }

 private:
  void Tell(const std::string& path, const std::string& saved,
            const std::string& again) {
    if (!result_.what.empty()) return;
    result_.what = absl::StrCat(path, " was ", saved, " and is ", again);
  }

  void Logprob(const std::string& path, double saved, double again) {
    const double difference = std::abs(saved - again);
    // A number that is none is no small difference.
    if (!(difference <= kLogprob)) {
      Tell(path, absl::StrCat(saved), absl::StrCat(again));
    }
    if (difference > result_.largest_logprob) {
      result_.largest_logprob = difference;
    }
  }

  template <typename List>
  void Tokens(const std::string& path, const List& saved, const List& again) {
    Same(path, saved.size(), again.size());
    for (int i = 0; i < std::min(saved.size(), again.size()); ++i) {
      const std::string at = absl::StrCat(path, "[", i, "]");
      ++result_.tokens;
      Same(at + ".id", saved[i].id(), again[i].id());
      Logprob(at + ".logprob", saved[i].logprob(), again[i].logprob());
      // Alternatives that are equally likely may change places.
      for (const v1::TokenLogprob& one : saved[i].top_logprobs()) {
        for (const v1::TokenLogprob& other : again[i].top_logprobs()) {
          if (one.id() != other.id()) continue;
          Logprob(absl::StrCat(at, ".top_logprobs of ", one.id()),
                  one.logprob(), other.logprob());
        }
      }
    }
  }

  void Norm(const std::string& path, double saved, double again) {
    if (std::abs(saved - again) <= kNorm * std::max(1.0, std::abs(saved))) {
      return;
    }
    Tell(path, absl::StrCat(saved), absl::StrCat(again));
  }

  void Receipt(const std::string& path, const v1::InterventionReceipt& saved,
               const v1::InterventionReceipt& again) {
    Same(path + ".mode", v1::InterventionMode_Name(saved.mode()),
         v1::InterventionMode_Name(again.mode()));
    Same(path + ".checkpoint", saved.checkpoint(), again.checkpoint());
    Same(path + ".target_slot", saved.target_slot(), again.target_slot());
    Same(path + ".source_slot", saved.source_slot(), again.source_slot());
    Same(path + ".hook_point", saved.hook_point().ShortDebugString(),
         again.hook_point().ShortDebugString());
    Same(path + ".alpha", saved.alpha(), again.alpha());
    Same(path + ".unit", static_cast<int>(saved.unit()),
         static_cast<int>(again.unit()));
    Same(path + ".positions_applied", saved.positions_applied(),
         again.positions_applied());
    const int effects = std::min(saved.effects_size(), again.effects_size());
    for (int i = 0; i < effects; ++i) {
      const std::string at = absl::StrCat(path, ".effects[", i, "]");
      Same(at + ".position", saved.effects(i).position(),
           again.effects(i).position());
      Norm(at + ".residual_norm", saved.effects(i).residual_norm(),
           again.effects(i).residual_norm());
      Norm(at + ".change_norm", saved.effects(i).change_norm(),
           again.effects(i).change_norm());
    }
  }

  AnswerDifference result_;
};

}  // namespace

AnswerDifference CompareArms(const std::vector<v1::ArmResult>& saved,
                             const std::vector<v1::ArmResult>& again) {
  Comparison comparison;
  comparison.Same("arms", saved.size(), again.size());
  for (size_t i = 0; i < std::min(saved.size(), again.size()); ++i) {
    comparison.Arm(absl::StrCat("arms[", i, "]"), saved[i], again[i]);
  }
  return comparison.result();
}

}  // namespace alignsae
