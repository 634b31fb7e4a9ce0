#include "model/terminal/completion.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/terminal/command_line.h"

namespace alignsae {
namespace {

// What the values of an option are.
struct Values {
  enum class Kind { kNone, kAny, kChoice, kFile, kDirectory, kConcept };
  Kind kind = Kind::kNone;
  std::vector<std::string> choices;  // kChoice only.
};

Values ValuesOf(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  const std::string type = option.get_type_name();
  // CLI::IsMember says "{a,b}" in the type.
  const size_t open = type.find('{');
  const size_t close = type.find('}');
  if (open != std::string::npos && close != std::string::npos) {
    return {Values::Kind::kChoice,
            absl::StrSplit(type.substr(open + 1, close - open - 1), ',')};
  }
  if (absl::StartsWith(type, kConceptType)) return {Values::Kind::kConcept, {}};
  if (absl::StartsWith(type, kFileType)) return {Values::Kind::kFile, {}};
  if (absl::StartsWith(type, kDirectoryType)) {
    return {Values::Kind::kDirectory, {}};
  }
  return {Values::Kind::kAny, {}};
}

std::vector<std::string> Dashed(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames())
    names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  return names;
}

// The flags of `app`, without positional arguments and hidden ones.
std::vector<const CLI::Option*> FlagsOf(const CLI::App& app) {
  std::vector<const CLI::Option*> flags;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional() && !option->get_group().empty()) {
      flags.push_back(option);
    }
  }
  return flags;
}

std::string LongNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : FlagsOf(app)) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return absl::StrJoin(names, " ");
}

std::string Commands(const CLI::App& app) {
  return absl::StrJoin(app.get_subcommands({}), " ",
                       [](std::string* out, const CLI::App* command) {
                         absl::StrAppend(out, command->get_name());
                       });
}

// A command whose words are another program's; files may be among them.
bool IsOwnProgram(const CLI::App& command) {
  return command.get_prefix_command();
}

// A name that may be part of a function's.
std::string Identifier(const std::string& name) {
  return absl::StrReplaceAll(name, {{"-", "_"}});
}

// ---- bash

std::string BashValues(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : FlagsOf(app)) {
    const Values values = ValuesOf(*option);
    std::string reply;
    switch (values.kind) {
      case Values::Kind::kNone:
        continue;
      case Values::Kind::kAny:
        break;
      case Values::Kind::kChoice:
        reply = absl::StrCat("COMPREPLY=($(compgen -W '",
                             absl::StrJoin(values.choices, " "),
                             "' -- \"$cur\"));");
        break;
      case Values::Kind::kFile:
        reply = "COMPREPLY=($(compgen -f -- \"$cur\"));";
        break;
      case Values::Kind::kDirectory:
        reply = "COMPREPLY=($(compgen -d -- \"$cur\"));";
        break;
      case Values::Kind::kConcept:
        reply =
            "COMPREPLY=($(compgen -P \"$list\" -W \"$(\"${COMP_WORDS[0]}\" "
            "\"${server[@]}\" concepts --names 2>/dev/null)\" -- "
            "\"${cur##*,}\"));";
        break;
    }
    absl::StrAppend(&out, "    ", absl::StrJoin(Dashed(*option), "|"), ") ",
                    reply, reply.empty() ? "" : " ", "return ;;\n");
  }
  return out;
}

std::string Bash(const CLI::App& app) {
  const std::string function = "_" + Identifier(app.get_name());
  std::string out = absl::StrCat(
      "# Completion of ", app.get_name(), " for bash.\n", function,
      "() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local command= list= i server=()\n"
      "  [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
      "  [[ $cur == = ]] && cur=\n"
      "  [[ $cur == *,* ]] && list=${cur%,*},\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "    -s) server=(-s \"${COMP_WORDS[i+1]}\") ;;\n"
      // "--server=host:port" is five words for bash, "--server host:port" four.
      "    --server) server=(--server \"$(IFS=; "
      "words=\"${COMP_WORDS[*]:i+1:4}\""
      "; words=${words#=}; echo \"${words%% *}\")\") ;;\n");
  const std::string commands = Commands(app);
  if (!commands.empty()) {
    absl::StrAppend(&out, "    ", absl::StrReplaceAll(commands, {{" ", "|"}}),
                    ") [[ $command ]] || command=${COMP_WORDS[i]} ;;\n");
  }
  absl::StrAppend(&out, "    esac\n  done\n  case $command:$prev in\n");
  for (const CLI::App* command : app.get_subcommands({})) {
    absl::StrAppend(&out, "  ", command->get_name(), ":*) case $prev in\n",
                    BashValues(*command), "    esac ;;\n");
  }
  absl::StrAppend(&out, "  esac\n  case $prev in\n", BashValues(app),
                  "  esac\n  case $command in\n");
  const std::string common = LongNames(app);
  for (const CLI::App* command : app.get_subcommands({})) {
    if (IsOwnProgram(*command)) {
      absl::StrAppend(&out, "  ", command->get_name(),
                      ") COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n");
      continue;
    }
    const std::string below = Commands(*command);
    absl::StrAppend(&out, "  ", command->get_name(),
                    ") COMPREPLY=($(compgen -W '", LongNames(*command), " ",
                    common, below.empty() ? "" : " ", below,
                    "' -- \"$cur\")) ;;\n");
  }
  absl::StrAppend(&out, "  *) COMPREPLY=($(compgen -W '", commands,
                  commands.empty() ? "" : " ", common,
                  "' -- \"$cur\")) ;;\n  esac\n}\ncomplete -F ", function, " ",
                  app.get_name(), "\n");
  return out;
}

// ---- zsh

// In a pair of single quotes, where brackets and colons have a meaning.
std::string ZshText(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"'", "'\\''"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

std::string ZshValue(const Values& values) {
  switch (values.kind) {
    case Values::Kind::kNone:
      return "";
    case Values::Kind::kAny:
      return ":value: ";
    case Values::Kind::kChoice:
      return absl::StrCat(":value:(", absl::StrJoin(values.choices, " "), ")");
    case Values::Kind::kFile:
      return ":file:_files";
    case Values::Kind::kDirectory:
      return ":directory:_files -/";
    case Values::Kind::kConcept:
      return ":concept:_alignsae_concepts";
  }
  return "";
}

std::string ZshArguments(const CLI::App& app, absl::string_view indent) {
  std::string out;
  for (const CLI::Option* option : FlagsOf(app)) {
    const Values values = ValuesOf(*option);
    for (const std::string& name : Dashed(*option)) {
      const bool glued =
          values.kind != Values::Kind::kNone && absl::StartsWith(name, "--");
      absl::StrAppend(&out, indent, "'*", name, glued ? "=" : "", "[",
                      ZshText(option->get_description()), "]", ZshValue(values),
                      "' \\\n");
    }
  }
  return out;
}

std::string Zsh(const CLI::App& app) {
  const std::string function = "_" + Identifier(app.get_name());
  std::string out = absl::StrCat(
      "#compdef ", app.get_name(), "\n# Completion of ", app.get_name(),
      " for zsh.\n_alignsae_concepts() {\n  local -a names server\n"
      "  local i=${words[(I)--server]}\n"
      "  (( i )) && server=(--server ${words[i+1]})\n"
      "  names=(${(f)\"$(alignsae $server concepts --names 2>/dev/null)\"})\n"
      "  _sequence compadd - $names\n}\n",
      function, "() {\n  local state line\n  typeset -A opt_args\n");
  const std::vector<const CLI::App*> commands = app.get_subcommands({});
  absl::StrAppend(&out, "  _arguments -C \\\n", ZshArguments(app, "    "));
  if (commands.empty()) {
    absl::StrAppend(&out, "    '*: :'\n}\n");
  } else {
    absl::StrAppend(
        &out, "    '1:command:((",
        absl::StrJoin(commands, " ",
                      [](std::string* text, const CLI::App* each) {
                        absl::StrAppend(
                            text, each->get_name(), "\\:\"",
                            absl::StrReplaceAll(
                                ZshText(each->get_description()), {{"\"", ""}}),
                            "\"");
                      }),
        "))' \\\n    '*::argument:->argument'\n"
        "  [[ $state == argument ]] || return\n"
        "  case $words[1] in\n");
    for (const CLI::App* command : commands) {
      if (IsOwnProgram(*command)) {
        absl::StrAppend(&out, "  ", command->get_name(), ") _files ;;\n");
        continue;
      }
      absl::StrAppend(&out, "  ", command->get_name(), ") _arguments \\\n",
                      ZshArguments(*command, "    "), ZshArguments(app, "    "),
                      "    '*: :(", Commands(*command), ")' ;;\n");
    }
    absl::StrAppend(&out, "  esac\n}\n");
  }
  absl::StrAppend(&out, "if [[ $funcstack[1] == ", function, " ]]; then\n  ",
                  function, " \"$@\"\nelse\n  compdef ", function, " ",
                  app.get_name(), "\nfi\n");
  return out;
}

// ---- fish

std::string FishText(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}});
}

std::string FishFlags(const CLI::App& app, absl::string_view program,
                      absl::string_view condition) {
  std::string out;
  for (const CLI::Option* option : FlagsOf(app)) {
    absl::StrAppend(&out, "complete -c ", program, condition);
    for (const std::string& name : option->get_snames()) {
      absl::StrAppend(&out, " -s ", name);
    }
    for (const std::string& name : option->get_lnames()) {
      absl::StrAppend(&out, " -l ", name);
    }
    const Values values = ValuesOf(*option);
    switch (values.kind) {
      case Values::Kind::kNone:
        break;
      case Values::Kind::kAny:
        absl::StrAppend(&out, " -x");
        break;
      case Values::Kind::kChoice:
        absl::StrAppend(&out, " -x -a '", absl::StrJoin(values.choices, " "),
                        "'");
        break;
      case Values::Kind::kFile:
        absl::StrAppend(&out, " -r -F");
        break;
      case Values::Kind::kDirectory:
        absl::StrAppend(&out, " -x -a '(__fish_complete_directories)'");
        break;
      case Values::Kind::kConcept:
        absl::StrAppend(&out,
                        " -x -a '(alignsae concepts --names 2>/dev/null)'");
        break;
    }
    absl::StrAppend(&out, " -d '", FishText(option->get_description()), "'\n");
  }
  return out;
}

std::string Fish(const CLI::App& app) {
  const std::string name = app.get_name();
  std::string out =
      absl::StrCat("# Completion of ", name, " for fish.\ncomplete -c ", name,
                   " -f\n", FishFlags(app, name, ""));
  for (const CLI::App* command : app.get_subcommands({})) {
    absl::StrAppend(&out, "complete -c ", name, " -n __fish_use_subcommand -a ",
                    command->get_name(), " -d '",
                    FishText(command->get_description()), "'\n");
    if (IsOwnProgram(*command)) {
      absl::StrAppend(&out, "complete -c ", name,
                      " -n '__fish_seen_subcommand_from ", command->get_name(),
                      "' -F\n");
      continue;
    }
    absl::StrAppend(&out,
                    FishFlags(*command, name,
                              absl::StrCat(" -n '__fish_seen_subcommand_from ",
                                           command->get_name(), "'")));
  }
  return out;
}

}  // namespace

std::string CompletionScript(const CLI::App& app, absl::string_view shell) {
  if (shell == "bash") return Bash(app);
  return shell == "zsh" ? Zsh(app) : Fish(app);
}

}  // namespace alignsae
