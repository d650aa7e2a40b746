#include <algorithm>
#include <chrono>

#include "console/pages.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

/// How long ago, in the largest unit that fits.
std::string age_of(model::Instant since, model::Instant now) {
    const std::int64_t seconds = std::max<std::int64_t>(0, now.seconds - since.seconds);
    if (seconds < 120) {
        return std::to_string(seconds) + " s";
    }
    if (seconds < 2 * 3600) {
        return std::to_string(seconds / 60) + " min";
    }
    if (seconds < 2 * 86400) {
        return std::to_string(seconds / 3600) + " h";
    }
    return std::to_string(seconds / 86400) + " days";
}

std::string size_of(std::uint64_t bytes) {
    constexpr std::uint64_t mib = std::uint64_t{1} << 20U;
    return bytes < 10'240 * mib ? std::to_string(bytes / mib) + " MiB" : std::to_string(bytes / (1024 * mib)) + " GiB";
}

void write_count(Html& html, std::uint64_t number, std::string_view destination, std::string_view state) {
    html.open("td", {{"class", "number"}});
    if (number == 0) {
        html.words("0");
    } else {
        html.element("a", std::to_string(number),
                     {{"href", Link("/items").with("state", state).with("destination", destination)}});
    }
    html.close();
}

void write_state(Html& html, const Told& told, model::Instant now) {
    html.open("td");
    if (told.status == nullptr) {
        html.words("no longer configured").close();
        return;
    }
    if (told.status->paused) {
        html.element("strong", "paused", {{"class", "wrong"}});
        html.words(": " + std::string(word_of(metrics::pause_names, *told.status->paused)));
        if (told.status->paused_since) {
            html.words(", for " + age_of(*told.status->paused_since, now));
        }
    } else if (told.status->last_failure) {
        html.element("strong", told.state() == "running" ? "running" : "backing off", {{"class", "warn"}});
        html.words(": " + std::string(word_of(metrics::attempt_names, *told.status->last_failure)));
    } else {
        html.words("running");
    }
    if (told.status->uploads.paused) {
        html.words("; uploads paused: " + std::string(word_of(metrics::pause_names, *told.status->uploads.paused)));
    }
    html.close();
}

/// Its button says what it does to what, for those who hear it alone.
void write_pause(Html& html, const View& view, const std::string& name, bool paused) {
    open_form(html, view, paused ? Link("/destinations/resume") : Link("/destinations/pause"));
    html.lone("input", {{"type", "hidden"}, {"name", "destination"}, {"value", name}});
    html.element("button", paused ? "Resume" : "Pause",
                 {{"type", "submit"}, {"aria-label", (paused ? "Resume " : "Pause ") + name}});
    html.close();
}

void write_destination(Html& html, const View& view, const Told& told, model::Instant now) {
    const std::string& name = told.count.destination;
    html.open("tr").open("th", {{"scope", "row"}}).foreign(name).close();
    write_state(html, told, now);
    write_count(html, told.count.held, name, "held");
    write_count(html, told.count.queued, name, "queued");
    write_count(html, told.count.set_aside, name, "set_aside");
    write_count(html, told.count.refused, name, "refused");
    html.element("td",
                 std::to_string(told.count.objects_queued + told.count.objects_set_aside + told.count.objects_refused),
                 {{"class", "number"}});
    html.element("td", told.oldest ? age_of(*told.oldest, now) : "–");
    html.open("td");
    write_time(html, told.status != nullptr ? told.status->last_success : std::nullopt);
    html.close();
    if (view.person.operate) {
        html.open("td");
        if (told.status != nullptr) {
            write_pause(html, view, name, told.status->paused.has_value());
        }
        html.close();
    }
    html.close();
}

void write_destinations(Html& html, const View& view, const Overview& overview) {
    html.open("section", {{"aria-label", "Destinations"}}).element("h2", "Destinations");
    html.open("div",
              {{"class", "wide"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Table of destinations"}});
    html.open("table").element("caption", "Destinations and what waits for each");
    html.open("thead").open("tr");
    for (const std::string_view head : {"Destination", "State", "Held", "Queued", "Set aside", "Refused", "Objects",
                                        "Oldest queued", "Last accepted"}) {
        html.element("th", head, {{"scope", "col"}});
    }
    if (view.person.operate) {
        html.element("th", "Delivery", {{"scope", "col"}});
    }
    html.close().close().open("tbody");
    for (const auto& [name, told] : overview.destinations) {
        write_destination(html, view, told, overview.now);
    }
    html.close().close().close().close();
}

void write_alarms(Html& html, const Overview& overview) {
    html.open("section", {{"aria-label", "Alarms"}}).element("h2", "Alarms");
    if (overview.alarms.empty()) {
        html.element("p", "None.", {{"class", "done"}});
    } else {
        html.open("ul", {{"class", "alarms"}});
        for (const std::string& alarm : overview.alarms) {
            html.open("li").foreign(alarm).close();
        }
        html.close();
    }
    html.close();
}

void write_daemon(Html& html, const Overview& overview) {
    const Status& status = overview.status;
    html.open("section", {{"aria-label", "The daemon"}}).element("h2", "The daemon").open("dl");
    write_fact(html, "Takes events",
               overview.readiness == Readiness::ready ? std::string("yes")
                                                      : "no: " + std::string(word_of(overview.readiness)));
    write_fact(html, "Warrants",
               std::to_string(status.warrants_active) + " active, " + std::to_string(status.warrants_pending) +
                   " begin later, " + std::to_string(status.warrants_expired) + " expired, " +
                   std::to_string(status.warrant_files_bad) + " bad files");
    write_fact(html, "Store",
               size_of(overview.statistics.used_bytes) +
                   (overview.statistics.max_bytes == 0 ? std::string(" used")
                                                       : " of " + size_of(overview.statistics.max_bytes) + " used"));
    html.element("dt", "Running since").open("dd");
    write_time(html, status.started_at);
    html.close();
    write_fact(html, "Version", status.version);
    html.element("dt", "Time of this page").open("dd");
    write_time(html, overview.now);
    html.close().close().close();
}

}  // namespace

Page overview_page(const View& view, const Overview& overview) {
    Html html = begin_page(view, "Overview", "/");
    write_alarms(html, overview);
    write_destinations(html, view, overview);
    write_daemon(html, overview);
    return end_page(html);
}

}  // namespace lihandover::admin
