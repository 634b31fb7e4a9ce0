#include "client/cli/render.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/table.h"

namespace alignsae {
namespace {

constexpr int kBarWidth = 24;
constexpr int kLeastBar = 4;  // Less tells nothing.
// A name that leaves the other columns of a certificate their room in 80.
constexpr int kShortName = 10;

std::string Number(double value) { return absl::StrFormat("%.3f", value); }

std::string HookName(const v1::HookPoint& hook) {
  const std::string kind = absl::AsciiStrToLower(
      absl::StripPrefix(v1::HookKind_Name(hook.kind()), "HOOK_KIND_"));
  return absl::StrCat(kind, "[", hook.layer(), "]");
}

std::string ModeName(v1::InterventionMode mode) {
  return std::string(
      absl::StripPrefix(v1::InterventionMode_Name(mode), "INTERVENTION_MODE_"));
}

std::string FinishName(v1::FinishReason reason) {
  return std::string(
      absl::StripPrefix(v1::FinishReason_Name(reason), "FINISH_REASON_"));
}

// One reading as a table of bars; columns are the answer's concepts.
// `bar`: cells of the longest bar.
template <typename Labels>
Table ReadingRows(const Labels& concepts, const v1::ConceptReading& reading,
                  int bar) {
  Table table({"concept", "slot", "value", "probability", ""});
  for (int i = 0; i < concepts.size() && i < reading.values_size() &&
                  i < reading.probabilities_size();
       ++i) {
    const bool top = reading.bound() && i == reading.top_index();
    table.Add({concepts[i].name(), absl::StrCat("#", concepts[i].slot()),
               Number(reading.values(i)), Number(reading.probabilities(i)),
               Bar(reading.probabilities(i), bar)},
              top ? Style::kGreen : Style::kPlain);
  }
  return table;
}

template <typename Labels>
std::string ReadingTable(const Labels& concepts,
                         const v1::ConceptReading& reading, const Look& look) {
  int bar = kBarWidth;
  if (look.width > 0) {
    const int others = ReadingRows(concepts, reading, 0).Width();
    bar = std::min(bar, look.width - others);
    if (bar < kLeastBar) bar = 0;
  }
  return ReadingRows(concepts, reading, bar).ToString(look);
}

std::string TopLine(const v1::ConceptReading& reading) {
  return absl::StrCat(
      "top concept: ", Printable(reading.top_concept()), " (margin ",
      Number(reading.margin()), reading.bound() ? ", bound" : ", not bound",
      reading.outside() ? ", outside of what the checkpoint knows)" : ")");
}

std::string SlotName(const std::string& name, int slot) {
  return name.empty() ? absl::StrCat("#", slot) : Printable(name);
}

std::string EffectLine(const v1::PositionEffect& effect) {
  std::string line = absl::StrCat("    position ", effect.position(),
                                  ": change ", Number(effect.change_norm()),
                                  " of norm ", Number(effect.residual_norm()),
                                  ", target ", Number(effect.target_before()),
                                  " -> ", Number(effect.target_after()));
  if (effect.has_source_slot()) {
    absl::StrAppend(&line, ", ",
                    SlotName(effect.source_concept(), effect.source_slot()),
                    " ", Number(effect.source_before()), " -> ",
                    Number(effect.source_after()));
  }
  return line + "\n";
}

std::string ReceiptLines(const v1::InterventionReceipt& receipt) {
  std::string out = absl::StrCat("  receipt: ", ModeName(receipt.mode()), " ");
  if (receipt.has_source_slot()) {
    absl::StrAppend(&out,
                    SlotName(receipt.source_concept(), receipt.source_slot()),
                    " -> ");
  }
  const std::string target =
      receipt.has_vector_norm()
          ? absl::StrCat("vector of norm ", Number(receipt.vector_norm()))
          : SlotName(receipt.target_concept(), receipt.target_slot());
  absl::StrAppend(&out, target, " at ", HookName(receipt.hook_point()));
  if (receipt.has_alpha()) {
    absl::StrAppend(&out, ", alpha ", absl::StrFormat("%g", receipt.alpha()));
  }
  absl::StrAppend(&out, ", ", receipt.positions_applied(), " position",
                  receipt.positions_applied() == 1 ? "" : "s");
  if (receipt.has_condition()) {
    absl::StrAppend(&out, " of ", receipt.positions_checked(),
                    receipt.condition() ? " where the condition held"
                                        : ": the condition held nowhere");
  }
  absl::StrAppend(&out, "\n");
  for (const v1::PositionEffect& effect : receipt.effects()) {
    absl::StrAppend(&out, EffectLine(effect));
  }
  return out;
}

// What the answer's user must know of where the slots mean something.
std::string TrainedClause(v1::TrainedPositions trained) {
  switch (trained) {
    case v1::TRAINED_POSITIONS_LAST:
      return "; the SAE was trained on the last position of prompts only: the "
             "others are out of its data";
    case v1::TRAINED_POSITIONS_ALL:
      return "; the SAE was trained on every position";
    case v1::TRAINED_POSITIONS_LABELLED:
      return "; the SAE was trained on the positions that its prompts label";
    case v1::TRAINED_POSITIONS_SPAN:
      return "; the SAE was trained on all tokens of the texts that its "
             "prompts name";
    default:
      return "; the checkpoint does not say which positions it was trained on";
  }
}

std::string ArmName(v1::Arm arm) {
  return arm == v1::ARM_STEERED ? "steered" : "baseline";
}

// The facts under an arm's text.
std::string ArmLine(const v1::ArmResult& arm) {
  return absl::StrCat(arm.generated_token_count(), " tokens, ",
                      FinishName(arm.finish_reason()), ", logprob ",
                      Number(arm.total_logprob()));
}

std::vector<std::string> CertificateRow(const v1::Concept& row) {
  std::vector<std::string> cells = {Shortened(row.name(), kShortName)};
  if (!row.has_certificate()) return cells;
  const v1::WriteCertificate& certificate = row.certificate();
  cells.insert(
      cells.end(),
      {Number(certificate.cosine()), Number(certificate.written_share()),
       certificate.has_predicted_alpha()
           ? absl::StrFormat("%.3g", certificate.predicted_alpha())
           : "-"});
  if (!certificate.has_measured_swap()) return cells;
  const v1::MeasuredSwap& swap = certificate.measured_swap();
  cells.insert(cells.end(),
               {Number(swap.rate()),
                absl::StrCat(Number(swap.low()), "-", Number(swap.high())),
                absl::StrCat(swap.tries()), absl::StrCat(swap.wordings()),
                swap.people() > 0 ? absl::StrCat(swap.people()) : "-"});
  return cells;
}

// What the slots write: at most 80 columns wide, and who has no figures.
std::string CertificateTable(const v1::CheckpointConcepts& checkpoint,
                             const Look& look) {
  Table table({"writes", "cosine", "written", "alpha", "swap", "interval",
               "tries", "wordings", "people"});
  int with = 0;
  int swaps = 0;
  for (const v1::Concept& row : checkpoint.concepts()) {
    std::vector<std::string> cells = CertificateRow(row);
    cells.resize(9, "-");
    table.Add(std::move(cells));
    with += row.has_certificate() ? 1 : 0;
    swaps += row.certificate().has_measured_swap() ? 1 : 0;
  }
  const int all = checkpoint.concepts_size();
  if (with == 0) return "no write certificates\n";
  std::string out = table.ToString(look);
  if (with < all) {
    absl::StrAppend(&out, all - with, " of ", all,
                    " concepts have no write certificate\n");
  }
  if (swaps < with) {
    absl::StrAppend(&out, with - swaps, " of ", with,
                    " write certificates have no measured swap\n");
  }
  return out;
}

// "name        text", its lines below each other where it is too wide.
std::string Field(absl::string_view name, absl::string_view text,
                  const Look& look) {
  constexpr int kNameCells = 12;
  const std::string printable = Printable(text);
  const int room = std::max(look.width - kNameCells, 20);
  std::string out = absl::StrFormat("%-*s", kNameCells, name);
  if (look.width == 0) return absl::StrCat(out, printable, "\n");
  return absl::StrCat(
      out,
      absl::StrJoin(Wrapped(printable, room),
                    absl::StrCat("\n", std::string(kNameCells, ' '))),
      "\n");
}

}  // namespace

std::string RenderModel(const v1::GetModelResponse& answer, const Look& look) {
  const v1::Model& model = answer.model();
  const std::string out = absl::StrCat(
      Field("model", absl::StrCat(model.name(), " ", model.version()), look),
      Field("shape",
            absl::StrCat(model.n_layer(), " blocks, width ", model.d_model(),
                         ", ", model.n_head(), " heads, vocabulary ",
                         model.vocab_size(), ", context ",
                         model.context_length(), ", ", model.dtype()),
            look),
      Field("type", model.dtype_reason(), look),
      Field("kernels", absl::StrJoin(model.kernels(), "; "), look),
      Field("sha256", model.sha256(), look),
      Field("template", model.prompt_template(), look),
      Field("server",
            absl::StrCat(
                answer.server_version(), ", ",
                answer.limits().max_running_sequences(), " sequences and ",
                answer.limits().max_running_tokens(), " tokens at once"),
            look));
  if (answer.checkpoints_size() == 0) return out + "checkpoints none\n";
  Table table({"checkpoint", "hook", "activation", "concepts", "features",
               "loaded", "recommended"});
  for (const v1::Checkpoint& checkpoint : answer.checkpoints()) {
    table.Add(
        {checkpoint.name(), HookName(checkpoint.hook_point()),
         checkpoint.activation(), absl::StrCat(checkpoint.n_concepts()),
         absl::StrCat(checkpoint.n_features()),
         checkpoint.whole_sae_loaded() ? "whole" : "concepts",
         absl::StrCat(ModeName(checkpoint.recommended_mode()), " at ",
                      absl::StrFormat("%g", checkpoint.recommended_alpha()))});
  }
  return absl::StrCat(out, "\n", table.ToString(look));
}

std::string RenderConcepts(const v1::ListConceptsResponse& answer,
                           const Look& look) {
  std::string out;
  for (const v1::CheckpointConcepts& entry : answer.checkpoints()) {
    absl::StrAppend(&out, out.empty() ? "" : "\n", "checkpoint ",
                    Printable(entry.checkpoint().name()), " at ",
                    HookName(entry.checkpoint().hook_point()), "\n");
    Table table({"concept", "slot", "active mean", "threshold", "description",
                 "example"});
    for (const v1::Concept& row : entry.concepts()) {
      table.Add({row.name(), absl::StrCat("#", row.slot()),
                 Number(row.active_mean()), Number(row.threshold()),
                 row.description(), row.example()});
    }
    absl::StrAppend(&out, table.ToString(look));
    if (entry.concepts_size() == 0) continue;
    absl::StrAppend(&out, "\n", CertificateTable(entry, look));
  }
  return out.empty() ? "no checkpoints are loaded\n" : out;
}

std::string RenderTokens(const v1::TokenizeResponse& answer, const Look& look) {
  Table table({"position", "id", "offset", "piece"});
  for (int i = 0; i < answer.tokens_size(); ++i) {
    const v1::TokenPiece& token = answer.tokens(i);
    table.Add({absl::StrCat(i), absl::StrCat(token.id()),
               absl::StrCat(token.byte_offset()),
               absl::StrCat("'", token.piece(), "'",
                            token.special() ? " (special)" : "")});
  }
  return table.ToString(look);
}

std::string RenderReadings(const v1::ReadConceptsResponse& answer,
                           const Look& look) {
  std::string out;
  for (int i = 0; i < answer.readings_size(); ++i) {
    const v1::ConceptReading& reading = answer.readings(i).reading();
    if (answer.readings_size() > 1) {
      absl::StrAppend(&out, i == 0 ? "" : "\n", "prompt ", i, "\n");
    }
    absl::StrAppend(
        &out, ReadingTable(answer.concepts(), reading, look), TopLine(reading),
        "\nread at ", HookName(answer.hook_point()),
        reading.mean_of() > 1
            ? absl::StrCat(", mean of ", reading.mean_of(), " positions up to ")
            : ", position ",
        reading.position(), " of ", answer.readings(i).prompt_token_ids_size(),
        " tokens\n");
  }
  return out;
}

std::string RenderInspection(const v1::InspectSlotsResponse& answer,
                             v1::TrainedPositions trained, const Look& look) {
  std::vector<std::string> header = {"position", "token"};
  for (const v1::ConceptLabel& label : answer.concepts()) {
    header.push_back(label.name());
  }
  header.push_back("top");
  const bool features = answer.top_k() > 0;
  if (features) {
    header.insert(header.end(), {"L0", "error", "largest features"});
  }
  Table table(header);
  for (const v1::TokenSlots& token : answer.tokens()) {
    std::vector<std::string> row = {absl::StrCat(token.reading().position()),
                                    absl::StrCat("'", token.piece(), "'")};
    for (float value : token.reading().values()) row.push_back(Number(value));
    row.push_back(token.reading().bound() ? token.reading().top_concept()
                                          : "-");
    if (features) {
      std::string largest;
      const int shown = std::min(5, token.features().top_features_size());
      for (int i = 0; i < shown; ++i) {
        const v1::FeatureValue& feature = token.features().top_features(i);
        absl::StrAppend(&largest, i == 0 ? "" : " ", "#", feature.feature(),
                        "=", Number(feature.value()));
      }
      row.insert(row.end(),
                 {absl::StrCat(token.features().l0()),
                  Number(token.features().reconstruction_error()), largest});
    }
    const bool untrained =
        trained == v1::TRAINED_POSITIONS_LAST &&
        token.reading().position() + 1 != answer.prompt_token_ids_size();
    table.Add(std::move(row), untrained ? Style::kDim : Style::kPlain);
  }
  return absl::StrCat(table.ToString(look), "read at ",
                      HookName(answer.hook_point()), TrainedClause(trained),
                      "\n");
}

std::string RenderSwap(const v1::SwapResponse& answer, const Look& look) {
  std::string out;
  if (answer.baseline().has_prompt_reading()) {
    absl::StrAppend(&out,
                    ReadingTable(answer.concepts(),
                                 answer.baseline().prompt_reading(), look),
                    TopLine(answer.baseline().prompt_reading()), "\n\n");
  }
  Table table({"arm", "answer", "tokens", "finish", "logprob"});
  for (const v1::ArmResult* arm : {&answer.baseline(), &answer.steered()}) {
    table.Add({ArmName(arm->arm()),
               std::string(absl::StripAsciiWhitespace(arm->text())),
               absl::StrCat(arm->generated_token_count()),
               FinishName(arm->finish_reason()), Number(arm->total_logprob())});
  }
  absl::StrAppend(&out, table.ToString(look));
  for (const v1::InterventionReceipt& receipt : answer.steered().receipts()) {
    absl::StrAppend(&out, ReceiptLines(receipt));
  }
  return out + RenderEffects(answer.steered());
}

std::string RenderSummary(const v1::GenerationSummary& summary) {
  std::string out;
  for (const v1::ArmResult& arm : summary.arms()) {
    absl::StrAppend(&out, ArmName(arm.arm()), ": ", ArmLine(arm), "\n");
    for (const v1::InterventionReceipt& receipt : arm.receipts()) {
      absl::StrAppend(&out, ReceiptLines(receipt));
    }
    absl::StrAppend(&out, RenderEffects(arm));
  }
  return out;
}

}  // namespace alignsae
