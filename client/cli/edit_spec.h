// The command line's short form of an intervention:
//
//   MODE:[SOURCE>]TARGET[@ALPHA][raw]
//
//   add:employer@2          swap:birth_city>employer     swap:employer@1.5
//   ablate:#4               set:major@3raw
//
// MODE is add, add_norm_matched, set, multiply, ablate, swap, replace or
// project_out; a concept is a name, or #N for feature N; "raw" makes alpha the
// slot's value itself. And of positions: last, all, none, list:0,3,-1,
// window:2:5.
//
// Thread-safety: pure functions.
// Errors: INVALID_ARGUMENT "--edit: ..." / "--positions: ...".

#ifndef ALIGNSAE_CLIENT_CLI_EDIT_SPEC_H_
#define ALIGNSAE_CLIENT_CLI_EDIT_SPEC_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "alignsae/v1/intervention.pb.h"

namespace alignsae {

absl::StatusOr<v1::Intervention> ParseEditSpec(absl::string_view spec);
// The whole message as protobuf JSON, for what the short form cannot say (a
// vector of one's own): `text` itself, or after @ the name of a file with it,
// at most 16 MiB. Errors: INVALID_ARGUMENT "--edit-json: ...".
absl::StatusOr<v1::Intervention> ParseEditJson(const std::string& text);
absl::StatusOr<v1::PositionSelection> ParsePositions(absl::string_view spec);
v1::ConceptRef ParseConceptRef(absl::string_view name);
// A condition on a reading: CONCEPT (it is bound), !CONCEPT (it is not) or
// CONCEPT>VALUE (its value is greater). nullopt: it is none.
std::optional<v1::ReadingCondition> ParseConditionSpec(absl::string_view spec);
// The field `when` of a request or an intervention; "" leaves it absent.
template <typename Message>
void SetWhen(absl::string_view spec, Message& message) {
  if (const auto when = ParseConditionSpec(spec)) {
    *message.mutable_when() = *when;
  }
}

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_EDIT_SPEC_H_
