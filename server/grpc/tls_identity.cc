#include "server/grpc/tls_identity.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;
using Certificate = std::unique_ptr<X509, X509Deleter>;
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;

Bio MemoryBio(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

Certificate ReadCertificate(const std::string& pem) {
  return Certificate(
      PEM_read_bio_X509(MemoryBio(pem).get(), nullptr, nullptr, nullptr));
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time,
                                  const std::string& path) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-cert: must say from when to when it is valid, got ", path));
  }
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::Status CheckKey(const TlsFiles& files, const Certificate& leaf,
                      const std::string& pem) {
  const Key key(
      PEM_read_bio_PrivateKey(MemoryBio(pem).get(), nullptr, nullptr, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-key: must be a PEM private key without a passphrase, got ",
        files.key));
  }
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key: must be the key of --tls-cert ",
                     files.certificate, ", got ", files.key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsIdentity> ReadTlsIdentity(const TlsFiles& files,
                                            absl::Time now) {
  TlsIdentity identity;
  ALIGNSAE_ASSIGN_OR_RETURN(identity.certificate, ReadFile(files.certificate));
  ALIGNSAE_ASSIGN_OR_RETURN(identity.key, ReadFile(files.key));
  const Certificate leaf = ReadCertificate(identity.certificate);
  if (leaf == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-cert: must be a PEM certificate, got ", files.certificate));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckKey(files, leaf, identity.key));
  ALIGNSAE_ASSIGN_OR_RETURN(
      identity.not_before,
      TimeOf(X509_get0_notBefore(leaf.get()), files.certificate));
  ALIGNSAE_ASSIGN_OR_RETURN(
      identity.not_after,
      TimeOf(X509_get0_notAfter(leaf.get()), files.certificate));
  if (identity.not_after <= now) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-cert: must be valid now, got ", files.certificate,
        ", which was until ",
        absl::FormatTime(identity.not_after, absl::UTCTimeZone())));
  }
  if (files.client_ca.empty()) return identity;
  ALIGNSAE_ASSIGN_OR_RETURN(identity.client_ca, ReadFile(files.client_ca));
  if (ReadCertificate(identity.client_ca) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-client-ca: must be a PEM certificate, got ", files.client_ca));
  }
  return identity;
}

}  // namespace alignsae
