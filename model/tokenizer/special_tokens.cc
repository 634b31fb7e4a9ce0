#include "model/tokenizer/special_tokens.h"

namespace alignsae {

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) {
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.is_special[id]) continue;
    int32_t node = 0;
    for (char c : vocabulary.tokens[id]) {
      const int32_t fresh = static_cast<int32_t>(children_.size()) + 1;
      node = children_.try_emplace({node, c}, fresh).first->second;
    }
    id_at_node_[node] = static_cast<int32_t>(id);
  }
}

std::optional<SpecialTokens::Match> SpecialTokens::Find(
    absl::string_view text) const {
  if (id_at_node_.empty()) return std::nullopt;
  for (size_t begin = 0; begin < text.size(); ++begin) {
    if (auto match = MatchAt(text, begin)) return match;
  }
  return std::nullopt;
}

std::optional<SpecialTokens::Match> SpecialTokens::MatchAt(
    absl::string_view text, size_t begin) const {
  std::optional<Match> longest;
  int32_t node = 0;
  for (size_t end = begin; end < text.size();) {
    const auto child = children_.find({node, text[end]});
    if (child == children_.end()) break;
    node = child->second;
    ++end;
    const auto id = id_at_node_.find(node);
    if (id != id_at_node_.end()) longest = {begin, end - begin, id->second};
  }
  return longest;
}

}  // namespace alignsae
