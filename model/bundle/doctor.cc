#include "model/bundle/doctor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/doctor_readings.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxDoctorBytes = int64_t{16} << 20;
// Of sae_weights.safetensors, that is read whole for the doctor alone.
constexpr uintmax_t kMaxReadWhole = uintmax_t{64} << 20;

std::string Figure(double value) { return absl::StrFormat("%.3f", value); }

absl::Status Unfit(absl::string_view field, absl::string_view rule,
                   absl::string_view got) {
  return absl::FailedPreconditionError(
      absl::StrCat(kDoctorFile, ": ", field, ": must ", rule, ", got ", got));
}

std::vector<int32_t> IdsOf(const DoctorSubject& subject,
                           const std::string& text) {
  std::vector<int32_t> ids = subject.tokenizer.Encode(text);
  if (subject.sae.config().prepend_bos) {
    ids.insert(ids.begin(), subject.tokenizer.eos_token_id());
  }
  return ids;
}

at::Tensor TensorOf(const std::vector<std::vector<float>>& rows) {
  std::vector<at::Tensor> tensors;
  for (const std::vector<float>& row : rows) {
    tensors.push_back(
        at::tensor(std::vector<double>(row.begin(), row.end()), at::kDouble));
  }
  return at::stack(tensors);
}

DoctorReadings RecordedReadings(const DoctorFacts& facts) {
  std::vector<std::vector<float>> pre, values;
  std::vector<double> norms, errors;
  for (const DoctorPrompt& prompt : facts.prompts) {
    pre.push_back(prompt.pre);
    values.push_back(prompt.values);
    norms.push_back(prompt.residual_norm);
    errors.push_back(prompt.reconstruction_error);
  }
  return {TensorOf(pre), TensorOf(values), at::tensor(norms, at::kDouble),
          at::tensor(errors, at::kDouble)};
}

// How far what is read lies from what was recorded.
struct Deviations {
  double pre = 0, values = 0, residual = 0, reconstruction = 0;
  double most() const {
    return std::max({pre, values, residual, reconstruction});
  }
};

Deviations DeviationsOf(const DoctorReadings& now,
                        const DoctorReadings& recorded) {
  Deviations found;
  found.pre = Deviation(now.pre, recorded.pre);
  found.values = Deviation(now.values, recorded.values);
  found.residual = Deviation(now.residual_norm, recorded.residual_norm);
  if (now.reconstruction_error.defined()) {
    found.reconstruction =
        Deviation(now.reconstruction_error, recorded.reconstruction_error);
  }
  return found;
}

// The other place that deviates least.
std::pair<HookPoint, double> NearestOther(const Sae& sae,
                                          const DoctorResiduals& residuals,
                                          const DoctorReadings& recorded) {
  std::pair<HookPoint, double> nearest{{}, std::numeric_limits<double>::max()};
  for (const auto& [place, h] : residuals) {
    if (place.place() == sae.config().hook.place()) continue;
    const double most = DeviationsOf(ReadingsOf(sae, h), recorded).most();
    if (most < nearest.second) nearest = {place, most};
  }
  return nearest;
}

// A place as the checkpoint would call it: resid_post[3] and resid_pre[4] are
// one.
std::string NameOf(HookPoint place, const HookPoint& like, int n_layer) {
  if (like.kind == HookKind::kResidPost && place.kind == HookKind::kResidPre &&
      place.layer > 0) {
    place = {HookKind::kResidPost, place.layer - 1};
  } else if (like.kind == HookKind::kResidPre &&
             place.kind == HookKind::kResidPost && place.layer + 1 < n_layer) {
    place = {HookKind::kResidPre, place.layer + 1};
  }
  return place.ToString();
}

// The scale with which the pre-activations would be as recorded: they are
// (h / s) W + b.
double ScaleThatFits(const Sae& sae, const DoctorReadings& now,
                     const DoctorReadings& recorded) {
  if (recorded.pre.numel() == 0) return 0;
  const at::Tensor zero =
      at::zeros({1, sae.config().d_model}, sae.concept_decoder().options());
  const at::Tensor b = sae.ConceptPre(zero).to(at::kCPU, at::kDouble);
  const at::Tensor mine = now.pre - b;
  const double ratio = ((recorded.pre - b) * mine).sum().item<double>() /
                       std::max(mine.square().sum().item<double>(), 1e-30);
  const double off = Deviation(mine * ratio + b, recorded.pre);
  return off <= kDoctorLimit && ratio > 0 ? sae.config().scale / ratio : 0;
}

absl::Status Explain(const Sae& sae, int n_layer, const Deviations& found,
                     const DoctorResiduals& residuals,
                     const DoctorReadings& now,
                     const DoctorReadings& recorded) {
  const HookPoint hook = sae.config().hook;
  const auto [place, deviation] = NearestOther(sae, residuals, recorded);
  if (deviation <= kDoctorLimit) {
    return Unfit(
        "hook",
        absl::StrCat("be ", NameOf(place, hook, n_layer),
                     ", where the stored prompts read as recorded "
                     "(deviation ",
                     Figure(deviation), ")"),
        absl::StrCat(hook.ToString(), " (", Figure(found.most()), ")"));
  }
  if (found.residual > kDoctorLimit) {
    return Unfit("model",
                 "give the residuals of the stored prompts that were recorded; "
                 "no hook point of this one does",
                 absl::StrCat("norms that deviate by ", Figure(found.residual),
                              " at ", hook.ToString()));
  }
  if (const double scale = ScaleThatFits(sae, now, recorded);
      found.pre > kDoctorLimit && scale > 0) {
    return Unfit("scale",
                 absl::StrCat("be ", absl::StrFormat("%.6g", scale),
                              ", with which the slots read as recorded"),
                 absl::StrCat(sae.config().scale));
  }
  if (found.pre <= kDoctorLimit) {
    return Unfit(
        "activation",
        "be the one that was recorded with: the pre-activations are "
        "the same",
        absl::StrCat(SaeActivationName(sae.config().activation),
                     ", by which values deviate by ", Figure(found.values),
                     " and reconstruction by ", Figure(found.reconstruction)));
  }
  return Unfit("weights",
               "read the stored prompts as recorded; no hook point or scale "
               "would do",
               absl::StrCat("slots that deviate by ", Figure(found.pre)));
}

absl::Status CheckTokens(const DoctorSubject& subject,
                         const DoctorFacts& facts) {
  for (size_t i = 0; i < facts.prompts.size(); ++i) {
    const DoctorPrompt& prompt = facts.prompts[i];
    const std::vector<int32_t> ids = IdsOf(subject, prompt.text);
    if (ids == prompt.token_ids) continue;
    size_t at = 0;
    while (at < std::min(ids.size(), prompt.token_ids.size()) &&
           ids[at] == prompt.token_ids[at]) {
      ++at;
    }
    return Unfit(
        "tokenizer",
        absl::StrCat("give the ", prompt.token_ids.size(),
                     " ids that were recorded of prompts[", i, "]"),
        absl::StrCat(ids.size(), " ids that differ from index ", at, " on"));
  }
  const auto& [model, tokenizer, sae] = subject;
  for (const DoctorPrompt& prompt : facts.prompts) {
    const auto length = static_cast<int>(prompt.token_ids.size());
    if (length <= model.facts().context_length) continue;
    return Unfit("model", absl::StrCat("take prompts of ", length, " tokens"),
                 absl::StrCat(model.facts().context_length));
  }
  return absl::OkStatus();
}

absl::Status Compare(const DoctorSubject& subject, const DoctorFacts& facts) {
  std::vector<std::vector<int32_t>> prompts;
  for (const DoctorPrompt& prompt : facts.prompts) {
    prompts.push_back(prompt.token_ids);
  }
  return WithTorchFence([&]() -> absl::Status {
    const DoctorResiduals residuals = ResidualsOf(subject.model, prompts);
    const DoctorReadings recorded = RecordedReadings(facts);
    const DoctorReadings now =
        ReadingsOf(subject.sae, residuals.at(subject.sae.config().hook));
    const Deviations found = DeviationsOf(now, recorded);
    if (found.most() <= kDoctorLimit) return absl::OkStatus();
    return Explain(subject.sae, subject.model.facts().n_layer, found, residuals,
                   now, recorded);
  });
}

// The checkpoint whole, where that is cheap; nullopt: it is not.
absl::StatusOr<std::optional<Sae>> WholeOf(const std::string& directory,
                                           at::Device device) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(
      absl::StrCat(directory, "/sae_weights.safetensors"), error);
  // One that has gone meanwhile is Load's to tell of.
  if (!error && bytes > kMaxReadWhole) return std::optional<Sae>();
  ALIGNSAE_ASSIGN_OR_RETURN(
      Sae whole, Sae::Load(directory, Sae::LoadMode::kWhole, device));
  return std::optional<Sae>(std::move(whole));
}

}  // namespace

absl::StatusOr<Recorded> RecordFacts(const DoctorSubject& subject,
                                     const std::vector<std::string>& texts) {
  std::vector<std::vector<int32_t>> prompts;
  for (const std::string& text : texts) {
    prompts.push_back(IdsOf(subject, text));
  }
  return WithTorchFence([&]() -> absl::StatusOr<Recorded> {
    const DoctorResiduals residuals = ResidualsOf(subject.model, prompts);
    const DoctorReadings seen =
        ReadingsOf(subject.sae, residuals.at(subject.sae.config().hook));
    Recorded recorded;
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      const auto numbers = [row](const at::Tensor& of) {
        const at::Tensor one = of[row].to(at::kFloat).contiguous();
        return std::vector<float>(one.data_ptr<float>(),
                                  one.data_ptr<float>() + one.numel());
      };
      recorded.facts.prompts.push_back(
          {texts[i], prompts[i], seen.residual_norm[row].item<double>(),
           seen.reconstruction_error[row].item<double>(), numbers(seen.pre),
           numbers(seen.values)});
    }
    const auto [place, deviation] = NearestOther(subject.sae, residuals, seen);
    recorded.nearest = place;
    recorded.nearest_deviation = deviation;
    return recorded;
  });
}

absl::Status ExamineCheckpoint(const std::string& directory,
                               const DoctorSubject& subject,
                               std::vector<std::string>& notes) {
  const std::string path = absl::StrCat(directory, "/", kDoctorFile);
  if (!FileExists(path)) {
    notes.push_back(absl::StrCat(
        directory, ": has no stored prompts (", kDoctorFile,
        "): whether it is for this model, at this hook point, was not checked; "
        "alignsae-train bundle doctor records them"));
    return absl::OkStatus();
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json,
                            ReadFile(path, kMaxDoctorBytes));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const DoctorFacts facts,
      ParseDoctorFacts(json, subject.sae.concept_count()));
  ALIGNSAE_RETURN_IF_ERROR(CheckTokens(subject, facts));
  if (subject.sae.whole()) return Compare(subject, facts);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::optional<Sae> whole,
                            WholeOf(directory, subject.model.device()));
  if (whole.has_value()) {
    return Compare({subject.model, subject.tokenizer, *whole}, facts);
  }
  notes.push_back(
      absl::StrCat(directory,
                   ": is too large to be read whole for the doctor: its "
                   "reconstruction of the stored prompts was not checked"));
  return Compare(subject, facts);
}

}  // namespace alignsae
