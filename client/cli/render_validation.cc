// A validation as tables.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/render.h"
#include "client/cli/table.h"

namespace alignsae {
namespace {

std::string Share(bool has, const v1::MeasuredShare& share) {
  if (!has) return "-";
  return absl::StrFormat("%.3f [%.3f, %.3f] of %d", share.rate(), share.low(),
                         share.high(), share.tries());
}

std::string Confusion(const v1::ValidationReport& report, const Look& look) {
  std::vector<std::string> head = {"asked \\ on top"};
  for (const v1::ConceptValidation& one : report.concepts()) {
    head.push_back(one.name());
  }
  Table table(head);
  for (const v1::ConceptValidation& one : report.concepts()) {
    std::vector<std::string> row = {one.name()};
    for (int64_t count : one.top_counts()) row.push_back(absl::StrCat(count));
    table.Add(row);
  }
  return table.ToString(look);
}

}  // namespace

std::string RenderValidation(const v1::ValidationReport& report,
                             const Look& look) {
  Table sums(
      {"of checkpoint " + Printable(report.info().checkpoint()), "share"});
  const auto add = [&sums](const char* what, bool has,
                           const v1::MeasuredShare& share) {
    sums.Add({what, Share(has, share)});
  };
  add("asks a concept: its slot is on top", report.has_read(), report.read());
  add("asks none: silent", report.has_abstention(), report.abstention());
  add("read right, but silent", report.has_silent_right(),
      report.silent_right());
  add("read wrong, and not silent", report.has_bound_wrong(),
      report.bound_wrong());
  add("swap gives the target's answer", report.has_swap(), report.swap());
  Table concepts({"concept", "on top", "told (bound, inside)", "swap to it"});
  for (const v1::ConceptValidation& one : report.concepts()) {
    concepts.Add({one.name(), Share(one.has_read(), one.read()),
                  Share(one.has_told(), one.told()),
                  Share(one.has_swap(), one.swap())});
  }
  return absl::StrCat(
      sums.ToString(look),
      report.tells_outside()
          ? ""
          : "the checkpoint does not tell what is outside of what it knows\n",
      "\n", concepts.ToString(look), "\n", Confusion(report, look));
}

}  // namespace alignsae
