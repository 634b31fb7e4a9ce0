// What the exposition says of one series, and a catalog to be told about.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_TESTS_METRICS_EXPOSITION_H_
#define ALIGNSAE_TESTS_METRICS_EXPOSITION_H_

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/steering/catalog.h"
#include "server/metrics/metrics.h"

namespace alignsae {

// Checkpoint "main" with the concepts c0, c1, ...
inline Catalog CatalogWith(int concepts) {
  Catalog catalog;
  catalog.model.version = "3";
  CheckpointInfo checkpoint;
  checkpoint.name = "main";
  checkpoint.sha256 = "0123456789abcdef";
  for (int i = 0; i < concepts; ++i) {
    Concept entry;
    entry.name = absl::StrCat("c", i);
    checkpoint.concepts.push_back(entry);
  }
  catalog.checkpoints.push_back(checkpoint);
  return catalog;
}

// "name{labels} value" lines of the text.
inline std::vector<std::string> Series(const Metrics& metrics) {
  std::vector<std::string> series;
  for (absl::string_view line :
       absl::StrSplit(metrics.ExpositionText(), '\n')) {
    if (!line.empty() && line[0] != '#') series.emplace_back(line);
  }
  return series;
}

// The value of `name{labels}`, or "absent".
inline std::string ValueOf(const Metrics& metrics, const std::string& name) {
  for (const std::string& line : Series(metrics)) {
    if (absl::StartsWith(line, name + " ")) return line.substr(name.size() + 1);
  }
  return "absent";
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_METRICS_EXPOSITION_H_
