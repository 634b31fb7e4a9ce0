#include "model/transformer/kernel_tuning.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"
#include "model/kernels/cpu_features.h"
#include "model/transformer/linear.h"
#include "model/transformer/prepared_matrix.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// Raise it when kernels change.
constexpr int kTuningVersion = 1;
constexpr GemmPath kAllPaths[] = {GemmPath::kVectors, GemmPath::kTiles,
                                  GemmPath::kOneDnn};
// A wide matrix, the head, is measured by so many of its columns at a time.
constexpr int64_t kMaxColumns = 4096;
// Products of one kind; the fastest counts. Those of many rows take long.
constexpr int64_t kManyRows = 64;
constexpr int RepeatsFor(int64_t rows) { return rows < kManyRows ? 6 : 2; }
// By so much a kernel must be faster than what is built in: below, it is noise.
constexpr double kGain = 1.07;
// A kernel without tiles that is slower by this is not tried on more rows.
constexpr double kHopeless = 1.5;
// Where the second fastest product takes so much longer than the fastest,
// others have the processor, and nothing is learnt.
constexpr double kUnsteady = 1.5;
// Measuring ends here; shapes that are left keep what is built in.
constexpr double kMaxSeconds = 1;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Matrices of one shape, used in turns so that none is in a cache.
class Turns {
 public:
  void Add(const Linear& matrix) {
    const int64_t outputs = matrix.prepared()->outputs();
    if (outputs > kMaxColumns) {
      for (int64_t first = 0; first + kMaxColumns <= outputs;
           first += kMaxColumns) {
        std::optional<Linear> part = matrix.Columns(first, kMaxColumns);
        if (!part.has_value()) break;
        parts_.push_back(*std::move(part));
        matrices_.push_back(parts_.back().prepared());
      }
      if (!matrices_.empty()) return;
    }
    matrices_.push_back(matrix.prepared());
  }
  const PreparedMatrix& Next() {
    return *matrices_[next_++ % matrices_.size()];
  }

 private:
  std::deque<Linear> parts_;  // Columns of the others.
  std::vector<const PreparedMatrix*> matrices_;
  size_t next_ = 0;
};

double SecondsOf(const PreparedMatrix& matrix, GemmPath path,
                 const at::Tensor& x, at::Tensor& y) {
  const Clock::time_point start = Clock::now();
  matrix.MultiplyBy(path, x, at::Tensor(), Finish::kNone, y);
  return SecondsSince(start);
}

// The two fastest of some products.
struct Times {
  double best = std::numeric_limits<double>::infinity();
  double second = std::numeric_limits<double>::infinity();

  void Add(double seconds) {
    second = std::min(second, std::max(best, seconds));
    best = std::min(best, seconds);
  }
  bool steady() const { return second < kUnsteady * best; }
};

// The fastest of `paths` for so many rows; those that are hopeless for more go.
// nullopt: no telling, while the machine is so busy.
std::optional<GemmPath> Fastest(Turns& turns, int64_t rows, GemmPath built_in,
                                std::vector<GemmPath>& paths) {
  const MatrixShape& shape = turns.Next().shape();
  const at::ScalarType type =
      shape.type == WeightType::kBf16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor x = at::ones({rows, shape.inputs}, type);
  at::Tensor y = at::empty({rows, shape.outputs}, at::kFloat);
  std::map<GemmPath, Times> seconds;
  for (GemmPath path : paths) {
    if (turns.Next().CanMultiplyBy(path, rows)) seconds[path] = {};
  }
  if (seconds.size() == 1) return seconds.begin()->first;
  if (seconds.contains(GemmPath::kOneDnn)) {  // Makes its primitive.
    SecondsOf(turns.Next(), GemmPath::kOneDnn, x, y);
  }
  for (int i = 0; i < RepeatsFor(rows); ++i) {
    for (auto& [path, times] : seconds) {
      times.Add(SecondsOf(turns.Next(), path, x, y));
    }
  }
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [path, times] : seconds) {
    if (!times.steady()) return std::nullopt;
    best = std::min(best, times.best);
  }
  if (const auto vectors = seconds.find(GemmPath::kVectors);
      vectors != seconds.end() && vectors->second.best > kHopeless * best) {
    std::erase(paths, GemmPath::kVectors);
  }
  const auto usual = seconds.find(built_in);
  if (usual != seconds.end() && usual->second.best < kGain * best) {
    return built_in;
  }
  return std::find_if(seconds.begin(), seconds.end(),
                      [best](const auto& of) { return of.second.best == best; })
      ->first;
}

struct Measured {
  PlannedPaths paths;
  bool steady = true;  // Else some are those built in.
};

Measured Measure(Turns& turns, const PlannedPaths& built_in) {
  std::vector<GemmPath> paths(std::begin(kAllPaths), std::end(kAllPaths));
  Measured measured = {.paths = built_in};
  for (size_t i = 0; i < kPlannedRows.size(); ++i) {
    const std::optional<GemmPath> path =
        Fastest(turns, kPlannedRows[i], built_in[i], paths);
    measured.paths[i] = path.value_or(built_in[i]);
    measured.steady = measured.steady && path.has_value();
  }
  return measured;
}

// The file of this processor's plans; empty where there is no cache.
std::string PlansPath(const std::string& cache_directory) {
  const std::string processor = CpuName();
  if (cache_directory.empty() || processor.empty()) return "";
  const CpuFeatures& cpu = ThisCpu();
  const dnnl_version_t* library = dnnl_version();
  return absl::StrCat(
      cache_directory, "/kernel-plans/",
      Sha256Hex(absl::StrCat(kTuningVersion, "\n", processor, "\n", cpu.avx512,
                             cpu.avx512_bf16, cpu.avx512_vnni, cpu.amx_bf16,
                             cpu.amx_int8, "\n", at::get_num_threads(), "\n",
                             library->major, ".", library->minor, ".",
                             library->patch)),
      ".json");
}

// {"int8 768x3072": ["vectors", ...], ...}; an empty object where there is
// none.
Json ReadPlans(const std::string& path) {
  constexpr int64_t kMaxBytes = int64_t{1} << 20;
  if (path.empty()) return Json::object();
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxBytes);
  if (!text.ok()) return Json::object();
  absl::StatusOr<Json> json = ParseJson(*text);
  return json.ok() && json->is_object() ? *std::move(json) : Json::object();
}

absl::Status WritePlans(const std::string& path, const Json& plans) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(ParentDirectory(path)));
  return WriteFileAtomically(path, plans.dump(1) + "\n");
}

std::optional<GemmPath> PathNamed(const Json& name, WeightType type,
                                  int64_t rows) {
  if (!name.is_string()) return std::nullopt;
  for (GemmPath path : kAllPaths) {
    if (name == GemmPathName(path) && CanRun(path, type, rows)) return path;
  }
  return std::nullopt;
}

std::optional<PlannedPaths> FindPlan(const Json& plans,
                                     const MatrixShape& shape) {
  const auto found = plans.find(InWords(shape));
  if (found == plans.end() || !found->is_array() ||
      found->size() != kPlannedRows.size()) {
    return std::nullopt;
  }
  PlannedPaths paths = {};
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto path = PathNamed((*found)[i], shape.type, kPlannedRows[i]);
    if (!path.has_value()) return std::nullopt;
    paths[i] = *path;
  }
  return paths;
}

Json NamesOf(const PlannedPaths& paths) {
  Json names = Json::array();
  for (GemmPath path : paths) names.push_back(GemmPathName(path));
  return names;
}

std::map<MatrixShape, Turns> ByShape(const Transformer& model) {
  std::map<MatrixShape, Turns> shapes;
  for (const Linear* matrix : model.Matrices()) {
    if (const PreparedMatrix* prepared = matrix->prepared()) {
      shapes[prepared->shape()].Add(*matrix);
    }
  }
  return shapes;
}

}  // namespace

TuningOutcome TuneKernels(const Transformer& model,
                          const std::string& cache_directory) {
  at::NoGradGuard no_grad;
  const Clock::time_point start = Clock::now();
  TuningOutcome outcome;
  const std::string path = PlansPath(cache_directory);
  Json plans = ReadPlans(path);
  for (auto& [shape, turns] : ByShape(model)) {
    KernelPlan& plan = PlanOf(shape);
    if (plan.measured()) continue;
    if (const auto found = FindPlan(plans, shape)) {
      plan.Take(*found);
      ++outcome.cached;
    } else if (SecondsSince(start) < kMaxSeconds) {
      const Measured measured = Measure(turns, plan.paths());
      plan.Take(measured.paths);
      ++outcome.measured;
      if (measured.steady) {
        plans[InWords(shape)] = NamesOf(measured.paths);
      } else {
        ++outcome.unsteady;
      }
    } else {
      outcome.warnings.push_back(
          absl::StrCat("kernels: ", InWords(shape),
                       " was not measured, because that took too long"));
    }
  }
  if (outcome.unsteady > 0) {
    outcome.warnings.push_back(absl::StrCat(
        "kernels: measured again at the next start, because the machine was "
        "too busy to tell: ",
        outcome.unsteady, " shapes"));
  }
  if (outcome.measured > outcome.unsteady && !path.empty()) {
    if (const absl::Status kept = WritePlans(path, plans); !kept.ok()) {
      outcome.warnings.push_back(absl::StrCat(
          "kernels: measured again at every start, because the plans cannot be "
          "kept: ",
          kept.message()));
    }
  }
  outcome.seconds = SecondsSince(start);
  return outcome;
}

std::vector<std::string> KernelSentences(const Transformer& model) {
  std::vector<std::string> sentences;
  for (const auto& [shape, turns] : ByShape(model)) {
    sentences.push_back(
        absl::StrCat(InWords(shape), ": ", PlanOf(shape).Sentence()));
  }
  return sentences;
}

}  // namespace alignsae
