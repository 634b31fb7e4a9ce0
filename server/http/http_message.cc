#include "server/http/http_message.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace alignsae {
namespace {

constexpr size_t kMaxHeaders = 100;
constexpr size_t kMaxLengthDigits = 15;
constexpr size_t kMaxChunkLine = 256;
constexpr size_t kMaxTrailers = 8192;

// Those of which two would be two meanings.
constexpr absl::string_view kOnce[] = {
    "host",   "content-length",  "transfer-encoding",  "content-type",
    "origin", "x-request-id",    "connect-timeout-ms", "x-client-id",
    "expect", "content-encoding"};

HttpFailure Malformed(absl::string_view sentence) {
  return {400, HttpRefusal::kHead, std::string(sentence)};
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("!#$%&'*+-.^_`|~", c);
  });
}

bool IsVisible(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7f; });
}

bool IsFieldValue(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::optional<HttpFailure> ParseRequestLine(absl::string_view line,
                                            HttpRequest* request) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) ||
      !absl::StartsWith(parts[1], "/") || !IsVisible(parts[1])) {
    return Malformed("request line: must be METHOD /path HTTP/1.1");
  }
  if (parts[2] != "HTTP/1.1") {
    return HttpFailure{505, HttpRefusal::kHead,
                       "request line: must be of HTTP/1.1"};
  }
  request->method = std::string(parts[0]);
  request->path = std::string(parts[1].substr(0, parts[1].find('?')));
  return std::nullopt;
}

std::optional<HttpFailure> AddHeader(absl::string_view line,
                                     HttpRequest* request) {
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon))) {
    return Malformed("headers: must be lines of name: value");
  }
  HttpHeader header = {
      absl::AsciiStrToLower(line.substr(0, colon)),
      std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)))};
  if (!IsFieldValue(header.value)) {
    return Malformed("headers: must hold no control characters");
  }
  if (request->headers.size() >= kMaxHeaders) {
    return HttpFailure{431, HttpRefusal::kHead,
                       absl::StrCat("headers: must be at most ", kMaxHeaders)};
  }
  const auto same = [&header](const HttpHeader& other) {
    return other.name == header.name;
  };
  if (std::find(std::begin(kOnce), std::end(kOnce), header.name) !=
          std::end(kOnce) &&
      std::any_of(request->headers.begin(), request->headers.end(), same)) {
    return Malformed(absl::StrCat(header.name, ": must be there once"));
  }
  request->headers.push_back(std::move(header));
  return std::nullopt;
}

// How the request's body and its connection go on.
std::optional<HttpFailure> ReadFraming(HttpRequest* request) {
  const absl::string_view length = request->Header("content-length");
  const absl::string_view coding = request->Header("transfer-encoding");
  const bool has_length = request->Has("content-length");
  request->gzip =
      absl::EqualsIgnoreCase(request->Header("content-encoding"), "gzip");
  if (!coding.empty()) {
    if (has_length) {
      return Malformed(
          "content-length: must be absent beside transfer-encoding");
    }
    if (!absl::EqualsIgnoreCase(coding, "chunked")) {
      return HttpFailure{501, HttpRefusal::kHead,
                         "transfer-encoding: must be chunked"};
    }
    request->chunked = true;
  }
  if (has_length) {
    const bool digits = !length.empty() && length.size() <= kMaxLengthDigits &&
                        std::all_of(length.begin(), length.end(), [](char c) {
                          return c >= '0' && c <= '9';
                        });
    if (!digits || !absl::SimpleAtoi(length, &request->content_length)) {
      return Malformed("content-length: must be a number of bytes");
    }
  }
  for (const HttpHeader& header : request->headers) {
    if (header.name != "connection") continue;
    for (absl::string_view option : absl::StrSplit(header.value, ',')) {
      if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(option), "close")) {
        request->keep_alive = false;
      }
    }
  }
  request->expects_continue =
      absl::EqualsIgnoreCase(request->Header("expect"), "100-continue");
  return std::nullopt;
}

const char* ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

}  // namespace

absl::string_view HttpRequest::Header(absl::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

bool HttpRequest::Has(absl::string_view name) const {
  return std::any_of(
      headers.begin(), headers.end(),
      [name](const HttpHeader& header) { return header.name == name; });
}

std::optional<HttpFailure> ParseHead(absl::string_view head,
                                     HttpRequest* request) {
  bool first = true;
  for (absl::string_view line : absl::StrSplit(head, "\r\n")) {
    std::optional<HttpFailure> failure =
        first ? ParseRequestLine(line, request) : AddHeader(line, request);
    if (failure.has_value()) return failure;
    first = false;
  }
  if (request->Header("host").empty()) {
    return Malformed("host: must be there");
  }
  return ReadFraming(request);
}

std::string RenderHead(const HttpReply& reply, std::optional<size_t> length,
                       bool keep_alive, absl::Time now) {
  std::string head = absl::StrCat(
      "HTTP/1.1 ", reply.status, " ", ReasonPhrase(reply.status), "\r\nDate: ",
      absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", now, absl::UTCTimeZone()),
      "\r\nX-Content-Type-Options: nosniff\r\n");
  const bool kept = absl::c_any_of(reply.headers, [](const HttpHeader& header) {
    return header.name == kCacheControl;
  });
  if (!kept) absl::StrAppend(&head, kCacheControl, ": no-store\r\n");
  for (const HttpHeader& header : reply.headers) {
    absl::StrAppend(&head, header.name, ": ", header.value, "\r\n");
  }
  if (!length.has_value()) {
    absl::StrAppend(&head, "Transfer-Encoding: chunked\r\n");
  } else if (reply.status != 204) {
    absl::StrAppend(&head, "Content-Length: ", *length, "\r\n");
  }
  absl::StrAppend(&head, keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
  return head;
}

std::string RenderChunk(absl::string_view bytes) {
  return absl::StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n");
}

HttpBody::HttpBody(const HttpRequest& request, size_t max_bytes)
    : chunked_(request.chunked),
      max_bytes_(max_bytes),
      part_(chunked_ ? Part::kChunkSize : Part::kData),
      left_(request.content_length) {}

HttpBody::State HttpBody::Read(std::string* bytes, std::string* body) {
  absl::string_view in = *bytes;
  State state = State::kTooLarge;
  if (chunked_ || left_ + body->size() <= max_bytes_) {
    bool moved = true;
    while (moved) {
      const size_t before = in.size();
      const Part part = part_;
      state = Step(&in, body);
      moved = state == State::kMore && (in.size() != before || part_ != part);
    }
  }
  bytes->erase(0, bytes->size() - in.size());
  return state;
}

HttpBody::State HttpBody::Step(absl::string_view* in, std::string* body) {
  if (part_ == Part::kData) {
    const size_t size = std::min<uint64_t>(left_, in->size());
    body->append(in->data(), size);
    in->remove_prefix(size);
    left_ -= size;
    if (left_ == 0 && !chunked_) return State::kDone;
    if (left_ == 0) part_ = Part::kAfterData;
    return State::kMore;
  }
  const bool whole = TakeLine(in);
  if (broken_) return State::kMalformed;
  if (!whole) return State::kMore;
  const std::string line = std::exchange(line_, "");
  switch (part_) {
    case Part::kAfterData:
      part_ = Part::kChunkSize;
      return line.empty() ? State::kMore : State::kMalformed;
    case Part::kTrailer:
      frame_bytes_ += line.size() + 2;
      if (frame_bytes_ > kMaxTrailers) return State::kMalformed;
      return line.empty() ? State::kDone : State::kMore;
    default: {
      // An extension after the size means nothing.
      const std::string size(
          absl::StripAsciiWhitespace(line.substr(0, line.find(';'))));
      if (size.empty() || size.size() > kMaxLengthDigits ||
          !std::all_of(size.begin(), size.end(), [](char c) {
            return absl::ascii_isxdigit(static_cast<unsigned char>(c));
          })) {
        return State::kMalformed;
      }
      left_ = std::stoull(size, nullptr, 16);
      return BeginChunk(body->size());
    }
  }
}

HttpBody::State HttpBody::BeginChunk(size_t taken) {
  if (left_ > max_bytes_ || taken + left_ > max_bytes_) {
    return State::kTooLarge;
  }
  part_ = left_ == 0 ? Part::kTrailer : Part::kData;
  return State::kMore;
}

bool HttpBody::TakeLine(absl::string_view* in) {
  const size_t end = in->find('\n');
  const size_t size = end == absl::string_view::npos ? in->size() : end + 1;
  line_.append(in->data(), size);
  in->remove_prefix(size);
  broken_ =
      line_.size() > (part_ == Part::kTrailer ? kMaxTrailers : kMaxChunkLine);
  if (end == absl::string_view::npos) return false;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') broken_ = true;
  if (!broken_) line_.resize(line_.size() - 2);
  return true;
}

}  // namespace alignsae
