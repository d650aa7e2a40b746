#include "lihandover/tls/context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "choice.hpp"
#include "lihandover/base/hex.hpp"
#include "pem.hpp"
#include "pointers.hpp"
#include "psk.hpp"
#include "session_cache.hpp"
#include "stapling.hpp"
#include "x509.hpp"

namespace lihandover::tls {
namespace {

constexpr std::string_view alpn = "\x08http/1.1";
constexpr std::size_t max_file = std::size_t{1} << 20U;
constexpr std::size_t max_crl_file = std::size_t{16} << 20U;
constexpr long session_seconds = 3600;
constexpr int max_chain = 10;

Ending ending_of(Kind kind, std::size_t number, const X509* certificate, std::string what) {
    return {kind, number, std::move(what), instant_of(X509_get0_notBefore(certificate)),
            instant_of(X509_get0_notAfter(certificate))};
}

std::vector<std::string> problems_of(const std::vector<Ending>& endings, model::Instant now) {
    std::vector<std::string> problems;
    for (const auto& ending : endings) {
        if (now > ending.not_after) {
            problems.push_back(ending.what + " expired at " + model::to_qualified_date_time(ending.not_after));
        } else if (now < ending.not_before) {
            problems.push_back(ending.what + " is not valid before " +
                               model::to_qualified_date_time(ending.not_before));
        }
    }
    return problems;
}

/// The files of a context, read once.
struct Material {
    FileText certificate;
    FileText private_key;
    FileText ca;
    FileText crl;  ///< empty if there is none
    SharedKeys psks;
    std::vector<std::string> psk_problems;

    Material() = default;
    Material(Material&&) = default;
    Material& operator=(Material&&) = default;
    Material(const Material&) = delete;
    Material& operator=(const Material&) = delete;
    ~Material() { OPENSSL_cleanse(private_key.text.data(), private_key.text.size()); }
};

model::Result<Material> read_material(const Files& files, std::span<const std::string> taken,
                                      const SharedKeys* before) {
    Material material;
    const bool key_alone = !files.psks.empty() && (files.certificate + files.private_key + files.ca).empty();
    for (const auto& [path, out] :
         {std::pair{&files.certificate, &material.certificate}, std::pair{&files.private_key, &material.private_key},
          std::pair{&files.ca, &material.ca}}) {
        if (key_alone) {
            break;
        }
        auto file = read_file(*path, max_file);
        if (!file) {
            return file.error();
        }
        *out = std::move(*file);
    }
    material.psks = SharedKeys::read(files.psks, taken, before, material.psk_problems);
    if (!files.crl.empty()) {
        auto file = read_file(files.crl, max_crl_file);
        if (!file) {
            return file.error();
        }
        material.crl = std::move(*file);
    }
    return model::Result<Material>{boost::system::in_place_value, std::move(material)};
}

/// A digest over texts. The size in front of each keeps bytes from moving from one to the next unnoticed.
class Fingerprint {
  public:
    Fingerprint() { EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr); }
    void add(std::span<const unsigned char> bytes) {
        const std::uint64_t size = bytes.size();
        EVP_DigestUpdate(digest_.get(), &size, sizeof size);
        EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size());
    }
    void add(std::string_view text) { add({reinterpret_cast<const unsigned char*>(text.data()), text.size()}); }
    [[nodiscard]] std::string text() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
        unsigned size = 0;
        EVP_DigestFinal_ex(digest_.get(), sum.data(), &size);
        return base::to_hex(std::span{sum.data(), size});
    }

  private:
    std::unique_ptr<EVP_MD_CTX, base::FreeWith<EVP_MD_CTX_free>> digest_{EVP_MD_CTX_new()};
};

std::string fingerprint_of(const Material& material, const Choice& choice) {
    Fingerprint fingerprint;
    for (const auto* file : {&material.certificate, &material.private_key, &material.ca, &material.crl}) {
        fingerprint.add(file->text);
    }
    for (const auto& [identity, key] : material.psks.keys()) {
        fingerprint.add(identity);
        fingerprint.add(key.bytes());
    }
    for (const auto* names : {&choice.groups, &choice.suites}) {
        fingerprint.add(std::to_string(names->size()));
        for (const std::string& name : *names) {
            fingerprint.add(name);
        }
    }
    return fingerprint.text();
}

/// What both kinds of context contain.
struct Common {
    ContextPtr context;
    OwnCertificate own;
    std::vector<Ending> endings;
    std::string fingerprint;
    std::shared_ptr<const SharedKeys> psks;  ///< null if there are none
    std::vector<std::string> psk_problems;

    [[nodiscard]] std::vector<std::string> psk_digests() const {
        return psks ? psks->digests() : std::vector<std::string>();
    }
};

model::Status use_own_certificate(Common& common, const Material& material) {
    const std::string& path = material.certificate.path;
    auto chain = certificates_of(material.certificate);
    if (!chain) {
        return chain.error();
    }
    auto key = key_of(material.private_key);
    if (!key) {
        return key.error();
    }
    SSL_CTX* context = common.context.get();
    X509* leaf = chain->front().get();
    if (X509_check_private_key(leaf, key->get()) != 1) {
        ERR_clear_error();
        return error_of(material.private_key.path,
                        "the private key does not belong to the first certificate of " + path);
    }
    if (SSL_CTX_use_certificate(context, leaf) != 1 || SSL_CTX_use_PrivateKey(context, key->get()) != 1) {
        // The usual cause is a key or digest below the security level, such as RSA with 1024 bits.
        return error_of(path, "is not usable: " + explain_failure(nullptr).sentence);
    }
    common.own = {instant_of(X509_get0_notBefore(leaf)), instant_of(X509_get0_notAfter(leaf)),
                  sha256_of_certificate(leaf)};
    common.endings.push_back(ending_of(Kind::own, 1, leaf, path + ": the certificate"));
    for (std::size_t index = 1; index < chain->size(); ++index) {
        X509* issuer = (*chain)[index].get();
        const std::string which = "certificate number " + std::to_string(index + 1);
        if (SSL_CTX_add1_chain_cert(context, issuer) != 1) {
            return error_of(path, which + " is not usable: " + explain_failure(nullptr).sentence);
        }
        common.endings.push_back(ending_of(Kind::issuer, index + 1, issuer, path + ": " + which));
    }
    return {};
}

model::Status trust(Common& common, const FileText& file) {
    auto authorities = certificates_of(file);
    if (!authorities) {
        return authorities.error();
    }
    SSL_CTX* context = common.context.get();
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (std::size_t index = 0; index < authorities->size(); ++index) {
        X509* authority = (*authorities)[index].get();
        if (X509_STORE_add_cert(store, authority) != 1) {
            return error_of(file.path, "certificate number " + std::to_string(index + 1) +
                                           " is not usable as a CA: " + explain_failure(nullptr).sentence);
        }
        common.endings.push_back(ending_of(Kind::ca, index + 1, authority,
                                           file.path + ": CA certificate number " + std::to_string(index + 1)));
    }
    X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);  // for who signs stapled responses
    X509_VERIFY_PARAM_set_depth(parameters, max_chain);
    return {};
}

/// The issuer of the peer's own certificate must have a list; lists of authorities above it are used if they are there.
int allow_missing_list(int good, X509_STORE_CTX* check) {
    const bool missing = X509_STORE_CTX_get_error(check) == X509_V_ERR_UNABLE_TO_GET_CRL;
    if (good == 0 && missing && X509_STORE_CTX_get_error_depth(check) > 0) {
        X509_STORE_CTX_set_error(check, X509_V_OK);
        return 1;
    }
    return good;
}

model::Status revoke(Common& common, const FileText& file) {
    if (file.path.empty()) {
        return {};
    }
    auto lists = revocation_lists_of(file);
    if (!lists) {
        return lists.error();
    }
    SSL_CTX* context = common.context.get();
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (std::size_t index = 0; index < lists->size(); ++index) {
        X509_CRL* list = (*lists)[index].get();
        const std::string which = "revocation list number " + std::to_string(index + 1);
        if (X509_STORE_add_crl(store, list) != 1) {
            return error_of(file.path, which + " is not usable: " + explain_failure(nullptr).sentence);
        }
        if (const ASN1_TIME* end = X509_CRL_get0_nextUpdate(list)) {
            common.endings.push_back({Kind::crl, index + 1, file.path + ": " + which,
                                      instant_of(X509_CRL_get0_lastUpdate(list)), instant_of(end)});
        }
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    X509_STORE_set_verify_cb(store, allow_missing_list);
    return {};
}

model::Status use_files(Common& common, const Material& material) {
    if (!material.certificate.path.empty()) {
        if (auto status = use_own_certificate(common, material); !status) {
            return status;
        }
        if (auto status = trust(common, material.ca); !status) {
            return status;
        }
    }
    return revoke(common, material.crl);
}

/// Whose key file cannot be used: the error of a client, which has one key; one among others of a server.
enum class BadKey : std::uint8_t { fails, is_left_out };

model::Result<Common> make_common(const Files& files, const Choice& choice, const SSL_METHOD* method,
                                  std::span<const std::string> taken, const SharedKeys* before, BadKey bad_key) {
    Common common;
    common.context.reset(SSL_CTX_new(method));
    SSL_CTX* context = common.context.get();
    if (context == nullptr) {
        return model::Error{"TLS cannot be set up: " + explain_failure(nullptr).sentence};
    }
    // What was received and decrypted is wiped once it was read.
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_timeout(context, session_seconds);
    auto material = read_material(files, taken, before);
    if (!material) {
        return material.error();
    }
    if (bad_key == BadKey::fails && !material->psk_problems.empty()) {
        return model::Error{material->psk_problems.front()};
    }
    common.psk_problems = std::move(material->psk_problems);
    const Keys keys = {!material->certificate.path.empty(), !material->psks.empty()};
    if (auto status = apply_choice(context, choice, keys); !status) {
        return status.error();
    }
    common.fingerprint = fingerprint_of(*material, choice);
    if (auto status = use_files(common, *material); !status) {
        return status.error();
    }
    if (keys.shared) {
        common.psks = std::make_shared<const SharedKeys>(std::move(material->psks));
    }
    return model::Result<Common>{boost::system::in_place_value, std::move(common)};
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

bool set_ip(X509_VERIFY_PARAM* parameters, const std::string& host) {
    const bool taken = X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
    ERR_clear_error();
    return taken;
}

long set_sni(SSL* ssl, const std::string& host) {
    // The macro SSL_set_tlsext_host_name, with our style of casts.
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
}

}  // namespace

struct ServerContext::State : Common {};

ServerContext::ServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerContext::~ServerContext() = default;

model::Result<std::shared_ptr<const ServerContext>> ServerContext::load(const Files& files, Alpn protocols,
                                                                        const Choice& choice, const OtherKeys& others) {
    if (files.certificate.empty()) {
        return model::Error{"no certificate given"};
    }
    const SharedKeys* const before = others.before != nullptr ? others.before->state_->psks.get() : nullptr;
    auto common = make_common(files, choice, TLS_server_method(), others.taken, before, BadKey::is_left_out);
    if (!common) {
        return common.error();
    }
    auto state = std::make_unique<State>(State{std::move(*common)});
    SSL_CTX* context = state->context.get();
    if (state->psks && !SharedKeys::accept_in(context, state->psks)) {
        return model::Error{"TLS cannot be set up: " + explain_failure(nullptr).sentence};
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Tickets only: a cache on our side would hold a certificate for each of thousands of sessions.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    static constexpr std::array<unsigned char, 11> session_context{'l', 'i', 'h', 'a', 'n', 'd',
                                                                   'o', 'v', 'e', 'r', 'd'};
    SSL_CTX_set_session_id_context(context, session_context.data(), session_context.size());
    if (protocols == Alpn::http) {
        SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
    }
    return std::shared_ptr<const ServerContext>{new ServerContext{std::move(state)}};
}

std::shared_ptr<const ServerContext> ServerContext::unusable() {
    auto state = std::make_unique<State>();
    state->context.reset(SSL_CTX_new(TLS_server_method()));
    if (!state->context) {
        throw std::bad_alloc();
    }
    SSL_CTX* context = state->context.get();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    const auto refuse = [](SSL* /*ssl*/, int* alert, void* /*argument*/) {
        *alert = SSL_AD_HANDSHAKE_FAILURE;
        return SSL_CLIENT_HELLO_ERROR;
    };
    SSL_CTX_set_client_hello_cb(context, refuse, nullptr);
    return std::shared_ptr<const ServerContext>{new ServerContext{std::move(state)}};
}

const std::vector<std::string>& ServerContext::psk_problems() const {
    return state_->psk_problems;
}

std::vector<std::string> ServerContext::psk_digests() const {
    return state_->psk_digests();
}

const OwnCertificate& ServerContext::certificate() const {
    return state_->own;
}

std::vector<std::string> ServerContext::problems(model::Instant now) const {
    return problems_of(state_->endings, now);
}

const std::vector<Ending>& ServerContext::endings() const {
    return state_->endings;
}

const std::string& ServerContext::fingerprint() const {
    return state_->fingerprint;
}

bool ServerContext::accepts(ssl_st* ssl) const {
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (const auto identity = proven_psk_identity(ssl)) {
        return state_->psks && state_->psks->shares(*identity, *SharedKeys::of(SSL_get_SSL_CTX(ssl)));
    }
    const StoreContextPtr check{X509_STORE_CTX_new()};
    if (certificate == nullptr || check == nullptr ||
        X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(native()), certificate, SSL_get_peer_cert_chain(ssl)) !=
            1 ||
        X509_STORE_CTX_set_default(check.get(), "ssl_client") != 1 ||
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(check.get()), SSL_CTX_get0_param(native())) != 1) {
        ERR_clear_error();
        return false;
    }
    const bool accepted = X509_verify_cert(check.get()) == 1;
    ERR_clear_error();
    return accepted;
}

bool ServerContext::names(const std::string& host) const {
    X509* certificate = SSL_CTX_get0_certificate(native());
    const bool named =
        certificate != nullptr && !host.empty() &&
        (X509_check_host(certificate, host.data(), host.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1 ||
         X509_check_ip_asc(certificate, host.c_str(), 0) == 1);
    ERR_clear_error();
    return named;
}

ssl_ctx_st* ServerContext::native() const {
    return state_->context.get();
}

struct ClientContext::State : Common {
    SessionCache sessions;
};

ClientContext::ClientContext(std::unique_ptr<State> state) : state_(std::move(state)) {}

ClientContext::~ClientContext() {
    SessionCache::forget(state_->context.get());
}

model::Result<std::shared_ptr<const ClientContext>> ClientContext::load(const Files& files, const Choice& choice,
                                                                        const OtherKeys& others) {
    auto common = make_common(files, choice, TLS_client_method(), others.taken, nullptr, BadKey::fails);
    if (!common) {
        return common.error();
    }
    auto state = std::make_unique<State>();
    static_cast<Common&>(*state) = std::move(*common);
    SSL_CTX* context = state->context.get();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const std::vector<unsigned char> protocols(alpn.begin(), alpn.end());
    if ((state->psks && !SharedKeys::offer_in(context, state->psks)) || !state->sessions.serve(context) ||
        !ask_for_status(context) ||
        SSL_CTX_set_alpn_protos(context, protocols.data(), static_cast<unsigned>(protocols.size())) != 0) {
        return model::Error{"TLS cannot be set up: " + explain_failure(nullptr).sentence};
    }
    return std::shared_ptr<const ClientContext>{new ClientContext{std::move(state)}};
}

std::shared_ptr<const ClientContext> ClientContext::unusable() {
    auto state = std::make_unique<State>();
    state->context.reset(SSL_CTX_new(TLS_client_method()));
    if (!state->context || !state->sessions.serve(state->context.get())) {
        throw std::bad_alloc();
    }
    SSL_CTX_set_verify(state->context.get(), SSL_VERIFY_PEER, nullptr);
    return std::shared_ptr<const ClientContext>{new ClientContext{std::move(state)}};
}

std::vector<std::string> ClientContext::psk_digests() const {
    return state_->psk_digests();
}

const OwnCertificate& ClientContext::certificate() const {
    return state_->own;
}

std::vector<std::string> ClientContext::problems(model::Instant now) const {
    return problems_of(state_->endings, now);
}

const std::vector<Ending>& ClientContext::endings() const {
    return state_->endings;
}

const std::string& ClientContext::fingerprint() const {
    return state_->fingerprint;
}

bool ClientContext::prepare(ssl_st* ssl, const std::string& host, const std::string& port) const {
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
    if (!set_ip(parameters, host)) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        // RFC 6066 allows only names in SNI, no addresses.
        if (host.empty() || SSL_set1_host(ssl, host.c_str()) != 1 || set_sni(ssl, host) != 1) {
            ERR_clear_error();
            return false;
        }
    }
    if (state_->psks) {
        // A session of TLS 1.2 would keep OpenSSL from offering the key to a server that has learned 1.3. And there is
        // little to save.
        return true;
    }
    std::string key = host + ' ' + port;
    if (const SessionPtr session = state_->sessions.take(key)) {
        SSL_set_session(ssl, session.get());
    }
    SessionCache::name(ssl, std::move(key));
    return true;
}

ssl_ctx_st* ClientContext::native() const {
    return state_->context.get();
}

}  // namespace lihandover::tls
