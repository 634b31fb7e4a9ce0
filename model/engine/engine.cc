#include "model/engine/engine.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/engine/feature_reader.h"
#include "model/engine/slot_explainer.h"
#include "model/engine/step_head.h"
#include "model/engine/step_hook.h"
#include "model/engine/step_packer.h"
#include "model/intervention/rules.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/kv_cache.h"
#include "model/transformer/transformer.h"

namespace alignsae {

struct Engine::Impl {
  Impl(std::shared_ptr<const Bundle> loaded, const EngineOptions& options,
       int64_t tokens)
      : bundle(std::move(loaded)),
        kv_tokens(tokens),
        cache(bundle->model->facts(), options.kv_slots, bundle->model->device(),
              bundle->model->kv_type()) {
    bundle->model->LinkMatrices();
  }

  // Whether `intervention` leaves alone what the fork shares.
  bool LiesBehind(const PromptFork& fork,
                  const Intervention& intervention) const;
  // Whether its condition is of a checkpoint that reads where it edits.
  bool CanBeRead(const Intervention& intervention) const;
  absl::Status CheckEdits(const StepRow& row) const;
  absl::Status CheckRow(const StepRow& row,
                        std::vector<bool>& kv_slot_taken) const;
  PackedRow Pack(const StepRow& row, int index) const;
  void CopyShared(const StepRow& row, const RowResult& lead,
                  RowResult& result) const;
  // Whether `row` may share its prompt tokens with those of `lead`.
  absl::Status CheckVariant(const StepRow& row, const StepRow& lead) const;
  void Run(absl::Span<const StepRow> rows, std::vector<RowResult>& results);

  std::shared_ptr<const Bundle> bundle;
  const int64_t kv_tokens;
  KvCache cache;
};

namespace {

absl::Status BadRow(absl::string_view what) {
  return absl::InternalError(absl::StrCat("step row: ", what));
}

absl::Status CheckScored(const StepRow& row, const TransformerFacts& facts) {
  const size_t sampled = row.sampling.has_value() ? 1 : 0;
  if (!row.scored.empty() && row.scored.size() + sampled != row.tokens.size()) {
    return BadRow(absl::StrCat(row.scored.size(), " scored tokens of ",
                               row.tokens.size()));
  }
  for (int32_t token : row.scored) {
    if (token < 0 || token >= facts.vocab_size) {
      return BadRow(absl::StrCat("scored token ", token));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool Engine::Impl::LiesBehind(const PromptFork& fork,
                              const Intervention& intervention) const {
  const std::vector<int>& edited = intervention.positions.prompt;
  if (edited.empty()) return true;
  return bundle->catalog->HookOf(intervention).site() >= fork.site &&
         edited.front() >= fork.position;
}

bool Engine::Impl::CanBeRead(const Intervention& intervention) const {
  const ReadingCondition& when = *intervention.when;
  if (when.checkpoint < 0 ||
      when.checkpoint >= static_cast<int>(bundle->saes.size())) {
    return false;
  }
  const Sae& sae = bundle->saes[when.checkpoint];
  return when.column >= 0 && when.column < sae.concept_count() &&
         sae.config().hook.place() ==
             bundle->catalog->HookOf(intervention).place();
}

absl::Status Engine::Impl::CheckEdits(const StepRow& row) const {
  const int checkpoints = static_cast<int>(bundle->saes.size());
  for (const Intervention& intervention : *row.interventions) {
    if (intervention.vector != nullptr) {
      ALIGNSAE_RETURN_IF_ERROR(
          CheckVector(intervention, bundle->catalog->model));
    } else if (intervention.checkpoint < 0 ||
               intervention.checkpoint >= checkpoints) {
      return BadRow("intervention of an unknown checkpoint");
    }
    if (intervention.when.has_value() && !CanBeRead(intervention)) {
      return BadRow("condition that cannot be read where it is asked");
    }
    if (row.fork.has_value() && !LiesBehind(*row.fork, intervention)) {
      return BadRow("intervention in what a fork shares");
    }
  }
  return absl::OkStatus();
}

// The scheduler builds rows; a row that breaks a rule is a bug of ours. It is
// refused, so that it cannot take the others down.
absl::Status Engine::Impl::CheckRow(const StepRow& row,
                                    std::vector<bool>& kv_slot_taken) const {
  const TransformerFacts& facts = bundle->model->facts();
  if (row.tokens.empty()) return BadRow("no tokens");
  if (row.kv_slot < 0 || row.kv_slot >= cache.slots()) {
    return BadRow(absl::StrCat("kv_slot ", row.kv_slot));
  }
  if (kv_slot_taken[row.kv_slot]) {
    return BadRow(absl::StrCat("kv_slot ", row.kv_slot, " is taken twice"));
  }
  kv_slot_taken[row.kv_slot] = true;
  const int end = row.start + static_cast<int>(row.tokens.size());
  if (row.start < 0 || end > facts.context_length) {
    return BadRow(absl::StrCat("positions [", row.start, ", ", end, ")"));
  }
  for (int32_t token : row.tokens) {
    if (token < 0 || token >= facts.vocab_size) {
      return BadRow(absl::StrCat("token ", token));
    }
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckScored(row, facts));
  if (row.fork.has_value()) {
    const PromptFork& fork = *row.fork;
    if (fork.kv_slot < 0 || fork.kv_slot >= cache.slots() || fork.site < 0 ||
        fork.site > facts.n_layer || fork.position < 0 ||
        fork.position >= row.prompt_length ||
        fork.length != row.prompt_length || row.leave_after_observations) {
      return BadRow(absl::StrCat("fork of KV slot ", fork.kv_slot, " at site ",
                                 fork.site, " and position ", fork.position));
    }
  }
  if (row.interventions == nullptr) return BadRow("no interventions list");
  ALIGNSAE_RETURN_IF_ERROR(CheckEdits(row));
  const int checkpoints = static_cast<int>(bundle->saes.size());
  for (const Observation& observation : row.observations) {
    if (observation.checkpoint < 0 || observation.checkpoint >= checkpoints) {
      return BadRow("observation of an unknown checkpoint");
    }
    if (observation.whole && !bundle->saes[observation.checkpoint].whole()) {
      return BadRow("whole observation of a concept-only checkpoint");
    }
    for (int position : observation.positions) {
      if (position < row.start || position >= end) {
        return BadRow(absl::StrCat("observed position ", position));
      }
    }
  }
  return absl::OkStatus();
}

PackedRow Engine::Impl::Pack(const StepRow& row, int index) const {
  const int last_site = bundle->model->facts().n_layer;
  int exit_site = last_site;
  if (row.leave_after_observations && !row.sampling.has_value()) {
    exit_site = 0;
    for (const Observation& observation : row.observations) {
      const Sae& sae = bundle->saes[observation.checkpoint];
      exit_site = std::max(exit_site, sae.config().hook.site_behind());
    }
  }
  return {.index = index,
          .kv_slot = row.kv_slot,
          .start = row.start,
          .length = static_cast<int>(row.tokens.size()),
          .offset = 0,
          .exit_site = exit_site,
          .logits = static_cast<int>(row.scored.size()) +
                    (row.sampling.has_value() ? 1 : 0),
          .fork = row.fork.value_or(PromptFork())};
}

void Engine::Impl::Run(absl::Span<const StepRow> rows,
                       std::vector<RowResult>& results) {
  std::vector<bool> kv_slot_taken(cache.slots(), false);
  StepPacker packer(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int index = static_cast<int>(i);
    results[i].status = CheckRow(rows[i], kv_slot_taken);
    if (!results[i].status.ok()) continue;
    if (const int lead = packer.LeadOf(rows[i]); lead >= 0) {
      results[i].status = CheckVariant(rows[i], rows[lead]);
      if (!results[i].status.ok()) continue;
    }
    results[i].scores.resize(rows[i].scored.size());
    packer.Add(Pack(rows[i], index));
  }
  if (packer.packed().empty()) return;
  StepHook hook(bundle->saes, rows, results);
  const at::Tensor x =
      bundle->model->BeforeHead(packer.tokens(), packer.packed(), cache, &hook);
  RunStepHead(*bundle->model, x, packer.packed(), rows, results);
  for (const auto& [row, lead] : packer.variants()) {
    CopyShared(rows[row], results[lead], results[row]);
  }
}

// What a fork shares was read and scored once, for its lead.
void Engine::Impl::CopyShared(const StepRow& row, const RowResult& lead,
                              RowResult& result) const {
  for (size_t i = 0; i < result.scores.size(); ++i) {
    const int position = row.start + static_cast<int>(i);
    if (position < row.fork->position) result.scores[i] = lead.scores[i];
  }
  for (size_t i = 0; i < result.readings.size(); ++i) {
    const ConceptReading& reading = result.readings[i];
    const int site = bundle->saes[reading.checkpoint].config().hook.site();
    if (reading.position < row.fork->position || site < row.fork->site) {
      result.readings[i] = lead.readings[i];
    }
  }
}

absl::Status Engine::Impl::CheckVariant(const StepRow& row,
                                        const StepRow& lead) const {
  const auto read = [](const StepRow& of) {
    std::vector<std::pair<int, int>> places;
    for (const Observation& observation : of.observations) {
      for (int position : observation.positions) {
        places.emplace_back(observation.checkpoint, position);
      }
    }
    return places;
  };
  if (row.start != lead.start || row.tokens != lead.tokens ||
      row.fork != lead.fork || row.scored != lead.scored ||
      row.n_scored_logprobs != lead.n_scored_logprobs ||
      read(row) != read(lead)) {
    return BadRow("differs from its fork's lead");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(
    std::shared_ptr<const Bundle> bundle, const EngineOptions& options) {
  if (options.kv_slots < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("kv_slots: must be at least 1, got ", options.kv_slots));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int64_t tokens,
      KvTokensOf(options, bundle->model->facts().context_length));
  std::unique_ptr<Engine> engine;
  absl::Status status = WithTorchFence([&]() -> absl::Status {
    engine.reset(
        new Engine(std::make_unique<Impl>(std::move(bundle), options, tokens)));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return engine;
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

std::vector<RowResult> Engine::Step(absl::Span<const StepRow> rows) {
  std::vector<RowResult> results(rows.size());
  const absl::Status status = WithTorchFence([&]() -> absl::Status {
    impl_->Run(rows, results);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    for (RowResult& result : results) result.status = status;
  }
  return results;
}

absl::Status Engine::CopyKv(const KvCopy& copy) {
  KvCache& cache = impl_->cache;
  const TransformerFacts& facts = impl_->bundle->model->facts();
  const auto no_slot = [&cache](int slot) {
    return slot < 0 || slot >= cache.slots();
  };
  if (no_slot(copy.from) || no_slot(copy.to) || copy.positions < 0 ||
      copy.positions > facts.context_length || copy.layers < 0 ||
      copy.layers > facts.n_layer) {
    return absl::InternalError(absl::StrCat(
        "kv copy: ", copy.positions, " positions and ", copy.layers,
        " layers from KV slot ", copy.from, " to ", copy.to));
  }
  return WithTorchFence([&]() -> absl::Status {
    cache.Copy(copy.from, copy.to, copy.positions, copy.layers);
    return absl::OkStatus();
  });
}

absl::Status Engine::CheckIntervention(const Intervention& intervention) const {
  if (intervention.vector != nullptr) {
    return CheckVector(intervention, impl_->bundle->catalog->model);
  }
  const std::vector<Sae>& saes = impl_->bundle->saes;
  if (intervention.checkpoint < 0 ||
      intervention.checkpoint >= static_cast<int>(saes.size())) {
    return absl::NotFoundError(
        absl::StrCat("checkpoint: no checkpoint ", intervention.checkpoint));
  }
  return CheckApplicable(saes[intervention.checkpoint], intervention);
}

absl::Status Engine::ReadFeatures(absl::Span<ConceptReading> readings,
                                  int top_k, const WhyStop& why_stop) const {
  if (readings.empty()) return absl::OkStatus();
  const std::vector<Sae>& saes = impl_->bundle->saes;
  const int checkpoint = readings[0].checkpoint;
  const int64_t width = impl_->bundle->model->facts().d_model;
  for (const ConceptReading& reading : readings) {
    if (reading.checkpoint != checkpoint || checkpoint < 0 ||
        checkpoint >= static_cast<int>(saes.size()) ||
        !saes[checkpoint].whole() ||
        static_cast<int64_t>(reading.residual.size()) != width) {
      return absl::InternalError("readings: have no features to read");
    }
  }
  return WithTorchFence([&] {
    return ReadFeaturesOf(saes[checkpoint], readings, top_k, why_stop);
  });
}

absl::StatusOr<SlotExplanation> Engine::ExplainSlot(int checkpoint, int slot,
                                                    int top_k) const {
  const std::vector<Sae>& saes = impl_->bundle->saes;
  if (checkpoint < 0 || checkpoint >= static_cast<int>(saes.size())) {
    return absl::InternalError("explain: unknown checkpoint");
  }
  return WithTorchFence([&] {
    return ExplainSlotOf(*impl_->bundle->model, saes[checkpoint], slot, top_k);
  });
}

void Engine::TrimKv(int kv_slot, const KvRange& keep) {
  impl_->cache.Trim(kv_slot, keep.begin, keep.end);
}

int Engine::kv_slots() const { return impl_->cache.slots(); }
int64_t Engine::kv_tokens() const { return impl_->kv_tokens; }

}  // namespace alignsae
