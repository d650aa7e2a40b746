#include "tls/certificates.hpp"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "lihandover/base/free_with.hpp"

namespace lihandover::test {
namespace {

using CertificatePtr = std::unique_ptr<X509, base::FreeWith<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, base::FreeWith<EVP_PKEY_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, base::FreeWith<X509_EXTENSION_free>>;
using FilePtr = std::unique_ptr<std::FILE, base::FreeWith<std::fclose>>;

void demand(bool good, const char* what) {
    if (!good) {
        throw std::runtime_error{std::string{"making test certificates failed: "} + what};
    }
}

FilePtr open_file(const std::string& path, const char* mode) {
    FilePtr file{std::fopen(path.c_str(), mode)};
    demand(file != nullptr, path.c_str());
    return file;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
    demand(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

std::string alternative_names(const CertificateOptions& options) {
    std::string list;
    for (const auto& name : options.names) {
        list += (list.empty() ? "DNS:" : ",DNS:") + name;
    }
    for (const auto& address : options.addresses) {
        list += (list.empty() ? "IP:" : ",IP:") + address;
    }
    return list;
}

CertificatePtr read_certificate(const std::string& path) {
    const FilePtr file = open_file(path, "r");
    CertificatePtr certificate{PEM_read_X509(file.get(), nullptr, nullptr, nullptr)};
    demand(certificate != nullptr, path.c_str());
    return certificate;
}

KeyPtr read_key(const std::string& path) {
    const FilePtr file = open_file(path, "r");
    KeyPtr key{PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr)};
    demand(key != nullptr, path.c_str());
    return key;
}

}  // namespace

Certificates::Certificates() {
    const std::vector<std::string> names{"localhost"};
    const std::vector<std::string> addresses{"127.0.0.1", "::1"};
    make("ca", "", {.common_name = "Test CA", .names = {}, .addresses = {}, .ca = true});
    make("other-ca", "", {.common_name = "Other CA", .names = {}, .addresses = {}, .ca = true});
    make("intermediate", "ca", {.common_name = "Test Intermediate", .names = {}, .addresses = {}, .ca = true});
    make("server", "ca", {.common_name = "Test Server", .names = names, .addresses = addresses});
    make("client", "ca", {.common_name = "Test Client", .names = {}, .addresses = {}});
    make("wrong-name", "ca", {.common_name = "Elsewhere", .names = {"elsewhere.example.com"}, .addresses = {}});
    make("expired", "ca",
         {.common_name = "Expired Server", .names = names, .addresses = addresses, .from = -7200, .until = -3600});
    make("expired-client", "ca",
         {.common_name = "Expired Client", .names = {}, .addresses = {}, .from = -7200, .until = -3600});
    make("future", "ca",
         {.common_name = "Future Server", .names = names, .addresses = addresses, .from = 3600, .until = 7200});
    make("other-server", "other-ca", {.common_name = "Other Server", .names = names, .addresses = addresses});
    make("other-client", "other-ca", {.common_name = "Other Client", .names = {}, .addresses = {}});
    make("chained", "intermediate", {.common_name = "Chained Server", .names = names, .addresses = addresses}, true);
}

std::string Certificates::certificate(const std::string& name) const {
    return (directory_.path() / (name + ".pem")).string();
}

std::string Certificates::key(const std::string& name) const {
    return (directory_.path() / (name + ".key")).string();
}

tls::Files Certificates::files(const std::string& name, const std::string& ca) const {
    return {certificate(name), key(name), certificate(ca)};
}

void Certificates::make(const std::string& name, const std::string& issuer, const CertificateOptions& options,
                        bool chain) const {
    const KeyPtr own_key{EVP_EC_gen("P-256")};
    demand(own_key != nullptr, "key");
    const CertificatePtr made{X509_new()};
    X509* certificate = made.get();
    const bool self_signed = issuer.empty();
    const CertificatePtr issuing_certificate = self_signed ? nullptr : read_certificate(this->certificate(issuer));
    const KeyPtr issuing_key = self_signed ? nullptr : read_key(key(issuer));
    X509* signer = self_signed ? certificate : issuing_certificate.get();

    std::array<unsigned char, 16> serial{};
    demand(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1, "serial number");
    serial[0] &= 0x7FU;
    const std::unique_ptr<BIGNUM, base::FreeWith<BN_free>> number{BN_bin2bn(serial.data(), serial.size(), nullptr)};
    demand(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr, "serial number");
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), options.from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), options.until);
    X509_NAME* subject = X509_get_subject_name(certificate);
    demand(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(options.common_name.data()),
                                      static_cast<int>(options.common_name.size()), -1, 0) == 1,
           "subject");
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    X509_set_pubkey(certificate, own_key.get());
    add_extension(certificate, signer, NID_basic_constraints, options.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(certificate, signer, NID_subject_key_identifier, "hash");
    if (options.ca) {
        add_extension(certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    if (options.must_staple) {
        add_extension(certificate, signer, NID_tlsfeature, "status_request");
    }
    if (options.ocsp_signing) {
        add_extension(certificate, signer, NID_ext_key_usage, "OCSPSigning");
    }
    if (const auto list = alternative_names(options); !list.empty()) {
        add_extension(certificate, signer, NID_subject_alt_name, list);
    }
    demand(X509_sign(certificate, self_signed ? own_key.get() : issuing_key.get(), EVP_sha256()) > 0, "signature");

    const FilePtr key_file = open_file(key(name), "w");
    demand(PEM_write_PrivateKey(key_file.get(), own_key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "key file");
    const FilePtr certificate_file = open_file(this->certificate(name), "w");
    demand(PEM_write_X509(certificate_file.get(), certificate) == 1, "certificate file");
    if (chain) {
        demand(PEM_write_X509(certificate_file.get(), signer) == 1, "certificate file");
    }
}

std::string Certificates::make_list(const std::string& issuer, const std::vector<std::string>& revoked,
                                    const std::string& file, long until) const {
    const std::unique_ptr<X509_CRL, base::FreeWith<X509_CRL_free>> list{X509_CRL_new()};
    const std::unique_ptr<ASN1_TIME, base::FreeWith<ASN1_TIME_free>> begin{X509_gmtime_adj(nullptr, -7200)};
    const std::unique_ptr<ASN1_TIME, base::FreeWith<ASN1_TIME_free>> end{X509_gmtime_adj(nullptr, until)};
    const CertificatePtr authority = read_certificate(certificate(issuer));
    X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority.get()));
    X509_CRL_set1_lastUpdate(list.get(), begin.get());
    X509_CRL_set1_nextUpdate(list.get(), end.get());
    for (const auto& name : revoked) {
        const CertificatePtr out = read_certificate(certificate(name));
        X509_REVOKED* entry = X509_REVOKED_new();
        demand(entry != nullptr && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(out.get())) == 1 &&
                   X509_REVOKED_set_revocationDate(entry, begin.get()) == 1 &&
                   X509_CRL_add0_revoked(list.get(), entry) == 1,
               "revoked certificate");
    }
    demand(X509_CRL_sort(list.get()) == 1 && X509_CRL_sign(list.get(), read_key(key(issuer)).get(), EVP_sha256()) > 0,
           "revocation list");
    const std::string path = (directory_.path() / file).string();
    const FilePtr out = open_file(path, "w");
    demand(PEM_write_X509_CRL(out.get(), list.get()) == 1, "revocation list");
    return path;
}

const Certificates& certificates() {
    static const Certificates made;
    return made;
}

std::shared_ptr<const tls::ServerContext> server_context(const std::string& name, const std::string& ca) {
    auto context = tls::ServerContext::load(certificates().files(name, ca));
    demand(context.has_value(), "server context");
    return *context;
}

std::shared_ptr<const tls::ClientContext> client_context(const std::string& name, const std::string& ca) {
    auto context = tls::ClientContext::load(certificates().files(name, ca));
    demand(context.has_value(), "client context");
    return *context;
}

}  // namespace lihandover::test
