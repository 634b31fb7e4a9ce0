// What slots do, as a table of one second.

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/render.h"
#include "client/cli/table.h"

namespace alignsae {
namespace {

constexpr int kShareWidth = 20;
constexpr int kMostPairs = 5;

}  // namespace

std::string RenderActivity(const v1::WatchSlotsResponse& answer,
                           const Look& look) {
  const v1::SlotActivity& recent = answer.recent();
  const v1::SlotActivity& total = answer.total();
  std::string out = absl::StrFormat(
      "%s: %d prompts in %.1f s, none bound on %d%s; %d since the start\n",
      Printable(answer.info().checkpoint()), recent.prompts(), answer.seconds(),
      recent.unbound(),
      recent.has_outside() ? absl::StrCat(", ", recent.outside(), " outside")
                           : "",
      total.prompts());
  Table table({"concept", "top", "share", "", "mean", "from", "to", "total"});
  for (int i = 0; i < recent.concepts_size() && i < total.concepts_size();
       ++i) {
    const v1::ConceptActivity& now = recent.concepts(i);
    table.Add({now.name(), absl::StrCat(now.top_count()),
               absl::StrFormat("%.2f", now.top_share()),
               Bar(now.top_share(), kShareWidth),
               absl::StrFormat("%.2f", now.mean_ratio()),
               absl::StrCat(now.steered_from()), absl::StrCat(now.steered_to()),
               absl::StrCat(total.concepts(i).top_count())});
  }
  absl::StrAppend(&out, table.ToString(look));
  for (int i = 0; i < std::min(kMostPairs, recent.steered_size()); ++i) {
    const v1::SteeredPair& pair = recent.steered(i);
    absl::StrAppend(&out, "steered ", Printable(pair.source()), " -> ",
                    Printable(pair.target()), ", ", pair.count(),
                    pair.count() == 1 ? " time\n" : " times\n");
  }
  return out;
}

}  // namespace alignsae
