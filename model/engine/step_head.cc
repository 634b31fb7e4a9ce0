#include "model/engine/step_head.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/engine/device_greedy.h"
#include "model/sampling/sampler.h"
#include "model/tensor/device.h"

namespace alignsae {
namespace {

// Where logits are wanted.
struct Place {
  int64_t x = 0;     // Row of x.
  int row = 0;       // Row of the step.
  int position = 0;  // The token that they follow.
};

struct Places {
  std::vector<Place> sampled;
  std::vector<Place> scored;
};

Places FindPlaces(absl::Span<const PackedRow> packed,
                  absl::Span<const StepRow> rows) {
  Places places;
  int64_t x = 0;
  for (const PackedRow& part : packed) {
    const StepRow& row = rows[part.index];
    const int last = row.start + static_cast<int>(row.tokens.size()) - 1;
    const int end = part.start + part.length;
    for (int position = end - part.logits; position < end; ++position) {
      const bool samples = row.sampling.has_value() && position == last;
      (samples ? places.sampled : places.scored)
          .push_back({x++, part.index, position});
    }
  }
  return places;
}

// The `rows` rows of x at `places`; when there are fewer places, the last one
// again.
at::Tensor Take(const at::Tensor& x, absl::Span<const Place> places,
                int64_t rows) {
  if (rows == x.size(0)) return x;
  const int64_t last = static_cast<int64_t>(places.size()) - 1;
  const at::Tensor index = at::empty({rows}, at::kLong);
  int64_t* data = index.data_ptr<int64_t>();
  for (int64_t i = 0; i < rows; ++i) data[i] = places[std::min(i, last)].x;
  return x.index_select(0, index.to(x.device()));
}

absl::Status NotFinite(const StepRow& row, int position,
                       const absl::Status& why) {
  if (row.interventions->empty()) return absl::InternalError(why.message());
  return absl::OutOfRangeError(absl::StrCat(
      "interventions: must leave the logits finite, got non-finite logits at "
      "position ",
      position, " (", why.message(), "); lower alpha"));
}

using Choose = absl::StatusOr<SampledToken> (*)(absl::Span<const float> logits,
                                                const StepRow& row,
                                                int position);

absl::StatusOr<SampledToken> Sample(absl::Span<const float> logits,
                                    const StepRow& row, int position) {
  const int next = position + 1;
  return SampleToken(logits, *row.sampling, row.history, next,
                     next - row.prompt_length);
}

absl::StatusOr<SampledToken> Score(absl::Span<const float> logits,
                                   const StepRow& row, int position) {
  return ScoreToken(logits, row.scored[position - row.start],
                    row.n_scored_logprobs);
}

// The token of each place, several at once. `logits` may have rows beyond them.
std::vector<absl::StatusOr<SampledToken>> ChooseAll(
    const at::Tensor& logits, absl::Span<const Place> places,
    absl::Span<const StepRow> rows, Choose choose) {
  const at::Tensor host = ToCpu(logits);
  const int64_t vocabulary = host.size(1);
  const float* data = host.data_ptr<float>();
  std::vector<absl::StatusOr<SampledToken>> tokens(places.size());
  at::parallel_for(
      0, static_cast<int64_t>(places.size()), 1,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const Place& place = places[i];
          tokens[i] =
              choose(absl::MakeConstSpan(data + i * vocabulary, vocabulary),
                     rows[place.row], place.position);
        }
      });
  return tokens;
}

bool AllPlainGreedy(absl::Span<const Place> places,
                    absl::Span<const StepRow> rows) {
  return std::all_of(places.begin(), places.end(), [&](const Place& place) {
    return IsPlainGreedy(*rows[place.row].sampling);
  });
}

// How far rows with a reference are from it.
void CompareAll(const at::Tensor& logits, absl::Span<const Place> places,
                absl::Span<const StepRow> rows,
                std::vector<RowResult>& results) {
  std::map<int, int64_t> place_of;  // Of a row of the step.
  for (size_t i = 0; i < places.size(); ++i) {
    place_of[places[i].row] = static_cast<int64_t>(i);
  }
  std::vector<int64_t> own;
  std::vector<int64_t> others;
  std::vector<int> compared;
  for (const auto& [row, place] : place_of) {
    const auto other = place_of.find(rows[row].reference);
    if (other == place_of.end()) continue;
    own.push_back(place);
    others.push_back(other->second);
    compared.push_back(row);
  }
  if (compared.empty()) return;
  const auto log_softmax = [&logits](const std::vector<int64_t>& of) {
    return logits.index_select(0, at::tensor(of, at::kLong).to(logits.device()))
        .to(at::kDouble)
        .log_softmax(1);  // [n, V]
  };
  const at::Tensor p = log_softmax(own);
  const at::Tensor q = log_softmax(others);
  const at::Tensor kl =
      p.exp().mul(p.sub(q)).sum(1).to(at::kCPU).contiguous();  // [n]
  for (size_t i = 0; i < compared.size(); ++i) {
    results[compared[i]].kl = kl.data_ptr<double>()[i];
  }
}

void SampleAll(const Transformer& model, const at::Tensor& x,
               absl::Span<const Place> places, absl::Span<const StepRow> rows,
               std::vector<RowResult>& results) {
  if (places.empty()) return;
  const int64_t count = static_cast<int64_t>(places.size());
  const at::Tensor logits = model.Head(Take(x, places, count));
  std::vector<absl::StatusOr<SampledToken>> tokens =
      !logits.is_cpu() && AllPlainGreedy(places, rows)
          ? GreedyOnDevice(logits)
          : ChooseAll(logits, places, rows, &Sample);
  for (size_t i = 0; i < places.size(); ++i) {
    RowResult& result = results[places[i].row];
    if (tokens[i].ok()) {
      result.sampled = *std::move(tokens[i]);
    } else {
      result.status = NotFinite(rows[places[i].row], places[i].position + 1,
                                tokens[i].status());
    }
  }
  CompareAll(logits, places, rows, results);
}

void ScoreAll(const Transformer& model, const at::Tensor& x,
              absl::Span<const Place> places, absl::Span<const StepRow> rows,
              std::vector<RowResult>& results) {
  const size_t blocks = (places.size() + kHeadRows - 1) / kHeadRows;
  if (blocks == 0) return;
  const size_t size = (places.size() + blocks - 1) / blocks;
  for (size_t begin = 0; begin < places.size(); begin += size) {
    const absl::Span<const Place> block = places.subspan(begin, size);
    const at::Tensor logits =
        model.Head(Take(x, block, static_cast<int64_t>(size)));
    std::vector<absl::StatusOr<SampledToken>> tokens =
        ChooseAll(logits, block, rows, &Score);
    for (size_t i = 0; i < block.size(); ++i) {
      const StepRow& row = rows[block[i].row];
      RowResult& result = results[block[i].row];
      if (tokens[i].ok()) {
        result.scores[block[i].position - row.start] = *std::move(tokens[i]);
      } else {
        result.status =
            NotFinite(row, block[i].position + 1, tokens[i].status());
      }
    }
  }
}

}  // namespace

void RunStepHead(const Transformer& model, const at::Tensor& x,
                 absl::Span<const PackedRow> packed,
                 absl::Span<const StepRow> rows,
                 std::vector<RowResult>& results) {
  const Places places = FindPlaces(packed, rows);
  SampleAll(model, x, places.sampled, rows, results);
  ScoreAll(model, x, places.scored, rows, results);
}

}  // namespace alignsae
