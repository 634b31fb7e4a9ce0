#include "model/scheduler/prefix_cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/dcheck.h"

namespace alignsae {

int PromptBeginning::Common(const PromptBeginning& wanted) const {
  if (scope != wanted.scope || layers < wanted.layers) return 0;
  const auto [own, other] = std::mismatch(
      tokens.begin(), tokens.end(), wanted.tokens.begin(), wanted.tokens.end());
  return static_cast<int>(own - tokens.begin());
}

bool PromptBeginning::Covers(const PromptBeginning& other) const {
  return Common(other) == static_cast<int>(other.tokens.size());
}

PrefixCache::PrefixCache(KvSlotPool* pool, int64_t max_tokens)
    : pool_(pool), max_tokens_(max_tokens), entries_(pool->size()) {}

std::pair<int, int> PrefixCache::Find(const PromptBeginning& wanted) const {
  std::pair<int, int> best = {-1, 0};
  for (int slot = 0; slot < pool_->size(); ++slot) {
    const int length = entries_[slot].beginning.Common(wanted);
    if (length >= kLeastTokens && length > best.second) best = {slot, length};
  }
  return best;
}

int PrefixCache::LeastUsed() const {
  ALIGNSAE_DCHECK(!pool_->free().empty());
  const auto use = [this](int slot) {
    return entries_[slot].empty() ? 0 : entries_[slot].used;
  };
  return *std::min_element(pool_->free().begin(), pool_->free().end(),
                           [&](int a, int b) { return use(a) < use(b); });
}

int PrefixCache::PlaceFor(const PromptBeginning& wanted, int from,
                          int length) const {
  if (from < 0) return LeastUsed();
  const PromptBeginning& there = entries_[from].beginning;
  const bool nothing_lost = there.layers == wanted.layers &&
                            static_cast<int>(there.tokens.size()) <= length + 1;
  return nothing_lost && pool_->free().count(from) > 0 ? from : LeastUsed();
}

void PrefixCache::Forget(int kv_slot) {
  if (!entries_[kv_slot].empty()) ++report_.evictions;
  entries_[kv_slot] = {};
}

PrefixCache::Place PrefixCache::Take(PromptBeginning wanted,
                                     const KvRange& writes) {
  const bool worth_it =
      max_tokens_ > 0 && static_cast<int>(wanted.tokens.size()) >= kLeastTokens;
  const auto [from, length] = worth_it ? Find(wanted) : std::make_pair(-1, 0);
  if (from >= 0) {
    entries_[from].used = ++uses_;
    ++report_.hits;
    report_.tokens_taken += length;
  } else if (max_tokens_ > 0) {
    ++(worth_it ? report_.misses : report_.barred);
  }
  const int index = PlaceFor(wanted, from, length);
  if (index != from) Forget(index);
  wanted.tokens.resize(length);
  entries_[index] = {std::move(wanted), ++uses_};
  Place place = {*pool_->Acquire(index, writes), from, length};
  ForgetExcess();
  return place;
}

KvSlot PrefixCache::TakeEmpty(const KvRange& writes) {
  const int index = LeastUsed();
  Forget(index);
  KvSlot kv_slot = *pool_->Acquire(index, writes);
  ForgetExcess();
  return kv_slot;
}

void PrefixCache::Holds(int kv_slot, std::vector<int32_t> tokens) {
  if (max_tokens_ == 0) return;
  entries_[kv_slot].beginning.tokens = std::move(tokens);
  entries_[kv_slot].used = ++uses_;
}

void PrefixCache::Settle(int kv_slot) {
  const PromptBeginning& ended = entries_[kv_slot].beginning;
  for (int slot = 0; slot < pool_->size() && !entries_[kv_slot].empty();
       ++slot) {
    if (slot == kv_slot || !entries_[slot].beginning.Covers(ended)) continue;
    entries_[slot].used = ++uses_;
    entries_[kv_slot] = {};
  }
  for (int slot : pool_->free()) {
    if (slot != kv_slot && ended.Covers(entries_[slot].beginning)) {
      entries_[slot] = {};
    }
  }
  ForgetExcess();
}

int64_t PrefixCache::MayKeep() const {
  return std::min(max_tokens_, pool_->free_amount().tokens);
}

void PrefixCache::ForgetExcess() {
  while (tokens_kept() > MayKeep()) {
    int least = -1;
    for (int slot : pool_->free()) {
      if (entries_[slot].empty()) continue;
      if (least < 0 || entries_[slot].used < entries_[least].used) least = slot;
    }
    Forget(least);
  }
}

KvRange PrefixCache::Needed(int kv_slot) const {
  if (pool_->free().count(kv_slot) == 0) return pool_->leased(kv_slot);
  return {0, static_cast<int>(entries_[kv_slot].beginning.tokens.size())};
}

int64_t PrefixCache::tokens_kept() const {
  int64_t tokens = 0;
  for (int slot : pool_->free()) {
    tokens += static_cast<int64_t>(entries_[slot].beginning.tokens.size());
  }
  return tokens;
}

PrefixReport PrefixCache::TakeReport() {
  PrefixReport report = std::exchange(report_, {});
  report.tokens_kept = tokens_kept();
  return report;
}

absl::Status PrefixCache::CheckInvariants() const {
  if (tokens_kept() <= MayKeep()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("prefix cache: keeps ", tokens_kept(),
                                          " tokens, may keep ", MayKeep()));
}

}  // namespace alignsae
