#include "warrant_file.hpp"

#include <algorithm>
#include <array>

#include "lihandover/config/schema.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/liid.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::warrants {

namespace {

using config::Facts;
using config::Place;
using config::Reader;
using config::Schema;
using config::Type;
using config::YamlNode;
using model::IdentifierType;
using model::Instant;

constexpr std::size_t max_targets = 10'000;
constexpr std::size_t max_xids = 10'000;
constexpr std::size_t max_services = 1000;

enum class Part : std::uint8_t { metadata, content, binary, location };

/// One element of `targets`: one identifier under its type's name.
struct TargetEntry {
    std::optional<std::string> user_id;
    std::optional<std::string> username;
    std::optional<std::string> msisdn;
    std::optional<std::string> e164;
    std::optional<std::string> email;
    std::optional<std::string> sip_uri;
    std::optional<std::string> tel_uri;
    std::optional<std::string> im_uri;
    std::optional<Instant> from;
    std::optional<Instant> until;
    std::optional<Instant> observed_at;
};

struct IdentifierMember {
    IdentifierType type{};
    std::optional<std::string> TargetEntry::*member;
};
constexpr std::array<IdentifierMember, model::identifier_type_names.size()> identifier_members = {{
    {IdentifierType::user_id, &TargetEntry::user_id},
    {IdentifierType::username, &TargetEntry::username},
    {IdentifierType::msisdn, &TargetEntry::msisdn},
    {IdentifierType::e164, &TargetEntry::e164},
    {IdentifierType::email, &TargetEntry::email},
    {IdentifierType::sip_uri, &TargetEntry::sip_uri},
    {IdentifierType::tel_uri, &TargetEntry::tel_uri},
    {IdentifierType::im_uri, &TargetEntry::im_uri},
}};

/// The keys of a warrant file.
struct WarrantFile {
    std::string liid;
    std::string destination;
    std::optional<Instant> valid_from;
    std::optional<Instant> valid_until;
    std::vector<TargetEntry> targets;
    std::vector<model::Uuid> xid;
    std::vector<std::string> services;
    std::vector<Part> deliver;
    Priority priority = Priority::routine;
    Review review = Review::none;
    Correlation correlation = Correlation::conversation;
    std::string reference;
    bool test = false;
    bool acknowledge_not_unique = false;
};

Type<std::string> identifier_type(IdentifierType identifier, std::string allowed) {
    auto read = [identifier](Reader& reader, const YamlNode& node, std::string& out) {
        if (node.kind != YamlNode::Kind::scalar) {
            reader.problem(node.place, "an identifier is needed, not a list or mapping");
            return false;
        }
        if (const auto wrong = model::target_problem(identifier, node.text)) {
            reader.problem(node.place, *wrong, node.text);
            return false;
        }
        out = node.text;
        return true;
    };
    return {"identifier", std::move(allowed), read, [](const std::string& value) { return config::write_text(value); }};
}

Type<Instant> instant_type() {
    const std::string allowed = "RFC 3339 with an offset: 2026-01-01T00:00:00Z";
    auto read = [allowed](Reader& reader, const YamlNode& node, Instant& out) {
        const auto time = node.kind == YamlNode::Kind::scalar ? model::parse_rfc3339(node.text) : std::nullopt;
        if (!time) {
            reader.problem(node.place, "a time is needed, " + allowed, node.text);
            return false;
        }
        out = time->instant;
        return true;
    };
    return {"time", allowed, read, [](const Instant& value) { return model::to_microsecond_date_time(value); }};
}

Type<std::string> liid_type() {
    return config::text_type(1, 50, "1 to 25 printable ASCII characters without blanks, or 26 to 50 of 0-9 and a-f",
                             [](std::string_view text) {
                                 return model::is_liid(text)
                                            ? std::nullopt
                                            : std::optional<std::string>(
                                                  "not an LIID; allowed: 1 to 25 printable ASCII characters without "
                                                  "blanks, or 26 to 50 of 0-9 and a-f");
                             });
}

Type<model::Uuid> uuid_type() {
    auto read = [](Reader& reader, const YamlNode& node, model::Uuid& out) {
        const auto uuid = node.kind == YamlNode::Kind::scalar ? model::Uuid::parse(node.text) : std::nullopt;
        if (!uuid) {
            reader.problem(node.place, "a UUID is needed, 29f28e1c-f230-486a-a860-f5a784ab9177", node.text);
            return false;
        }
        out = *uuid;
        return true;
    };
    return {"UUID", {}, read, [](const model::Uuid& value) { return value.to_string(); }};
}

Type<std::vector<Part>> parts_type() {
    return config::list_type(config::choice_type<Part>({{"metadata", Part::metadata},
                                                        {"content", Part::content},
                                                        {"binary", Part::binary},
                                                        {"location", Part::location}}),
                             1, 4);
}

Type<Review> review_type() {
    return config::choice_type<Review>(
        {{"none", Review::none}, {"required", Review::required}, {"dual", Review::dual}});
}

Facts required(Facts facts) {
    facts.required = true;
    return facts;
}

void check_target(Reader& reader, const YamlNode& node, TargetEntry& entry) {
    std::size_t given = 0;
    std::vector<std::string> names;
    for (const IdentifierMember& identifier : identifier_members) {
        const std::string name(model::name_of(identifier.type));
        given += node.find(name) != nullptr ? 1 : 0;
        names.push_back(name);
    }
    if (given != 1) {
        reader.problem(node.place,
                       "a target is one identifier; exactly one of these is needed: " + config::alternatives(names));
    }
    if (entry.from && entry.until && *entry.from >= *entry.until) {
        reader.problem_below("until", node.find("until")->place, "not after from; a later time is needed");
    }
}

void check_target_window(Reader& reader, const YamlNode& node, const TargetEntry& target, const WarrantFile& file) {
    if (target.from && file.valid_from && (*target.from < *file.valid_from || *target.from >= *file.valid_until)) {
        reader.problem_below("from", node.find("from")->place,
                             "outside the warrant's window; a time within valid_from and valid_until is needed");
    }
    if (target.until && file.valid_from && (*target.until <= *file.valid_from || *target.until > *file.valid_until)) {
        reader.problem_below("until", node.find("until")->place,
                             "outside the warrant's window; a time within valid_from and valid_until is needed");
    }
}

void check_file(Reader& reader, const YamlNode& node, WarrantFile& file) {
    const bool both = file.valid_from && file.valid_until;
    const bool window = both && *file.valid_from < *file.valid_until;
    if (both && !window) {
        reader.problem_below("valid_until", node.find("valid_until")->place,
                             "not after valid_from; a later time is needed");
    }
    if (file.test && !file.xid.empty()) {
        reader.problem_below("xid", node.place_of("xid"),
                             "not with test: true, since nobody here knows whose task it is");
    }
    const YamlNode* const targets = node.find("targets");
    if (targets == nullptr && node.find("xid") == nullptr) {
        reader.problem_below("targets", node.place, "missing; needed where no xid feeds the warrant");
    }
    if (targets == nullptr || targets->kind != YamlNode::Kind::sequence) {
        return;
    }
    bool only_usernames = !targets->items.empty();
    for (std::size_t n = 0; n < targets->items.size(); ++n) {
        only_usernames = only_usernames && targets->items[n].find("username") != nullptr;
        if (window && n < file.targets.size()) {
            const Reader::Descent list(reader, ".targets", {});
            const Reader::Descent element(reader, "[" + std::to_string(n) + "]", {});
            check_target_window(reader, targets->items[n], file.targets[n], file);
        }
    }
    if (only_usernames && !file.acknowledge_not_unique) {
        reader.problem_below("targets", node.place_of("targets"),
                             "user names only, and those are not unique; another identifier is needed, or "
                             "acknowledge_not_unique: true");
    }
}

Schema<TargetEntry> target_schema() {
    return Schema<TargetEntry>()
        .option({.name = "user_id", .help = "The service's own id of an account: exact.", .example = "u-1001"},
                &TargetEntry::user_id, identifier_type(IdentifierType::user_id, "1 to 2048 bytes"))
        .option({.name = "username",
                 .help = "A name chosen freely; `matching.username` says whether its case matters. Never unique: see "
                         "`acknowledge_not_unique`.",
                 .example = "alice"},
                &TargetEntry::username, identifier_type(IdentifierType::username, "1 to 2048 bytes"))
        .option({.name = "msisdn",
                 .help = "A telephone number in international form; or an alphanumeric sender, exact.",
                 .example = "\"447700900123\""},
                &TargetEntry::msisdn,
                identifier_type(
                    IdentifierType::msisdn,
                    "3 to 15 digits, the first not 0, with separators and +; or a name of at most 11 characters"))
        .option({.name = "e164", .help = "The same as `msisdn`, numbers only.", .example = "\"+44 7700 900123\""},
                &TargetEntry::e164,
                identifier_type(IdentifierType::e164, "3 to 15 digits, the first not 0, with separators and +"))
        .option({.name = "email",
                 .help = "`matching.email_local_part` says whether the case of the local part (before the @) matters; "
                         "a domain equals its A-labels.",
                 .example = "alice@example.com"},
                &TargetEntry::email, identifier_type(IdentifierType::email, "local-part@domain"))
        .option(
            {.name = "sip_uri",
             .help = "A number, with + or `user=phone`, is the `msisdn` of its digits; other URIs compare as RFC 3261 "
                     "section 19.1.4 says.",
             .example = "sip:alice@ims.example.com"},
            &TargetEntry::sip_uri, identifier_type(IdentifierType::sip_uri, "a SIP or SIPS URI"))
        .option(
            {.name = "tel_uri",
             .help = "A global number is the `msisdn` of its digits, whatever its parameters; a local one compares as "
                     "RFC 3966 section 4 says.",
             .example = "tel:+447700900123"},
            &TargetEntry::tel_uri,
            identifier_type(IdentifierType::tel_uri, "a tel URI, global or with a phone-context"))
        .option({.name = "im_uri",
                 .help = "An im URI (RFC 3860): compares as an email address does, and never equals one.",
                 .example = "im:alice@example.com"},
                &TargetEntry::im_uri, identifier_type(IdentifierType::im_uri, "an im URI"))
        .option({.name = "from",
                 .help = "The target counts from this time on; within the warrant's window.",
                 .example = "2026-02-01T00:00:00Z"},
                &TargetEntry::from, instant_type())
        .option({.name = "until",
                 .help = "The target counts up to, but not including, this time; within the warrant's window.",
                 .example = "2026-03-01T00:00:00Z"},
                &TargetEntry::until, instant_type())
        .option({.name = "observed_at",
                 .help = "When the identifier was seen to be the target's. Recorded, not used in matching.",
                 .example = "2025-12-20T10:00:00Z"},
                &TargetEntry::observed_at, instant_type())
        .check(check_target);
}

const Schema<WarrantFile>& file_schema() {
    static const Schema<WarrantFile> schema =
        Schema<WarrantFile>()
            .option(required({.name = "liid",
                              .help = "The LIID. Together with the destination it names the warrant: the same pair in "
                                      "two files is an error in both.",
                              .example = "LIID-0001"}),
                    &WarrantFile::liid, liid_type())
            .option(required({.name = "destination",
                              .help = "Name of the LEA's entry in `destinations`.",
                              .example = "lea-one"}),
                    &WarrantFile::destination, config::text_type(1, 64, "a name from `destinations`"))
            .option(required({.name = "valid_from",
                              .help = "The first moment of the warrant. An event counts by its own time, or by the "
                                      "time of its receipt if it has none.",
                              .example = "2026-01-01T00:00:00Z"}),
                    &WarrantFile::valid_from, instant_type())
            .option(required({.name = "valid_until",
                              .help = "The first moment after the warrant.",
                              .example = "2026-04-01T00:00:00Z"}),
                    &WarrantFile::valid_until, instant_type())
            .list({.name = "targets",
                   .help = "The identifiers under surveillance, one in each element. Needed where there is no `xid`."},
                  &WarrantFile::targets, 1, max_targets, target_schema())
            .option({.name = "xid",
                     .help = "X2/X3 tasks that feed this warrant: what `intake.x2x3` hears of them belongs to it, and "
                             "nothing else that comes in there. `targets` are for events that come in over HTTP; with "
                             "`xid` they may be left out.",
                     .example = "[29f28e1c-f230-486a-a860-f5a784ab9177]"},
                    &WarrantFile::xid, config::list_type(uuid_type(), 1, max_xids))
            .option({.name = "services",
                     .help = "Only events of these services count. Absent: all.",
                     .example = "[examplechat]"},
                    &WarrantFile::services, config::list_type(config::text_type(1, 255), 1, max_services))
            .option(required({.name = "deliver",
                              .help = "What is delivered of an event. `metadata`: parties, times, service, event type, "
                                      "conversation id and kind, status, device, network, number of attachments. "
                                      "`content`: text, titles, nicknames, parameters. `binary`: objects with their "
                                      "names and types; needs a destination with `binary`. `location`: location.",
                              .example = "[metadata, content]"}),
                    &WarrantFile::deliver, parts_type())
            .option({.name = "priority", .help = "Emergency warrants go first.", .example = "emergency"},
                    &WarrantFile::priority,
                    config::choice_type<Priority>({{"routine", Priority::routine}, {"emergency", Priority::emergency}}))
            .option({.name = "review",
                     .help = "How many people have to approve each item before it is sent: `required` one, `dual` two "
                             "different ones. What is held stays held by the rule it was made under.",
                     .example = "dual"},
                    &WarrantFile::review, review_type())
            .option({.name = "correlation",
                     .help = "Whether items of one conversation carry a common number.",
                     .example = "none"},
                    &WarrantFile::correlation,
                    config::choice_type<Correlation>(
                        {{"conversation", Correlation::conversation}, {"none", Correlation::none}}))
            .option(
                {.name = "reference", .help = "The warrant's number: recorded, never sent.", .example = "W-2026-117"},
                &WarrantFile::reference, config::text_type(1, 255))
            .option(
                {.name = "test",
                 .help = "A test intercept: every target has to be one of `csp.test_targets`. Delivered as any other, "
                         "and marked in listings and metrics.",
                 .example = "true"},
                &WarrantFile::test, config::boolean_type())
            .option({.name = "acknowledge_not_unique",
                     .help = "Needed if all targets are `username`s: names are not unique, so others' messages may be "
                             "delivered.",
                     .example = "true"},
                    &WarrantFile::acknowledge_not_unique, config::boolean_type())
            .check(check_file);
    return schema;
}

Warrant warrant_of(WarrantFile file) {
    Warrant warrant;
    warrant.liid = std::move(file.liid);
    warrant.destination = std::move(file.destination);
    warrant.valid_from = *file.valid_from;
    warrant.valid_until = *file.valid_until;
    warrant.targets.reserve(file.targets.size());
    for (TargetEntry& entry : file.targets) {
        for (const IdentifierMember& identifier : identifier_members) {
            if (std::optional<std::string>& value = entry.*identifier.member) {
                warrant.targets.push_back(
                    {identifier.type, std::move(*value), entry.from, entry.until, entry.observed_at});
            }
        }
    }
    warrant.xids = std::move(file.xid);
    warrant.services = std::move(file.services);
    for (const Part part : file.deliver) {
        switch (part) {
            case Part::metadata:
                warrant.deliver.metadata = true;
                break;
            case Part::content:
                warrant.deliver.content = true;
                break;
            case Part::binary:
                warrant.deliver.binary = true;
                break;
            case Part::location:
                warrant.deliver.location = true;
                break;
        }
    }
    warrant.priority = file.priority;
    warrant.review = file.review;
    warrant.correlation = file.correlation;
    warrant.reference = std::move(file.reference);
    warrant.test = file.test;
    warrant.acknowledge_not_unique = file.acknowledge_not_unique;
    return warrant;
}

Place place_of_binary(const YamlNode& root) {
    if (const YamlNode* const deliver = root.find("deliver")) {
        for (const YamlNode& part : deliver->items) {
            if (part.text == "binary") {
                return part.place;
            }
        }
    }
    return root.place_of("deliver");
}

constexpr std::string_view example = R"(liid: LIID-0001
destination: lea-one
valid_from: 2026-01-01T00:00:00Z
valid_until: 2026-04-01T00:00:00Z
targets:
  - user_id: u-1001
  - msisdn: "447700900123"
  - email: alice@example.com
  - sip_uri: sip:alice@ims.example.com
    observed_at: 2025-12-20T10:00:00Z
services: [examplechat]
deliver: [metadata, content]
priority: routine
reference: W-2026-117
)";

}  // namespace

ParsedFile parse_warrant_file(std::string_view text, const std::string& file) {
    ParsedFile parsed;
    WarrantFile contents;
    if (const std::optional<YamlNode> root = config::parse_yaml(text, file, parsed.problems)) {
        Reader reader(file, parsed.problems);
        file_schema().read(reader, *root, contents);
        parsed.liid = root->place_of("liid");
        parsed.destination = root->place_of("destination");
        if (const YamlNode* const destination = root->find("destination")) {
            parsed.destination = destination->place;
        }
        parsed.binary = place_of_binary(*root);
        parsed.targets = root->place_of("targets");
        parsed.destination_name = contents.destination;
        parsed.wants_binary = std::ranges::find(contents.deliver, Part::binary) != contents.deliver.end();
    }
    config::sort_by_place(parsed.problems);
    if (parsed.problems.empty()) {
        parsed.warrant = warrant_of(std::move(contents));
    }
    return parsed;
}

namespace {

/// A test intercept may target what is the CSP's own, and nobody else.
bool may_be_tested(const Target& target, const Destinations& destinations) {
    const model::KeyRules rules = destinations.matching.rules_of({});
    return std::ranges::any_of(destinations.test_targets, [&](const Target& ours) {
        return model::equivalent({target.type, target.value}, {ours.type, ours.value}, rules);
    });
}

bool tests_only_ours(const Warrant& warrant, const Destinations& destinations) {
    return std::ranges::all_of(warrant.targets,
                               [&](const Target& target) { return may_be_tested(target, destinations); });
}

}  // namespace

bool suits(const Warrant& warrant, const Destinations& destinations) {
    return destinations.names.contains(warrant.destination) &&
           (!warrant.deliver.binary || destinations.with_binary.contains(warrant.destination)) &&
           (!warrant.test || tests_only_ours(warrant, destinations));
}

void check_destination(const ParsedFile& parsed, const Warrant* warrant, const std::string& file,
                       const Destinations& destinations, config::Problems& problems) {
    if (parsed.destination_name.empty()) {
        return;  // reported already
    }
    if (!destinations.names.contains(parsed.destination_name)) {
        constexpr std::size_t few = 20;
        const std::string allowed = destinations.names.size() <= few
                                        ? config::alternatives({destinations.names.begin(), destinations.names.end()})
                                        : "a name from destinations";
        problems.push_back({file, parsed.destination.line, parsed.destination.column,
                            "destination: no such destination; allowed: " + (allowed.empty() ? "none" : allowed),
                            parsed.destination_name});
    } else if (parsed.wants_binary && !destinations.with_binary.contains(parsed.destination_name)) {
        problems.push_back({file,
                            parsed.binary.line,
                            parsed.binary.column,
                            "deliver: the destination takes no binary objects; allowed: metadata, content or location",
                            {}});
    }
    if (warrant != nullptr && warrant->test && !tests_only_ours(*warrant, destinations)) {
        problems.push_back({file,
                            parsed.targets.line,
                            parsed.targets.column,
                            "targets: a test intercept may only have targets that are listed in csp.test_targets",
                            {}});
    }
}

config::Problems read_warrant(std::string_view text, const std::string& file, const Destinations& destinations,
                              Warrant& out) {
    ParsedFile parsed = parse_warrant_file(text, file);
    config::Problems problems = std::move(parsed.problems);
    check_destination(parsed, parsed.warrant ? &*parsed.warrant : nullptr, file, destinations, problems);
    config::sort_by_place(problems);
    if (problems.empty()) {
        out = std::move(*parsed.warrant);
    }
    return problems;
}

std::string warrant_reference_markdown() {
    std::string text = R"(## Warrant files

Each `*.yaml` file in `warrants_dir` is one warrant. A reload examines all of them and reads those that changed. Each
stands alone: a bad file leaves its last good version in force, even across a restart, and raises an alarm. Other
files that do not begin with a dot are reported as skipped.

A warrant ends with its window, or when its file is removed. A file removed before the end of its warrant's window is
reported in the log and on record. If the directory is missing or contains no warrant file any more, or more than half
of at least four warrants in force disappear at once, nothing ends: they stay in force, with an alarm, until the files
are back or an operator confirms the end with `lihandoverctl reload --confirm-ended`. After the end of its window a
warrant still takes events that happened within it, for `late_events`, whether or not its file is still there.

Times are RFC 3339 with an offset. File names appear in logs, so they should not name anybody.

```yaml
)";
    text += example;
    text += "```\n\n";
    std::vector<config::OptionRow> rows;
    file_schema().describe({}, 0, rows);
    // A reload may change every key, so the tables say so for each.
    for (config::OptionRow& row : rows) {
        row.facts.reloadable = true;
    }
    return text + config::rows_markdown(rows, "###");
}

}  // namespace lihandover::warrants
