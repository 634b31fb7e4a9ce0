#include "client/lib/credential_flags.h"

#include "model/terminal/command_line.h"

namespace alignsae {

void AddCredentialFlags(CLI::App& app, CredentialFlags& flags) {
  app.add_option("--token-file", flags.token_file,
                 "File with the bearer token that says who asks (default: what "
                 "ALIGNSAE_TOKEN holds)")
      ->envname("ALIGNSAE_TOKEN_FILE")
      ->type_name(kFileType);
  app.add_option("--tls-ca", flags.tls_ca,
                 "PEM file of the CA: connect with TLS")
      ->type_name(kFileType);
  app.add_option("--tls-cert", flags.tls_cert,
                 "PEM file of the client certificate, for mutual TLS")
      ->type_name(kFileType);
  app.add_option("--tls-key", flags.tls_key,
                 "PEM file of the client's private key")
      ->type_name(kFileType);
}

}  // namespace alignsae
