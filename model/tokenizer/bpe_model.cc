#include "model/tokenizer/bpe_model.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>

namespace alignsae {
namespace {

constexpr uint32_t kNoSymbol = UINT32_MAX;
constexpr int32_t kNoMerge = -1;

uint64_t MergeCandidate(int32_t rank, uint32_t position) {
  return static_cast<uint64_t>(rank) << 32 | position;
}

}  // namespace

BpeModel::BpeModel(const Vocabulary& vocabulary) {
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& bytes = vocabulary.tokens[id];
    if (bytes.size() == 1 && !vocabulary.is_special[id]) {
      id_of_byte_[static_cast<uint8_t>(bytes[0])] = static_cast<int32_t>(id);
    }
  }
  rules_.reserve(vocabulary.merges.size());
  for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const Merge& merge = vocabulary.merges[rank];
    rules_.emplace(Key(merge.left, merge.right),
                   Rule{static_cast<int32_t>(rank), merge.result});
  }
}

void BpeModel::EncodePiece(absl::string_view piece, Scratch& scratch,
                           std::vector<int32_t>& ids) const {
  if (piece.empty()) return;
  LoadBytes(piece, scratch);
  std::vector<uint64_t>& heap = scratch.heap_;
  while (!heap.empty()) {
    ++scratch.steps_;
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const uint64_t candidate = heap.back();
    heap.pop_back();
    const uint32_t at = static_cast<uint32_t>(candidate);
    // A symbol that merged meanwhile has another rank by now, or none.
    if (scratch.symbols_[at].rank != static_cast<int32_t>(candidate >> 32)) {
      continue;
    }
    MergeAt(at, scratch);
  }
  for (uint32_t at = 0; at != kNoSymbol; at = scratch.symbols_[at].next) {
    ids.push_back(scratch.symbols_[at].id);
  }
}

void BpeModel::LoadBytes(absl::string_view piece, Scratch& scratch) const {
  const uint32_t size = static_cast<uint32_t>(piece.size());
  std::vector<Scratch::Symbol>& symbols = scratch.symbols_;
  symbols.resize(size);
  for (uint32_t at = 0; at < size; ++at) {
    symbols[at] = {id_of_byte_[static_cast<uint8_t>(piece[at])], kNoMerge,
                   at == 0 ? kNoSymbol : at - 1,
                   at + 1 == size ? kNoSymbol : at + 1};
  }
  scratch.heap_.clear();
  for (uint32_t at = 0; at < size; ++at) {
    if (Rank(at, scratch)) {
      scratch.heap_.push_back(MergeCandidate(symbols[at].rank, at));
    }
  }
  std::make_heap(scratch.heap_.begin(), scratch.heap_.end(), std::greater<>());
}

bool BpeModel::Rank(uint32_t at, Scratch& scratch) const {
  Scratch::Symbol& symbol = scratch.symbols_[at];
  symbol.rank = kNoMerge;
  if (symbol.next == kNoSymbol) return false;
  const auto rule =
      rules_.find(Key(symbol.id, scratch.symbols_[symbol.next].id));
  if (rule == rules_.end()) return false;
  symbol.rank = rule->second.rank;
  return true;
}

void BpeModel::MergeAt(uint32_t at, Scratch& scratch) const {
  Scratch::Symbol& left = scratch.symbols_[at];
  Scratch::Symbol& right = scratch.symbols_[left.next];
  left.id = rules_.find(Key(left.id, right.id))->second.result;
  left.next = right.next;
  right.rank = kNoMerge;
  if (left.next != kNoSymbol) scratch.symbols_[left.next].prev = at;
  for (uint32_t changed : {left.prev, at}) {
    if (changed == kNoSymbol || !Rank(changed, scratch)) continue;
    scratch.heap_.push_back(
        MergeCandidate(scratch.symbols_[changed].rank, changed));
    std::push_heap(scratch.heap_.begin(), scratch.heap_.end(),
                   std::greater<>());
  }
}

}  // namespace alignsae
