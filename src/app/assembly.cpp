#include "assembly.hpp"

#include <fstream>
#include <string>
#include <utility>

#include "lihandover/handover/names.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/handover/writer.hpp"

namespace lihandover::app {

namespace {

// Collects what goes wrong with the files that a configuration names.
class Builder {
  public:
    Builder(Assembly& assembly, config::Problems& problems, const config::Loaded& loaded,
            const std::string& config_file, model::Instant now, Strictness strictness)
        : assembly_(assembly),
          problems_(problems),
          loaded_(loaded),
          config_file_(config_file),
          now_(now),
          strictness_(strictness) {}

    void intake_listeners() {
        const config::Intake& intake = assembly_.configuration.intake;
        for (std::size_t i = 0; i < intake.http.size(); ++i) {
            if (intake.http[i].tls) {
                listener("intake.http[" + std::to_string(i) + "].tls", intake.http[i].name, *intake.http[i].tls,
                         tls::Alpn::http, assembly_.intake_tls);
            }
        }
        for (std::size_t i = 0; i < intake.x2x3.size(); ++i) {
            listener("intake.x2x3[" + std::to_string(i) + "].tls", intake.x2x3[i].name, intake.x2x3[i].tls,
                     tls::Alpn::any, assembly_.x2x3_tls);
        }
    }

    void destinations() {
        for (const auto& [name, options] : assembly_.configuration.destinations) {
            const std::string path = "destinations." + name;
            const tls::Files files{options.tls.certificate, options.tls.private_key, options.tls.ca, options.tls_crl};
            const auto context = tls::ClientContext::load(files);
            model::Profile profile = profile_of(options);
            const model::Status good_profile = handover::check_profile(profile);
            if (!good_profile) {
                add_problem(path, good_profile.error().message);
            }
            if (context) {
                watch(metrics::CertificateRole::destination, name, **context);
                warn_of(path + ".tls", files, "ca", (*context)->problems(now_));
                assembly_.delivery.destinations.push_back({name, options, *context});
            } else if (strictness_ == Strictness::reload) {
                add_problem(path_of_file(path + ".tls", files, "ca", context.error().message), context.error().message);
            } else {
                warn_of(path + ".tls", files, "ca", {context.error().message});
                assembly_.unusable.insert(name);
                assembly_.delivery.destinations.push_back({name, options, tls::ClientContext::unusable()});
            }
            assembly_.profiles.emplace(name, std::move(profile));
        }
    }

    void object_server() {
        const auto& configured = assembly_.configuration.objectserver;
        if (!configured) {
            return;
        }
        const tls::Files files{configured->tls.certificate, configured->tls.private_key, configured->tls.client_ca,
                               configured->tls.client_crl};
        const auto context = tls::ServerContext::load(files);
        if (!context) {
            add_problem(path_of_file("objectserver.tls", files, "client_ca", context.error().message),
                        context.error().message);
            return;
        }
        watch(metrics::CertificateRole::objectserver, "objectserver", **context);
        warn_of("objectserver.tls", files, "client_ca", (*context)->problems(now_));
        objectserver::Settings& settings = assembly_.objectserver.emplace();
        settings.tls = *context;
        settings.clients = configured->tls.clients;
        const config::Store& store = assembly_.configuration.store;
        settings.bounds.requests_per_second = configured->requests_per_second;
        settings.bounds.min_rate = configured->min_rate;
        settings.bounds.min_rate_after = configured->min_rate_after;
        settings.bounds.store_bytes = store.max_bytes;
        settings.bounds.record_retention = std::chrono::duration_cast<std::chrono::seconds>(store.record_retention);
        for (const auto& [name, options] : assembly_.configuration.destinations) {
            if (options.binary && options.binary->model == config::BinaryModel::a) {
                settings.certificates.emplace(name, options.binary->client_certificates);
            }
        }
    }

    void signing_key() {
        const std::string& path = assembly_.configuration.audit.signing_key;
        if (path.empty()) {
            return;
        }
        constexpr std::streamsize most = 64 << 10;
        std::ifstream file(path, std::ios::binary);
        std::string pem(most, '\0');
        file.read(pem.data(), most);
        if (!file.is_open() || file.bad()) {
            add_problem("audit.signing_key", "the file cannot be read");
            return;
        }
        pem.resize(static_cast<std::size_t>(file.gcount()));
        auto key = audit::SigningKey::from_pem(pem);
        if (!key) {
            add_problem("audit.signing_key", key.error().message);
            return;
        }
        assembly_.signing_key = std::move(*key);
    }

    void binary_routes() {
        for (const auto& [name, options] : assembly_.configuration.destinations) {
            if (options.binary) {
                assembly_.binary_routes.emplace(name, binary_route(*options.binary));
            }
        }
    }

    void schemas() {
        assembly_.delivery.schema_validation = assembly_.configuration.schema_validation;
        if (assembly_.configuration.schema_validation == config::SchemaValidation::off) {
            return;
        }
        auto validator = handover::Validator::load(assembly_.configuration.schemas_dir);
        if (!validator) {
            add_problem("schemas_dir", validator.error().message);
            return;
        }
        assembly_.delivery.validator = std::make_shared<const handover::Validator>(std::move(*validator));
    }

  private:
    using ServerContexts = std::map<std::string, std::shared_ptr<const tls::ServerContext>>;

    void listener(const std::string& path, const std::string& name, const config::ServerTls& options,
                  tls::Alpn protocols, ServerContexts& out) {
        const tls::Files files{options.certificate, options.private_key, options.client_ca, options.client_crl};
        const auto context = tls::ServerContext::load(files, protocols);
        if (!context) {
            add_problem(path_of_file(path, files, "client_ca", context.error().message), context.error().message);
            return;
        }
        watch(metrics::CertificateRole::intake, name, **context);
        warn_of(path, files, "client_ca", (*context)->problems(now_));
        out.emplace(name, *context);
    }

    [[nodiscard]] model::Profile profile_of(const config::Destination& options) const {
        model::Profile profile;
        profile.sender = options.sender.value_or(assembly_.configuration.csp);
        profile.receiver = options.receiver;
        profile.etsi_version = options.etsi_version;
        profile.national_profile_owner = options.national_profile.owner;
        profile.national_profile_version = options.national_profile.version;
        profile.schema_identifier = handover::csp_schema_identifier;
        profile.schema_url = assembly_.configuration.csp_schema.url;
        profile.writer_version = handover::current_writer_version;
        return profile;
    }

    [[nodiscard]] std::shared_ptr<const intake::BinaryRoute> binary_route(const config::Binary& binary) const {
        constexpr std::string_view parameter = "{object_identifier}";
        intake::BinaryRoute route;
        route.model = binary.model;
        route.lifetime = std::chrono::duration_cast<std::chrono::seconds>(binary.expiry);
        route.remove_when_fetched = binary.remove_when_fetched;
        if (binary.model == config::BinaryModel::b) {
            const std::size_t at = binary.url_template.find(parameter);
            route.url_prefix = binary.url_template.substr(0, at);
            route.url_suffix = binary.url_template.substr(at + parameter.size());
        } else {
            route.url_prefix = assembly_.configuration.objectserver->public_url;
            if (!route.url_prefix.ends_with('/')) {
                route.url_prefix += '/';
            }
        }
        return std::make_shared<const intake::BinaryRoute>(std::move(route));
    }

    template <typename Context>
    void watch(metrics::CertificateRole role, const std::string& name, const Context& context) {
        assembly_.certificates.push_back({role, name, context.certificate().not_after});
    }

    void warn_of(const std::string& path, const tls::Files& files, const std::string& ca_option,
                 const std::vector<std::string>& warnings) {
        for (const std::string& warning : warnings) {
            assembly_.warnings.push_back(
                config::problem_of(loaded_, config_file_, path_of_file(path, files, ca_option, warning), warning, {}));
        }
    }

    /// The option that a message of the tls room is about: the message begins with the name of the file.
    static std::string path_of_file(const std::string& path, const tls::Files& files, const std::string& ca_option,
                                    const std::string& message) {
        for (const auto& [file, option] :
             {std::pair(&files.certificate, std::string("certificate")),
              std::pair(&files.private_key, std::string("private_key")), std::pair(&files.ca, ca_option)}) {
            if (message.starts_with(*file + ":")) {
                return std::string(path).append(".").append(option);
            }
        }
        if (!files.crl.empty() && message.starts_with(files.crl + ":")) {
            return path + (ca_option == "ca" ? "_crl" : ".client_crl");  // a destination has `tls_crl` beside `tls`
        }
        return path;
    }

    void add_problem(const std::string& path, const std::string& message) {
        problems_.push_back(config::problem_of(loaded_, config_file_, path, message, {}));
    }

    Assembly& assembly_;
    config::Problems& problems_;
    const config::Loaded& loaded_;
    const std::string& config_file_;
    model::Instant now_;
    Strictness strictness_;
};

}  // namespace

Assembled assemble(const std::string& config_file, model::Instant now, Strictness strictness) {
    Assembled result;
    config::Loaded loaded = config::load_file(config_file);
    result.problems = std::move(loaded.problems);
    if (!loaded.configuration) {
        return result;
    }
    auto assembly = std::make_shared<Assembly>();
    assembly->configuration = *loaded.configuration;
    Builder builder(*assembly, result.problems, loaded, config_file, now, strictness);
    builder.intake_listeners();
    builder.destinations();
    builder.object_server();
    builder.binary_routes();
    builder.signing_key();
    builder.schemas();
    config::sort_by_place(result.problems);
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
    for (const config::TestTarget& target : configuration.csp.test_targets) {
        warrants::Target& ours = destinations.test_targets.emplace_back();
        ours.type = target.type;
        ours.value = target.value;
    }
    destinations.matching = configuration.matching;
    return destinations;
}

}  // namespace lihandover::app
