#include "server/policy/read_policy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/field_error.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxEntries = 4096;
constexpr size_t kMaxPrincipalBytes = 256;

bool IsPrintable(const std::string& name) {
  return !name.empty() && name.size() <= kMaxPrincipalBytes &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > 0x20 && c < 0x7f; });
}

// A list of strings. Each must be `rule`, which `good` knows.
absl::StatusOr<std::vector<std::string>> Strings(
    const JsonObject& object, absl::string_view key, absl::string_view rule,
    const std::function<bool(const std::string&)>& good) {
  std::vector<std::string> strings;
  const auto list = object.json().find(std::string(key));
  if (list == object.json().end()) return strings;
  if (!list->is_array() || list->size() > kMaxEntries) {
    return object.Refuse(
        key, absl::StrCat("an array of at most ", kMaxEntries, " strings"),
        ShowJson(&*list));
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const Json& value = (*list)[i];
    if (!value.is_string() || !good(value.get<std::string>())) {
      return object.Refuse(Indexed(key, i), rule, ShowJson(&value));
    }
    strings.push_back(value.get<std::string>());
  }
  return strings;
}

// A list of names, "*" for all.
absl::StatusOr<NameSet> Names(const JsonObject& object, absl::string_view key,
                              bool all_when_absent) {
  NameSet set;
  if (!object.Has(key)) {
    set.all = all_when_absent;
    return set;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<std::string> names,
      Strings(object, key, "a name that is not empty, or \"*\"",
              [](const std::string& name) { return !name.empty(); }));
  for (const std::string& name : names) {
    if (name == "*") {
      set.all = true;
    } else {
      set.names.insert(name);
    }
  }
  return set;
}

absl::StatusOr<bool> Flag(const JsonObject& object, absl::string_view key) {
  const auto found = object.json().find(std::string(key));
  if (found == object.json().end()) return false;
  if (!found->is_boolean()) {
    return object.Refuse(key, "true or false", ShowJson(&*found));
  }
  return found->get<bool>();
}

absl::StatusOr<int64_t> Count(const JsonObject& object, absl::string_view key,
                              int64_t low, int64_t high) {
  const auto found = object.json().find(std::string(key));
  if (found == object.json().end()) return 0;
  const int64_t value =
      found->is_number_integer() && !(found->is_number_unsigned() &&
                                      found->get<uint64_t>() > INT64_MAX)
          ? found->get<int64_t>()
          : -1;
  if (value < low || value > high) {
    return object.Refuse(
        key, absl::StrCat("a whole number in [", low, ", ", high, "]"),
        ShowJson(&*found));
  }
  return value;
}

// Into `set`: what `pattern` stands for. False: no RPC is called so.
bool AddRpcs(const std::string& pattern, const KnownRpcs& rpcs, NameSet& set) {
  if (pattern == "*") {
    set.names.insert(rpcs.users.begin(), rpcs.users.end());
    return true;
  }
  const size_t before = set.names.size();
  bool known = false;
  for (const std::vector<std::string>* list : {&rpcs.users, &rpcs.named}) {
    for (const std::string& rpc : *list) {
      absl::string_view service = pattern;
      const bool meant =
          rpc == pattern ||
          (absl::ConsumeSuffix(&service, "*") && absl::EndsWith(service, "/") &&
           absl::StartsWith(rpc, service));
      if (!meant) continue;
      known = true;
      set.names.insert(rpc);
    }
  }
  return known || set.names.size() > before;
}

absl::StatusOr<NameSet> Rpcs(const JsonObject& object, const KnownRpcs& rpcs) {
  if (!object.Has("rpcs")) {
    return object.Refuse("rpcs", "an array of RPCs", "nothing");
  }
  NameSet set;
  ALIGNSAE_RETURN_IF_ERROR(
      Strings(object, "rpcs",
              "\"*\", \"Service/*\" or the \"Service/Method\" of an RPC",
              [&](const std::string& pattern) {
                return AddRpcs(pattern, rpcs, set);
              })
          .status());
  return set;
}

absl::Status ReadAlpha(const JsonObject& steer, SteeringRights& rights) {
  const auto found = steer.json().find("alpha");
  if (found == steer.json().end()) return absl::OkStatus();
  const auto number = [&](size_t i) {
    return (*found)[i].is_number() ? (*found)[i].get<double>()
                                   : std::numeric_limits<double>::quiet_NaN();
  };
  if (!found->is_array() || found->size() != 2 || !std::isfinite(number(0)) ||
      !std::isfinite(number(1)) || number(0) > number(1)) {
    return steer.Refuse("alpha", "[low, high], two numbers in order",
                        found->is_array() ? found->dump() : ShowJson(&*found));
  }
  rights.alpha = {number(0), number(1)};
  return absl::OkStatus();
}

absl::StatusOr<SteeringRights> ReadSteering(const JsonObject& steer) {
  ALIGNSAE_RETURN_IF_ERROR(
      steer.OnlyKeys({"concepts", "sources", "modes", "alpha", "vectors"}));
  SteeringRights rights;
  ALIGNSAE_ASSIGN_OR_RETURN(rights.concepts, Names(steer, "concepts", false));
  rights.sources = rights.concepts;
  if (steer.Has("sources")) {
    ALIGNSAE_ASSIGN_OR_RETURN(rights.sources, Names(steer, "sources", false));
  }
  ALIGNSAE_RETURN_IF_ERROR(
      Strings(steer, "modes",
              absl::StrCat("\"*\" or one of ", InterventionModeNames()),
              [&rights](const std::string& name) {
                const auto mode = ParseInterventionMode(name);
                if (mode.ok()) rights.modes.insert(*mode);
                if (name == "*") {
                  rights.modes.insert(kInterventionModes.begin(),
                                      kInterventionModes.end());
                }
                return mode.ok() || name == "*";
              })
          .status());
  if (rights.modes.empty()) {
    return steer.Refuse("modes", "an array of at least one mode",
                        steer.Has("modes") ? "[]" : "nothing");
  }
  ALIGNSAE_RETURN_IF_ERROR(ReadAlpha(steer, rights));
  ALIGNSAE_ASSIGN_OR_RETURN(rights.vectors, Flag(steer, "vectors"));
  return rights;
}

absl::StatusOr<Quota> ReadQuota(const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"requests_per_minute", "tokens_per_minute",
                       "worker_seconds_per_minute", "slots", "bytes"}));
  constexpr int64_t kMost = int64_t{1} << 40;
  Quota quota;
  ALIGNSAE_ASSIGN_OR_RETURN(quota.requests_per_minute,
                            Count(object, "requests_per_minute", 1, kMost));
  ALIGNSAE_ASSIGN_OR_RETURN(quota.tokens_per_minute,
                            Count(object, "tokens_per_minute", 1, kMost));
  ALIGNSAE_ASSIGN_OR_RETURN(
      quota.worker_seconds_per_minute,
      Count(object, "worker_seconds_per_minute", 1, 1 << 20));
  // The arms of a Swap run together.
  ALIGNSAE_ASSIGN_OR_RETURN(const int64_t slots,
                            Count(object, "slots", 2, 1024));
  quota.slots = static_cast<int>(slots);
  ALIGNSAE_ASSIGN_OR_RETURN(quota.bytes, Count(object, "bytes", 1024, kMost));
  return quota;
}

absl::StatusOr<Group> ReadGroup(const JsonObject& object,
                                const KnownRpcs& rpcs) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys(
      {"name", "rpcs", "models", "checkpoints", "steer", "quota"}));
  Group group;
  ALIGNSAE_ASSIGN_OR_RETURN(group.name, object.String("name"));
  ALIGNSAE_ASSIGN_OR_RETURN(group.rpcs, Rpcs(object, rpcs));
  ALIGNSAE_ASSIGN_OR_RETURN(group.models, Names(object, "models", true));
  ALIGNSAE_ASSIGN_OR_RETURN(group.checkpoints,
                            Names(object, "checkpoints", true));
  if (object.Has("steer")) {
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject steer, object.Object("steer"));
    ALIGNSAE_ASSIGN_OR_RETURN(group.steer, ReadSteering(steer));
  }
  if (object.Has("quota")) {
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject quota, object.Object("quota"));
    ALIGNSAE_ASSIGN_OR_RETURN(group.quota, ReadQuota(quota));
  }
  return group;
}

constexpr absl::string_view kPatternRule =
    "a name of printable ASCII with at most one \"*\"";
bool IsGoodPattern(const std::string& name) {
  return IsPrintable(name) && name != "*" &&
         std::count(name.begin(), name.end(), '*') <= 1;
}

absl::StatusOr<PrincipalEntry> ReadPrincipal(const JsonObject& object,
                                             const Policy& policy) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys(
      {"name", "group", "certificates", "forwarded", "token", "anonymous"}));
  PrincipalEntry entry;
  ALIGNSAE_ASSIGN_OR_RETURN(entry.name, object.String("name"));
  if (!IsPrintable(entry.name)) {
    return object.Refuse("name", "1 to 256 bytes of printable ASCII",
                         Quoted(entry.name));
  }
  if (policy.Find(entry.name) != nullptr) {
    return object.Refuse("name", "that of one principal only",
                         Quoted(entry.name));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string group, object.String("group"));
  const auto found =
      std::find_if(policy.groups.begin(), policy.groups.end(),
                   [&](const Group& known) { return known.name == group; });
  if (found == policy.groups.end()) {
    return object.Refuse("group", "the name of a group", Quoted(group));
  }
  entry.group = static_cast<int>(found - policy.groups.begin());
  ALIGNSAE_ASSIGN_OR_RETURN(
      entry.certificates,
      Strings(object, "certificates", kPatternRule, IsGoodPattern));
  ALIGNSAE_ASSIGN_OR_RETURN(
      entry.forwarded,
      Strings(object, "forwarded", kPatternRule, IsGoodPattern));
  ALIGNSAE_ASSIGN_OR_RETURN(entry.token, Flag(object, "token"));
  ALIGNSAE_ASSIGN_OR_RETURN(entry.anonymous, Flag(object, "anonymous"));
  if (entry.anonymous && policy.Anonymous() != nullptr) {
    return object.Refuse("anonymous", "true for one principal only", "true");
  }
  if (!entry.anonymous && !entry.token && entry.certificates.empty() &&
      entry.forwarded.empty()) {
    return object.Refuse(
        "name", "of somebody with certificates, forwarded, token or anonymous",
        absl::StrCat(Quoted(entry.name), " with none of them"));
  }
  return entry;
}

}  // namespace

absl::StatusOr<Policy> ReadPolicy(absl::string_view text,
                                  const std::string& file,
                                  const KnownRpcs& rpcs) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", json.status().message()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject root, JsonObject::Of(*json, file));
  ALIGNSAE_RETURN_IF_ERROR(
      root.OnlyKeys({"format_version", "groups", "principals", "proxies"}));
  ALIGNSAE_RETURN_IF_ERROR(root.Integer("format_version", 1, 1).status());
  Policy policy;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> groups,
                            root.Objects("groups"));
  for (const JsonObject& object : groups) {
    ALIGNSAE_ASSIGN_OR_RETURN(Group group, ReadGroup(object, rpcs));
    for (const Group& other : policy.groups) {
      if (other.name == group.name) {
        return object.Refuse("name", "that of one group only",
                             Quoted(group.name));
      }
    }
    policy.groups.push_back(std::move(group));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> principals,
                            root.Objects("principals"));
  for (const JsonObject& object : principals) {
    ALIGNSAE_ASSIGN_OR_RETURN(PrincipalEntry entry,
                              ReadPrincipal(object, policy));
    policy.principals.push_back(std::move(entry));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      policy.proxies, Strings(root, "proxies", kPatternRule, IsGoodPattern));
  return policy;
}

}  // namespace alignsae
