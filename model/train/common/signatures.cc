#include "model/train/common/signatures.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace alignsae {
namespace {

constexpr char kToWrite[] =
    "let the slots write: --prefix 0.1, or --perp and --sparse above 0; with "
    "many concepts --init class_means; where a concept is a name, "
    "--span mean and the name as position";

std::string Decimals(double value) { return absl::StrFormat("%.3f", value); }

std::optional<Signature> LowRead(const RecipeFigures& figures) {
  if (!figures.read || *figures.read >= kLowRead) return std::nullopt;
  return Signature{
      "low_diagonal_accuracy",
      absl::StrCat("the asked concept's slot is on top in ",
                   Decimals(*figures.read), " of prompts, below ", kLowRead),
      "another --layer (the middle ones read best), more "
      "--stage2-epochs, a larger --align, or more wordings"};
}

std::optional<Signature> NotWritten(const RecipeFigures& figures) {
  const bool cosine = figures.cosine && *figures.cosine <= 0;
  const bool share = figures.written_share && *figures.written_share <= 0;
  if (!cosine && !share) return std::nullopt;
  return Signature{
      "slots_do_not_write",
      absl::StrCat("a concept's ", cosine ? "cosine" : "written share", " is ",
                   Decimals(cosine ? *figures.cosine : *figures.written_share),
                   ", not above 0: no alpha will do"),
      kToWrite};
}

std::optional<Signature> LowSwap(const RecipeFigures& figures) {
  if (!figures.read || *figures.read < kLowRead) return std::nullopt;
  if (!figures.swap || *figures.swap >= kLowSwap) return std::nullopt;
  std::string saw = absl::StrCat("slots read ", Decimals(*figures.read),
                                 " of prompts, but swaps succeed in ",
                                 Decimals(*figures.swap), ", below ", kLowSwap);
  std::string change = kToWrite;
  if (figures.alpha) absl::StrAppend(&saw, ", at alpha ", *figures.alpha);
  if (figures.written_share && *figures.written_share > 0) {
    absl::StrAppend(&saw, "; slots write down to ",
                    Decimals(*figures.written_share), " of their concept");
    absl::StrAppend(&change, "; or alpha about ",
                    absl::StrFormat("%.2g", 1 / *figures.written_share));
  }
  absl::StrAppend(&change, "; or an earlier --layer");
  return Signature{"high_binding_low_swap", std::move(saw), std::move(change)};
}

std::optional<Signature> DeadFeatures(const RecipeFigures& figures) {
  if (!figures.dead_share || *figures.dead_share <= kManyDead) {
    return std::nullopt;
  }
  return Signature{
      "dead_features",
      absl::StrCat(Decimals(*figures.dead_share),
                   " of the free features never fire, above ", kManyDead),
      "a smaller --sparse, more --stage1-epochs, fewer --free-features, or "
      "--activation batchtopk with --aux 0.03"};
}

std::optional<Signature> UnstableLoss(const RecipeFigures& figures) {
  for (size_t stage = 0; stage < figures.losses.size(); ++stage) {
    const std::vector<double>& losses = figures.losses[stage];
    if (losses.empty()) continue;
    const double lowest = *std::min_element(losses.begin(), losses.end());
    if (lowest <= 0 || losses.back() <= kUnstableRise * lowest) continue;
    return Signature{
        "unstable_loss",
        absl::StrFormat("stage %d ends with a loss of %.4g, above %.2f of its "
                        "lowest, %.4g",
                        stage + 1, losses.back(), kUnstableRise, lowest),
        "a smaller --learning-rate, a larger --batch-size, more "
        "--stage1-epochs before the labels come in"};
  }
  return std::nullopt;
}

std::optional<Signature> Collapse(const RecipeFigures& figures) {
  using AtAlpha = RecipeFigures::AtAlpha;
  const std::vector<AtAlpha>& curve = figures.curve;
  const auto best = std::max_element(
      curve.begin(), curve.end(),
      [](const AtAlpha& a, const AtAlpha& b) { return a.swap < b.swap; });
  if (best == curve.end() || best->swap < kLeastToCollapse) return std::nullopt;
  const auto fallen = std::find_if(best, curve.end(), [&](const AtAlpha& at) {
    return at.swap < kCollapse * best->swap;
  });
  if (fallen == curve.end()) return std::nullopt;
  return Signature{
      "wrong_category_at_large_alpha",
      absl::StrFormat("swaps succeed in %.3f at alpha %g and in %.3f at %g: "
                      "beyond, the answer is of another category, or none",
                      best->swap, best->alpha, fallen->swap, fallen->alpha),
      absl::StrFormat("stay near alpha %g; where that is too little, an "
                      "earlier --layer",
                      best->alpha)};
}

}  // namespace

std::vector<Signature> SignaturesOf(const RecipeFigures& figures) {
  std::vector<Signature> signatures;
  for (const auto& look :
       {LowRead, NotWritten, LowSwap, DeadFeatures, UnstableLoss, Collapse}) {
    if (std::optional<Signature> seen = look(figures)) {
      signatures.push_back(*std::move(seen));
    }
  }
  return signatures;
}

std::string RenderSignatures(const std::vector<Signature>& signatures) {
  std::string text;
  for (const Signature& signature : signatures) {
    absl::StrAppend(&text, "  ", signature.name, ": ", signature.saw,
                    ".\n    Change: ", signature.change, ".\n");
  }
  return text;
}

}  // namespace alignsae
