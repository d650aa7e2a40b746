#include "lihandover/tls/context.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

namespace lihandover::tls {
namespace {

template <auto Free>
struct Freer {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using CertificatePtr = std::unique_ptr<X509, Freer<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION_free>>;

// RFC 7525 4.2 as far as it is ECDHE with AEAD.
constexpr const char* tls12_suites =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// TLS 1.3 has no weak suites to leave out. The one that all have to have comes first: it is the cheapest by a sixth on
// large objects.
constexpr const char* tls13_suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr std::string_view alpn = "\x08http/1.1";
constexpr std::size_t max_file = std::size_t{1024} * 1024;
constexpr std::size_t max_subject = 1024;
constexpr std::size_t max_sessions_per_host = 16;
constexpr std::size_t max_session_hosts = 64;
constexpr long session_seconds = 3600;
constexpr int max_chain = 10;

model::Error error_of(const std::string& path, std::string_view what) {
    std::string message = path;
    message += ": ";
    message += what;
    return {std::move(message)};
}

std::string errno_text(int number) {
    std::array<char, 128> buffer{};
    return strerror_r(number, buffer.data(), buffer.size());
}

model::Result<std::string> read_file(const std::string& path) {
    if (path.empty()) {
        return model::Error{"no file given"};
    }
    const std::unique_ptr<std::FILE, Freer<std::fclose>> file{std::fopen(path.c_str(), "rbe")};
    if (!file) {
        return error_of(path, "cannot be opened: " + errno_text(errno));
    }
    std::string text;
    std::array<char, 8192> chunk{};
    while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
        text.append(chunk.data(), count);
        if (text.size() > max_file) {
            return error_of(path, "is larger than 1 MiB, which no certificate file is");
        }
    }
    if (std::ferror(file.get()) != 0) {
        return error_of(path, "cannot be read: " + errno_text(errno));
    }
    return model::Result<std::string>{boost::system::in_place_value, std::move(text)};
}

BioPtr memory_bio(const std::string& text) {
    return BioPtr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// A key under a pass phrase must be an error, not a prompt on the terminal.
int no_pass_phrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

model::Result<std::vector<CertificatePtr>> read_certificates(const std::string& path) {
    auto text = read_file(path);
    if (!text) {
        return text.error();
    }
    std::vector<CertificatePtr> certificates;
    const BioPtr bio = memory_bio(*text);
    bool asked = false;
    while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, &asked)) {
        certificates.emplace_back(certificate);
    }
    const unsigned long code = ERR_peek_last_error();
    const bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (certificates.empty()) {
        return error_of(path, "holds no PEM certificate (BEGIN CERTIFICATE)");
    }
    if (!at_end) {
        return error_of(path, "certificate number " + std::to_string(certificates.size() + 1) + " is damaged");
    }
    return certificates;
}

model::Result<KeyPtr> read_key(const std::string& path) {
    auto text = read_file(path);
    if (!text) {
        return text.error();
    }
    const BioPtr bio = memory_bio(*text);
    bool asked = false;
    KeyPtr key{PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &asked)};
    ERR_clear_error();
    OPENSSL_cleanse(text->data(), text->size());
    if (!key) {
        return error_of(path, asked ? "the private key is under a pass phrase; an unencrypted one is needed"
                                    : "holds no readable PEM private key (BEGIN PRIVATE KEY)");
    }
    return key;
}

model::Instant instant_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return {};
    }
    return {timegm(&parts), 0};
}

std::string hex_of(std::span<const unsigned char> bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

std::string sha256_of_certificate(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) {
        return {};
    }
    return hex_of({digest.data(), size});
}

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
    return hex_of({digest.data(), digest_size});
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

/// A certificate's validity as problems() needs it later.
struct Validity {
    std::string what;
    model::Instant not_before;
    model::Instant not_after;
};

Validity validity_of(const X509* certificate, std::string what) {
    return {std::move(what), instant_of(X509_get0_notBefore(certificate)), instant_of(X509_get0_notAfter(certificate))};
}

std::vector<std::string> problems_of(const std::vector<Validity>& validities, model::Instant now) {
    std::vector<std::string> problems;
    for (const auto& validity : validities) {
        if (now > validity.not_after) {
            problems.push_back(validity.what + " expired at " + model::to_qualified_date_time(validity.not_after));
        } else if (now < validity.not_before) {
            problems.push_back(validity.what + " is not valid before " +
                               model::to_qualified_date_time(validity.not_before));
        }
    }
    return problems;
}

/// What both kinds of context consist of.
struct Common {
    ContextPtr context;
    OwnCertificate own;
    std::vector<Validity> validities;
};

model::Status use_own_certificate(Common& common, const Files& files) {
    auto chain = read_certificates(files.certificate);
    if (!chain) {
        return chain.error();
    }
    auto key = read_key(files.private_key);
    if (!key) {
        return key.error();
    }
    SSL_CTX* context = common.context.get();
    X509* leaf = chain->front().get();
    if (X509_check_private_key(leaf, key->get()) != 1) {
        ERR_clear_error();
        return error_of(files.private_key,
                        "the private key does not belong to the first certificate of " + files.certificate);
    }
    if (SSL_CTX_use_certificate(context, leaf) != 1 || SSL_CTX_use_PrivateKey(context, key->get()) != 1) {
        // The usual cause is a key or digest below the security level, such as RSA with 1024 bits.
        return error_of(files.certificate, "is not usable: " + explain_failure(nullptr).sentence);
    }
    common.own = {instant_of(X509_get0_notBefore(leaf)), instant_of(X509_get0_notAfter(leaf)),
                  sha256_of_certificate(leaf)};
    common.validities.push_back(validity_of(leaf, files.certificate + ": the certificate"));
    for (std::size_t index = 1; index < chain->size(); ++index) {
        X509* issuer = (*chain)[index].get();
        if (SSL_CTX_add1_chain_cert(context, issuer) != 1) {
            return error_of(files.certificate, "certificate number " + std::to_string(index + 1) +
                                                   " is not usable: " + explain_failure(nullptr).sentence);
        }
        common.validities.push_back(
            validity_of(issuer, files.certificate + ": certificate number " + std::to_string(index + 1)));
    }
    return {};
}

model::Status trust(Common& common, const std::string& path, bool announce) {
    auto authorities = read_certificates(path);
    if (!authorities) {
        return authorities.error();
    }
    SSL_CTX* context = common.context.get();
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (std::size_t index = 0; index < authorities->size(); ++index) {
        X509* authority = (*authorities)[index].get();
        if (X509_STORE_add_cert(store, authority) != 1 ||
            (announce && SSL_CTX_add_client_CA(context, authority) != 1)) {
            return error_of(path, "certificate number " + std::to_string(index + 1) +
                                      " is not usable as a CA: " + explain_failure(nullptr).sentence);
        }
        common.validities.push_back(
            validity_of(authority, path + ": CA certificate number " + std::to_string(index + 1)));
    }
    X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_depth(parameters, max_chain);
    return {};
}

model::Result<Common> make_common(const Files& files, const SSL_METHOD* method, bool server) {
    Common common;
    common.context.reset(SSL_CTX_new(method));
    SSL_CTX* context = common.context.get();
    if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, tls12_suites) != 1 || SSL_CTX_set_ciphersuites(context, tls13_suites) != 1) {
        return model::Error{"TLS cannot be set up: " + explain_failure(nullptr).sentence};
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_timeout(context, session_seconds);
    if (auto status = use_own_certificate(common, files); !status) {
        return status.error();
    }
    if (auto status = trust(common, files.ca, server); !status) {
        return status.error();
    }
    return common;
}

int select_alpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                unsigned offered_size, void* /*argument*/) {
    std::span<const unsigned char> rest{offered, offered_size};
    while (!rest.empty() && rest.size() > rest[0]) {
        const auto name = rest.subspan(1, rest[0]);
        if (std::ranges::equal(name, alpn.substr(1))) {
            *out = name.data();
            *out_size = static_cast<unsigned char>(name.size());
            return SSL_TLSEXT_ERR_OK;
        }
        rest = rest.subspan(1 + name.size());
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Index of a std::string (host and port, the key of the session cache) that an SSL owns.
int session_key_index() {
    static const int index =
        SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                             [](void* /*ssl*/, void* key, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*argument*/,
                                void* /*pointer*/) { delete static_cast<std::string*>(key); });
    return index;
}

int cache_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// Sessions to resume, per host and port, newest last.
class SessionCache {
  public:
    void put(const std::string& key, SessionPtr session) {
        const std::scoped_lock lock{mutex_};
        if (!sessions_.contains(key) && sessions_.size() >= max_session_hosts) {
            sessions_.clear();
        }
        auto& list = sessions_[key];
        if (list.size() >= max_sessions_per_host) {
            list.erase(list.begin());
        }
        list.push_back(std::move(session));
    }

    SessionPtr take(const std::string& key) {
        const std::scoped_lock lock{mutex_};
        const auto found = sessions_.find(key);
        if (found == sessions_.end()) {
            return nullptr;
        }
        auto& list = found->second;
        while (!list.empty()) {
            SessionPtr session = std::move(list.back());
            list.pop_back();
            if (SSL_SESSION_is_resumable(session.get()) == 1) {
                if (SSL_SESSION_get_protocol_version(session.get()) < TLS1_3_VERSION) {
                    SSL_SESSION_up_ref(session.get());
                    list.emplace_back(session.get());
                }
                return session;
            }
        }
        return nullptr;
    }

  private:
    std::mutex mutex_;
    std::map<std::string, std::vector<SessionPtr>> sessions_;
};

int remember_session(SSL* ssl, SSL_SESSION* session) {
    auto* cache = static_cast<SessionCache*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), cache_index()));
    const auto* key = static_cast<const std::string*>(SSL_get_ex_data(ssl, session_key_index()));
    if (cache == nullptr || key == nullptr) {
        return 0;
    }
    cache->put(*key, SessionPtr{session});
    return 1;  // the reference is ours now
}

bool set_ip(X509_VERIFY_PARAM* parameters, const std::string& host) {
    const bool taken = X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
    ERR_clear_error();
    return taken;
}

long set_sni(SSL* ssl, const std::string& host) {
    // The macro SSL_set_tlsext_host_name with casts as we write them.
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
}

}  // namespace

struct ServerContext::State : Common {};

ServerContext::ServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerContext::~ServerContext() = default;

model::Result<std::shared_ptr<const ServerContext>> ServerContext::load(const Files& files) {
    auto common = make_common(files, TLS_server_method(), true);
    if (!common) {
        return common.error();
    }
    auto state = std::make_unique<State>(State{std::move(*common)});
    SSL_CTX* context = state->context.get();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Tickets only: a cache on our side would hold a certificate for each of thousands of sessions.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    static constexpr std::array<unsigned char, 11> session_context{'l', 'i', 'h', 'a', 'n', 'd',
                                                                   'o', 'v', 'e', 'r', 'd'};
    SSL_CTX_set_session_id_context(context, session_context.data(), session_context.size());
    SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
    return std::shared_ptr<const ServerContext>{new ServerContext{std::move(state)}};
}

const OwnCertificate& ServerContext::certificate() const {
    return state_->own;
}

std::vector<std::string> ServerContext::problems(model::Instant now) const {
    return problems_of(state_->validities, now);
}

ssl_ctx_st* ServerContext::native() const {
    return state_->context.get();
}

struct ClientContext::State : Common {
    SessionCache sessions;
};

ClientContext::ClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}

ClientContext::~ClientContext() {
    // A connection that outlives us may still receive a ticket.
    SSL_CTX_set_ex_data(state_->context.get(), cache_index(), nullptr);
}

model::Result<std::shared_ptr<const ClientContext>> ClientContext::load(const Files& files) {
    auto common = make_common(files, TLS_client_method(), false);
    if (!common) {
        return common.error();
    }
    auto state = std::make_unique<State>();
    static_cast<Common&>(*state) = std::move(*common);
    SSL_CTX* context = state->context.get();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, remember_session);
    const std::vector<unsigned char> protocols(alpn.begin(), alpn.end());
    if (SSL_CTX_set_ex_data(context, cache_index(), &state->sessions) != 1 ||
        SSL_CTX_set_alpn_protos(context, protocols.data(), static_cast<unsigned>(protocols.size())) != 0) {
        return model::Error{"TLS cannot be set up: " + explain_failure(nullptr).sentence};
    }
    return std::shared_ptr<const ClientContext>{new ClientContext{std::move(state)}};
}

const OwnCertificate& ClientContext::certificate() const {
    return state_->own;
}

std::vector<std::string> ClientContext::problems(model::Instant now) const {
    return problems_of(state_->validities, now);
}

bool ClientContext::prepare(ssl_st* ssl, const std::string& host, const std::string& port) const {
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
    if (!set_ip(parameters, host)) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        // RFC 6066 allows names only in SNI, no addresses.
        if (host.empty() || SSL_set1_host(ssl, host.c_str()) != 1 || set_sni(ssl, host) != 1) {
            ERR_clear_error();
            return false;
        }
    }
    auto key = std::make_unique<std::string>(host + ' ' + port);
    if (const SessionPtr session = state_->sessions.take(*key)) {
        SSL_set_session(ssl, session.get());
    }
    if (SSL_set_ex_data(ssl, session_key_index(), key.get()) == 1) {
        key.release();  // NOLINT(bugprone-unused-return-value): freed with the SSL
    }
    return true;
}

ssl_ctx_st* ClientContext::native() const {
    return state_->context.get();
}

std::optional<PeerIdentity> peer_identity(ssl_st* ssl) {
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) {
        return std::nullopt;
    }
    PeerIdentity identity;
    identity.subject = subject_of(certificate);
    identity.certificate_sha256 = sha256_of_certificate(certificate);
    identity.spki_sha256 = sha256_of_public_key(certificate);
    identity.not_after = instant_of(X509_get0_notAfter(certificate));
    return identity;
}

bool peer_certificate_current(ssl_st* ssl) {
    const X509* certificate = SSL_get0_peer_certificate(ssl);
    return certificate != nullptr && X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

namespace {

/// Reasons that mean a certificate: our own complaints and the peer's alerts.
bool is_certificate_reason(int reason) {
    switch (reason) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
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
        explanation.certificate = ERR_GET_LIB(code) == ERR_LIB_SSL && is_certificate_reason(ERR_GET_REASON(code));
        const char* reason = ERR_reason_error_string(code);
        explanation.sentence = reason != nullptr ? reason : "error " + std::to_string(code);
    }
    ERR_clear_error();
    return explanation;
}

}  // namespace lihandover::tls
