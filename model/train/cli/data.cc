#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/train/cli/cli.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/hops.h"
#include "model/train/data/prompt_file.h"
#include "model/train/data/texts_file.h"

namespace alignsae {
namespace {

struct DataCommand {
  TrainPreset preset;
  HopOptions hops;
  std::string out;

  absl::Status Run() const {
    return preset.data.facts == "hops" ? MakeHops() : MakeCorpus();
  }

  absl::Status MakeCorpus() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, GenerateCorpus(preset.data));
    ALIGNSAE_RETURN_IF_ERROR(WriteCorpus(out, corpus));
    std::cout << out << ": " << corpus.people.size() << " "
              << (corpus.options.facts == "countries" ? "countries" : "people")
              << ", " << corpus.biographies.size() << " biographies, "
              << corpus.questions.size() << " questions, SHA-256 "
              << corpus.hash << "\n";
    return WriteFileAtomically(absl::StrCat(out, "/prompts.jsonl"),
                               PromptLinesOf(corpus));
  }

  absl::Status MakeHops() const {
    HopOptions options = hops;
    options.seed = preset.data.seed;
    ALIGNSAE_ASSIGN_OR_RETURN(const HopData data, GenerateHops(options));
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash, WriteHops(out, data));
    std::cout << out << ": " << data.names.size() << " names, "
              << data.relations.size() << " relations, " << data.facts.size()
              << " facts, " << data.questions.size()
              << " questions of two steps, SHA-256 " << hash << "\n";
    return absl::OkStatus();
  }
};

}  // namespace

void RegisterData(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<DataCommand>();
  CLI::App* sub = app.add_subcommand(
      "data",
      "Make facts, the texts that tell them and questions about them, and the "
      "questions as labelled prompts");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("--out", command->out, "Directory to write")->required();
  AddFieldFlags(*sub, command->preset.data);
  AddFieldFlags(*sub, command->hops, "hop-");
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
