#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <string>
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

std::shared_ptr<const ServerContext> server_with(const Choice& choice) {
    return ServerContext::load(certificates().files("server"), Alpn::http, choice).value();
}

std::shared_ptr<const ClientContext> client_with(const Choice& choice) {
    return ClientContext::load(certificates().files("client"), choice).value();
}

std::string error_of(const Choice& choice) {
    const auto context = ClientContext::load(certificates().files("client"), choice);
    return context ? std::string{} : context.error().message;
}

TEST(TlsChoice, EverySuiteOfACertificateCanBeChosen) {
    // The keys of these tests are on P-256, so suites of RSA find nothing.
    const auto client = test::client_context();
    const auto agreed = [&](const std::string& suite) {
        const auto server = server_with({{}, {suite}});
        Pair pair{*server, *client};
        return pair.shake() ? std::string{SSL_CIPHER_standard_name(SSL_get_current_cipher(pair.client()))} : "";
    };
    for (const auto suite : model::tls13_suites) {
        EXPECT_EQ(agreed(std::string{suite}), suite);
    }
    for (const auto suite : model::tls12_suites) {
        EXPECT_EQ(agreed(std::string{suite}), suite.find("_RSA_") == suite.npos ? suite : "");
    }
}

TEST(TlsChoice, ItsOrderCountsAtAServer) {
    const auto server = server_with({{}, {"TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}});
    const auto client = client_with({{}, {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}});
    Pair pair{*server, *client};
    ASSERT_TRUE(pair.shake());
    EXPECT_STREQ(SSL_get_cipher_name(pair.client()), "TLS_CHACHA20_POLY1305_SHA256");
}

TEST(TlsChoice, AVersionWithoutSuitesIsNotSpoken) {
    const auto only13 = server_with({{}, {"TLS_AES_256_GCM_SHA384"}});
    const auto only12 = client_with({{}, {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}});
    Pair pair{*only13, *only12};
    EXPECT_FALSE(pair.shake());
    Pair good{*test::server_context(), *only12};
    ASSERT_TRUE(good.shake());
    EXPECT_STREQ(SSL_get_version(good.client()), "TLSv1.2");
}

TEST(TlsChoice, EveryGroupCanBeChosen) {
    const auto client = client_with(
        {{"x25519", "secp256r1", "secp384r1", "secp521r1", "x448", "ffdhe2048", "ffdhe3072", "ffdhe4096"}, {}});
    std::vector<std::string> groups(model::tls_curves.begin(), model::tls_curves.end());
    groups.insert(groups.end(), model::tls_finite_fields.begin(), model::tls_finite_fields.end());
    for (const std::string& group : groups) {
        const auto server = server_with({{group}, {"TLS_AES_128_GCM_SHA256"}});
        Pair pair{*server, *client};
        ASSERT_TRUE(pair.shake()) << group;
        const long id = SSL_get_negotiated_group(pair.server());
        EXPECT_NE(id, 0) << group;
        const auto other = server_with({{group == "x25519" ? "x448" : "x25519"}, {"TLS_AES_128_GCM_SHA256"}});
        Pair another{*other, *client_with({{group}, {"TLS_AES_128_GCM_SHA256"}})};
        EXPECT_FALSE(another.shake()) << group;
    }
}

TEST(TlsChoice, WhatIsUnsoundOrLeavesNothingIsRefused) {
    for (const char* const suite : {"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
                                    "TLS_ECDHE_ECDSA_WITH_NULL_SHA", "TLS_PSK_WITH_AES_128_GCM_SHA256", "ALL", ""}) {
        EXPECT_THAT(error_of({{}, {suite}}), HasSubstr("a suite is none that may be chosen")) << suite;
    }
    for (const char* const group : {"secp192r1", "secp224r1", "P-256", ""}) {
        EXPECT_THAT(error_of({{group}, {}}), HasSubstr("a group is none that may be chosen")) << group;
    }
    EXPECT_THAT(error_of({{"ffdhe3072"}, {}}), HasSubstr("need a group that is an elliptic curve"));
    EXPECT_EQ(error_of({{"ffdhe3072"}, {"TLS_AES_128_GCM_SHA256"}}), "");
    EXPECT_THAT(error_of({{}, {"TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"}}),
                HasSubstr("none of the suites goes with a certificate"));
}

TEST(TlsChoice, IsPartOfTheFingerprint) {
    const auto usual = test::client_context();
    EXPECT_EQ(client_with({})->fingerprint(), usual->fingerprint());
    EXPECT_NE(client_with({{"x25519"}, {}})->fingerprint(), usual->fingerprint());
    EXPECT_NE(client_with({{}, {"TLS_AES_128_GCM_SHA256"}})->fingerprint(), usual->fingerprint());
}

}  // namespace
}  // namespace lihandover::tls
