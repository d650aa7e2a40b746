#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <limits>
#include <span>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "lihandover/tls/context.hpp"
#include "pointers.hpp"
#include "psk.hpp"
#include "x509.hpp"

namespace lihandover::tls {
namespace {

constexpr std::size_t max_subject = 1024;

std::string sha256_of_public_key(X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) {
        return {};
    }
    const std::unique_ptr<unsigned char, decltype([](unsigned char* bytes) { OPENSSL_free(bytes); })> owner{der};
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned digest_size = 0;
    if (EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), &digest_size, EVP_sha256(), nullptr) != 1) {
        return {};
    }
    return base::to_hex(std::span{digest.data(), digest_size});
}

std::string subject_of(const X509* certificate) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    // ASN1_STRFLGS_ESC_MSB keeps the text ASCII whatever the certificate holds.
    if (X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) {
        return {};
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, std::min(static_cast<std::size_t>(std::max(size, 0L)), max_subject)};
}

/// Reasons that are about a certificate: our own complaints and the peer's alerts.
bool is_certificate_reason(int reason) {
    switch (reason) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            return true;
        default:
            return false;
    }
}

}  // namespace

model::Instant instant_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
        return {};
    }
    return {timegm(&parts), 0};
}

std::string sha256_of_certificate(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) {
        return {};
    }
    return base::to_hex(std::span{digest.data(), size});
}

std::optional<PeerIdentity> peer_identity(ssl_st* ssl) {
    X509* certificate = SSL_get0_peer_certificate(ssl);
    PeerIdentity identity;
    if (certificate == nullptr) {
        auto proven = proven_psk_identity(ssl);
        if (!proven) {
            return std::nullopt;
        }
        identity.psk_identity = std::move(*proven);
        identity.not_after = {std::numeric_limits<std::int64_t>::max(), 0};
        return identity;
    }
    identity.subject = subject_of(certificate);
    identity.certificate_sha256 = sha256_of_certificate(certificate);
    identity.spki_sha256 = sha256_of_public_key(certificate);
    identity.not_after = instant_of(X509_get0_notAfter(certificate));
    return identity;
}

bool peer_is_current(ssl_st* ssl) {
    const X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) {
        return proven_psk_identity(ssl).has_value();
    }
    return X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

std::string identity_sha256(const std::string& identity) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(identity.data(), identity.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        return {};
    }
    return base::to_hex(std::span{digest.data(), size});
}

Explanation explain_failure(ssl_st* ssl) {
    const unsigned long code = ERR_peek_error();
    Explanation explanation;
    const long verified = ssl == nullptr ? X509_V_OK : SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) {
        explanation.certificate = true;
        explanation.sentence = "the peer's certificate is not acceptable: ";
        explanation.sentence += X509_verify_cert_error_string(verified);
    } else if (code == 0) {
        explanation.sentence = "no reason given";
    } else {
        const int reason = ERR_GET_REASON(code);
        explanation.certificate = ERR_GET_LIB(code) == ERR_LIB_SSL && is_certificate_reason(reason);
        const char* text = ERR_reason_error_string(code);
        // An alert is the peer's complaint about us.
        explanation.sentence = explanation.certificate && reason >= SSL_AD_REASON_OFFSET
                                   ? "the peer does not accept our certificate: "
                                   : "";
        explanation.sentence += text != nullptr ? text : "error " + std::to_string(code);
    }
    ERR_clear_error();
    return explanation;
}

}  // namespace lihandover::tls
