#include "stapling.hpp"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <memory>

#include "lihandover/base/free_with.hpp"

namespace lihandover::tls {
namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, base::FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, base::FreeWith<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, base::FreeWith<OCSP_CERTID_free>>;
using FeaturesPtr = std::unique_ptr<TLS_FEATURE, base::FreeWith<TLS_FEATURE_free>>;

/// What the clocks of a responder and ours may differ by.
constexpr long clock_slack = 300;
/// How old a response may be that does not say when the next one comes.
constexpr long longest_status = 7L * 24 * 3600;
constexpr long status_request = 5;

/// Whether the certificate says that its server staples (RFC 7633).
bool demands_status(const X509* certificate) {
    const FeaturesPtr features{
        static_cast<TLS_FEATURE*>(X509_get_ext_d2i(certificate, NID_tlsfeature, nullptr, nullptr))};
    for (int n = 0; n < sk_ASN1_INTEGER_num(features.get()); ++n) {
        if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), n)) == status_request) {
            return true;
        }
    }
    return false;
}

/// What a response says of a certificate.
enum class Said : std::uint8_t {
    nothing,  ///< or nothing that is still true
    good,
    revoked,
    unknown,
    nonsense,  ///< it is not by the issuer, or not about the certificate
};

Said read_entry(OCSP_BASICRESP* response, X509* certificate, X509* issuer) {
    for (const EVP_MD* digest : {EVP_sha1(), EVP_sha256()}) {
        const IdPtr id{OCSP_cert_to_id(digest, certificate, issuer)};
        int status = 0;
        ASN1_GENERALIZEDTIME* made = nullptr;
        ASN1_GENERALIZEDTIME* next = nullptr;
        if (!id || OCSP_resp_find_status(response, id.get(), &status, nullptr, nullptr, &made, &next) != 1) {
            continue;
        }
        if (status == V_OCSP_CERTSTATUS_REVOKED) {
            return Said::revoked;  // also in an old one: nothing takes it back
        }
        if (OCSP_check_validity(made, next, clock_slack, next != nullptr ? -1 : longest_status) != 1) {
            return Said::nothing;
        }
        return status == V_OCSP_CERTSTATUS_GOOD ? Said::good : Said::unknown;
    }
    return Said::nonsense;
}

Said read_response(SSL* ssl, X509* certificate) {
    const unsigned char* der = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
    if (der == nullptr || size <= 0) {
        return Said::nothing;
    }
    const ResponsePtr response{d2i_OCSP_RESPONSE(nullptr, &der, size)};
    if (!response) {
        return Said::nonsense;
    }
    // Servers that cannot reach their responder staple its error.
    if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        return Said::nothing;
    }
    const BasicPtr basic{OCSP_response_get1_basic(response.get())};
    STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
    if (sk_X509_num(chain) < 2) {
        return Said::nothing;  // the certificate itself is what we trust; it has no issuer here
    }
    X509* issuer = sk_X509_value(chain, 1);
    // A responder that the issuer appointed leads to the CA by the same intermediates.
    const std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * list) { sk_X509_free(list); })> issuers{
        sk_X509_new_null()};
    bool complete = issuers != nullptr;
    for (int n = 1; complete && n < sk_X509_num(chain); ++n) {
        complete = sk_X509_push(issuers.get(), sk_X509_value(chain, n)) != 0;
    }
    if (!basic || !complete ||
        OCSP_basic_verify(basic.get(), issuers.get(), SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)), 0) != 1) {
        return Said::nonsense;
    }
    return read_entry(basic.get(), certificate, issuer);
}

/// Called once the certificate has been verified. Its result goes where explain_failure() looks.
int check_status(SSL* ssl, void* /*argument*/) {
    X509* certificate = SSL_get0_peer_certificate(ssl);
    // A resumed session had its answer, and with a pre-shared key there is nothing to ask.
    if (certificate == nullptr || SSL_session_reused(ssl) == 1) {
        return 1;
    }
    const Said said = read_response(ssl, certificate);
    ERR_clear_error();
    switch (said) {
        case Said::good:
            return 1;
        case Said::nothing:
            if (!demands_status(certificate)) {
                return 1;
            }
            SSL_set_verify_result(ssl, X509_V_ERR_OCSP_VERIFY_NEEDED);
            return 0;
        case Said::revoked:
            SSL_set_verify_result(ssl, X509_V_ERR_CERT_REVOKED);
            return 0;
        case Said::unknown:
            SSL_set_verify_result(ssl, X509_V_ERR_OCSP_CERT_UNKNOWN);
            return 0;
        case Said::nonsense:
            SSL_set_verify_result(ssl, X509_V_ERR_OCSP_VERIFY_FAILED);
            return 0;
    }
    return 0;
}

}  // namespace

bool ask_for_status(SSL_CTX* context) {
    // The macro SSL_CTX_set_tlsext_status_cb, with our style of casts.
    const auto check = reinterpret_cast<void (*)()>(check_status);
    return SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp) == 1 &&
           SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, check) == 1;
}

}  // namespace lihandover::tls
