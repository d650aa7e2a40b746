#include "assembly.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/handover/names.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/store/postgresql.hpp"

namespace lihandover::app {

namespace {

// Collects what goes wrong with the files that a configuration names.
class Builder {
  public:
    Builder(Assembly& assembly, config::Problems& problems, const config::Loaded& loaded,
            const std::string& config_file, model::Instant now, Strictness strictness, const Assembly* before)
        : assembly_(assembly),
          problems_(problems),
          loaded_(loaded),
          config_file_(config_file),
          now_(now),
          strictness_(strictness),
          before_(before) {}

    void intake_listeners() {
        const config::Intake& intake = assembly_.configuration.intake;
        for (std::size_t i = 0; i < intake.http.size(); ++i) {
            if (intake.http[i].tls) {
                listener("intake.http[" + std::to_string(i) + "].tls", intake.http[i].name, *intake.http[i].tls,
                         tls::Alpn::http);
            }
        }
        for (std::size_t i = 0; i < intake.x2x3.size(); ++i) {
            listener("intake.x2x3[" + std::to_string(i) + "].tls", intake.x2x3[i].name, intake.x2x3[i].tls,
                     tls::Alpn::any);
        }
    }

    void destinations() {
        for (const auto& [name, options] : assembly_.configuration.destinations) {
            const std::string path = "destinations." + name;
            model::Profile profile = profile_of(options);
            const model::Status good_profile = handover::check_profile(profile);
            if (!good_profile) {
                add_problem(path, good_profile.error().message);
            }
            TlsEnd end;
            end.role = metrics::CertificateRole::destination;
            end.name = name;
            end.path = path + ".tls";
            end.files = {options.tls.certificate, options.tls.private_key, options.tls.ca, options.tls_crl};
            if (options.tls.psk) {
                end.files.psks.push_back({options.tls.psk->identity, options.tls.psk->key_file});
            }
            end.choice = {options.tls.groups, options.tls.suites};
            assembly_.delivery.destinations.push_back({name, options, nullptr});
            add_end(std::move(end), strictness_ == Strictness::start);
            assembly_.profiles.emplace(name, std::move(profile));
        }
    }

    void object_server() {
        const auto& configured = assembly_.configuration.objectserver;
        if (!configured) {
            return;
        }
        TlsEnd end = server_end(metrics::CertificateRole::objectserver, "objectserver", "objectserver.tls",
                                configured->tls, tls::Alpn::http);
        objectserver::Settings& settings = assembly_.objectserver.emplace();
        settings.clients = configured->tls.clients;
        const config::Store& store = assembly_.configuration.store;
        settings.bounds.requests_per_second = configured->requests_per_second;
        settings.bounds.min_rate = configured->min_rate;
        settings.bounds.min_rate_after = configured->min_rate_after;
        settings.bounds.store_bytes = store.max_bytes;
        settings.bounds.record_retention = std::chrono::duration_cast<std::chrono::seconds>(store.record_retention);
        for (const auto& [name, options] : assembly_.configuration.destinations) {
            if (options.binary && options.binary->model == config::BinaryModel::a) {
                settings.certificates.emplace(name, clients_of(*options.binary, end.files, settings.clients));
            }
        }
        add_end(std::move(end), strictness_ == Strictness::start);
    }

    /// A page that nobody can reach is no reason to take in and deliver nothing.
    void console() {
        if (const auto& configured = assembly_.configuration.admin.console) {
            add_end(server_end(metrics::CertificateRole::console, "console", "admin.console.tls", configured->tls,
                               tls::Alpn::http),
                    strictness_ == Strictness::start);
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

    void master_keys() {
        std::set<std::string> ids;
        for (const std::string& path : assembly_.configuration.encryption.key_files) {
            auto key = store::MasterKey::read(path);
            if (!key) {
                add_problem("encryption.key_files", key.error().message);
            } else if (!ids.insert(key->id()).second) {
                add_problem("encryption.key_files", path + ": another file holds the same key");
            } else {
                assembly_.master_keys.push_back(std::move(*key));
            }
        }
    }

    /// Nothing else suffers from a group that is missing: nobody may look at content until it is there.
    void reviewers() {
        const std::string& group = assembly_.configuration.admin.reviewers;
        if (!group.empty() && !http::group_id(group)) {
            assembly_.warnings.push_back(config::problem_of(loaded_, config_file_, "admin.reviewers",
                                                            "there is no such group: nobody may look at content", {}));
        }
    }

    void database() {
        const config::Store& store = assembly_.configuration.store;
        if (store.postgresql) {
            if (const model::Status good = store::check_connection(store.postgresql->connection); !good) {
                add_problem("store.postgresql.connection", good.error().message);
            }
        }
        // Said, since it is easily taken for what is in use.
        if (store.postgresql && store.engine != config::StoreEngine::postgresql) {
            assembly_.warnings.push_back(
                config::problem_of(loaded_, config_file_, "store.postgresql", "not used: store.engine is sqlite", {}));
        }
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
    void listener(const std::string& path, const std::string& name, const config::ServerTls& options,
                  tls::Alpn protocols) {
        add_end(server_end(metrics::CertificateRole::intake, name, path, options, protocols), false);
    }

    /// Who may fetch a destination's objects. Pre-shared keys go to the server's files too.
    static std::vector<std::string> clients_of(const config::Binary& binary, tls::Files& files,
                                               std::vector<std::string>& allowed) {
        std::vector<std::string> clients = binary.client_certificates;
        for (const config::PreSharedKey& key : binary.client_psks) {
            const tls::PskFile psk{key.identity, key.key_file};
            if (std::ranges::find(files.psks, psk) == files.psks.end()) {
                files.psks.push_back(psk);
            }
            clients.push_back("psk:" + tls::identity_sha256(key.identity));
            if (!allowed.empty()) {
                allowed.push_back(clients.back());  // the keys are the list of who may talk with one
            }
        }
        return clients;
    }

    static TlsEnd server_end(metrics::CertificateRole role, const std::string& name, const std::string& path,
                             const config::ServerTls& options, tls::Alpn protocols) {
        TlsEnd end;
        end.role = role;
        end.name = name;
        end.path = path;
        end.files = {options.certificate, options.private_key, options.client_ca, options.client_crl};
        end.choice = {options.groups, options.suites};
        end.protocols = protocols;
        return end;
    }

    void add_end(TlsEnd end, bool may_be_unusable) {
        if (const model::Status loaded = end.load(end_of(end), assembly_.tls_ends); loaded) {
            for (const std::string& bad : end.psk_problems()) {
                add_to(before_ != nullptr ? assembly_.kept : assembly_.warnings, end, bad);
            }
            for (const std::string& warning : end.problems(now_)) {
                add_to(assembly_.warnings, end, warning);
            }
        } else {
            const std::string message = loaded.error().message;
            if (const TlsEnd* const before = end_before(end)) {
                end = *before;
                add_to(assembly_.kept, end, message);
            } else if (may_be_unusable) {
                add_to(assembly_.warnings, end, message);
            } else {
                add_to(problems_, end, message);
                return;
            }
            end.problem = message;
        }
        assembly_.tls_ends.push_back(std::move(end));
    }

    /// What the running daemon has for the same place, whatever its options; null: nothing.
    [[nodiscard]] const TlsEnd* end_of(const TlsEnd& end) const {
        if (before_ == nullptr) {
            return nullptr;
        }
        const auto found = std::ranges::find_if(
            before_->tls_ends, [&](const TlsEnd& other) { return other.role == end.role && other.name == end.name; });
        return found != before_->tls_ends.end() ? &*found : nullptr;
    }

    /// What the running daemon has for the same options.
    [[nodiscard]] const TlsEnd* end_before(const TlsEnd& end) const {
        if (before_ == nullptr) {
            return nullptr;
        }
        const auto found =
            std::ranges::find_if(before_->tls_ends, [&](const TlsEnd& other) { return other.has_options_of(end); });
        return found != before_->tls_ends.end() ? &*found : nullptr;
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

    void add_to(config::Problems& list, const TlsEnd& end, const std::string& message) const {
        list.push_back(config::problem_of(loaded_, config_file_, path_of_file(end, message), message, {}));
    }

    /// The option that a message of the tls room is about: the message begins with the name of the file.
    [[nodiscard]] std::string path_of_file(const TlsEnd& end, const std::string& message) const {
        for (const auto& [name, destination] : assembly_.configuration.destinations) {
            const auto keys = end.psk_problems().empty() || !destination.binary ? std::vector<config::PreSharedKey>()
                                                                                : destination.binary->client_psks;
            if (std::ranges::any_of(keys, [&](const auto& key) { return message.starts_with(key.key_file + ":"); })) {
                return "destinations." + name + ".binary.client_psks";
            }
        }
        const bool client = end.role == metrics::CertificateRole::destination;
        for (const auto& [file, option] :
             {std::pair(&end.files.certificate, ".certificate"), std::pair(&end.files.private_key, ".private_key"),
              std::pair(&end.files.ca, client ? ".ca" : ".client_ca"),
              // A destination has `tls_crl` beside `tls`.
              std::pair(&end.files.crl, client ? "_crl" : ".client_crl")}) {
            if (!file->empty() && message.starts_with(*file + ":")) {
                return end.path + option;
            }
        }
        return end.path;
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
    const Assembly* before_;
};

}  // namespace

std::shared_ptr<const tls::ServerContext> Assembly::listener_tls(const std::string& name) const {
    for (const TlsEnd& end : tls_ends) {
        if (end.role == metrics::CertificateRole::intake && end.name == name) {
            return end.server;
        }
    }
    return nullptr;
}

std::shared_ptr<const tls::ServerContext> Assembly::console_tls() const {
    const auto end = std::ranges::find(tls_ends, metrics::CertificateRole::console, &TlsEnd::role);
    if (end == tls_ends.end()) {
        return nullptr;
    }
    return end->server ? end->server : tls::ServerContext::unusable();
}

void Assembly::place_tls() {
    unusable.clear();
    std::map<std::string_view, std::shared_ptr<const tls::ClientContext>> clients;
    for (const TlsEnd& end : tls_ends) {
        if (end.role == metrics::CertificateRole::objectserver) {
            objectserver->tls = end.server ? end.server : tls::ServerContext::unusable();
            delivery.objects_served = end.is_usable();
        } else if (end.role == metrics::CertificateRole::destination) {
            if (!end.is_usable()) {
                unusable.insert(end.name);
            }
            clients.emplace(end.name, end.client ? end.client : tls::ClientContext::unusable());
        }
    }
    for (delivery::Destination& destination : delivery.destinations) {
        destination.tls = clients.at(destination.name);
    }
}

Assembled assemble(const std::string& config_file, model::Instant now, Strictness strictness, const Assembly* before) {
    Assembled result;
    config::Loaded loaded = config::load_file(config_file);
    result.problems = std::move(loaded.problems);
    if (!loaded.configuration) {
        return result;
    }
    auto assembly = std::make_shared<Assembly>();
    assembly->configuration = *loaded.configuration;
    Builder builder(*assembly, result.problems, loaded, config_file, now, strictness, before);
    builder.intake_listeners();
    builder.destinations();
    builder.object_server();
    builder.console();
    builder.binary_routes();
    builder.signing_key();
    builder.master_keys();
    builder.reviewers();
    builder.database();
    builder.schemas();
    config::sort_by_place(result.problems);
    if (result.problems.empty()) {
        assembly->place_tls();
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
