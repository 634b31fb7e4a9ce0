#include "model/terminal/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/terminal/completion.h"
#include "model/terminal/man_page.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A program of two commands.
class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() : app_("Does things.\nMore of it.", "thing") {
    app_.footer("Exit codes: 0 done.");
    AddStandardFlags(app_);
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_option("-s,--server", server_, "Where");
    app_.add_option("--level", level_, "How much")
        ->check(CLI::IsMember(std::vector<std::string>{"low", "high"}));
    CLI::App* swap = app_.add_subcommand("swap", "Swaps it's [things]");
    swap->add_option("--to", to_, "What to")
        ->type_name(kConceptType)
        ->required();
    swap->add_option("prompt", prompt_, "Text")->expected(0, 1);
    swap->add_flag("--raw", raw_, "As it is");
    app_.add_subcommand("read", "Reads")
        ->add_option("--file", to_, "From it")
        ->type_name(kFileType);
    app_.add_subcommand("other", "Is a program of its own")
        ->prefix_command()
        ->fallthrough(false)
        ->set_help_flag();
  }

  // What the program is told of its words: the text or the mistake.
  std::string Told(std::vector<std::string> words) {
    words.insert(words.begin(), "thing");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    try {
      app_.parse(static_cast<int>(argv.size()), argv.data());
    } catch (const CLI::ParseError& error) {
      const auto text = TextAsked(app_, error);
      return text.has_value() ? *text : MistakeOf(app_, error);
    }
    return "parsed";
  }

  CLI::App app_;
  std::string server_, level_, to_, prompt_;
  bool raw_ = false;
};

TEST_F(CommandLineTest, VersionAndHelpNeedNothingElse) {
  EXPECT_EQ(Told({"--version"}), "thing 0.1.0\n");
  EXPECT_THAT(Told({"--help"}), HasSubstr("Does things."));
  EXPECT_THAT(Told({"swap", "--help"}), HasSubstr("--to CONCEPT"));
  EXPECT_EQ(Told({"swap", "--to", "x"}), "parsed");
}

TEST_F(CommandLineTest, AMistakeNamesWhatMayHaveBeenMeant) {
  EXPECT_EQ(Told({"swpa", "q"}), "no command \"swpa\"; did you mean swap?");
  EXPECT_EQ(Told({"dance"}), "no command \"dance\"");
  EXPECT_EQ(Told({"swap", "q", "--too", "x"}),
            "swap: no flag \"--too\"; did you mean --to?");
  EXPECT_EQ(Told({"swap", "--to=x", "--sever=y"}),
            "swap: no flag \"--sever\"; did you mean --server?");
  EXPECT_THAT(Told({"--levle=low", "read"}),
              HasSubstr("did you mean --level?"));
  EXPECT_EQ(Told({"swap", "q"}), "--to is required");
  EXPECT_THAT(Told({}), HasSubstr("subcommand is required"));
  EXPECT_THAT(Told({"read", "--level=mid"}), HasSubstr("mid"));
}

TEST_F(CommandLineTest, AProgramOfItsOwnGetsEveryWordBehindItsName) {
  EXPECT_EQ(Told({"--level=low", "other", "--to", "swap", "--help", "-s", "x"}),
            "parsed");
  EXPECT_THAT(app_.get_subcommand("other")->remaining(),
              ElementsAre("--to", "swap", "--help", "-s", "x"));
  EXPECT_EQ(server_, "");
  EXPECT_THAT(CompletionScript(app_, "bash"),
              HasSubstr("other) COMPREPLY=($(compgen -f -- \"$cur\")) ;;"));
  EXPECT_THAT(CompletionScript(app_, "zsh"), HasSubstr("other) _files ;;"));
  EXPECT_THAT(CompletionScript(app_, "fish"),
              HasSubstr("-n '__fish_seen_subcommand_from other' -F"));
  EXPECT_THAT(ManPage(app_), HasSubstr(".SS other\nIs a program of its own"));
}

TEST_F(CommandLineTest, TheManualPageHasEveryFlagAndCommand) {
  const std::string page = Told({"--man"});
  EXPECT_EQ(page, ManPage(app_));
  for (const char* part :
       {".TH THING 1", "thing \\- Does things.", ".SH DESCRIPTION\nMore of it.",
        ".SS swap", "\\fB\\-s\\fR, \\fB\\-\\-server\\fR",
        "\\fB\\-\\-to\\fR \\fICONCEPT\\fR", ".SH EXIT STATUS\nExit codes: 0"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST_F(CommandLineTest, CompletionsHaveWordsValuesAndAskForConcepts) {
  const std::string bash = Told({"--completion", "bash"});
  EXPECT_EQ(bash, CompletionScript(app_, "bash"));
  EXPECT_THAT(bash, HasSubstr("swap|read|other"));
  EXPECT_THAT(bash, HasSubstr("'low high'"));
  EXPECT_THAT(bash, HasSubstr("concepts --names"));
  EXPECT_THAT(bash, HasSubstr("complete -F _thing thing"));
  const std::string zsh = CompletionScript(app_, "zsh");
  EXPECT_THAT(zsh, HasSubstr("#compdef thing"));
  EXPECT_THAT(zsh, HasSubstr("Swaps it'\\''s \\[things\\]"));
  const std::string fish = CompletionScript(app_, "fish");
  EXPECT_THAT(fish, HasSubstr("-n '__fish_seen_subcommand_from read' -l file "
                              "-r -F -d 'From it'"));
  EXPECT_THAT(fish, HasSubstr("-d 'Swaps it\\'s [things]'"));
  EXPECT_THAT(Told({"--completion", "tcsh"}), HasSubstr("tcsh"));
}

}  // namespace
}  // namespace alignsae
