#include "model/terminal/man_page.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/base/version.h"

namespace alignsae {
namespace {

// `text` as roff: a dash is a dash, and no line begins with a request.
std::string Roff(absl::string_view text) {
  const std::string escaped = absl::StrReplaceAll(
      text, {{"\\", "\\e"}, {"-", "\\-"}, {"\n", "\n.br\n"}});
  return absl::StartsWith(escaped, ".") || absl::StartsWith(escaped, "'")
             ? absl::StrCat("\\&", escaped)
             : escaped;
}

// "\fB\-n\fR, \fB\-\-max\-new\-tokens\fR \fIINT\fR"
std::string Heading(const CLI::Option& option) {
  std::string out;
  const auto add = [&out](const std::string& name) {
    absl::StrAppend(&out, out.empty() ? "" : ", ", "\\fB", Roff(name), "\\fR");
  };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (option.get_positional()) {
    absl::StrAppend(&out, "\\fI", Roff(option.get_name()), "\\fR");
  } else if (option.get_items_expected_max() > 0 &&
             !option.get_type_name().empty()) {
    absl::StrAppend(&out, " \\fI", Roff(option.get_type_name()), "\\fR");
  }
  return out;
}

void AddOptions(const CLI::App& app, std::string* out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // Hidden.
    absl::StrAppend(out, ".TP\n", Heading(*option), "\n",
                    Roff(option->get_description()));
    if (!option->get_default_str().empty()) {
      absl::StrAppend(out, " [", Roff(option->get_default_str()), "]");
    }
    if (!option->get_envname().empty()) {
      absl::StrAppend(out, " (environment: ", Roff(option->get_envname()), ")");
    }
    absl::StrAppend(out, "\n");
  }
}

void AddCommand(const CLI::App& app, const std::string& path,
                std::string* out) {
  absl::StrAppend(out, ".SS ", Roff(path), "\n", Roff(app.get_description()),
                  "\n");
  AddOptions(app, out);
  for (const CLI::App* command : app.get_subcommands({})) {
    AddCommand(*command, absl::StrCat(path, " ", command->get_name()), out);
  }
}

}  // namespace

std::string ManPage(const CLI::App& app) {
  const std::string name = app.get_name();
  const std::vector<const CLI::App*> commands = app.get_subcommands({});
  // What it is, and what else there is to say.
  const std::pair<std::string, std::string> about =
      absl::StrSplit(app.get_description(), absl::MaxSplits('\n', 1));
  std::string out = absl::StrCat(
      ".TH ", Roff(absl::AsciiStrToUpper(name)), " 1 \"\" \"AlignSAE ",
      kVersion, "\" \"AlignSAE\"\n.SH NAME\n", Roff(name), " \\- ",
      Roff(about.first), "\n.SH SYNOPSIS\n\\fB", Roff(name),
      "\\fR [\\fIflags\\fR]",
      commands.empty() ? "" : " \\fIcommand\\fR [\\fIarguments\\fR]",
      "\n.SH FLAGS\n");
  AddOptions(app, &out);
  if (!about.second.empty()) {
    absl::StrAppend(&out, ".SH DESCRIPTION\n", Roff(about.second), "\n");
  }
  if (!commands.empty()) absl::StrAppend(&out, ".SH COMMANDS\n");
  for (const CLI::App* command : commands) {
    AddCommand(*command, command->get_name(), &out);
  }
  if (!app.get_footer().empty()) {
    absl::StrAppend(&out, ".SH EXIT STATUS\n", Roff(app.get_footer()), "\n");
  }
  return out;
}

}  // namespace alignsae
