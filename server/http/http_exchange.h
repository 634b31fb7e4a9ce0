// One request for the admin port, from the bytes that came to the bytes that
// go: parsed and routed by cpp-httplib, without a socket.
//
// Of a request only its first line counts: no header changes an answer, so that
// ranges and encodings cannot make a small answer large.
//
// Thread-safety: not thread-safe.

#ifndef ALIGNSAE_SERVER_HTTP_HTTP_EXCHANGE_H_
#define ALIGNSAE_SERVER_HTTP_HTTP_EXCHANGE_H_

#include <httplib.h>

#include <string>

namespace alignsae {

class HttpRoutes : public httplib::Server {
 public:
  // The answer to a request whose head is `head`; the connection ends with it.
  std::string Answer(const std::string& head);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_HTTP_EXCHANGE_H_
