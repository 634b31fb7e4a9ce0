#include "model/terminal/command_line.h"

#include <cstdio>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/nearest.h"
#include "model/base/quote.h"
#include "model/base/version.h"
#include "model/terminal/completion.h"
#include "model/terminal/man_page.h"
#include "model/terminal/terminal.h"

namespace alignsae {
namespace {

// Ends the parsing with a text that was asked for.
class AskedFor : public CLI::Success {
 public:
  explicit AskedFor(std::string text)
      : CLI::Success("text", "", CLI::ExitCodes::Success),
        text_(std::move(text)) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The chosen commands, outermost first; at least `app` itself.
std::vector<const CLI::App*> Chosen(const CLI::App& app) {
  std::vector<const CLI::App*> chosen = {&app};
  while (!chosen.back()->get_subcommands().empty()) {
    chosen.push_back(chosen.back()->get_subcommands().front());
  }
  return chosen;
}

std::vector<std::string> Flags(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.push_back("--" + name);
      }
    }
  }
  return names;
}

std::vector<std::string> SubcommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string Meant(const std::string& nearest) {
  return nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?");
}

// The first word that nothing took: a flag before anything else, because what
// stands behind an unknown flag is taken for a word of its own.
std::string Unknown(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  for (const std::string& word : words) {
    if (absl::StartsWith(word, "-")) return word;
  }
  return words.empty() ? "" : words.front();
}

}  // namespace

std::string OneLine(std::string text) {
  absl::StripAsciiWhitespace(&text);
  return absl::StrReplaceAll(text, {{"\n", "; "}});
}

void AddStandardFlags(CLI::App& app) {
  app.set_version_flag("--version", [&app] {
    return absl::StrCat(app.get_name(), " ", kVersion);
  });
  app.add_flag_callback(
         "--man", [&app] { throw AskedFor(ManPage(app)); },
         "Print the manual page (man -l FILE shows it)")
      ->configurable(false);
  app.add_option_function<std::string>(
         "--completion",
         [&app](const std::string& shell) {
           throw AskedFor(CompletionScript(app, shell));
         },
         "Print a script that completes this program's words")
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}))
      ->type_name("SHELL")
      ->default_str("")
      ->configurable(false);
}

std::optional<std::string> TextAsked(const CLI::App& app,
                                     const CLI::ParseError& error) {
  if (error.get_exit_code() != 0) return std::nullopt;
  if (const auto* asked = dynamic_cast<const AskedFor*>(&error)) {
    return asked->text();
  }
  if (dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr) {
    return app.help();
  }
  return absl::StrCat(error.what(), "\n");  // The version.
}

std::string MistakeOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::string word = Unknown(app);
  const std::vector<const CLI::App*> chosen = Chosen(app);
  const CLI::App& command = *chosen.back();
  if (word.size() > 1 && word[0] == '-') {
    const std::string flag = word.substr(0, word.find('='));
    return absl::StrCat(chosen.size() > 1 ? command.get_name() + ": " : "",
                        "no flag ", Quoted(flag),
                        Meant(Nearest(flag, Flags(chosen))));
  }
  const std::vector<std::string> commands = SubcommandNames(command);
  if (!word.empty() && !commands.empty()) {
    return absl::StrCat("no command ", Quoted(word),
                        Meant(Nearest(word, commands)));
  }
  return OneLine(error.what());
}

std::optional<int> ParseCommandLine(CLI::App& app, int argc,
                                    const char* const* argv, int usage_code) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (const std::optional<std::string> text = TextAsked(app, error)) {
      WriteStdout(*text);
      return 0;
    }
    const std::string name = app.get_name();
    std::fprintf(stderr, "%s: %s\nRun with --help for more information.\n",
                 name.c_str(), MistakeOf(app, error).c_str());
    return usage_code;
  }
  return std::nullopt;
}

}  // namespace alignsae
