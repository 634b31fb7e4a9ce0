// Why the front door refused a request, or a connection, before it was a call:
// the label `reason` of alignsae_http_refused_total.
//
// Thread-safety: an enum.

#ifndef ALIGNSAE_SERVER_METRICS_HTTP_REFUSAL_H_
#define ALIGNSAE_SERVER_METRICS_HTTP_REFUSAL_H_

namespace alignsae {

enum class HttpRefusal {
  kConnections,  // Too many at once.
  kHead,         // Malformed, too large, another version.
  kHost,         // A Host that is not this server's.
  kOrigin,       // A page that may not call.
  kPath,         // No such method, or not by POST.
  kContentType,
  kBody,  // Malformed or too large.
  kMemory,
  kTime,  // Not whole in time.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_HTTP_REFUSAL_H_
