#include "client/cli/batch.h"

#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "client/cli/prompts.h"
#include "client/cli/table.h"
#include "model/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

using Prompt = PromptReader::Prompt;

// Whether the next prompt cannot do better.
bool EndsTheBatch(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDataLoss(status);
}

absl::Status PrintFailure(const CliOptions& options, const Prompt& prompt,
                          const absl::Status& status) {
  const std::string code = absl::StatusCodeToString(status.code());
  const std::string message(status.message());
  std::fprintf(stderr, "alignsae: %s: %s: %s\n",
               Printable(prompt.place).c_str(), code.c_str(),
               Printable(message).c_str());
  if (!options.json) return absl::OkStatus();
  const nlohmann::json line = {
      {"place", prompt.place},
      {"error", {{"code", code}, {"message", message}}}};
  return PrintText(line.dump(-1, ' ', /*ensure_ascii=*/false,
                             nlohmann::json::error_handler_t::replace) +
                   "\n");
}

absl::Status PrintHeading(const CliOptions& options, const Prompt& prompt,
                          bool first) {
  if (options.json) return absl::OkStatus();
  const Look look = LookOf(stdout);
  const std::string text =
      absl::StrCat(prompt.place, ": ", Printable(prompt.text));
  return PrintText(
      absl::StrCat(first ? "" : "\n", Styled(text, Style::kBold, look), "\n"));
}

// What a whole batch comes to.
struct Tally {
  int prompts = 0;
  int failed = 0;
  std::string first_place;
  absl::Status first;

  absl::Status Result() const {
    if (failed == 0) return absl::OkStatus();
    return absl::Status(
        first.code(),
        absl::StrCat(failed, " of ", prompts, " prompts failed, the first at ",
                     first_place, ": ", first.message()));
  }
};

absl::Status RunBatch(
    const CliOptions& options, PromptReader& reader, Client& client,
    const std::function<absl::Status(Client&, const std::string&)>& one,
    const std::function<void(Client&)>& after) {
  Tally tally;
  bool told = after == nullptr;
  while (true) {
    ALIGNSAE_ASSIGN_OR_RETURN(std::optional<Prompt> prompt, reader.Next());
    if (!prompt.has_value()) return tally.Result();
    ALIGNSAE_RETURN_IF_ERROR(
        PrintHeading(options, *prompt, tally.prompts == 0));
    ++tally.prompts;
    const absl::Status status = one(client, prompt->text);
    if (status.ok()) {
      if (!std::exchange(told, true)) after(client);
      continue;
    }
    if (EndsTheBatch(status)) {
      return absl::Status(status.code(),
                          absl::StrCat(prompt->place, ": ", status.message()));
    }
    if (tally.failed++ == 0) {
      tally.first = status;
      tally.first_place = prompt->place;
    }
    ALIGNSAE_RETURN_IF_ERROR(PrintFailure(options, *prompt, status));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> AllPrompts(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(PromptReader reader, PromptReader::Open(options));
  std::vector<std::string> texts;
  while (true) {
    ALIGNSAE_ASSIGN_OR_RETURN(std::optional<Prompt> prompt, reader.Next());
    if (!prompt.has_value()) return texts;
    texts.push_back(std::move(prompt->text));
  }
}

absl::Status ForEachPrompt(
    const CliOptions& options,
    const std::function<absl::Status(Client&, const std::string&)>& one,
    const std::function<void(Client&)>& after) {
  ALIGNSAE_ASSIGN_OR_RETURN(PromptReader reader, PromptReader::Open(options));
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  if (!options.file.empty()) {
    return RunBatch(options, reader, client, one, after);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::optional<Prompt> prompt, reader.Next());
  ALIGNSAE_RETURN_IF_ERROR(one(client, prompt->text));
  if (after != nullptr) after(client);
  return absl::OkStatus();
}

}  // namespace alignsae
