#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lihandover/audit/signature.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/config/problem.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "lihandover/store/sealing.hpp"
#include "lihandover/tls/context.hpp"
#include "lihandover/warrants/loader.hpp"
#include "tls_ends.hpp"

namespace lihandover::app {

/// A main configuration with everything it names read and checked: nothing that can fail is left for the running parts.
struct Assembly {
    config::Configuration configuration;
    /// The intake listeners with TLS, the destinations, the object server and the reviewers' page.
    std::vector<TlsEnd> tls_ends;
    delivery::Settings delivery;
    /// Only where there is an `objectserver`.
    std::optional<objectserver::Settings> objectserver;
    /// By destination name; only destinations that take binary objects.
    std::map<std::string, std::shared_ptr<const intake::BinaryRoute>> binary_routes;
    /// By destination name.
    std::map<std::string, model::Profile> profiles;
    /// Of encryption.key_files.
    std::vector<store::MasterKey> master_keys;
    /// Null where audit.signing_key is not given.
    std::shared_ptr<const audit::SigningKey> signing_key;
    /// Destinations whose certificate, key or CA could not be read so far; they are paused.
    std::set<std::string> unusable;
    /// Certificates that are expired or not yet valid: an alarm, not a reason to refuse (a renewed one may be on its
    /// way).
    config::Problems warnings;
    /// TLS files that cannot be used as they are, so that what was in them before the reload stays in force.
    config::Problems kept;

    /// Of an intake listener with TLS.
    [[nodiscard]] std::shared_ptr<const tls::ServerContext> listener_tls(const std::string& name) const;
    /// Of the reviewers' page; null without one. Refuses everybody while its files cannot be used.
    [[nodiscard]] std::shared_ptr<const tls::ServerContext> console_tls() const;
    /// Gives `delivery`, `objectserver` and `unusable` what `tls_ends` have.
    void place_tls();
};

struct Assembled {
    std::shared_ptr<const Assembly> assembly;  ///< null when there are problems
    config::Problems problems;
};

/// How strict to be with TLS files that concern one destination, the object server or the reviewers' page only. A start
/// goes on without that part. A reload is refused over them, but for TLS files that were in use before under the same
/// options: what was in them stays in force.
enum class Strictness : std::uint8_t { start, reload };

/// Reads the configuration and the files it names: certificates, keys, CAs, schemas; not the warrants. Blocks on the
/// disk. Reports all problems at once.
///   before   what a reload finds in force
[[nodiscard]] Assembled assemble(const std::string& config_file, model::Instant now, Strictness strictness,
                                 const Assembly* before = nullptr);

/// What warrant files may refer to under this configuration.
[[nodiscard]] warrants::Destinations warrant_destinations(const config::Configuration& configuration);

}  // namespace lihandover::app
