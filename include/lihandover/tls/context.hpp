#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX; only tls and http look inside
struct ssl_st;

namespace lihandover::tls {

/// The PEM files of one end of a mutual TLS connection.
struct Files {
    /// Our certificate first, then the intermediates that lead to the peer's trusted CA.
    std::string certificate;
    /// The unencrypted private key that belongs to the first certificate.
    std::string private_key;
    /// The CA certificates (one or more) that a peer's certificate must lead to. Nothing else is trusted, not even the
    /// system's CAs.
    std::string ca;
    /// Certificate revocation lists (PEM, one or more, or one in DER) of the authorities that issue the peers'
    /// certificates. Whoever is on one is refused, and so is everyone while the issuer's list is missing or out of
    /// date. Empty: revocation is not checked.
    std::string crl{};

    friend bool operator==(const Files&, const Files&) = default;
};

/// The proven identity of the other end.
struct PeerIdentity {
    /// RFC 2253 text of the certificate's subject, for the audit record. At most 1024 bytes.
    std::string subject;
    /// SHA-256 of the certificate (DER), 64 lower-case hexadecimal digits.
    std::string certificate_sha256;
    /// SHA-256 of its SubjectPublicKeyInfo (DER), 64 lower-case hexadecimal digits.
    std::string spki_sha256;
    /// When the certificate ends.
    model::Instant not_after;
};

/// Facts of our own certificate that both kinds of context share.
struct OwnCertificate {
    model::Instant not_before;
    model::Instant not_after;
    /// As in PeerIdentity.
    std::string sha256;
};

/// What a context is made of that ends some day.
enum class Kind : std::uint8_t {
    own,     ///< our certificate
    issuer,  ///< one of the certificates that lead from ours to the peer's CA
    ca,      ///< a CA that the peer's certificate must lead to
    crl,     ///< a revocation list
};

/// When one certificate or revocation list of a context ends.
struct Ending {
    Kind kind = Kind::own;
    std::size_t number = 1;  ///< among the certificates or lists of its file
    /// The same in words, with the file's name.
    std::string what;
    model::Instant not_before;
    model::Instant not_after;
};

/// Which application protocols a listener lets its peers ask for (ALPN).
enum class Alpn : std::uint8_t {
    http,  ///< http/1.1; whoever asks for others only is refused
    any,   ///< what they ask for is passed over: for protocols that have no name
};

/// Immutable TLS settings of a listener: TLS 1.2 with the suites of RFC 7525 and TLS 1.3, a client certificate under
/// `ca` required and verified, no renegotiation, no compression. The names of the CAs are not told to
/// clients: they would tell everyone who connects which LEAs or sources there are. Resumed sessions keep the identity
/// they were made with and live at most one hour and never beyond the client certificate's end. A reload builds a new
/// context; connections keep the one they began with, and sessions of the old one do not resume under the new.
/// Thread-safe.
class ServerContext {
  public:
    /// Reads the files. Errors name the file and what is wrong with it (missing, not PEM, key does not fit the
    /// certificate, …). An expired certificate is not an error here: see problems().
    [[nodiscard]] static model::Result<std::shared_ptr<const ServerContext>> load(const Files& files,
                                                                                  Alpn protocols = Alpn::http);

    ServerContext(const ServerContext&) = delete;
    ServerContext& operator=(const ServerContext&) = delete;
    ~ServerContext();

    [[nodiscard]] const OwnCertificate& certificate() const;
    /// Sentences for the operator on certificates (ours and the CAs') and revocation lists that are expired or not yet
    /// valid at `now`; empty if there are none.
    [[nodiscard]] std::vector<std::string> problems(model::Instant now) const;
    /// The ends of all of its certificates and revocation lists, in the order of the files. A list that names no next
    /// one has no end.
    [[nodiscard]] const std::vector<Ending>& endings() const;
    /// SHA-256 over the contents of its files, in hex: contexts with the same one have the same settings.
    [[nodiscard]] const std::string& fingerprint() const;

    /// For the http room: whether this context would let in the peer of a connection, which may be of an older context.
    [[nodiscard]] bool accepts(ssl_st* ssl) const;
    [[nodiscard]] ssl_ctx_st* native() const;

  private:
    struct State;
    explicit ServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Immutable TLS settings towards one destination: the same versions and suites, our certificate presented, the
/// server's chain verified against `ca` only and its certificate against the host name or IP address asked for. Keeps a
/// few sessions per host for resumption. Thread-safe.
class ClientContext {
  public:
    [[nodiscard]] static model::Result<std::shared_ptr<const ClientContext>> load(const Files& files);

    /// A context without identity or trust, under which every handshake fails: for a destination whose files cannot be
    /// read.
    [[nodiscard]] static std::shared_ptr<const ClientContext> unusable();

    ClientContext(const ClientContext&) = delete;
    ClientContext& operator=(const ClientContext&) = delete;
    ~ClientContext();

    [[nodiscard]] const OwnCertificate& certificate() const;
    [[nodiscard]] std::vector<std::string> problems(model::Instant now) const;
    /// As ServerContext's; none of an unusable() one.
    [[nodiscard]] const std::vector<Ending>& endings() const;
    /// As ServerContext's.
    [[nodiscard]] const std::string& fingerprint() const;

    /// For the http room: prepares a fresh SSL for a connection to `host` (SNI, name check, a cached session). False if
    /// OpenSSL refuses the name.
    [[nodiscard]] bool prepare(ssl_st* ssl, const std::string& host, const std::string& port) const;
    [[nodiscard]] ssl_ctx_st* native() const;

  private:
    struct State;
    explicit ClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// The identity of the other end after a handshake (or a resumption). nullopt without a peer certificate.
[[nodiscard]] std::optional<PeerIdentity> peer_identity(ssl_st* ssl);

/// True while the peer's certificate is still valid. OpenSSL does not verify a resumed session again, so both ends
/// check this after every handshake.
[[nodiscard]] bool peer_certificate_current(ssl_st* ssl);

/// An OpenSSL failure in words.
struct Explanation {
    /// A certificate caused it: the peer's is not acceptable to us, or ours not to the peer.
    bool certificate = false;
    /// For the operator; contains no text that the peer chose.
    std::string sentence;
};

/// Explains the last failure on this thread, of the connection `ssl` if there is one (else nullptr), and empties the
/// thread's error queue.
[[nodiscard]] Explanation explain_failure(ssl_st* ssl);

}  // namespace lihandover::tls
