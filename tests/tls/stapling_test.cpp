#include <gmock/gmock.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "lihandover/base/free_with.hpp"
#include "lihandover/tls/context.hpp"
#include "tls/certificates.hpp"
#include "tls/pair.hpp"

namespace lihandover::tls {
namespace {

using test::certificates;
using test::Pair;
using testing::HasSubstr;

using CertificatePtr = std::unique_ptr<X509, base::FreeWith<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, base::FreeWith<EVP_PKEY_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, base::FreeWith<OCSP_BASICRESP_free>>;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, base::FreeWith<OCSP_RESPONSE_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, base::FreeWith<ASN1_TIME_free>>;

CertificatePtr certificate(const std::string& name) {
    std::FILE* const file = std::fopen(certificates().certificate(name).c_str(), "re");
    CertificatePtr read{PEM_read_X509(file, nullptr, nullptr, nullptr)};
    (void)std::fclose(file);
    return read;
}

KeyPtr key(const std::string& name) {
    std::FILE* const file = std::fopen(certificates().key(name).c_str(), "re");
    KeyPtr read{PEM_read_PrivateKey(file, nullptr, nullptr, nullptr)};
    (void)std::fclose(file);
    return read;
}

std::string der_of(OCSP_RESPONSE* response) {
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response, &der);
    std::string text{reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)};
    OPENSSL_free(der);
    return text;
}

struct Response {
    std::string of = "server";
    std::string issuer = "ca";
    std::string signer = "ca";
    int status = V_OCSP_CERTSTATUS_GOOD;
    long from = -60;  ///< seconds from now
    long until = 3600;
    const EVP_MD* digest = EVP_sha1();
    int answer = OCSP_RESPONSE_STATUS_SUCCESSFUL;
};

std::string made(const Response& wanted) {
    const BasicPtr basic{OCSP_BASICRESP_new()};
    const auto subject = certificate(wanted.of);
    const auto issuer = certificate(wanted.issuer);
    const auto signer = certificate(wanted.signer);
    OCSP_CERTID* const id = OCSP_cert_to_id(wanted.digest, subject.get(), issuer.get());
    const TimePtr from{X509_gmtime_adj(nullptr, wanted.from)};
    const TimePtr until{X509_gmtime_adj(nullptr, wanted.until)};
    const bool revoked = wanted.status == V_OCSP_CERTSTATUS_REVOKED;
    OCSP_basic_add1_status(basic.get(), id, wanted.status, 0, revoked ? from.get() : nullptr, from.get(), until.get());
    OCSP_CERTID_free(id);
    OCSP_basic_sign(basic.get(), signer.get(), key(wanted.signer).get(), EVP_sha256(), nullptr,
                    wanted.signer == wanted.issuer ? OCSP_NOCERTS : 0);
    const ResponsePtr response{OCSP_response_create(wanted.answer, basic.get())};
    return der_of(response.get());
}

/// A server that staples these bytes, whatever they are.
class Stapled {
  public:
    explicit Stapled(std::string bytes, const std::string& name = "server")
        : bytes_(std::move(bytes)), context_(test::server_context(name)) {
        SSL_CTX_callback_ctrl(context_->native(), SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                              reinterpret_cast<void (*)()>(staple));
        SSL_CTX_set_tlsext_status_arg(context_->native(), this);
    }
    /// The client's failure; empty if both ends agree.
    std::string shake(const ClientContext& client, int version = TLS1_3_VERSION) {
        Pair pair{*context_, client};
        SSL_set_max_proto_version(pair.client(), version);
        if (pair.shake()) {
            reused_ = SSL_session_reused(pair.client()) == 1;
            return {};
        }
        EXPECT_TRUE(pair.client_failure() && pair.client_failure()->certificate);
        return pair.client_failure() ? pair.client_failure()->sentence : "only the server fails";
    }
    [[nodiscard]] int asked() const { return asked_; }
    [[nodiscard]] bool reused() const { return reused_; }

  private:
    static int staple(SSL* ssl, void* argument) {
        auto* self = static_cast<Stapled*>(argument);
        ++self->asked_;
        if (self->bytes_.empty()) {
            return SSL_TLSEXT_ERR_NOACK;
        }
        void* const copy = OPENSSL_memdup(self->bytes_.data(), self->bytes_.size());
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<int>(self->bytes_.size()));
        return SSL_TLSEXT_ERR_OK;
    }

    std::string bytes_;
    std::shared_ptr<const ServerContext> context_;
    int asked_ = 0;
    bool reused_ = false;
};

std::string shake(const Response& wanted, const std::string& server = "server") {
    return Stapled{made(wanted), server}.shake(*test::client_context());
}

void make_must_staple() {
    certificates().make("must-staple", "ca", {.common_name = "localhost", .names = {"localhost"}, .must_staple = true});
}

TEST(TlsStapling, IsAskedForAndAGoodAnswerIsTaken) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Stapled server{made({})};
        EXPECT_EQ(server.shake(*test::client_context(), version), "");
        EXPECT_EQ(server.asked(), 1);
    }
    EXPECT_EQ(shake({.digest = EVP_sha256()}), "");
}

TEST(TlsStapling, ARevokedCertificateEndsTheHandshake) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Stapled server{made({.status = V_OCSP_CERTSTATUS_REVOKED})};
        EXPECT_THAT(server.shake(*test::client_context(), version), HasSubstr("certificate revoked"));
    }
    EXPECT_THAT(shake({.status = V_OCSP_CERTSTATUS_REVOKED, .from = -7200, .until = -3600}),
                HasSubstr("certificate revoked"))
        << "nothing takes it back";
    EXPECT_NE(shake({.status = V_OCSP_CERTSTATUS_UNKNOWN}), "");
}

TEST(TlsStapling, WhatDoesNotComeFromTheIssuerEndsTheHandshake) {
    EXPECT_THAT(shake({.signer = "other-ca"}), HasSubstr("OCSP")) << "another authority";
    EXPECT_THAT(shake({.signer = "client"}), HasSubstr("OCSP")) << "a certificate of the CA that may not";
    EXPECT_THAT(shake({.of = "client"}), HasSubstr("OCSP")) << "about another certificate";
    Stapled nonsense{"not DER"};
    EXPECT_THAT(nonsense.shake(*test::client_context()), HasSubstr("OCSP"));
    std::string changed = made({});
    changed[changed.size() - 3] = static_cast<char>(changed[changed.size() - 3] ^ 1);
    EXPECT_NE(Stapled{changed}.shake(*test::client_context()), "");
}

TEST(TlsStapling, AResponderOfTheIssuerMaySign) {
    certificates().make("responder", "ca", {.common_name = "responder", .ocsp_signing = true});
    EXPECT_EQ(shake({.signer = "responder"}), "");
    EXPECT_THAT(shake({.signer = "responder", .status = V_OCSP_CERTSTATUS_REVOKED}), HasSubstr("certificate revoked"));
    certificates().make("other-responder", "other-ca", {.common_name = "responder", .ocsp_signing = true});
    EXPECT_NE(shake({.signer = "other-responder"}), "");
}

TEST(TlsStapling, AnIntermediateAuthorityThatIsTrustedAloneMayToo) {
    const auto client = test::client_context("client", "intermediate");
    certificates().make("responder-of-intermediate", "intermediate", {.common_name = "r", .ocsp_signing = true});
    for (const std::string& signer : {std::string{"intermediate"}, std::string{"responder-of-intermediate"}}) {
        Stapled good{made({.of = "chained", .issuer = "intermediate", .signer = signer}), "chained"};
        EXPECT_EQ(good.shake(*client), "") << signer;
        Stapled bad{
            made({.of = "chained", .issuer = "intermediate", .signer = signer, .status = V_OCSP_CERTSTATUS_REVOKED}),
            "chained"};
        EXPECT_THAT(bad.shake(*client), HasSubstr("certificate revoked")) << signer;
    }
}

TEST(TlsStapling, NoAnswerIsNoReasonUnlessTheCertificateDemandsOne) {
    make_must_staple();
    const Response stale{.from = -7200, .until = -3600};
    const Response error{.answer = OCSP_RESPONSE_STATUS_TRYLATER};
    EXPECT_EQ(Stapled{""}.shake(*test::client_context()), "");
    EXPECT_EQ(shake(stale), "");
    EXPECT_EQ(shake(error), "");
    const auto demanded = [](Response wanted) {
        wanted.of = "must-staple";
        return shake(wanted, "must-staple");
    };
    EXPECT_EQ(demanded({}), "");
    EXPECT_NE(demanded(stale), "");
    EXPECT_NE(demanded(error), "");
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Stapled none{"", "must-staple"};
        EXPECT_THAT(none.shake(*test::client_context(), version), HasSubstr("OCSP"));
    }
}

TEST(TlsStapling, AResumedSessionHadItsAnswer) {
    make_must_staple();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto client = test::client_context();
        Stapled server{made({.of = "must-staple"}), "must-staple"};
        EXPECT_EQ(server.shake(*client, version), "");
        EXPECT_EQ(server.shake(*client, version), "");
        EXPECT_TRUE(server.reused());
    }
}

}  // namespace
}  // namespace lihandover::tls
