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

/// A key that both ends know (RFC 4279, RFC 8446 2.2).
struct PskFile {
    /// What the ends call it: 1 to 128 printable ASCII characters. Not secret: it is sent in the clear.
    std::string identity;
    /// 32 to 128 hex digits; at most 0640.
    std::string key_file;

    friend bool operator==(const PskFile&, const PskFile&) = default;
};

/// The files of one end of a TLS connection that authenticates both. PEM but for the pre-shared keys.
struct Files {
    /// Our certificate first, then the intermediates that lead to the peer's trusted CA. Of a client with a pre-shared
    /// key, it, the private key and the CA may be empty, all three: then the key alone counts.
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
    /// Pre-shared keys, which count as much as certificates: a client has one at most, a server one for each client.
    std::vector<PskFile> psks{};

    friend bool operator==(const Files&, const Files&) = default;
};

/// What may be negotiated, by the names of model/tls_names.hpp, the dearest first. Empty: all of them that are sound by
/// default.
struct Choice {
    std::vector<std::string> groups;
    /// Of TLS 1.2 and 1.3; a version without a suite is not spoken.
    std::vector<std::string> suites;

    friend bool operator==(const Choice&, const Choice&) = default;
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
    /// What the pre-shared key is called that was proved instead of a certificate; then the others are empty, and
    /// `not_after` is never. Else empty.
    std::string psk_identity{};

    /// For records: the SHA-256 of the certificate, or the identity after `psk:`.
    [[nodiscard]] std::string name() const { return psk_identity.empty() ? certificate_sha256 : "psk:" + psk_identity; }
};

/// SHA-256 of an identity, 64 lower-case hexadecimal digits, for comparisons that take the same time for each.
[[nodiscard]] std::string identity_sha256(const std::string& identity);

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

class ServerContext;

/// What the pre-shared keys of a context depend on beyond their files.
struct OtherKeys {
    /// psk_digests() of the other ends: whoever knows such a key could pass for either.
    std::vector<std::string> taken;
    /// Of a server: the context before, whose key stays in force where a file cannot be used.
    const ServerContext* before = nullptr;
};

/// Which application protocols a listener lets its peers ask for (ALPN).
enum class Alpn : std::uint8_t {
    http,  ///< http/1.1; whoever asks for others only is refused
    any,   ///< what they ask for is passed over: for protocols that have no name
};

/// Immutable TLS settings of a listener: TLS 1.2 with the suites of RFC 9325 and TLS 1.3, a client certificate under
/// `ca` required and verified, or one of the pre-shared keys, no renegotiation, no compression. The names of the CAs
/// are not told to clients: they would tell everyone who connects which LEAs or sources there are. Resumed sessions
/// keep the identity they were made with and live at most one hour and never beyond the client certificate's end; a
/// client of TLS 1.3 that resumes gets a ticket for another hour. A
/// reload builds a new context; connections keep the one they began with, and sessions of the old one do not resume
/// under the new. Thread-safe.
class ServerContext {
  public:
    /// Reads the files. Errors name the file and what is wrong with it (missing, not PEM, key does not fit the
    /// certificate, …). An expired certificate is not an error here: see problems().
    /// A file of a pre-shared key that cannot be used is the error of its one client: see psk_problems().
    [[nodiscard]] static model::Result<std::shared_ptr<const ServerContext>> load(const Files& files,
                                                                                  Alpn protocols = Alpn::http,
                                                                                  const Choice& choice = {},
                                                                                  const OtherKeys& others = {});

    /// A context without identity or trust, under which every handshake is refused: for a listener whose files cannot
    /// be read.
    [[nodiscard]] static std::shared_ptr<const ServerContext> unusable();

    ServerContext(const ServerContext&) = delete;
    ServerContext& operator=(const ServerContext&) = delete;
    ~ServerContext();

    [[nodiscard]] const OwnCertificate& certificate() const;
    /// Sentences for the operator on certificates (ours and the CAs') and revocation lists that are expired or not yet
    /// valid at `now`; empty if there are none.
    [[nodiscard]] std::vector<std::string> problems(model::Instant now) const;
    /// The ends of all of its certificates and revocation lists, in the order of the files. A list that names no next
    /// one has no end. None of an unusable() one.
    [[nodiscard]] const std::vector<Ending>& endings() const;
    /// SHA-256 over the contents of its files and its choice, in hex: contexts with the same one have the same
    /// settings.
    [[nodiscard]] const std::string& fingerprint() const;
    /// Key files that could not be used, a sentence each that begins with the file's name: the key from before is in
    /// force, or the identity is unknown.
    [[nodiscard]] const std::vector<std::string>& psk_problems() const;
    /// SHA-256 of each pre-shared key, in hex, to be compared with others.
    [[nodiscard]] std::vector<std::string> psk_digests() const;

    /// Whether our certificate names this host: a DNS name or an IP address without brackets, as URLs have them. What
    /// the subject says does not count, as it does not for browsers.
    [[nodiscard]] bool names(const std::string& host) const;

    /// For the http room: whether this context would let in the peer of a connection, which may be of an older context.
    [[nodiscard]] bool accepts(ssl_st* ssl) const;
    [[nodiscard]] ssl_ctx_st* native() const;

  private:
    struct State;
    explicit ServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Immutable TLS settings towards one destination: the same versions and suites, our certificate presented, the
/// server's chain verified against `ca` only and its certificate against the host name or IP address asked for, and
/// against the OCSP response that the server staples, if it does. A pre-shared key is offered first; a server that
/// takes it needs no certificate. Keeps a few sessions per host for resumption. Thread-safe.
class ClientContext {
  public:
    [[nodiscard]] static model::Result<std::shared_ptr<const ClientContext>> load(const Files& files,
                                                                                  const Choice& choice = {},
                                                                                  const OtherKeys& others = {});

    /// A context without identity or trust, under which every handshake fails: for a destination whose files cannot be
    /// read.
    [[nodiscard]] static std::shared_ptr<const ClientContext> unusable();

    ClientContext(const ClientContext&) = delete;
    ClientContext& operator=(const ClientContext&) = delete;
    ~ClientContext();

    /// Empty if a pre-shared key alone counts.
    [[nodiscard]] const OwnCertificate& certificate() const;
    [[nodiscard]] std::vector<std::string> problems(model::Instant now) const;
    /// As ServerContext's; none of an unusable() one.
    [[nodiscard]] const std::vector<Ending>& endings() const;
    /// As ServerContext's.
    [[nodiscard]] const std::string& fingerprint() const;
    [[nodiscard]] std::vector<std::string> psk_digests() const;

    /// For the http room: prepares a fresh SSL for a connection to `host` (SNI, name check, a cached session). False if
    /// OpenSSL refuses the name.
    [[nodiscard]] bool prepare(ssl_st* ssl, const std::string& host, const std::string& port) const;
    [[nodiscard]] ssl_ctx_st* native() const;

  private:
    struct State;
    explicit ClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// The identity of the other end after a handshake (or a resumption). nullopt if it has proved none.
[[nodiscard]] std::optional<PeerIdentity> peer_identity(ssl_st* ssl);

/// True while the peer's certificate is still valid, or if it has proved a pre-shared key. OpenSSL does not verify a
/// resumed session again, so both ends check this after every handshake.
[[nodiscard]] bool peer_is_current(ssl_st* ssl);

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
