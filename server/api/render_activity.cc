#include "server/api/render_activity.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace alignsae {
namespace {

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 0
                    : static_cast<double>(part) / static_cast<double>(whole);
}

void RenderConcept(const ConceptActivity& activity, int64_t prompts,
                   v1::ConceptActivity* wire) {
  wire->set_name(activity.label);
  wire->set_count(activity.count);
  if (activity.count > 0) {
    wire->set_mean_ratio(activity.ratio_sum /
                         static_cast<double>(activity.count));
  }
  wire->mutable_ratio_counts()->Assign(activity.ratio_counts.begin(),
                                       activity.ratio_counts.end());
  wire->set_top_count(activity.top);
  wire->set_top_share(Share(activity.top, prompts));
}

v1::SlotActivity RenderSlots(const SlotActivity& activity) {
  v1::SlotActivity wire;
  int64_t prompts = activity.unbound;
  for (const ConceptActivity& one : activity.concepts) prompts += one.top;
  wire.set_prompts(prompts);
  wire.set_unbound(activity.unbound);
  wire.set_unbound_share(Share(activity.unbound, prompts));
  if (activity.outside.has_value()) {
    wire.set_outside(*activity.outside);
    wire.set_outside_share(Share(*activity.outside, prompts));
  }
  std::map<std::string, int64_t> from;
  std::map<std::string, int64_t> to;
  for (const SteeredPair& pair : activity.steered) {
    from[pair.source] += pair.count;
    to[pair.target] += pair.count;
  }
  for (const ConceptActivity& one : activity.concepts) {
    v1::ConceptActivity* added = wire.add_concepts();
    RenderConcept(one, prompts, added);
    added->set_steered_from(from[one.label]);
    added->set_steered_to(to[one.label]);
  }
  std::vector<SteeredPair> pairs = activity.steered;
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const SteeredPair& a, const SteeredPair& b) {
                     return a.count > b.count;
                   });
  if (pairs.size() > kMaxSteeredPairs) pairs.resize(kMaxSteeredPairs);
  for (const SteeredPair& pair : pairs) {
    v1::SteeredPair* added = wire.add_steered();
    added->set_source(pair.source);
    added->set_target(pair.target);
    added->set_count(pair.count);
  }
  return wire;
}

}  // namespace

void RenderActivity(const SlotLook::Checkpoint& look,
                    v1::WatchSlotsResponse* message) {
  const std::vector<double>& bounds = ActivationRatioBounds();
  message->mutable_ratio_bounds()->Assign(bounds.begin(), bounds.end());
  *message->mutable_recent() = RenderSlots(look.recent);
  *message->mutable_total() = RenderSlots(look.all.total);
  for (const auto& [label, share] : look.all.reference) {
    v1::ReferenceShare* added = message->add_reference();
    added->set_name(label);
    added->set_share(share);
  }
}

}  // namespace alignsae
