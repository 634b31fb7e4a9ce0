#include "server/policy/policy.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace alignsae {

std::string NameSet::ToString() const {
  if (all) return "any";
  if (names.empty()) return "none";
  return absl::StrCat("one of ", absl::StrJoin(names, ", "));
}

bool MatchesName(absl::string_view pattern, absl::string_view name) {
  const size_t star = pattern.find('*');
  if (star == absl::string_view::npos) return pattern == name;
  return name.size() + 1 >= pattern.size() &&
         absl::StartsWith(name, pattern.substr(0, star)) &&
         absl::EndsWith(name, pattern.substr(star + 1));
}

const PrincipalEntry* Policy::Find(absl::string_view name) const {
  for (const PrincipalEntry& entry : principals) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

const PrincipalEntry* Policy::Anonymous() const {
  for (const PrincipalEntry& entry : principals) {
    if (entry.anonymous) return &entry;
  }
  return nullptr;
}

}  // namespace alignsae
