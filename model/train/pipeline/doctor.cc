#include "model/train/pipeline/doctor.h"

#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/assembly.h"
#include "model/bundle/bundle.h"
#include "model/bundle/bundle_writer.h"
#include "model/bundle/doctor.h"
#include "model/tokenizer/prompt_template.h"

namespace alignsae {
namespace {

constexpr size_t kPrompts = 24;

std::vector<std::string> TextsFor(const Manifest& manifest,
                                  const ManifestSae& sae) {
  std::vector<std::string> texts;
  // A round over the concepts at a time: every slot has its part.
  for (size_t round = 0; texts.size() < kPrompts; ++round) {
    const size_t before = texts.size();
    for (const Concept& each : sae.concepts) {
      size_t seen = 0;
      for (const StoredPrompt& prompt : manifest.prompts) {
        if (prompt.concept_name != each.name || seen++ != round) continue;
        if (texts.size() < kPrompts) texts.push_back(prompt.text);
        break;
      }
    }
    if (texts.size() == before) break;
  }
  if (!texts.empty()) return texts;
  for (const Concept& each : sae.concepts) {
    if (each.example.empty() || texts.size() == kPrompts) continue;
    texts.push_back(
        manifest.prompt_template.empty()
            ? each.example
            : FillTemplate(manifest.prompt_template, each.example).text);
  }
  return texts;
}

}  // namespace

absl::StatusOr<std::vector<DoctorRecord>> RecordDoctorFacts(
    const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const HashedManifest read, ReadManifest(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Bundle> bundle,
      LoadBundle(directory, {.whole_sae = true, .examine = false}));
  std::vector<DoctorRecord> records;
  for (size_t i = 0; i < bundle->saes.size(); ++i) {
    const ManifestSae& entry = read.manifest.saes[i];
    const std::vector<std::string> texts = TextsFor(read.manifest, entry);
    DoctorRecord& record = records.emplace_back();
    record.checkpoint = entry.name;
    record.hook = entry.hook;
    record.prompts = static_cast<int>(texts.size());
    if (texts.empty()) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(
        const Recorded recorded,
        RecordFacts({*bundle->model, *bundle->tokenizer, bundle->saes[i]},
                    texts));
    record.nearest = recorded.nearest;
    record.nearest_deviation = recorded.nearest_deviation;
    ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(
        absl::StrCat(directory, "/", entry.path, "/", kDoctorFile),
        DoctorFactsToJson(recorded.facts)));
  }
  ALIGNSAE_RETURN_IF_ERROR(WriteManifestWithHashes(directory, read.manifest));
  return records;
}

absl::StatusOr<std::vector<DoctorRecord>> AddDoctorFacts(
    const std::string& directory) {
  std::vector<DoctorRecord> records;
  ALIGNSAE_RETURN_IF_ERROR(WriteBundleAtomically(
      directory, [&](const std::string& temporary) -> absl::Status {
        std::error_code error;
        std::filesystem::copy(directory, temporary,
                              std::filesystem::copy_options::recursive, error);
        if (error) return PosixError(directory, "copy", error.value());
        ALIGNSAE_ASSIGN_OR_RETURN(records, RecordDoctorFacts(temporary));
        return LoadBundle(temporary, {.whole_sae = true}).status();
      }));
  return records;
}

}  // namespace alignsae
