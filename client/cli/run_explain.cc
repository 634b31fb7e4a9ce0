// `alignsae explain`: which tokens a slot makes more and less likely by itself.

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/edit_spec.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/run.h"
#include "client/cli/table.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

std::string EffectTable(const v1::DirectEffect& effect, const Look& look) {
  Table table({"more likely", "logit", "less likely", "logit"});
  const auto piece = [](const v1::TokenEffect& token) {
    return absl::StrCat("'", token.piece(), "'");
  };
  const auto logit = [](const v1::TokenEffect& token) {
    return absl::StrFormat("%.3f", token.logit());
  };
  const int rows = std::min(effect.top_size(), effect.bottom_size());
  for (int i = 0; i < rows; ++i) {
    table.Add({piece(effect.top(i)), logit(effect.top(i)),
               piece(effect.bottom(i)), logit(effect.bottom(i))});
  }
  return table.ToString(look);
}

}  // namespace

std::string RenderExplanation(const v1::ExplainSlotResponse& answer,
                              const Look& look) {
  std::string out = absl::StrCat(
      answer.concept_name().empty() ? "slot" : Printable(answer.concept_name()),
      " #", answer.slot(), ": what a value of 1 writes, norm ",
      absl::StrFormat("%.3f", answer.direction_norm()), "\n\n",
      "with ln_f, to be divided by the deviation that it finds:\n",
      EffectTable(answer.with_ln_f(), look));
  if (answer.has_without_ln_f()) {
    absl::StrAppend(&out, "\nwithout ln_f:\n",
                    EffectTable(answer.without_ln_f(), look));
  }
  return out;
}

absl::Status RunExplain(const CliOptions& options) {
  v1::ExplainSlotRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  *request.mutable_slot() = ParseConceptRef(options.target);
  if (options.top_k) request.set_top_k(*options.top_k);
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  return PrintAnswer(options, client.ExplainSlot(request), RenderExplanation);
}

}  // namespace alignsae
