#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../support/temporary_directory.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::test {

/// How to make a certificate.
struct CertificateOptions {
    // Initialisers, because GCC warns if a designated initialiser leaves one out.
    std::string common_name = {};             // NOLINT(readability-redundant-member-init)
    std::vector<std::string> names = {};      // NOLINT(readability-redundant-member-init): DNS names
    std::vector<std::string> addresses = {};  // NOLINT(readability-redundant-member-init): IP addresses
    /// Validity, in seconds from now.
    long from = -3600;
    long until = 24L * 3600;
    bool ca = false;
    bool must_staple = false;   ///< RFC 7633
    bool ocsp_signing = false;  ///< a responder's
};

/// A small PKI, made once per test program and written as PEM files: for every name below NAME.pem (certificate) and
/// NAME.key. EC keys on P-256, so that making them costs nothing.
///   ca, other-ca     self-signed
///   server           by ca; localhost, 127.0.0.1, ::1
///   client           by ca
///   wrong-name       by ca; elsewhere.example.com
///   expired          by ca; a server's names, ended an hour ago
///   expired-client   by ca; ended an hour ago
///   future           by ca; a server's names, begins in an hour
///   other-server     by other-ca; a server's names
///   other-client     by other-ca
///   chained          by an intermediate of ca, which its .pem holds too; a server's names
class Certificates {
  public:
    Certificates();

    [[nodiscard]] std::string certificate(const std::string& name) const;
    [[nodiscard]] std::string key(const std::string& name) const;
    /// The files of one end: its certificate and key, and the CA it trusts.
    [[nodiscard]] tls::Files files(const std::string& name, const std::string& ca = "ca") const;
    [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }

    /// Makes one more, signed by `issuer` (itself when empty); `chain` adds the issuer's certificate to the file.
    void make(const std::string& name, const std::string& issuer, const CertificateOptions& options,
              bool chain = false) const;

    /// Writes a certificate revocation list of `issuer` as FILE below the directory; returns its path.
    ///   revoked  names of certificates
    ///   until    end of its validity, in seconds from now
    std::string make_list(const std::string& issuer, const std::vector<std::string>& revoked, const std::string& file,
                          long until = 3600) const;

  private:
    TemporaryDirectory directory_;
};

/// Made at the first call, shared by the tests of a program.
const Certificates& certificates();

/// Loaded contexts; a failure to load is a std::runtime_error.
std::shared_ptr<const tls::ServerContext> server_context(const std::string& name = "server",
                                                         const std::string& ca = "ca");
std::shared_ptr<const tls::ClientContext> client_context(const std::string& name = "client",
                                                         const std::string& ca = "ca");

}  // namespace lihandover::test
