#include "server/policy/identity.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"

namespace alignsae {
namespace {

constexpr absl::string_view kBearer = "bearer ";

absl::Status Refused(absl::string_view field, absl::string_view rule,
                     absl::string_view got) {
  return FieldStatus({std::string(field), std::string(rule), std::string(got)},
                     absl::StatusCode::kUnauthenticated);
}

bool AnyMatches(const std::vector<std::string>& patterns,
                absl::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) {
                       return MatchesName(pattern, name);
                     });
}

// One name, not several that a proxy and its caller have put together.
bool IsOneName(absl::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != ','; });
}

class Identification {
 public:
  Identification(std::shared_ptr<const PolicyState> state,
                 const Credentials& shown, const std::string& host)
      : state_(std::move(state)), shown_(shown), host_(host) {}

  absl::StatusOr<Principal> Run() const {
    if (!shown_.forwarded.empty()) return Forwarded();
    if (!shown_.authorization.empty()) return WithToken();
    for (const std::string& name : shown_.certificate) {
      for (const PrincipalEntry& entry : policy().principals) {
        if (AnyMatches(entry.certificates, name)) return Named(entry, name);
      }
    }
    if (const PrincipalEntry* entry = policy().Anonymous()) {
      Principal principal = Make(*entry, entry->name);
      principal.origin = absl::StrCat(entry->name, "/", host_);
      return principal;
    }
    return Refused(kAuthorizationKey,
                   "be a bearer token where no certificate names a principal "
                   "of the policy",
                   "none");
  }

 private:
  const Policy& policy() const { return state_->policy; }

  absl::StatusOr<Principal> Forwarded() const {
    const bool from_proxy =
        std::any_of(shown_.certificate.begin(), shown_.certificate.end(),
                    [this](const std::string& name) {
                      return AnyMatches(policy().proxies, name);
                    });
    if (!from_proxy) {
      return Refused(kForwardedUserKey,
                     "come from a proxy that the policy names", "another peer");
    }
    if (IsOneName(shown_.forwarded)) {
      for (const PrincipalEntry& entry : policy().principals) {
        if (AnyMatches(entry.forwarded, shown_.forwarded)) {
          return Named(entry, shown_.forwarded);
        }
      }
    }
    return Refused(kForwardedUserKey, "name a principal of the policy",
                   Quoted(absl::CHexEscape(shown_.forwarded)));
  }

  absl::StatusOr<Principal> WithToken() const {
    absl::string_view token = shown_.authorization;
    if (!absl::StartsWithIgnoreCase(token, kBearer)) {
      return Refused(kAuthorizationKey, "be \"Bearer\" and a token",
                     "something else");
    }
    token.remove_prefix(kBearer.size());
    const std::string owner = state_->tokens.OwnerOf(token);
    if (owner.empty()) {
      return Refused(kAuthorizationKey, "hold a token of the policy's list",
                     "another one");
    }
    return Make(*policy().Find(owner), owner);
  }

  // `name` is what the entry was found by.
  Principal Named(const PrincipalEntry& entry, const std::string& name) const {
    const auto exact = [&name](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    const bool one = exact(entry.certificates) || exact(entry.forwarded);
    return Make(entry, one ? entry.name : absl::StrCat(entry.name, "/", name));
  }

  Principal Make(const PrincipalEntry& entry, const std::string& name) const {
    return {name, name, entry.group, state_};
  }

  const std::shared_ptr<const PolicyState> state_;
  const Credentials& shown_;
  const std::string& host_;
};

}  // namespace

absl::StatusOr<Principal> Identify(std::shared_ptr<const PolicyState> state,
                                   const Credentials& shown,
                                   const std::string& host) {
  return Identification(std::move(state), shown, host).Run();
}

}  // namespace alignsae
