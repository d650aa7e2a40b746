#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/model/tls_names.hpp"
#include "lihandover/tls/context.hpp"
#include "tls/certificates.hpp"
#include "tls/pair.hpp"

namespace lihandover::tls {
namespace {

using test::certificates;
using test::Pair;
using testing::HasSubstr;
using testing::Not;

const std::string one_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const std::string other_key = "ffeeddccbbaa99887766554433221100";

std::string key_file(const std::string& name, const std::string& text, mode_t mode = 0640) {
    const std::string path = (certificates().directory() / name).string();
    ::chmod(path.c_str(), 0600);
    std::ofstream{path} << text;
    ::chmod(path.c_str(), mode);
    return path;
}

PskFile one() {
    return {"csp-1", key_file("one.psk", one_key + "\n")};
}

std::shared_ptr<const ServerContext> server_of(std::vector<PskFile> psks, const Choice& choice = {}) {
    auto files = certificates().files("server");
    files.psks = std::move(psks);
    return ServerContext::load(files, Alpn::http, choice).value();
}

/// By its key alone.
std::shared_ptr<const ClientContext> client_of(const PskFile& psk, const Choice& choice = {}) {
    Files files;
    files.psks = {psk};
    return ClientContext::load(files, choice).value();
}

std::string error_of(const PskFile& psk) {
    Files files;
    files.psks = {psk};
    const auto context = ClientContext::load(files);
    return context ? std::string{} : context.error().message;
}

TEST(TlsPsk, ProvesBothEndsInBothVersions) {
    const auto server = server_of({one()});
    const auto client = client_of(one());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (int round = 0; round < 3; ++round) {  // also where a session is resumed
            Pair pair{*server, *client};
            SSL_set_max_proto_version(pair.client(), version);
            ASSERT_TRUE(pair.shake()) << version << " " << pair.server_failure()->sentence;
            EXPECT_EQ(SSL_version(pair.client()), version);
            for (SSL* const end : {pair.server(), pair.client()}) {
                const auto peer = peer_identity(end);
                ASSERT_TRUE(peer) << version;
                EXPECT_EQ(peer->psk_identity, "csp-1");
                EXPECT_EQ(peer->name(), "psk:csp-1");
                EXPECT_EQ(peer->certificate_sha256, "");
                EXPECT_TRUE(peer_is_current(end));
            }
            EXPECT_TRUE(server->accepts(pair.server()));
        }
    }
}

TEST(TlsPsk, EverySuiteHasForwardSecrecyAndCanBeChosen) {
    const auto agreed = [](const std::string& suite) {
        const auto server = server_of({one()}, {{}, {suite, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}});
        const auto client = client_of(one(), {{}, {suite}});
        Pair pair{*server, *client};
        return pair.shake() ? std::string{SSL_CIPHER_standard_name(SSL_get_current_cipher(pair.client()))} : "";
    };
    for (const auto suite : model::tls12_psk_suites) {
        EXPECT_EQ(agreed(std::string{suite}), suite);
        EXPECT_THAT(std::string{suite}, HasSubstr("DHE_PSK"));
    }
    for (const auto suite : model::tls12_psk_cbc_suites) {
        EXPECT_EQ(agreed(std::string{suite}), suite);
    }
    const auto server = server_of({one()});
    const auto cbc = client_of(one(), {{}, {"TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384"}});
    Pair pair{*server, *cbc};
    EXPECT_FALSE(pair.shake()) << "only where it is asked for";
}

TEST(TlsPsk, AWrongKeyOrIdentityProvesNothing) {
    const auto server = server_of({one()});
    const auto client_ca = test::client_context();
    for (const PskFile& wrong :
         {PskFile{"csp-1", key_file("other.psk", other_key)}, PskFile{"csp-2", key_file("one-again.psk", one_key)}}) {
        const auto client = client_of(wrong);
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            Pair pair{*server, *client};
            SSL_set_max_proto_version(pair.client(), version);
            EXPECT_FALSE(pair.shake()) << wrong.identity << version;
            EXPECT_FALSE(peer_is_current(pair.server()));
            EXPECT_FALSE(peer_is_current(pair.client()));
        }
    }
}

TEST(TlsPsk, Tls12DoesNotTellWhichIdentitiesThereAre) {
    const auto server = server_of({one()});
    std::vector<std::string> sentences;
    for (const PskFile& wrong :
         {PskFile{"csp-1", key_file("other.psk", other_key)}, PskFile{"nobody", key_file("other.psk", other_key)}}) {
        const auto client = client_of(wrong);
        Pair pair{*server, *client};
        SSL_set_max_proto_version(pair.client(), TLS1_2_VERSION);
        EXPECT_FALSE(pair.shake());
        sentences.push_back(pair.client_failure()->sentence);
    }
    EXPECT_EQ(sentences[0], sentences[1]);
}

TEST(TlsPsk, ACertificateIsNotMistakenForAKey) {
    // The client offers a key that the server knows, with a suite that does not go with it, and shows its certificate.
    const auto server = server_of({one()}, {{}, {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"}});
    auto files = certificates().files("client");
    files.psks = {PskFile{"csp-1", key_file("other.psk", other_key)}};
    const auto client = ClientContext::load(files).value();
    Pair pair{*server, *client};
    SSL_set_ciphersuites(pair.client(), "TLS_AES_256_GCM_SHA384");
    ASSERT_TRUE(pair.shake());
    const auto peer = peer_identity(pair.server());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->psk_identity, "");
    EXPECT_EQ(peer->certificate_sha256, client->certificate().sha256);
    EXPECT_EQ(peer_identity(pair.client())->psk_identity, "");
}

TEST(TlsPsk, BesideCertificatesEitherCounts) {
    auto files = certificates().files("client");
    files.psks = {one()};
    const auto client = ClientContext::load(files).value();
    Pair with_key{*server_of({one()}), *client};
    ASSERT_TRUE(with_key.shake());
    EXPECT_EQ(peer_identity(with_key.server())->psk_identity, "csp-1");
    Pair without{*test::server_context(), *client};
    ASSERT_TRUE(without.shake());
    EXPECT_EQ(peer_identity(without.server())->certificate_sha256, client->certificate().sha256);
    // And a client with a certificate gets in beside those with keys.
    Pair certified{*server_of({one()}), *test::client_context()};
    ASSERT_TRUE(certified.shake());
    EXPECT_EQ(peer_identity(certified.server())->psk_identity, "");
}

TEST(TlsPsk, AKeyAloneTrustsNoCertificate) {
    const auto client = client_of(one());
    EXPECT_TRUE(client->endings().empty());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Pair pair{*test::server_context(), *client};
        SSL_set_max_proto_version(pair.client(), version);
        EXPECT_FALSE(pair.shake()) << version;
    }
}

TEST(TlsPsk, WhoHasNeitherIsRefused) {
    Pair pair{*server_of({one()}), *test::client_context()};
    SSL_certs_clear(pair.client());
    EXPECT_FALSE(pair.shake());
}

TEST(TlsPsk, AResumedSessionOfTls12KnowsItsKey) {
    // Our own client resumes none, but others do.
    const auto server = server_of({one()});
    const auto client = client_of(one());
    Pair first{*server, *client};
    SSL_set_max_proto_version(first.client(), TLS1_2_VERSION);
    ASSERT_TRUE(first.shake());
    SSL_SESSION* const session = SSL_get1_session(first.client());
    Pair second{*server, *client};
    SSL_set_max_proto_version(second.client(), TLS1_2_VERSION);
    SSL_set_session(second.client(), session);
    ASSERT_TRUE(second.shake());
    EXPECT_EQ(SSL_session_reused(second.server()), 1);
    ASSERT_TRUE(peer_identity(second.server()));
    EXPECT_EQ(peer_identity(second.server())->psk_identity, "csp-1");
    EXPECT_TRUE(server->accepts(second.server()));
    const auto changed = server_of({PskFile{"csp-1", key_file("other.psk", other_key)}});
    Pair third{*changed, *client};
    SSL_set_max_proto_version(third.client(), TLS1_2_VERSION);
    SSL_set_session(third.client(), session);
    EXPECT_FALSE(third.shake()) << "the ticket is of another context";
    SSL_SESSION_free(session);
}

TEST(TlsPsk, Tls13GivesNoTicketsForAKey) {
    const auto server = server_of({one()});
    const auto client = client_of(one());
    Pair pair{*server, *client};
    ASSERT_TRUE(pair.shake());
    EXPECT_EQ(SSL_version(pair.client()), TLS1_3_VERSION);
    EXPECT_EQ(SSL_get_num_tickets(pair.server()), 0U);
    EXPECT_EQ(SSL_SESSION_has_ticket(SSL_get_session(pair.client())), 0);
}

TEST(TlsPsk, AReloadKnowsThoseWhoseKeyIsTheSame) {
    const auto before = server_of({one()});
    const auto client = client_of(one());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Pair pair{*before, *client};
        SSL_set_max_proto_version(pair.client(), version);
        ASSERT_TRUE(pair.shake());
        const PskFile two{"csp-2", key_file("other.psk", other_key)};
        EXPECT_TRUE(server_of({two, one()})->accepts(pair.server()));
        EXPECT_FALSE(server_of({two})->accepts(pair.server()));
        EXPECT_FALSE(server_of({PskFile{"csp-1", two.key_file}})->accepts(pair.server()));
        EXPECT_FALSE(test::server_context()->accepts(pair.server()));
    }
}

TEST(TlsPsk, ABadKeyFileIsTheErrorOfItsClientAlone) {
    auto files = certificates().files("server");
    const std::string bad = key_file("bad-one.psk", "half a k");
    files.psks = {PskFile{"csp-2", bad}, one()};
    const auto server = ServerContext::load(files).value();
    ASSERT_EQ(server->psk_problems().size(), 1U);
    EXPECT_THAT(server->psk_problems()[0], HasSubstr("bad-one.psk: "));
    const auto shakes = [](const ServerContext& with, const PskFile& psk) {
        const auto client = client_of(psk);
        Pair pair{with, *client};
        return pair.shake();
    };
    EXPECT_TRUE(shakes(*server, one()));
    // With the key from before, whoever has it comes on.
    const PskFile two{"csp-2", key_file("other.psk", other_key)};
    files.psks = {two, one()};
    const auto before = ServerContext::load(files).value();
    EXPECT_TRUE(before->psk_problems().empty());
    files.psks = {PskFile{"csp-2", bad}, one()};
    const auto kept = ServerContext::load(files, Alpn::http, {}, {{}, before.get()}).value();
    EXPECT_EQ(kept->psk_problems().size(), 1U);
    EXPECT_TRUE(shakes(*kept, two));
    EXPECT_TRUE(shakes(*kept, one()));
    EXPECT_EQ(kept->fingerprint(), before->fingerprint());
}

TEST(TlsPsk, AKeyThatAnotherEndHasIsRefused) {
    const auto taken = client_of(one())->psk_digests();
    ASSERT_EQ(taken.size(), 1U);
    Files client;
    client.psks = {PskFile{"csp-9", key_file("same.psk", one_key)}};
    const auto refused = ClientContext::load(client, {}, {taken, nullptr});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("same.psk: has the key of another destination"));
    auto files = certificates().files("server");
    files.psks = {PskFile{"csp-9", key_file("same.psk", one_key)}, PskFile{"csp-2", key_file("other.psk", other_key)}};
    const auto before = ServerContext::load(files).value();
    const auto server = ServerContext::load(files, Alpn::http, {}, {taken, before.get()}).value();
    ASSERT_EQ(server->psk_problems().size(), 1U);
    EXPECT_EQ(server->psk_digests().size(), 1U) << "nor as the key from before";
    files.psks = {PskFile{"csp-2", key_file("other.psk", one_key)}, PskFile{"csp-9", key_file("same.psk", one_key)}};
    const auto twice = ServerContext::load(files).value();
    ASSERT_EQ(twice->psk_problems().size(), 1U);
    EXPECT_THAT(twice->psk_problems()[0], HasSubstr("same.psk: has the key of another identity"));
}

TEST(TlsPsk, KeyAndIdentityArePartOfTheFingerprint) {
    const auto fingerprint = client_of(one())->fingerprint();
    EXPECT_EQ(client_of({"csp-1", key_file("same.psk", one_key)})->fingerprint(), fingerprint);
    EXPECT_NE(client_of({"csp-2", one().key_file})->fingerprint(), fingerprint);
    EXPECT_NE(client_of({"csp-1", key_file("other.psk", other_key)})->fingerprint(), fingerprint);
}

TEST(TlsPsk, FilesThatHoldNoKeyAreNamedAndNothingOfThemIsShown) {
    for (const std::string& text :
         {std::string{}, std::string{"0123"}, one_key.substr(1), one_key + one_key + "00", "x" + one_key.substr(1),
          one_key + "\n" + one_key, "csp-1:" + one_key, std::string(5000, 'a')}) {
        const std::string error = error_of({"csp-1", key_file("bad.psk", text)});
        EXPECT_THAT(error, HasSubstr("bad.psk: ")) << text;
        EXPECT_THAT(error, Not(HasSubstr("0011"))) << text;
    }
    EXPECT_THAT(error_of({"csp-1", "/nonexistent/x.psk"}), HasSubstr("/nonexistent/x.psk: cannot be opened"));
    EXPECT_THAT(error_of({"csp-1", certificates().directory().string()}), HasSubstr("is no regular file"));
    EXPECT_EQ(error_of({"csp-1", key_file("upper.psk", "AABBCCDDEEFF00112233445566778899\r\n")}), "");
}

TEST(TlsPsk, TwoIdentitiesHaveTwoKeys) {
    auto files = certificates().files("server");
    files.psks = {one(), {"csp-2", key_file("the-same.psk", one_key + "\n")}};
    const auto context = ServerContext::load(files, Alpn::http).value();
    ASSERT_EQ(context->psk_problems().size(), 1U);
    EXPECT_THAT(context->psk_problems()[0], HasSubstr("another identity"));
    EXPECT_THAT(context->psk_problems()[0], Not(HasSubstr(one_key)));
    EXPECT_EQ(context->psk_digests().size(), 1U) << "the first one's";
}

TEST(TlsPsk, AFileThatOthersMayReadOrTheGroupMayChangeIsRefused) {
    for (const mode_t mode : {0644U, 0604U, 0601U, 0660U, 0666U}) {
        EXPECT_THAT(error_of({"csp-1", key_file("open.psk", one_key, mode)}), HasSubstr("open.psk: is open to others"))
            << mode;
    }
    for (const mode_t mode : {0600U, 0640U, 0400U, 0440U}) {
        EXPECT_EQ(error_of({"csp-1", key_file("closed.psk", one_key, mode)}), "") << mode;
    }
}

TEST(TlsPsk, SuitesThatDoNotGoWithTheKeyAreRefused) {
    Files files;
    files.psks = {one()};
    for (const char* const suite : {"TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}) {
        const auto context = ClientContext::load(files, {{}, {suite}});
        ASSERT_FALSE(context) << suite;
        EXPECT_THAT(context.error().message, HasSubstr("none of the suites goes with a pre-shared key")) << suite;
    }
}

}  // namespace
}  // namespace lihandover::tls
