#include "model/train/eval/plots.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// A word of a data block: gnuplot reads what is in double quotes as one.
std::string Word(const std::string& text) {
  return absl::StrCat(
      "\"", absl::StrReplaceAll(text, {{"\"", "'"}, {"\\", "/"}, {"\n", " "}}),
      "\"");
}

double NumberOr(const nlohmann::json& object, const char* key,
                double otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : otherwise;
}

// The part of `evaluation` at a JSON pointer, or null.
const nlohmann::json* Part(const nlohmann::json& evaluation,
                           const std::string& pointer) {
  const nlohmann::json::json_pointer at(pointer);
  return evaluation.contains(at) ? &evaluation.at(at) : nullptr;
}

std::string Head(const std::string& picture, const std::string& title) {
  return absl::StrCat(
      "set terminal svg size 720,480 noenhanced background '#ffffff'\n"
      "set output '",
      picture, "'\nset title '", title, "'\nset grid\n");
}

std::string Layers(const nlohmann::json& layers, const std::string& picture) {
  std::string data;
  for (const nlohmann::json& row : layers) {
    absl::StrAppend(&data, Word(row.value("hook", "")), " ",
                    NumberOr(row, "whole", 0), " ",
                    NumberOr(row, "diagonal_accuracy", 0), "\n");
  }
  return absl::StrCat(
      Head(picture, "By hook point, on validation wordings"), "$rows << END\n",
      data,
      "END\nset yrange [0:1.05]\nset ylabel 'share'\nset key bottom\n"
      "set xtics rotate by -30\nset style data histograms\n"
      "set style fill solid 0.7\n"
      "plot $rows using 2:xtic(1) title 'swap success', "
      "'' using 3 title 'diagonal accuracy'\n");
}

// One data block and one line of the plot for each curve.
std::string Alphas(const std::map<std::string, const nlohmann::json*>& curves,
                   const std::string& picture) {
  std::string blocks;
  std::string lines;
  int count = 0;
  for (const auto& [name, curve] : curves) {
    const std::string block = absl::StrCat("$curve", count++);
    absl::StrAppend(&blocks, block, " << END\n");
    for (const nlohmann::json& row : *curve) {
      absl::StrAppend(&blocks, NumberOr(row, "alpha", 0), " ",
                      NumberOr(row, "whole", 0), "\n");
    }
    absl::StrAppend(&blocks, "END\n");
    absl::StrAppend(&lines, lines.empty() ? "" : ", ", block,
                    " using 1:2 with linespoints pt 7 ps 0.5 title ",
                    Word(name));
  }
  return absl::StrCat(Head(picture, "Swap success by strength, test wordings"),
                      blocks,
                      "set logscale x\nset xlabel 'alpha'\n"
                      "set yrange [0:1.05]\nset ylabel 'whole answer'\n"
                      "set key outside right\nplot ",
                      lines, "\n");
}

std::string Confusion(const nlohmann::json& confusion,
                      const std::string& picture) {
  std::string columns;
  std::string rows;
  for (const auto& [asked, read] : confusion.items()) {
    double total = 0;
    for (const auto& [name, count] : read.items()) total += count.get<double>();
    absl::StrAppend(&columns, " ", Word(asked));
    absl::StrAppend(&rows, Word(asked));
    for (const auto& [name, unused] : confusion.items()) {
      absl::StrAppend(&rows, " ",
                      total > 0 ? NumberOr(read, name.c_str(), 0) / total : 0);
    }
    absl::StrAppend(&rows, "\n");
  }
  return absl::StrCat(
      Head(picture, "Concept that is read (columns) where one is asked (rows)"),
      "$rows << END\n\"asked\"", columns, "\n", rows,
      "END\nunset grid\nunset key\nset cbrange [0:1]\n"
      "set palette defined (0 '#ffffff', 1 '#1f5fa8')\n"
      "set xtics rotate by -30\nset yrange [] reverse\n"
      "plot $rows matrix columnheaders rowheaders using 1:2:3 with image\n");
}

}  // namespace

std::map<std::string, std::string> PlotScripts(
    const nlohmann::json& evaluation) {
  std::map<std::string, std::string> scripts;
  if (const nlohmann::json* layers = Part(evaluation, "/selection/layers")) {
    if (!layers->empty()) {
      scripts["layers.svg"] = Layers(*layers, "layers.svg");
    }
  }
  std::map<std::string, const nlohmann::json*> curves;
  if (const nlohmann::json* own = Part(evaluation, "/test/swap/alpha_curve")) {
    curves["AlignSAE"] = own;
  }
  if (const nlohmann::json* baselines = Part(evaluation, "/baselines")) {
    for (const auto& [name, figures] : baselines->items()) {
      if (const nlohmann::json* curve = Part(figures, "/swap/alpha_curve")) {
        curves[name] = curve;
      }
    }
  }
  if (!curves.empty()) scripts["alphas.svg"] = Alphas(curves, "alphas.svg");
  if (const nlohmann::json* confusion =
          Part(evaluation, "/test/binding/confusion")) {
    scripts["confusion.svg"] = Confusion(*confusion, "confusion.svg");
  }
  return scripts;
}

absl::Status RunGnuplot(const std::string& directory,
                        const std::string& script) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  char program[] = "gnuplot";
  std::string file = script;
  char* const arguments[] = {program, file.data(), nullptr};
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, program, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    return absl::NotFoundError(
        "plots: gnuplot must be installed (Debian: gnuplot-nox)");
  }
  if (error != 0) {
    return absl::InternalError(
        absl::StrCat("plots: cannot run gnuplot: ", std::strerror(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("plots: gnuplot failed on ", directory, "/", script));
}

absl::StatusOr<std::vector<std::string>> DrawPlots(
    const nlohmann::json& evaluation, const std::string& directory) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
  std::vector<std::string> files;
  for (const auto& [picture, script] : PlotScripts(evaluation)) {
    const std::string name =
        absl::StrReplaceAll(picture, {{".svg", ".gnuplot"}});
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(directory, "/", name), script));
    ALIGNSAE_RETURN_IF_ERROR(RunGnuplot(directory, name));
    files.push_back(picture);
  }
  return files;
}

}  // namespace alignsae
