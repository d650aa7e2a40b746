#include "tls_ends.hpp"

#include <utility>

#include "assembly.hpp"
#include "logging.hpp"

namespace lihandover::app {

namespace {

std::string words_for(const TlsEnd& end) {
    return "role=" + std::string(metrics::certificate_role_names.at(static_cast<std::size_t>(end.role))) +
           " name=" + end.name;
}

}  // namespace

model::Status TlsEnd::load(const TlsEnd* before, const std::vector<TlsEnd>& others) {
    tls::OtherKeys keys;
    for (const TlsEnd& other : others) {
        if (other.role == role && other.name == name) {
            continue;
        }
        const auto digests = other.server   ? other.server->psk_digests()
                             : other.client ? other.client->psk_digests()
                                            : std::vector<std::string>();
        keys.taken.insert(keys.taken.end(), digests.begin(), digests.end());
    }
    if (role == metrics::CertificateRole::destination) {
        auto context = tls::ClientContext::load(files, choice, keys);
        if (!context) {
            return context.error();
        }
        client = std::move(*context);
    } else {
        keys.before = before != nullptr ? before->server.get() : nullptr;
        auto context = tls::ServerContext::load(files, protocols, choice, keys);
        if (!context) {
            return context.error();
        }
        server = std::move(*context);
    }
    problem.clear();
    for (const std::string& one : psk_problems()) {
        problem += (problem.empty() ? "" : "; ") + one;
    }
    return {};
}

std::vector<std::string> TlsEnd::psk_problems() const {
    return server ? server->psk_problems() : std::vector<std::string>();
}

bool TlsEnd::has_options_of(const TlsEnd& other) const {
    return role == other.role && name == other.name && files == other.files && choice == other.choice &&
           protocols == other.protocols;
}

std::string TlsEnd::fingerprint() const {
    return server ? server->fingerprint() : client ? client->fingerprint() : std::string{};
}

std::vector<tls::Ending> TlsEnd::endings() const {
    return server ? server->endings() : client ? client->endings() : std::vector<tls::Ending>{};
}

std::vector<std::string> TlsEnd::problems(model::Instant now) const {
    return server ? server->problems(now) : client ? client->problems(now) : std::vector<std::string>{};
}

TlsWatch::Stamps TlsWatch::stamps_of(const TlsEnd& end) {
    std::vector<std::string> files = {end.files.certificate, end.files.private_key, end.files.ca, end.files.crl};
    for (const tls::PskFile& psk : end.files.psks) {
        files.push_back(psk.key_file);
    }
    Stamps stamps;
    for (const std::string& file : files) {
        const auto stamp = file.empty() ? model::Error{} : config::stamp_of(file);
        stamps.push_back(stamp ? std::optional(*stamp) : std::nullopt);
    }
    return stamps;
}

/// False if it is as before.
bool TlsWatch::renew(TlsEnd& end, const std::vector<TlsEnd>& others, model::Instant now) {
    TlsEnd next = end;
    if (const model::Status loaded = next.load(&end, others); !loaded) {
        if (end.problem == loaded.error().message) {
            return false;
        }
        end.problem = loaded.error().message;
        log_error("TLS files have changed and cannot be used, " +
                  std::string(end.is_usable() ? "so what was in them before stays in force " : "as before ") +
                  words_for(end) + ": " + end.problem);
        return true;
    }
    if (!next.problem.empty() && next.problem != end.problem) {
        log_error("a pre-shared key cannot be used, so what was in its file before stays in force " + words_for(end) +
                  ": " + next.problem);
    }
    if (next.fingerprint() == end.fingerprint()) {
        // Its sessions go on with it.
        return std::exchange(end.problem, next.problem) != next.problem;
    }
    end = std::move(next);
    log_info("changed TLS files are in force " + words_for(end));
    for (const std::string& problem : end.problems(now)) {
        log_warning(problem);
    }
    return true;
}

std::shared_ptr<const Assembly> TlsWatch::look(const std::shared_ptr<const Assembly>& in_force, model::Instant now) {
    if (of_ != in_force) {
        of_ = in_force;
        seen_.assign(in_force->tls_ends.size(), {});
    }
    std::shared_ptr<Assembly> next;
    for (std::size_t n = 0; n < seen_.size(); ++n) {
        Seen& seen = seen_[n];
        if (Stamps stamps = stamps_of(in_force->tls_ends[n]); stamps != seen.stamps) {
            seen = {std::move(stamps), false};
        } else if (!std::exchange(seen.taken, true) || !in_force->tls_ends[n].is_usable()) {
            TlsEnd end = in_force->tls_ends[n];
            if (renew(end, next ? next->tls_ends : in_force->tls_ends, now)) {
                next = next ? next : std::make_shared<Assembly>(*in_force);
                next->tls_ends[n] = std::move(end);
            }
        }
    }
    if (next) {
        next->place_tls();
        of_ = next;
    }
    return next;
}

}  // namespace lihandover::app
