#include "model/train/common/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"
#include "model/terminal/terminal.h"

namespace alignsae {

std::string ShortDuration(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) {
    return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  }
  return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
}

std::string RenderBar(absl::string_view title, int64_t done, int64_t total,
                      absl::Duration eta, absl::string_view text) {
  constexpr int kWidth = 24;
  const double part =
      total > 0 ? std::clamp(static_cast<double>(done) / total, 0.0, 1.0) : 0;
  const int filled = static_cast<int>(part * kWidth);
  std::string bar(filled, '=');
  if (filled < kWidth) bar += '>';
  bar.resize(kWidth, ' ');
  return absl::StrFormat("[%s] %3d%% %s %d/%d eta %s  %s", bar,
                         static_cast<int>(part * 100), title, done, total,
                         ShortDuration(eta), text);
}

Progress::Progress(std::FILE* lines, std::FILE* terminal)
    : lines_(lines),
      terminal_(terminal != nullptr && isatty(fileno(terminal)) ? terminal
                                                                : nullptr) {}

Progress::~Progress() { Erase(); }

void Progress::Start(absl::string_view title, int64_t done, int64_t total) {
  Erase();
  title_ = std::string(title);
  first_ = done;
  total_ = total;
  start_ = absl::Now();
  last_draw_ = absl::InfinitePast();
}

absl::Duration Progress::Eta(int64_t done) const {
  if (done <= first_) return absl::ZeroDuration();
  return (absl::Now() - start_) * static_cast<double>(total_ - done) /
         static_cast<double>(done - first_);
}

void Progress::Update(int64_t done, absl::string_view text) {
  if (terminal_ == nullptr) return;
  const absl::Time now = absl::Now();
  if (now - last_draw_ < absl::Milliseconds(200)) return;
  last_draw_ = now;
  // \x1b[K clears what a longer bar left behind.
  const std::string line = absl::StrCat(
      WholeText(done), RenderBar(title_, done, total_, Eta(done), text));
  // A line that wraps could not be taken away again.
  const int width = LookOf(terminal_).width;
  absl::FPrintF(terminal_, "\r%s\x1b[K",
                width > 1 ? absl::string_view(line).substr(0, width - 1)
                          : absl::string_view(line));
  std::fflush(terminal_);
  drawn_ = true;
}

void Progress::Line(absl::string_view line) {
  Erase();
  if (lines_ == nullptr) return;
  absl::FPrintF(lines_, "%s\n", line);
  std::fflush(lines_);
}

void Progress::Finish() { Erase(); }

void Progress::Plan(std::vector<Part> parts) {
  parts_ = std::move(parts);
  ended_ = skipped_ = running_ = 0;
  planned_ = absl::Now();
}

std::string Progress::BeginPart(absl::string_view name) {
  total_ = 0;
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].name != name) continue;
    running_ = parts_[i].weight;
    return absl::StrCat("stage ", i + 1, " of ", parts_.size());
  }
  return "";
}

void Progress::EndPart(absl::string_view name, bool skipped) {
  for (const Part& part : parts_) {
    if (part.name != name) continue;
    ended_ += part.weight;
    if (skipped) skipped_ += part.weight;
    running_ = 0;
  }
}

double Progress::TotalWeight() const {
  double total = 0;
  for (const Part& part : parts_) total += part.weight;
  return total;
}

double Progress::Whole(int64_t done) const {
  const double total = TotalWeight();
  if (total <= 0) return 0;
  const double part =
      total_ > 0
          ? std::clamp(static_cast<double>(done) / static_cast<double>(total_),
                       0.0, 1.0)
          : 0;
  return std::min(1.0, (ended_ + running_ * part) / total);
}

std::string Progress::WholeText(int64_t done) const {
  if (parts_.empty()) return "";
  const double whole = Whole(done);
  const double total = TotalWeight();
  const double made = whole * total - skipped_;  // By this run.
  std::string text =
      absl::StrFormat("%d%% of all", static_cast<int>(whole * 100));
  if (made > 0) {
    absl::StrAppend(
        &text, ", eta ",
        ShortDuration((absl::Now() - planned_) * ((1 - whole) * total / made)));
  }
  return text + "; ";
}

void Progress::Erase() {
  if (!drawn_) return;
  absl::FPrintF(terminal_, "\r\x1b[K");
  std::fflush(terminal_);
  drawn_ = false;
}

absl::StatusOr<JsonLog> JsonLog::Open(const std::string& path,
                                      const std::string& key, int64_t last) {
  JsonLog log;
  log.path_ = path;
  if (!FileExists(path)) return log;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const absl::StatusOr<nlohmann::json> json = ParseJson(line);
    if (!json.ok() || !json->is_object()) continue;
    const auto it = json->find(key);
    if (it == json->end() || !it->is_number_integer()) continue;
    if (it->get<int64_t>() <= last) absl::StrAppend(&log.contents_, line, "\n");
  }
  return log;
}

absl::Status JsonLog::Append(const nlohmann::ordered_json& line) {
  absl::StrAppend(&contents_, line.dump(), "\n");
  return Write();
}

absl::Status JsonLog::Write() const {
  return WriteFileAtomically(path_, contents_);
}

}  // namespace alignsae
