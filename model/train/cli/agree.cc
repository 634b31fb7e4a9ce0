// alignsae-train agree: what bf16 and int8 change, on a bundle's held-out
// questions or on a random model.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/bundle/manifest.h"
#include "model/gpt2/gpt2.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/tensor/torch_fence.h"
#include "model/train/cli/cli.h"
#include "model/train/eval/agreement.h"
#include "model/train/eval/eval.h"

namespace alignsae {
namespace {

// Where a random model is made strong in a few channels.
constexpr char kNowhere[] = "nowhere";
constexpr char kResidual[] = "residual";
constexpr char kGains[] = "gains";
constexpr char kValues[] = "values";

struct StrongChannels {
  std::string where = kNowhere;
  int count = 3;
  double strength = 40;  // Times what the channel had.
};

// Channel `i` of a list spread over the width.
int64_t ChannelAt(int i, int64_t width) { return (97 * i + 13) % width; }

// residual: what is added to these channels of the stream, and the gains of the
// layer norms that read them over it, as published GPT-2s have it. gains: of
// the layer norms, over it in the matrices behind. values: of what attention
// carries, over it in the matrix behind.
void MakeStrong(const StrongChannels& strong, Gpt2Weights& weights) {
  const int64_t d = weights.wte.size(1);
  for (int i = 0; i < strong.count; ++i) {
    const int64_t c = ChannelAt(i, d);
    if (strong.where == kResidual) {
      weights.wpe.select(1, c) *= strong.strength;
      weights.ln_f_weight[c] /= strong.strength;
    }
    for (Gpt2Block& block : weights.blocks) {
      if (strong.where == kResidual) {
        block.attn_proj_weight.select(1, c) *= strong.strength;
        block.mlp_proj_weight.select(1, c) *= strong.strength;
        block.ln_1_weight[c] /= strong.strength;
        block.ln_2_weight[c] /= strong.strength;
      } else if (strong.where == kGains) {
        block.ln_1_weight[c] *= strong.strength;
        block.ln_2_weight[c] *= strong.strength;
        block.c_attn_weight[c] /= strong.strength;
        block.c_fc_weight[c] /= strong.strength;
      } else if (strong.where == kValues) {
        block.c_attn_weight.select(1, 2 * d + c) *= strong.strength;
        block.attn_proj_weight[c] /= strong.strength;
      }
    }
  }
}

constexpr WeightType kOthers[] = {WeightType::kBf16, WeightType::kInt8};

void PrintRow(WeightType type, const Agreement& agreement) {
  std::printf("%-5s %9lld %8.4f %10.2e %9lld %10.4f",
              std::string(WeightTypeName(type)).c_str(),
              static_cast<long long>(agreement.positions), agreement.top1,
              agreement.kl, static_cast<long long>(agreement.clear_positions),
              agreement.clear_top1);
}

void PrintHead(const char* more) {
  std::printf("%-5s %9s %8s %10s %9s %10s%s\n", "type", "positions", "top-1",
              "KL", "clear", "top-1 there", more);
}

struct AgreeCommand {
  TrainPreset preset;
  std::string bundle;
  std::string device = "cpu";
  bool random_model = false;
  std::string shape = "gpt2-small";
  double spread = 1;
  StrongChannels strong;
  int threads = 0;
  at::Device where = at::kCPU;

  absl::Status Run() {
    UseThreads(threads);
    if (random_model == !bundle.empty()) {
      return absl::InvalidArgumentError(
          "--bundle and --random-model: exactly one must be given");
    }
    ALIGNSAE_ASSIGN_OR_RETURN(where, ParseDevice(device));
    return random_model ? RunRandom() : RunBundle();
  }

  Gpt2Config RandomShape() const {
    Gpt2Config config;
    config.context_length = 64;
    if (shape == "gpt2-medium") {
      config.n_layer = 24;
      config.n_head = 16;
      config.d_model = 1024;
      config.d_inner = 4096;
    }
    return config;
  }

  // Prompts of 24 random tokens, 12 more are fed.
  absl::Status RunRandom() const {
    return WithTorchFence([&] {
      const Gpt2Config config = RandomShape();
      Gpt2Weights weights = InitGpt2Weights(config, 1);
      // Wider than at the start of training: some tokens are clearly ahead.
      for (auto& [name, tensor] : weights.Named()) {
        if (spread != 1 && tensor->dim() == 2) *tensor *= spread;
      }
      MakeStrong(strong, weights);
      for (auto& [name, tensor] : weights.Named()) {
        *tensor = tensor->to(where);
      }
      weights.lm_head = weights.wte;
      std::vector<ForcedText> texts(64);
      for (size_t i = 0; i < texts.size(); ++i) {
        CounterRng rng(i + 1);
        for (int t = 0; t < 36; ++t) {
          auto& part = t < 24 ? texts[i].prompt : texts[i].answer;
          part.push_back(
              static_cast<int32_t>(rng.NextBelow(config.vocab_size)));
        }
      }
      const Gpt2 reference(config, weights);
      PrintHead("");
      for (WeightType type : kOthers) {
        if (!Runs(type)) continue;
        const Gpt2 other(config, weights, type);
        PrintRow(type, MeasureAgreement(reference, other, texts, nullptr));
        std::printf("\n");
      }
      return absl::OkStatus();
    });
  }

  bool Runs(WeightType type) const {
    const std::string why = WhyUnsupported(type, DeviceKind(where));
    if (!why.empty()) {
      std::printf("%s: %s\n", std::string(WeightTypeName(type)).c_str(),
                  why.c_str());
    }
    return why.empty();
  }

  // A bundle as it runs with one type, and how often its swap succeeds.
  struct Measured {
    std::shared_ptr<const Bundle> bundle;
    std::unique_ptr<EvalSubject> subject;
    double diagonal = 0, swap = 0;
  };

  absl::StatusOr<Measured> Measure(WeightType type, const Manifest& manifest,
                                   const EvalSet& set) const {
    Measured measured;
    ALIGNSAE_ASSIGN_OR_RETURN(
        measured.bundle,
        LoadBundle(bundle,
                   {.whole_sae = true, .device = where, .weight_type = type}));
    const EvalInputs inputs = {measured.bundle->model,
                               measured.bundle->tokenizer, &set};
    ALIGNSAE_ASSIGN_OR_RETURN(
        measured.subject,
        EvalSubject::Create(inputs, measured.bundle->saes, preset.eval.rows));
    SteeringChoice choice;
    choice.mode = manifest.saes.front().recommended_mode;
    choice.alpha = manifest.saes.front().recommended_alpha;
    ALIGNSAE_ASSIGN_OR_RETURN(
        const nlohmann::json evaluation,
        EvaluateChoice(*measured.subject, choice, preset.eval, {}));
    const nlohmann::json& test = evaluation["test"];
    measured.diagonal = test["binding"]["diagonal_accuracy"].get<double>();
    measured.swap = test["swap"]["all"]["whole"].get<double>();
    return measured;
  }

  absl::Status RunBundle() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                              ReadFile(absl::StrCat(bundle, "/bundle.json")));
    ALIGNSAE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(text));
    if (manifest.saes.empty()) return NoCheckpoint(bundle);
    ALIGNSAE_ASSIGN_OR_RETURN(
        const EvalSet set,
        ReadEvalSet(absl::StrCat(bundle, "/eval"), manifest.prompt_template));
    ALIGNSAE_ASSIGN_OR_RETURN(const Measured reference,
                              Measure(WeightType::kF32, manifest, set));
    const std::vector<ForcedText> texts = Texts(*reference.subject, set);
    PrintHead("   readout  diagonal      swap");
    std::printf("%-5s %59s %9s %9.4f %9.4f\n", "f32", "", "",
                reference.diagonal, reference.swap);
    for (WeightType type : kOthers) {
      if (!Runs(type)) continue;
      ALIGNSAE_ASSIGN_OR_RETURN(const Measured other,
                                Measure(type, manifest, set));
      const Agreement agreement =
          MeasureAgreement(*reference.bundle->model, *other.bundle->model,
                           texts, &reference.bundle->saes.front());
      PrintRow(type, agreement);
      std::printf(" %9.4f %9.4f %9.4f\n", agreement.readout, other.diagonal,
                  other.swap);
    }
    return absl::OkStatus();
  }

  // The questions of the test wordings with their gold answers.
  std::vector<ForcedText> Texts(const EvalSubject& subject,
                                const EvalSet& set) const {
    std::vector<ForcedText> texts;
    for (const EvalPrompt& prompt :
         PromptsOf(subject, preset.eval.sample, Split::kTest)) {
      texts.push_back(
          {prompt.tokens,
           AnswerTokens(subject.tokenizer(),
                        set.people[prompt.person].answers[prompt.relation])});
    }
    return texts;
  }
};

}  // namespace

void RegisterAgree(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<AgreeCommand>();
  CLI::App* sub = app.add_subcommand(
      "agree",
      "Measure what bf16 and int8 weights change against f32: tokens with the "
      "answers fed, readouts and swaps");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("--bundle", command->bundle,
                  "Bundle directory: its test wordings are asked");
  sub->add_flag("--random-model", command->random_model,
                "A random model, on random tokens");
  sub->add_option("--shape", command->shape, "Of the random model")
      ->capture_default_str()
      ->check(CLI::IsMember({"gpt2-small", "gpt2-medium"}));
  sub->add_option("--spread", command->spread,
                  "Its matrices times what training starts from")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 100.0));
  sub->add_option("--strong", command->strong.where,
                  "Where the random model has a few strong channels")
      ->capture_default_str()
      ->check(CLI::IsMember({kNowhere, kResidual, kGains, kValues}));
  sub->add_option("--strong-channels", command->strong.count, "How many")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  sub->add_option("--strength", command->strong.strength,
                  "Times what the channels had")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 10000.0));
  AddDeviceFlag(*sub, command->device);
  AddThreadsFlag(*sub, command->threads);
  AddFieldFlags(*sub, command->preset.eval);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
