#include "server/grpc/tls_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "model/base/file.h"
#include "server/grpc/tls_watcher.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

// A key, and certificates of it that it signed itself.
class KeyPair {
 public:
  KeyPair() : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free) {}

  std::string Key() const {
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()),
                                                  &BIO_free);
    PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                             nullptr, nullptr);
    return Text(bio.get());
  }
  // Valid from `begin` to `end`, in seconds from now.
  std::string Certificate(int64_t begin, int64_t end) const {
    std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(),
                                                            &X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), begin);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), end);
    X509_set_pubkey(certificate.get(), key_.get());
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()),
                                                  &BIO_free);
    PEM_write_bio_X509(bio.get(), certificate.get());
    return Text(bio.get());
  }

 private:
  static std::string Text(BIO* bio) {
    char* data = nullptr;
    const int64_t size = BIO_get_mem_data(bio, &data);
    return std::string(data, size);
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

class TlsIdentityTest : public ::testing::Test {
 protected:
  TlsIdentityTest() {
    files_.certificate = Path("cert.pem");
    files_.key = Path("key.pem");
    Write(files_.certificate, pair_.Certificate(-60, 86400));
    Write(files_.key, pair_.Key());
  }
  static std::string Path(const std::string& name) {
    return ::testing::TempDir() + "tls_identity_" + name;
  }
  static void Write(const std::string& path, const std::string& text) {
    EXPECT_OK(WriteFileAtomically(path, text));
  }
  absl::Status Read() const {
    return ReadTlsIdentity(files_, absl::Now()).status();
  }
  void ExpectRefused(const std::string& sentence) const {
    const absl::Status status = Read();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(sentence));
  }

  const KeyPair pair_;
  TlsFiles files_;
};

TEST_F(TlsIdentityTest, ReadsThePairAndItsTimes) {
  ASSERT_OK_AND_ASSIGN(const TlsIdentity identity,
                       ReadTlsIdentity(files_, absl::Now()));
  EXPECT_LT(
      absl::AbsDuration(identity.not_after - absl::Now() - absl::Hours(24)),
      absl::Minutes(1));
  EXPECT_LT(identity.not_before, absl::Now());
  EXPECT_TRUE(identity.client_ca.empty());
  files_.client_ca = files_.certificate;
  ASSERT_OK_AND_ASSIGN(const TlsIdentity mutual,
                       ReadTlsIdentity(files_, absl::Now()));
  EXPECT_EQ(mutual.client_ca, mutual.certificate);
}

TEST_F(TlsIdentityTest, RefusesWhatNoClientWouldAccept) {
  Write(files_.certificate, pair_.Certificate(-120, -60));
  ExpectRefused("--tls-cert: must be valid now, got " + files_.certificate +
                ", which was until ");
  Write(files_.certificate, "no certificate");
  ExpectRefused("--tls-cert: must be a PEM certificate, got ");
  Write(files_.certificate, KeyPair().Certificate(-60, 86400));
  ExpectRefused("--tls-key: must be the key of --tls-cert ");
  Write(files_.key, "no key");
  ExpectRefused("--tls-key: must be a PEM private key without a passphrase");
}

TEST_F(TlsIdentityTest, RefusesAnAuthorityThatIsNone) {
  files_.client_ca = files_.key;
  ExpectRefused("--tls-client-ca: must be a PEM certificate, got ");
}

TEST_F(TlsIdentityTest, OneThatIsNotValidYetIsTaken) {
  // Clocks differ; it is a warning in the log.
  Write(files_.certificate, pair_.Certificate(3600, 86400));
  EXPECT_OK(Read());
}

TEST_F(TlsIdentityTest, TheWatcherTakesAPairOnceBothFilesAreThere) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<TlsWatcher> watcher,
                       TlsWatcher::Create(files_));
  const auto first = watcher->current();
  EXPECT_EQ(first.reloads, 0);
  const auto wait = [&](auto done) {
    for (int i = 0; i < 1000 && !done(); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return done();
  };
  const KeyPair next;
  Write(files_.certificate, next.Certificate(-60, 7200));
  EXPECT_TRUE(wait([&] { return watcher->current().failures == 1; }));
  EXPECT_EQ(watcher->current().identity, first.identity);
  Write(files_.key, next.Key());
  EXPECT_TRUE(wait([&] { return watcher->current().reloads == 1; }));
  EXPECT_EQ(watcher->current().identity->key, next.Key());
  EXPECT_EQ(watcher->current().failures, 1);
}

TEST_F(TlsIdentityTest, TheWatcherDoesNotStartWithoutAnIdentity) {
  Write(files_.certificate, "no certificate");
  EXPECT_EQ(TlsWatcher::Create(files_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace alignsae
