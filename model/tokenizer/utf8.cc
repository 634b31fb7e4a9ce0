#include "model/tokenizer/utf8.h"

#include <cstdint>

namespace alignsae {
namespace {

// What may follow a lead byte (Unicode standard, table 3-7).
struct Lead {
  size_t length = 0;         // Of the whole character; 0: not a lead byte.
  uint8_t payload_mask = 0;  // Bits of the lead byte that count.
  uint8_t second_min = 0x80;
  uint8_t second_max = 0xbf;
};

Lead LeadOf(uint8_t byte) {
  if (byte < 0x80) return {1, 0x7f};
  if (byte < 0xc2) return {0, 0};
  if (byte < 0xe0) return {2, 0x1f};
  if (byte == 0xe0) return {3, 0x0f, 0xa0, 0xbf};  // Below: overlong.
  if (byte == 0xed) return {3, 0x0f, 0x80, 0x9f};  // Above: surrogates.
  if (byte < 0xf0) return {3, 0x0f};
  if (byte == 0xf0) return {4, 0x07, 0x90, 0xbf};  // Below: overlong.
  if (byte < 0xf4) return {4, 0x07};
  if (byte == 0xf4) return {4, 0x07, 0x80, 0x8f};  // Above: past U+10FFFF.
  return {0, 0};
}

}  // namespace

Utf8Char ReadUtf8(absl::string_view text) {
  const uint8_t first = static_cast<uint8_t>(text[0]);
  const Lead lead = LeadOf(first);
  if (lead.length == 0) return {Utf8Char::kBad, 1};
  char32_t code_point = first & lead.payload_mask;
  for (size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {Utf8Char::kUnfinished, i};
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    const uint8_t min = i == 1 ? lead.second_min : 0x80;
    const uint8_t max = i == 1 ? lead.second_max : 0xbf;
    if (byte < min || byte > max) return {Utf8Char::kBad, i};
    code_point = code_point << 6 | (byte & 0x3f);
  }
  return {Utf8Char::kWhole, lead.length, code_point};
}

void AppendUtf8(char32_t code_point, std::string& out) {
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
    return;
  }
  out.push_back(static_cast<char>(0xc0 | code_point >> 6));
  out.push_back(static_cast<char>(0x80 | (code_point & 0x3f)));
}

}  // namespace alignsae
