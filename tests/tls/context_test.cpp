#include "lihandover/tls/context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <ctime>
#include <fstream>

#include "tls/certificates.hpp"
#include "tls/pair.hpp"

namespace lihandover::tls {
namespace {

using test::certificates;
using test::Pair;
using testing::HasSubstr;

model::Instant now() {
    return {std::time(nullptr), 0};
}

TEST(TlsHandshake, MutualTls13GivesBothIdentities) {
    const auto server = test::server_context();
    const auto client = test::client_context();
    Pair pair{*server, *client};
    ASSERT_TRUE(pair.shake());
    EXPECT_STREQ(SSL_get_version(pair.client()), "TLSv1.3");
    const auto seen = peer_identity(pair.server());
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->subject, "CN=Test Client");
    EXPECT_EQ(seen->certificate_sha256, client->certificate().sha256);
    EXPECT_EQ(seen->certificate_sha256.size(), 64U);
    EXPECT_EQ(seen->spki_sha256.size(), 64U);
    EXPECT_NE(seen->spki_sha256, seen->certificate_sha256);
    EXPECT_EQ(seen->not_after, client->certificate().not_after);
    EXPECT_TRUE(peer_is_current(pair.server()));
    EXPECT_EQ(peer_identity(pair.client())->certificate_sha256, server->certificate().sha256);
}

TEST(TlsHandshake, AlpnIsHttp11) {
    Pair pair{*test::server_context(), *test::client_context()};
    ASSERT_TRUE(pair.shake());
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(pair.server(), &name, &size);
    EXPECT_EQ((std::string{reinterpret_cast<const char*>(name), size}), "http/1.1");
}

TEST(TlsHandshake, AnotherProtocolIsRefused) {
    Pair pair{*test::server_context(), *test::client_context()};
    const std::string only_h2{"\x02h2"};
    SSL_set_alpn_protos(pair.client(), reinterpret_cast<const unsigned char*>(only_h2.data()), 3);
    EXPECT_FALSE(pair.shake());
}

TEST(TlsHandshake, AddressesAreCheckedAsAddresses) {
    Pair v4{*test::server_context(), *test::client_context(), "127.0.0.1"};
    EXPECT_TRUE(v4.shake());
    Pair v6{*test::server_context(), *test::client_context(), "::1"};
    EXPECT_TRUE(v6.shake());
    Pair other{*test::server_context(), *test::client_context(), "127.0.0.2"};
    EXPECT_FALSE(other.shake());
    EXPECT_TRUE(other.client_failure()->certificate);
}

TEST(TlsHandshake, IntermediateCertificatesAreSent) {
    Pair pair{*test::server_context("chained"), *test::client_context()};
    EXPECT_TRUE(pair.shake());
}

TEST(TlsHandshake, IntermediateAloneIsATrustAnchor) {
    Pair pair{*test::server_context("chained"), *test::client_context("client", "intermediate")};
    EXPECT_TRUE(pair.shake());
}

struct Refusal {
    const char* what;
    std::string server;
    std::string server_ca;
    std::string client;
    std::string client_ca;
    bool client_complains;
};

class TlsRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(TlsRefusal, IsACertificateFailure) {
    const auto& parameter = GetParam();
    const auto server = test::server_context(parameter.server, parameter.server_ca);
    const auto client = test::client_context(parameter.client, parameter.client_ca);
    Pair pair{*server, *client};
    EXPECT_FALSE(pair.shake());
    // Whoever complains tells the other with an alert, and both know that it was about a certificate.
    ASSERT_TRUE(pair.client_failure());
    EXPECT_TRUE(pair.client_failure()->certificate) << pair.client_failure()->sentence;
    EXPECT_EQ(pair.client_failure()->sentence.starts_with("the peer's certificate is not acceptable"),
              parameter.client_complains)
        << pair.client_failure()->sentence;
}

INSTANTIATE_TEST_SUITE_P(Matrix, TlsRefusal,
                         testing::Values(Refusal{"ClientOfOtherCa", "server", "ca", "other-client", "ca", false},
                                         Refusal{"ExpiredClient", "server", "ca", "expired-client", "ca", false},
                                         Refusal{"ServerOfOtherCa", "other-server", "ca", "client", "ca", true},
                                         Refusal{"WrongName", "wrong-name", "ca", "client", "ca", true},
                                         Refusal{"ExpiredServer", "expired", "ca", "client", "ca", true},
                                         Refusal{"FutureServer", "future", "ca", "client", "ca", true}),
                         [](const testing::TestParamInfo<Refusal>& parameter) { return parameter.param.what; });

TEST(TlsHandshake, ClientWithoutCertificateIsRefused) {
    const auto server = test::server_context();
    const auto client = test::client_context();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Pair pair{*server, *client};
        SSL_certs_clear(pair.client());
        SSL_set_max_proto_version(pair.client(), version);
        EXPECT_FALSE(pair.shake());
        ASSERT_TRUE(pair.server_failure());
        EXPECT_TRUE(pair.server_failure()->certificate) << pair.server_failure()->sentence;
    }
}

TEST(TlsHandshake, Tls12WithGoodSuiteWorks) {
    Pair pair{*test::server_context(), *test::client_context()};
    SSL_set_max_proto_version(pair.client(), TLS1_2_VERSION);
    ASSERT_TRUE(pair.shake());
    EXPECT_STREQ(SSL_get_version(pair.client()), "TLSv1.2");
    EXPECT_THAT(SSL_get_cipher_name(pair.client()), HasSubstr("ECDHE"));
}

TEST(TlsHandshake, Tls12WithWeakSuiteIsRefused) {
    for (const char* suites :
         {"ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM", "AES128-GCM-SHA256"}) {
        Pair pair{*test::server_context(), *test::client_context()};
        SSL_set_max_proto_version(pair.client(), TLS1_2_VERSION);
        ASSERT_EQ(SSL_set_cipher_list(pair.client(), suites), 1);
        EXPECT_FALSE(pair.shake()) << suites;
        EXPECT_FALSE(pair.server_failure()->certificate);
    }
}

TEST(TlsHandshake, Tls11IsRefused) {
    Pair pair{*test::server_context(), *test::client_context()};
    SSL_set_min_proto_version(pair.client(), TLS1_VERSION);
    SSL_set_max_proto_version(pair.client(), TLS1_1_VERSION);
    // What TLS 1.1 needs is below the default security level.
    SSL_set_security_level(pair.client(), 0);
    ASSERT_EQ(SSL_set_cipher_list(pair.client(), "ALL:@SECLEVEL=0"), 1);
    EXPECT_FALSE(pair.shake());
    EXPECT_THAT(pair.server_failure()->sentence, HasSubstr("protocol"));
}

TEST(TlsHandshake, RenegotiationIsRefused) {
    Pair pair{*test::server_context(), *test::client_context()};
    SSL_set_max_proto_version(pair.client(), TLS1_2_VERSION);
    ASSERT_TRUE(pair.shake());
    EXPECT_EQ(SSL_renegotiate(pair.client()), 0);
}

TEST(TlsResumption, KeepsTheClientsIdentity) {
    const auto server = test::server_context();
    const auto client = test::client_context();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const std::string host = version == TLS1_2_VERSION ? "localhost" : "127.0.0.1";
        for (const bool resumed : {false, true, true}) {
            Pair pair{*server, *client, host};
            SSL_set_max_proto_version(pair.client(), version);
            ASSERT_TRUE(pair.shake());
            EXPECT_EQ(SSL_session_reused(pair.server()) == 1, resumed);
            EXPECT_EQ(peer_identity(pair.server())->certificate_sha256, client->certificate().sha256);
            EXPECT_TRUE(peer_is_current(pair.server()));
        }
    }
}

TEST(TlsResumption, EndsAnHourAfterTheFullHandshakeHoweverOftenItIsResumed) {
    const auto server = test::server_context();
    const auto client = test::client_context();
    const std::time_t half_an_hour_ago = std::time(nullptr) - 1800;
    Pair first{*server, *client};
    ASSERT_TRUE(first.shake());
    SSL_SESSION_set_time(SSL_get_session(first.client()), half_an_hour_ago);
    Pair second{*server, *client};
    ASSERT_TRUE(second.shake());
    EXPECT_EQ(SSL_session_reused(second.client()), 1);
    Pair third{*server, *client};
    ASSERT_NE(SSL_get_session(third.client()), nullptr);
    EXPECT_EQ(SSL_SESSION_get_time(SSL_get_session(third.client())), half_an_hour_ago) << "not that of the second";
    ASSERT_TRUE(third.shake());
    SSL_SESSION_set_time(SSL_get_session(third.client()), half_an_hour_ago - 1800);
    Pair fourth{*server, *client};
    ASSERT_TRUE(fourth.shake());
    EXPECT_EQ(SSL_session_reused(fourth.client()), 0);
}

TEST(TlsResumption, EndsWithAReload) {
    const auto client = test::client_context();
    const auto before = test::server_context();
    Pair first{*before, *client};
    ASSERT_TRUE(first.shake());
    const auto after = test::server_context();
    Pair second{*after, *client};
    ASSERT_TRUE(second.shake());
    EXPECT_EQ(SSL_session_reused(second.server()), 0);
}

TEST(TlsResumption, IsNotSharedBetweenHosts) {
    const auto client = test::client_context();
    const auto server = test::server_context();
    Pair first{*server, *client, "localhost"};
    ASSERT_TRUE(first.shake());
    Pair second{*server, *client, "127.0.0.1"};
    ASSERT_TRUE(second.shake());
    EXPECT_EQ(SSL_session_reused(second.server()), 0);
}

TEST(TlsResumption, SurvivesTheContextThatStartedIt) {
    const auto server = test::server_context();
    auto client = test::client_context();
    Pair pair{*server, *client};
    client.reset();
    EXPECT_TRUE(pair.shake());
}

TEST(TlsHandshake, AnUnusableServerRefusesEverybody) {
    const auto server = ServerContext::unusable();
    const auto client = test::client_context();
    Pair pair{*server, *client};
    EXPECT_FALSE(pair.shake());
    EXPECT_TRUE(pair.client_failure());
    EXPECT_TRUE(server->endings().empty());
    EXPECT_FALSE(server->names("localhost"));
}

// --- files

std::string write(const std::string& name, const std::string& text) {
    const std::string path = (certificates().directory() / name).string();
    std::ofstream{path} << text;
    return path;
}

std::string read(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string error_of(const Files& files) {
    const auto context = ServerContext::load(files);
    EXPECT_FALSE(context.has_value());
    return context.has_value() ? std::string{} : context.error().message;
}

TEST(TlsFiles, MissingFileIsNamed) {
    for (auto member : {&Files::certificate, &Files::private_key, &Files::ca}) {
        auto files = certificates().files("server");
        files.*member = "/nonexistent/x.pem";
        EXPECT_THAT(error_of(files), HasSubstr("/nonexistent/x.pem: cannot be opened: No such file"));
        EXPECT_FALSE(ClientContext::load(files).has_value());
    }
}

TEST(TlsFiles, EmptyPathIsAnError) {
    auto files = certificates().files("server");
    files.ca.clear();
    EXPECT_EQ(error_of(files), "no file given");
}

TEST(TlsFiles, DirectoryIsAnError) {
    auto files = certificates().files("server");
    files.ca = certificates().directory();
    EXPECT_THAT(error_of(files), HasSubstr("cannot be read"));
}

TEST(TlsFiles, FileWithoutPemIsNamed) {
    auto files = certificates().files("server");
    files.certificate = write("garbage.pem", "this is no certificate\n");
    EXPECT_THAT(error_of(files), HasSubstr("garbage.pem: holds no PEM certificate"));
    files = certificates().files("server");
    files.private_key = files.certificate;
    EXPECT_THAT(error_of(files), HasSubstr("server.pem: holds no readable PEM private key"));
}

TEST(TlsFiles, DamagedSecondCertificateIsAnError) {
    auto files = certificates().files("server");
    const std::string good = read(files.certificate);
    std::string bad = good;
    bad.replace(bad.find('\n') + 20, 8, "AAAAAAAA");
    files.certificate = write("damaged.pem", good + bad);
    EXPECT_THAT(error_of(files), HasSubstr("damaged.pem: certificate number 2 is damaged"));
}

TEST(TlsFiles, HugeFileIsAnError) {
    auto files = certificates().files("server");
    files.ca = write("huge.pem", std::string(2 * 1024 * 1024, 'x'));
    EXPECT_THAT(error_of(files), HasSubstr("larger than 1 MiB"));
}

TEST(TlsFiles, ForeignKeyIsAnError) {
    auto files = certificates().files("server");
    files.private_key = certificates().key("client");
    const auto message = error_of(files);
    EXPECT_THAT(message, HasSubstr("client.key: the private key does not belong"));
    EXPECT_THAT(message, HasSubstr("server.pem"));
}

TEST(TlsFiles, KeyUnderPassPhraseIsAnErrorAndAsksNobody) {
    auto files = certificates().files("server");
    const std::string encrypted = (certificates().directory() / "encrypted.key").string();
    std::FILE* in = std::fopen(files.private_key.c_str(), "r");
    std::FILE* out = std::fopen(encrypted.c_str(), "w");
    EVP_PKEY* key = PEM_read_PrivateKey(in, nullptr, nullptr, nullptr);
    std::string phrase = "secret";
    PEM_write_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), phrase.data(), static_cast<int>(phrase.size()), nullptr,
                              nullptr);
    EVP_PKEY_free(key);
    std::fclose(in);
    std::fclose(out);
    files.private_key = encrypted;
    EXPECT_THAT(error_of(files), HasSubstr("encrypted.key: the private key is under a pass phrase"));
}

TEST(TlsFiles, ValidityIsReportedNotRefused) {
    const auto good = test::server_context();
    EXPECT_TRUE(good->problems(now()).empty());
    EXPECT_GT(good->certificate().not_after, now());
    EXPECT_LT(good->certificate().not_before, now());

    const auto expired = test::server_context("expired")->problems(now());
    ASSERT_EQ(expired.size(), 1U);
    EXPECT_THAT(expired.front(), HasSubstr("expired.pem: the certificate expired at 20"));

    const auto future = test::client_context("future")->problems(now());
    ASSERT_EQ(future.size(), 1U);
    EXPECT_THAT(future.front(), HasSubstr("future.pem: the certificate is not valid before 20"));

    // A year on, the whole chain and the CA are over.
    const auto later = test::server_context("chained")->problems({now().seconds + 366L * 86400, 0});
    ASSERT_EQ(later.size(), 3U);
    EXPECT_THAT(later[1], HasSubstr("chained.pem: certificate number 2 expired"));
    EXPECT_THAT(later[2], HasSubstr("ca.pem: CA certificate number 1 expired"));
}

/// Files of one end with a revocation list of `ca`.
Files with_list(const std::string& name, const std::string& list) {
    auto files = test::certificates().files(name);
    files.crl = list;
    return files;
}

TEST(TlsRevocation, WhoIsOnTheListIsRefusedOnBothSides) {
    const auto& pki = test::certificates();
    const auto all_good = pki.make_list("ca", {}, "good.crl");
    const auto client_out = pki.make_list("ca", {"client"}, "client-out.crl");
    const auto server_out = pki.make_list("ca", {"server"}, "server-out.crl");
    const auto shake = [](const std::string& server_list, const std::string& client_list) {
        const auto server = *ServerContext::load(with_list("server", server_list));
        const auto client = *ClientContext::load(with_list("client", client_list));
        Pair pair{*server, *client};
        const bool agreed = pair.shake();
        for (const auto& failure : {pair.client_failure(), pair.server_failure()}) {
            EXPECT_TRUE(!failure || failure->certificate) << failure->sentence;
        }
        return agreed;
    };
    EXPECT_TRUE(shake("", ""));
    EXPECT_TRUE(shake(all_good, all_good));
    EXPECT_FALSE(shake(client_out, all_good));
    EXPECT_FALSE(shake(all_good, server_out));
    EXPECT_TRUE(shake(server_out, client_out));
}

TEST(TlsRevocation, AListThatIsMissingOrOutOfDateRefusesEverybody) {
    const auto& pki = test::certificates();
    for (const auto& list : {pki.make_list("other-ca", {}, "other.crl"), pki.make_list("ca", {}, "old.crl", -3600)}) {
        const auto server = test::server_context();
        const auto client = ClientContext::load(with_list("client", list));
        ASSERT_TRUE(client.has_value());
        Pair pair{*server, **client};
        EXPECT_FALSE(pair.shake());
        ASSERT_TRUE(pair.client_failure());
        EXPECT_TRUE(pair.client_failure()->certificate);
    }
    const auto old = ClientContext::load(with_list("client", pki.make_list("ca", {}, "old.crl", -3600)));
    EXPECT_THAT((*old)->problems(now()), testing::ElementsAre(HasSubstr("revocation list number 1 expired at")));
}

TEST(TlsRevocation, AuthoritiesAboveTheIssuerNeedNoList) {
    const auto& pki = test::certificates();
    auto files = pki.files("client");
    files.crl = pki.make_list("intermediate", {}, "intermediate.crl");
    const auto server = test::server_context("chained");
    const auto client = ClientContext::load(files);
    Pair pair{*server, **client};
    EXPECT_TRUE(pair.shake());
}

TEST(TlsFiles, TheEndOfEveryCertificateAndListIsKnown) {
    const auto& pki = certificates();
    auto files = pki.files("chained");
    files.ca = write("two-ca.pem", read(pki.certificate("ca")) + read(pki.certificate("other-ca")));
    files.crl = pki.make_list("ca", {}, "ends-soon.crl", 1800);
    const model::Instant before = now();
    const auto server = ServerContext::load(files);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    const auto& endings = (*server)->endings();
    std::vector<std::pair<Kind, std::string>> parts;
    for (const Ending& ending : endings) {
        parts.emplace_back(ending.kind, ending.what);
    }
    EXPECT_THAT(parts, testing::ElementsAre(testing::Pair(Kind::own, files.certificate + ": the certificate"),
                                            testing::Pair(Kind::issuer, files.certificate + ": certificate number 2"),
                                            testing::Pair(Kind::ca, files.ca + ": CA certificate number 1"),
                                            testing::Pair(Kind::ca, files.ca + ": CA certificate number 2"),
                                            testing::Pair(Kind::crl, files.crl + ": revocation list number 1")));
    EXPECT_EQ(endings.front().not_after, (*server)->certificate().not_after);
    EXPECT_LE(endings.back().not_after.seconds, before.seconds + 1800 + 60);
    EXPECT_GE(endings.back().not_after.seconds, before.seconds + 1800 - 60);
    const auto client = ClientContext::load(files);
    ASSERT_TRUE(client.has_value());
    EXPECT_EQ((*client)->endings().size(), endings.size());
    EXPECT_TRUE(ClientContext::unusable()->endings().empty());
}

TEST(TlsRevocation, FilesThatAreNoListsAreNamed) {
    EXPECT_THAT(ClientContext::load(with_list("client", write("no.crl", "hello"))).error().message,
                HasSubstr("no.crl: holds no certificate revocation list"));
    EXPECT_THAT(ClientContext::load(with_list("client", "/nowhere.crl")).error().message,
                HasSubstr("/nowhere.crl: cannot be opened"));
}

TEST(TlsRevocation, AnOpenConnectionsPeerCanBeJudgedAgain) {
    const auto& pki = test::certificates();
    const auto server = test::server_context();
    const auto client = test::client_context();
    Pair pair{*server, *client};
    ASSERT_TRUE(pair.shake());
    EXPECT_TRUE(server->accepts(pair.server()));
    EXPECT_TRUE(test::server_context("chained")->accepts(pair.server()));
    const auto revoking = *ServerContext::load(with_list("server", pki.make_list("ca", {"client"}, "client-out.crl")));
    EXPECT_FALSE(revoking->accepts(pair.server()));
    EXPECT_FALSE(test::server_context("server", "other-ca")->accepts(pair.server()));
}

TEST(TlsHandshake, AServerDoesNotTellWhichAuthoritiesItTrusts) {
    const auto server = test::server_context();
    const auto client = test::client_context();
    Pair pair{*server, *client};
    ASSERT_TRUE(pair.shake());
    EXPECT_LE(sk_X509_NAME_num(SSL_get0_peer_CA_list(pair.client())), 0);
}

TEST(TlsFiles, AFingerprintChangesWithTheContentsAlone) {
    const auto& pki = test::certificates();
    const auto files = pki.files("client");
    const auto first = *ClientContext::load(files);
    EXPECT_EQ(first->fingerprint().size(), 64U);
    auto moved = files;
    moved.ca = write("same-ca.pem", read(files.ca));
    EXPECT_EQ((*ClientContext::load(moved))->fingerprint(), first->fingerprint());
    auto other = files;
    other.ca = write("more-ca.pem", read(files.ca) + read(pki.certificate("other-ca")));
    EXPECT_NE((*ClientContext::load(other))->fingerprint(), first->fingerprint());
    other = files;
    other.crl = pki.make_list("ca", {}, "good.crl");
    EXPECT_NE((*ClientContext::load(other))->fingerprint(), first->fingerprint());
    EXPECT_EQ(test::server_context()->fingerprint(), test::server_context()->fingerprint());
}

TEST(TlsFiles, SeveralAuthoritiesAreTrusted) {
    auto files = certificates().files("server");
    files.ca = write("both.pem", read(certificates().certificate("ca")) + read(certificates().certificate("other-ca")));
    const auto server = ServerContext::load(files);
    ASSERT_TRUE(server.has_value());
    for (const char* name : {"client", "other-client"}) {
        Pair pair{**server, *test::client_context(name)};
        EXPECT_TRUE(pair.shake()) << name;
    }
}

TEST(TlsPrepare, RefusesAnEmptyHost) {
    const auto client = test::client_context();
    SSL* ssl = SSL_new(client->native());
    EXPECT_FALSE(client->prepare(ssl, "", "443"));
    SSL_free(ssl);
}

}  // namespace
}  // namespace lihandover::tls
