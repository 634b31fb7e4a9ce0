#include "model/train/sae/epoch_log.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"

namespace alignsae {

std::vector<std::pair<const char*, std::optional<double>>> TermsOf(
    const SaeEpochLog& log) {
  return {{"recon", log.recon},   {"sparse", log.sparse}, {"align", log.align},
          {"perp", log.perp},     {"val", log.val},       {"indep", log.indep},
          {"prefix", log.prefix}, {"l0", log.l0},         {"aux", log.aux},
          {"write", log.write}};
}

std::vector<std::optional<double>*> MutableTermsOf(SaeEpochLog& log) {
  return {&log.recon, &log.sparse, &log.align, &log.perp, &log.val,
          &log.indep, &log.prefix, &log.l0,    &log.aux,  &log.write};
}

std::string EpochLogLine(const SaeEpochLog& log) {
  std::string line =
      absl::StrFormat("stage %d total %.4f", log.stage, log.total);
  for (const auto& [name, value] : TermsOf(log)) {
    if (value) absl::StrAppendFormat(&line, " %s %.4g", name, *value);
  }
  return line;
}

// A row per epoch: epoch, stage, total and the terms; null: not computed.
nlohmann::json LogToJson(const std::vector<SaeEpochLog>& log) {
  nlohmann::json rows = nlohmann::json::array();
  for (const SaeEpochLog& entry : log) {
    nlohmann::json row = {entry.epoch, entry.stage, entry.total};
    for (const auto& [name, value] : TermsOf(entry)) {
      row.push_back(value ? nlohmann::json(*value) : nlohmann::json(nullptr));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

absl::StatusOr<std::vector<SaeEpochLog>> LogFromJson(const std::string& text) {
  ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json rows, ParseJson(text));
  std::vector<SaeEpochLog> log;
  const size_t columns = 3 + TermsOf({}).size();
  for (const nlohmann::json& row : rows) {
    if (!row.is_array() || row.size() != columns ||
        !std::all_of(row.begin(), row.begin() + 3,
                     [](const auto& value) { return value.is_number(); })) {
      return absl::DataLossError(
          absl::StrCat("log: must be rows of ", columns, ", numbers or null"));
    }
    SaeEpochLog entry;
    entry.epoch = row[0];
    entry.stage = row[1];
    entry.total = row[2];
    size_t column = 3;
    for (std::optional<double>* term : MutableTermsOf(entry)) {
      const nlohmann::json& value = row[column++];
      if (value.is_number()) *term = value.get<double>();
    }
    log.push_back(entry);
  }
  return log;
}

}  // namespace alignsae
