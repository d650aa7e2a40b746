#include "status_resource.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "health_endpoint.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "overview.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

std::string_view stage_word(Stage stage) {
    switch (stage) {
        case Stage::starting:
            return "starting";
        case Stage::running:
            return "running";
        case Stage::stopping:
            return "stopping";
    }
    return "";
}

void write_ids(JsonWriter& json, std::string_view name, const std::vector<model::Uuid>& ids) {
    json.key(name).open_array();
    for (const model::Uuid& id : ids) {
        json.text(id.to_string());
    }
    json.close_array();
}

void write_counts(JsonWriter& json, const store::Count& count) {
    json.number("held", count.held)
        .number("queued", count.queued)
        .number("set_aside", count.set_aside)
        .number("refused", count.refused)
        .number("objects_attached", count.objects_attached)
        .number("objects_offered", count.objects_offered)
        .number("objects_queued", count.objects_queued)
        .number("objects_set_aside", count.objects_set_aside)
        .number("objects_refused", count.objects_refused);
}

void write_destination(JsonWriter& json, const Told& told) {
    const delivery::DestinationStatus unknown;
    const delivery::DestinationStatus& status = told.status != nullptr ? *told.status : unknown;
    json.open_object().text("name", told.count.destination).text("state", told.state());
    json.key("paused");
    if (status.paused) {
        json.text(admin::word_of(metrics::pause_names, *status.paused));
    } else {
        json.null();
    }
    json.time("paused_since", status.paused_since).time("next_attempt", status.next_attempt).key("last_failure");
    if (status.last_failure) {
        json.text(admin::word_of(metrics::attempt_names, *status.last_failure));
    } else {
        json.null();
    }
    json.time("last_failure_at", status.last_failure_at)
        .time("last_success", status.last_success)
        .number("connections", status.connections)
        .number("connection_limit", status.connection_limit)
        .number("upload_connection_limit", status.uploads.connection_limit)
        .number("in_flight", status.in_flight)
        .number("wasted_bytes", status.uploads.wasted_bytes);
    write_counts(json, told.count);
    write_ids(json, "set_aside_items", told.set_aside);
    write_ids(json, "suspects", status.suspects);
    write_ids(json, "object_suspects", status.uploads.suspects);
    write_ids(json, "set_aside_objects", status.uploads.set_aside);
    json.time("oldest_queued", told.oldest).time("oldest_emergency_queued", told.oldest_emergency).close_object();
}

void write_certificate(JsonWriter& json, const CertificateStatus& certificate) {
    json.open_object()
        .text("role", admin::word_of(metrics::certificate_role_names, certificate.role))
        .text("name", certificate.name)
        .text("kind", admin::word_of(metrics::certificate_kind_names, certificate.kind))
        .number("number", certificate.number)
        .time("ends", certificate.not_after)
        .close_object();
}

void write_sealing(JsonWriter& json, const store::SealingStatus& sealing) {
    json.key("encryption")
        .open_object()
        .boolean("on", sealing.on)
        .text("key", sealing.key)
        .text("newest_key", sealing.newest)
        .boolean("working", sealing.working)
        .number("part", sealing.part)
        .number("parts", sealing.parts)
        .number("percent", sealing.percent)
        .boolean("remains", sealing.remains)
        .number("unreadable", sealing.unreadable)
        .close_object();
}

}  // namespace

void write_report(JsonWriter& json, const ReloadReport& report) {
    json.open_object()
        .text("outcome", word_of(metrics::reload_outcome_names, report.outcome))
        .time("at", report.at)
        .number("warrants_added", report.warrants_added)
        .number("warrants_changed", report.warrants_changed)
        .number("warrants_ended", report.warrants_ended)
        .number("warrant_files_bad", report.warrant_files_bad);
    json.key("problems").open_array();
    for (const auto& problem : report.problems) {
        json.text(problem);
    }
    json.close_array().close_object();
}

boost::asio::awaitable<Answer> StatusResource::get() const {
    const auto readiness = readiness_();
    auto work = [this, readiness, status = parts_.control.status()] { return write(status, readiness); };
    co_return co_await base::run_on(worker_, std::move(work));
}

Answer StatusResource::write(const Status& status, Readiness readiness) const {
    const store::Statistics statistics = parts_.items.statistics();
    Answer result;
    JsonWriter json(result.body);
    json.open_object()
        .text("version", status.version)
        .text("stage", stage_word(status.stage))
        .text("readiness", admin::word_of(readiness))
        .time("started_at", status.started_at)
        .time("now", parts_.clock.wall());
    write_store(json, statistics);
    const audit::Head head = parts_.audit.head();
    json.key("audit").open_object().number("entries", head.number).text("head", base::to_hex(head.hash)).close_object();
    const store::SealingStatus sealing = parts_.sealing.status();
    write_sealing(json, sealing);
    write_destinations(json, status, statistics);
    json.key("warrants")
        .open_object()
        .number("pending", status.warrants_pending)
        .number("active", status.warrants_active)
        .number("expired", status.warrants_expired)
        .number("files_bad", status.warrant_files_bad)
        .close_object();
    json.key("last_reload");
    if (status.last_reload) {
        write_report(json, *status.last_reload);
    } else {
        json.null();
    }
    json.key("certificates").open_array();
    for (const CertificateStatus& certificate : status.certificates) {
        write_certificate(json, certificate);
    }
    json.close_array().key("alarms").open_array();
    for (const std::string& alarm : alarms_of(parts_, status, sealing)) {
        json.text(alarm);
    }
    json.close_array().close_object();
    result.body += '\n';
    return result;
}

void StatusResource::write_store(JsonWriter& json, const store::Statistics& statistics) const {
    json.key("store")
        .open_object()
        .boolean("accepting", statistics.accepting)
        .number("used_bytes", statistics.used_bytes)
        .number("max_bytes", statistics.max_bytes)
        .number("waiting_bytes", statistics.waiting_bytes)
        .number("commits", statistics.commits)
        .number("repeats", statistics.repeats)
        .close_object();
}

void StatusResource::write_destinations(JsonWriter& json, const Status& status,
                                        const store::Statistics& statistics) const {
    const auto destinations = destinations_of(parts_.items, status, statistics);
    json.key("destinations").open_array();
    for (const auto& [name, told] : destinations) {
        write_destination(json, told);
    }
    json.close_array();
}

}  // namespace lihandover::admin
