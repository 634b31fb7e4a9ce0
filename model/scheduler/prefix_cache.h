// PrefixCache: which KV slot holds the computed beginning of which prompt, so
// that a prompt that begins alike takes it from there instead of computing it.
//
// A beginning lies where it was computed: in the slot of a sequence that runs
// and, when that has ended, in the slot as long as nobody needs it. So a prompt
// that is never asked again costs nothing, no memory is taken beside the KV
// cache's, and nobody waits because something is kept: a slot with a beginning
// is as free as an empty one, only later in the order (empty ones first, then
// by least use), and so are its tokens. What a sequence that starts needs of
// the cache's tokens is taken from what is kept, the least used first.
//
// Who takes a beginning is given a copy of it in a slot of its own, or the slot
// itself where nothing but its last token is lost. What is copied counts for
// both. It needs no lease beyond that: the owner of a slot only ever adds to
// what lies in it, and copies are made in the order in which places are taken,
// before the next step writes.
//
// Two beginnings are the same when their tokens are and both are without edits
// (prefix_rules.h), in one scope, and the one that is taken went through as
// many blocks. Model, generation and number type need no key: each generation
// has a scheduler, and so a cache, of its own.
//
// A list that is searched from end to end instead of a tree: there are as many
// beginnings as KV slots, comparing two ends with the first token that differs,
// and a slot that is given away or grows is a change of one entry.
//
// Thread-safety: not thread-safe; the step thread owns it.

#ifndef ALIGNSAE_MODEL_SCHEDULER_PREFIX_CACHE_H_
#define ALIGNSAE_MODEL_SCHEDULER_PREFIX_CACHE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/scheduler/kv_slot_pool.h"
#include "model/scheduler/observer.h"

namespace alignsae {

struct PromptBeginning {
  std::string scope;            // Nobody of another scope takes it.
  int layers = 0;               // Blocks that have its keys and values.
  std::vector<int32_t> tokens;  // At positions 0, 1, ...

  // How many tokens of `wanted` may be taken from here.
  int Common(const PromptBeginning& wanted) const;
  // Whether whoever finds `other` finds as much here.
  bool Covers(const PromptBeginning& other) const;
};

class PrefixCache {
 public:
  // What is shorter is computed: a copy would hardly be cheaper.
  static constexpr int kLeastTokens = 8;

  // Free slots keep at most `max_tokens`, and no more than the pool's sequences
  // leave; 0: no beginning is ever taken. `pool` must outlive the cache.
  PrefixCache(KvSlotPool* pool, int64_t max_tokens);

  struct Place {
    KvSlot kv_slot;
    // Positions [0, length) are in slot `from`, perhaps the same, and owed to
    // this one; -1: none are.
    int from = -1;
    int length = 0;
  };
  // A free slot, of which there must be one, and as many free tokens as
  // `writes` asks for, for a prompt that could take all of `wanted`.
  Place Take(PromptBeginning wanted, const KvRange& writes);
  // The same for what takes nothing from others and leaves nothing to them.
  KvSlot TakeEmpty(const KvRange& writes);

  // The slot, which Take gave out, holds `tokens` and nothing else that others
  // may take.
  void Holds(int kv_slot, std::vector<int32_t> tokens);
  // Its owner has ended. Forgets what others hold as well, and, of least use,
  // what is more than may be kept.
  void Settle(int kv_slot);

  // Since the last call; tokens_kept is as it is now.
  PrefixReport TakeReport();

  // For tests. Empty: nothing is there.
  const PromptBeginning& beginning(int kv_slot) const {
    return entries_[kv_slot].beginning;
  }
  int64_t tokens_kept() const;  // In free slots.
  // What of the slot is needed: all that its owner may write or, of a free one,
  // the beginning in it.
  KvRange Needed(int kv_slot) const;
  // INTERNAL when more is kept than may be, or than there is.
  absl::Status CheckInvariants() const;

 private:
  struct Entry {
    PromptBeginning beginning;
    int64_t used = 0;  // When it was taken or given last.

    bool empty() const { return beginning.tokens.empty(); }
  };

  // The slot with the most of `wanted` and how much that is; {-1, 0}: none.
  std::pair<int, int> Find(const PromptBeginning& wanted) const;
  // The free slot whose beginning is missed least.
  int LeastUsed() const;
  // A free slot for what takes `length` tokens from slot `from`.
  int PlaceFor(const PromptBeginning& wanted, int from, int length) const;
  void Forget(int kv_slot);
  int64_t MayKeep() const;
  // Forgets, of least use, what is more than may be kept.
  void ForgetExcess();

  KvSlotPool* const pool_;
  const int64_t max_tokens_;
  std::vector<Entry> entries_;  // By KV slot.
  int64_t uses_ = 0;
  PrefixReport report_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_PREFIX_CACHE_H_
