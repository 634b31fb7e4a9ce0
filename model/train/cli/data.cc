#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/train/cli/cli.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/prompt_file.h"

namespace alignsae {
namespace {

struct DataCommand {
  TrainPreset preset;
  std::string out;

  absl::Status Run() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, GenerateCorpus(preset.data));
    ALIGNSAE_RETURN_IF_ERROR(WriteCorpus(out, corpus));
    std::cout << out << ": " << corpus.people.size() << " people, "
              << corpus.biographies.size() << " biographies, "
              << corpus.questions.size() << " questions, SHA-256 "
              << corpus.hash << "\n";
    return WriteFileAtomically(absl::StrCat(out, "/prompts.jsonl"),
                               PromptLinesOf(corpus));
  }
};

}  // namespace

void RegisterData(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<DataCommand>();
  CLI::App* sub = app.add_subcommand(
      "data",
      "Make synthetic people, biographies and questions, and the questions as "
      "labelled prompts");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("--out", command->out, "Directory to write")->required();
  AddFieldFlags(*sub, command->preset.data);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
