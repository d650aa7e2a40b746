#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/config/yaml.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::app {

struct Assembly;

/// Where TLS is spoken: a listener or a destination, the files that it is configured with, and what was made of them.
struct TlsEnd {
    metrics::CertificateRole role{};
    std::string name;  ///< of the listener or the destination
    std::string path;  ///< of its options: `destinations.lea-one.tls`
    tls::Files files;
    tls::Choice choice;
    tls::Alpn protocols = tls::Alpn::http;  ///< of a listener
    /// One of them, by `role`. Null: nothing could be made of the files so far.
    std::shared_ptr<const tls::ServerContext> server;
    std::shared_ptr<const tls::ClientContext> client;
    /// What is wrong with the files as they are now. Then what was made of them before stays in force.
    std::string problem;

    /// Reads the files. After an error nothing has changed. Where one client's key file cannot be used, `problem` says
    /// so, and all others are in force.
    ///   before  an earlier one; null: none
    ///   others  whose pre-shared keys it must not have
    [[nodiscard]] model::Status load(const TlsEnd* before, const std::vector<TlsEnd>& others);
    [[nodiscard]] std::vector<std::string> psk_problems() const;
    /// Whether it is the same place with the same options, whatever is in the files.
    [[nodiscard]] bool has_options_of(const TlsEnd& other) const;
    [[nodiscard]] bool is_usable() const { return server != nullptr || client != nullptr; }
    /// As of the context; empty if there is none.
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] std::vector<tls::Ending> endings() const;
    /// As the contexts' problems().
    [[nodiscard]] std::vector<std::string> problems(model::Instant now) const;
};

/// Looks at the TLS files of what is in force, between reloads. For one thread at a time.
class TlsWatch {
  public:
    /// What is in force, with what is in the files by now. Null if that is the same. A file is not taken before two
    /// looks have found it the same, since it may be half written, or one of a pair. One that cannot be used leaves
    /// what is in force, and is logged. Blocks on the disk.
    [[nodiscard]] std::shared_ptr<const Assembly> look(const std::shared_ptr<const Assembly>& in_force,
                                                       model::Instant now);

  private:
    /// nullopt: there is no such file.
    using Stamps = std::vector<std::optional<config::FileStamp>>;
    struct Seen {
        Stamps stamps;
        bool taken = false;
    };

    static Stamps stamps_of(const TlsEnd& end);
    static bool renew(TlsEnd& end, const std::vector<TlsEnd>& others, model::Instant now);

    std::shared_ptr<const Assembly> of_;  ///< what the following belongs to
    std::vector<Seen> seen_;              ///< of each end
};

}  // namespace lihandover::app
