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
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "lihandover/tls/context.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::app {

/// One of our certificates, for the expiry metric and the alarms.
struct WatchedCertificate {
    metrics::CertificateRole role{};
    std::string name;  ///< of the listener or the destination
    model::Instant not_after;
};

/// A main configuration with everything it names read and checked: nothing that can fail is left for the running parts.
struct Assembly {
    config::Configuration configuration;
    /// By listener name; only TLS listeners.
    std::map<std::string, std::shared_ptr<const tls::ServerContext>> intake_tls;
    /// The same of the listeners below intake.x2x3.
    std::map<std::string, std::shared_ptr<const tls::ServerContext>> x2x3_tls;
    delivery::Settings delivery;
    /// Only where there is an `objectserver`.
    std::optional<objectserver::Settings> objectserver;
    /// By destination name; only destinations that take binary objects.
    std::map<std::string, std::shared_ptr<const intake::BinaryRoute>> binary_routes;
    /// By destination name.
    std::map<std::string, model::Profile> profiles;
    /// Null where audit.signing_key is not given.
    std::shared_ptr<const audit::SigningKey> signing_key;
    std::vector<WatchedCertificate> certificates;
    /// Destinations whose certificate, key or CA cannot be read; they are paused. Only in an assembly for a start.
    std::set<std::string> unusable;
    /// Certificates that are expired or not yet valid: an alarm, not a reason to refuse (a renewed one may be on its
    /// way).
    config::Problems warnings;
};

struct Assembled {
    std::shared_ptr<const Assembly> assembly;  ///< null when there are problems
    config::Problems problems;
};

/// How strict to be with files that concern one destination only. A reload is refused over them, since what runs is
/// better; a start goes on without that destination.
enum class Strictness : std::uint8_t { start, reload };

/// Reads the configuration and the files it names: certificates, keys, CAs, schemas; not the warrants. Blocks on the
/// disk. Reports all problems at once.
[[nodiscard]] Assembled assemble(const std::string& config_file, model::Instant now, Strictness strictness);

/// What warrant files may refer to under this configuration.
[[nodiscard]] warrants::Destinations warrant_destinations(const config::Configuration& configuration);

}  // namespace lihandover::app
