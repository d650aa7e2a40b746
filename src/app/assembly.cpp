#include "assembly.hpp"

#include <utility>

#include "lihandover/etsi/names.hpp"
#include "lihandover/etsi/validator.hpp"
#include "lihandover/etsi/writer.hpp"

namespace lihandover::app {

namespace {

// Collects what goes wrong with the files that a configuration names.
class Builder {
  public:
    Builder(Assembly& assembly, config::Problems& problems, std::string config_file, model::Instant now)
        : assembly_(assembly), problems_(problems), config_file_(std::move(config_file)), now_(now) {}

    void intake_listeners() {
        for (const config::IntakeListener& listener : assembly_.configuration.intake.http) {
            if (!listener.tls) {
                continue;
            }
            const tls::Files files{listener.tls->certificate, listener.tls->private_key, listener.tls->client_ca};
            const auto context = tls::ServerContext::load(files);
            if (!context) {
                add_problem("intake.http " + listener.name + ": " + context.error().message);
                continue;
            }
            watch(metrics::CertificateRole::intake, listener.name, **context);
            assembly_.intake_tls.emplace(listener.name, *context);
        }
    }

    void destinations() {
        for (const auto& [name, options] : assembly_.configuration.destinations) {
            const std::string place = "destinations." + name + ": ";
            const tls::Files files{options.tls.certificate, options.tls.private_key, options.tls.ca};
            const auto context = tls::ClientContext::load(files);
            model::Profile profile = profile_of(options);
            const model::Status good_profile = etsi::check_profile(profile);
            if (!good_profile) {
                add_problem(place + good_profile.error().message);
            }
            if (!context) {
                add_problem(place + context.error().message);
                continue;
            }
            watch(metrics::CertificateRole::destination, name, **context);
            assembly_.delivery.destinations.push_back({name, options, *context});
            assembly_.profiles.emplace(name, std::move(profile));
        }
    }

    void schemas() {
        assembly_.delivery.schema_validation = assembly_.configuration.schema_validation;
        if (assembly_.configuration.schema_validation == config::SchemaValidation::off) {
            return;
        }
        auto validator = etsi::Validator::load(assembly_.configuration.schemas_dir);
        if (!validator) {
            add_problem("schemas_dir: " + validator.error().message);
            return;
        }
        assembly_.delivery.validator = std::make_shared<const etsi::Validator>(std::move(*validator));
    }

  private:
    [[nodiscard]] model::Profile profile_of(const config::Destination& options) const {
        model::Profile profile;
        profile.sender = options.sender.value_or(assembly_.configuration.csp);
        profile.receiver = options.receiver;
        profile.etsi_version = options.etsi_version;
        profile.national_profile_owner = options.national_profile.owner;
        profile.national_profile_version = options.national_profile.version;
        profile.schema_identifier = etsi::csp_schema_identifier;
        profile.schema_url = assembly_.configuration.csp_schema.url;
        profile.writer_version = etsi::current_writer_version;
        return profile;
    }

    template <typename Context>
    void watch(metrics::CertificateRole role, const std::string& name, const Context& context) {
        assembly_.certificates.push_back({role, name, context.certificate().not_after});
        for (const std::string& warning : context.problems(now_)) {
            assembly_.warnings.push_back(name + ": " + warning);
        }
    }

    void add_problem(std::string message) { problems_.push_back({config_file_, 1, 1, std::move(message), {}}); }

    Assembly& assembly_;
    config::Problems& problems_;
    std::string config_file_;
    model::Instant now_;
};

}  // namespace

Assembled assemble(const std::string& config_file, model::Instant now) {
    Assembled result;
    config::Loaded loaded = config::load_file(config_file);
    result.problems = std::move(loaded.problems);
    if (!loaded.configuration) {
        return result;
    }
    auto assembly = std::make_shared<Assembly>();
    assembly->configuration = std::move(*loaded.configuration);
    Builder builder(*assembly, result.problems, config_file, now);
    builder.intake_listeners();
    builder.destinations();
    builder.schemas();
    if (result.problems.empty()) {
        result.assembly = std::move(assembly);
    }
    return result;
}

warrants::Destinations warrant_destinations(const config::Configuration& configuration) {
    warrants::Destinations destinations;
    for (const auto& [name, options] : configuration.destinations) {
        destinations.names.insert(name);
        if (options.binary) {
            destinations.with_binary.insert(name);
        }
    }
    return destinations;
}

}  // namespace lihandover::app
