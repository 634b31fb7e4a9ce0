// What a long run tells its user: whole lines for the log, a bar on a terminal,
// and a JSON Lines file for programs.
//
// Thread-safety: not thread-safe; one thread reports.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_PROGRESS_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// "[======>      ]  42% lm 1020/2040 eta 3m10s  loss 0.27"
std::string RenderBar(absl::string_view title, int64_t done, int64_t total,
                      absl::Duration eta, absl::string_view text);

// Lines go to `lines`; the bar goes to `terminal` if that is one, and is taken
// away before a line is printed. Either may be null.
class Progress {
 public:
  Progress(std::FILE* lines, std::FILE* terminal);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Starts a bar of `total` steps of which `done` are behind us already; they
  // do not count for the speed.
  void Start(absl::string_view title, int64_t done, int64_t total);
  // Draws at most five times a second.
  void Update(int64_t done, absl::string_view text);
  void Line(absl::string_view line);
  void Finish();

  // One of the parts of a whole. `weight` > 0: about what share of the time it
  // takes, in any unit.
  struct Part {
    std::string name;
    double weight;
  };
  // From now on the bar is of all parts; Start and Update tell of the one that
  // runs.
  void Plan(std::vector<Part> parts);
  // "stage 2 of 7", and the bar goes on from there; "" for a name of no plan.
  std::string BeginPart(absl::string_view name);
  // `skipped`: it was done before, which says nothing of the speed.
  void EndPart(absl::string_view name, bool skipped);
  // Of all parts, in [0, 1], when the one that runs has done `done` steps.
  double Whole(int64_t done) const;

  // From the speed since Start; zero before anything was done.
  absl::Duration Eta(int64_t done) const;

 private:
  void Erase();
  // "61% of all, eta 12m03s; ", or "" without a plan.
  std::string WholeText(int64_t done) const;
  double TotalWeight() const;

  std::FILE* lines_;
  std::FILE* terminal_;  // Null when it is not a terminal.
  std::string title_;
  int64_t first_ = 0;
  int64_t total_ = 0;
  absl::Time start_;
  absl::Time last_draw_;
  bool drawn_ = false;
  std::vector<Part> parts_;
  double ended_ = 0;    // Weight of the parts that have ended,
  double skipped_ = 0;  // and of those that did not have to run.
  double running_ = 0;  // Weight of the one that runs.
  absl::Time planned_;
};

// "3m10s", "41s", "2h05m".
std::string ShortDuration(absl::Duration duration);

// Appends one object a line. Rewrites the file on each append, atomically: the
// files are small, and a reader never sees half a line.
class JsonLog {
 public:
  // Keeps the lines of an earlier run whose `key` is at most `last`: a resumed
  // run writes those after it again.
  static absl::StatusOr<JsonLog> Open(const std::string& path,
                                      const std::string& key, int64_t last);

  absl::Status Append(const nlohmann::ordered_json& line);
  // Makes the file hold what was kept and appended, and nothing else.
  absl::Status Write() const;

 private:
  std::string path_;
  std::string contents_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_PROGRESS_H_
