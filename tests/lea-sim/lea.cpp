#include "lea.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/crc.hpp>
#include <cstddef>
#include <exception>
#include <iterator>
#include <pugixml.hpp>

#include "lihandover/hi1/error_codes.hpp"
#include "lihandover/hi1/writer.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::lea_sim {

namespace {

constexpr std::size_t max_message = std::size_t{64} << 20;
constexpr std::size_t max_spare = 256;
constexpr std::size_t chunk = 65536;
constexpr std::chrono::milliseconds slow_step{100};
constexpr std::string_view xml_type = "application/xml";

// TS 103 120's own tools answer with these.
constexpr std::uint64_t unsupported_action = hi1::unsupported_feature;
constexpr std::uint64_t not_valid = hi1::improper_value;

/// The place of an item in its conversation (TS 103 707 5.3.2), as the texts in the document.
struct Correlation {
    std::string level;
    std::string sequence;
};

std::string_view local_name(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    const auto colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

/// Collects the correlation of every ActionRequest, in document order.
class CorrelationWalker final : public pugi::xml_tree_walker {
  public:
    explicit CorrelationWalker(std::vector<Correlation>& out) : out_(out) {}

    bool for_each(pugi::xml_node& node) override {
        const auto name = local_name(node);
        if (name == "ActionRequest") {
            out_.emplace_back();
        } else if (!out_.empty() && name == "applicationLevelID") {
            out_.back().level = node.child_value();
        } else if (!out_.empty() && name == "applicationSequenceNumber") {
            out_.back().sequence = node.child_value();
        }
        return true;
    }

  private:
    std::vector<Correlation>& out_;
};

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Text and then blanks up to a size; or text that ends before the size it declared.
class PaddedSource final : public http::BodySource {
  public:
    PaddedSource(std::string text, std::uint64_t promised, bool padded)
        : text_(std::move(text)), promised_(std::max<std::uint64_t>(promised, text_.size())), padded_(padded) {}

    [[nodiscard]] std::optional<std::uint64_t> size() const override { return promised_; }

    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override {
        const auto limit = padded_ ? promised_ : text_.size();
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), limit - given_));
        for (std::size_t i = 0; i < count; ++i) {
            buffer[i] = given_ < text_.size() ? text_[static_cast<std::size_t>(given_)] : ' ';
            ++given_;
        }
        co_return count;
    }

  private:
    std::string text_;
    std::uint64_t promised_;
    bool padded_;
    std::uint64_t given_ = 0;
};

bool is_message_kind(Kind kind) {
    switch (kind) {
        case Kind::error:
        case Kind::status:
        case Kind::drop:
        case Kind::wrong_transaction:
        case Kind::garbage:
        case Kind::truncated:
        case Kind::oversized:
        case Kind::stranger:
        case Kind::first_only:
        case Kind::foreign:
        case Kind::under_status:
        case Kind::gzip:
            return true;
        default:
            return false;
    }
}

/// Whether the message's actions are answered one by one, whatever else `rule` does.
bool answers_actions(const Rule* rule, Moment moment) {
    if (rule == nullptr) {
        return true;
    }
    switch (rule->kind) {
        case Kind::drop:
            return moment == Moment::answered;
        case Kind::under_status:
            return rule->status < 400;
        case Kind::first_only:
        case Kind::foreign:
        case Kind::gzip:
            return true;
        default:
            return false;
    }
}

/// Whether a drop is decided before the body is read.
bool is_early(const Rule& rule) {
    const bool unconditional = rule.liid.empty() && !rule.object && rule.contains.empty();
    return rule.kind == Kind::drop && (rule.moment == Moment::reading ||
                                       (rule.moment == Moment::any && (unconditional || rule.on == Scope::uploads)));
}

void count(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) {
    counter.fetch_add(more, std::memory_order_relaxed);
}

http::Response status_response(const Rule& rule) {
    http::Response response;
    response.status = rule.status;
    response.content_type = "text/plain";
    response.body = "the test LEA was told to say so\n";
    if (rule.retry_after) {
        response.fields.emplace_back("Retry-After", std::to_string(*rule.retry_after));
    }
    if (!rule.location.empty()) {
        response.fields.emplace_back("Location", rule.location);
    }
    return response;
}

/// gzip (RFC 1952) of stored blocks (RFC 1951 3.2.4): nothing is compressed, and every reader takes it.
std::string gzipped(std::string_view text) {
    std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    const auto put = [&out](std::uint64_t value, int bytes) {
        for (int at = 0; at < bytes; ++at) {
            out += static_cast<char>(value >> (8 * at) & 0xFF);
        }
    };
    boost::crc_32_type sum;
    sum.process_bytes(text.data(), text.size());
    const auto size = text.size();
    do {
        const auto block = text.substr(0, 0xFFFF);
        text.remove_prefix(block.size());
        put(text.empty() ? 1 : 0, 1);
        put(block.size(), 2);
        put(~block.size(), 2);
        out += block;
    } while (!text.empty());
    put(sum.checksum(), 4);
    put(size, 4);
    return out;
}

void replace(std::string& text, std::string_view what, std::string_view by) {
    if (const auto at = text.find(what); at != std::string::npos) {
        text.replace(at, what.size(), by);
    }
}

/// Says the same, with what the schema leaves open and with what it does not have.
std::string in_foreign_words(std::string text) {
    replace(text, "<ActionResponse>", "<ActionResponse><Note xmlns=\"urn:example:lea\">hello</Note>");
    replace(text, "</ActionResponse>", "<Remark>as you wished</Remark></ActionResponse>");
    replace(text, "</HI1Message>", "<Signature><Value>none</Value></Signature></HI1Message>");
    return text;
}

std::string now_text() {
    return model::to_microsecond_date_time(model::system_clock().wall());
}

}  // namespace

/// One action, as far as a test LEA reads it.
struct Taken {
    bool deliver = false;        ///< a DELIVER with a readable Identifier; else an action this LEA does not know
    bool object_matches = true;  ///< its object has the same identifier, or nobody checked
    model::Uuid identifier;
    std::string liid;  ///< empty if nobody looked

    [[nodiscard]] bool good() const { return deliver && object_matches; }
};

/// One request on its way through.
struct Lea::Delivery {
    std::shared_ptr<const Behaviour> behaviour;
    std::string body;
    hi1::Request request;
    std::vector<Taken> taken;  ///< by action of `request`
    std::uint64_t connection = 0;
    bool readable = false;
    std::string invalid;  ///< why the schemas do not allow it; empty: they do, or nobody checked
    bool validated = false;
    std::vector<Correlation> correlations;
    std::vector<Behaviour::Subject> subjects;
    std::string file;

    const Rule* rule = nullptr;         ///< what happens to the whole message, if anything does
    Moment moment = Moment::answering;  ///< when `rule` is a drop
    std::vector<hi1::ActionAnswer> answers;
    std::vector<const Rule*> action_rules;  ///< by action: why it is not accepted; nullptr: no rule said so

    void reset() {
        behaviour.reset();
        body.clear();
        taken.clear();
        readable = false;
        invalid.clear();
        validated = false;
        correlations.clear();
        subjects.clear();
        file.clear();
        rule = nullptr;
        moment = Moment::answering;
        answers.clear();
        action_rules.clear();
    }
};

Lea::Lea(boost::asio::any_io_executor executor, Shared& shared, std::uint64_t seed)
    : executor_(std::move(executor)), shared_(shared), random_(seed) {}

Lea::~Lea() = default;

void Lea::release() {
    for (auto& timer : timers_) {
        timer.cancel();
    }
}

void Lea::hurry() {
    hurried_ = true;
    release();
}

boost::asio::awaitable<void> Lea::wait(std::chrono::milliseconds time) {
    if (hurried_ || time.count() <= 0) {
        co_return;
    }
    const auto timer = timers_.emplace(timers_.end(), executor_, time);
    boost::system::error_code ignored;
    std::exception_ptr interrupted;
    try {
        co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    } catch (...) {
        interrupted = std::current_exception();
    }
    timers_.erase(timer);
    if (interrupted) {
        std::rethrow_exception(interrupted);
    }
}

std::uint64_t Lea::connection_of(const Behaviour& behaviour, const http::Exchange& exchange) {
    static constexpr std::size_t most = 100'000;
    if (!behaviour.needs_nodes()) {
        return 0;
    }
    if (connections_.size() >= most) {
        connections_.clear();
    }
    const auto [found, fresh] = connections_.try_emplace(exchange.peer().address, next_connection_);
    next_connection_ += fresh ? 1 : 0;
    return found->second;
}

const Rule* Lea::first(const Behaviour& behaviour, Kind kind, Subjects subjects) {
    for (std::size_t i = 0; i < behaviour.size(); ++i) {
        if (behaviour.rule(i).kind != kind) {
            continue;
        }
        if (const auto* rule = behaviour.apply(i, subjects, random_)) {
            return rule;
        }
    }
    return nullptr;
}

const Rule* Lea::first_drop(const Behaviour& behaviour, Subjects subjects, Moment& moment) {
    for (std::size_t i = 0; i < behaviour.size(); ++i) {
        if (!is_early(behaviour.rule(i))) {
            continue;
        }
        const auto* rule = behaviour.apply(i, subjects, random_);
        if (rule == nullptr) {
            continue;
        }
        moment = rule->moment == Moment::any ? static_cast<Moment>(std::uniform_int_distribution<int>(0, 2)(random_))
                                             : rule->moment;
        return rule;
    }
    return nullptr;
}

std::chrono::milliseconds Lea::delay_for(const Behaviour& behaviour, Subjects subjects) {
    std::chrono::milliseconds sum{0};
    for (std::size_t i = 0; i < behaviour.size(); ++i) {
        if (behaviour.rule(i).kind != Kind::delay) {
            continue;
        }
        const auto* rule = behaviour.apply(i, subjects, random_);
        if (rule == nullptr) {
            continue;
        }
        sum += rule->delay;
        using Count = std::chrono::milliseconds::rep;
        sum += std::chrono::milliseconds(std::uniform_int_distribution<Count>(0, rule->jitter.count())(random_));
    }
    return sum;
}

boost::asio::awaitable<void> Lea::handle(http::Exchange& exchange) {
    const auto path = exchange.path();
    if (exchange.method() != "POST") {
        http::Response response;
        response.status = 405;
        response.fields.emplace_back("Allow", "POST");
        (void)co_await exchange.respond(std::move(response));
        co_return;
    }
    if (path.starts_with(shared_.upload_prefix)) {
        auto name = path.substr(shared_.upload_prefix.size());
        if (name.ends_with('/')) {
            name.remove_suffix(1);
        }
        co_await take_upload(exchange, name);
        co_return;
    }
    std::unique_ptr<Delivery> delivery;
    if (spare_.empty()) {
        delivery = std::make_unique<Delivery>();
    } else {
        delivery = std::move(spare_.back());
        spare_.pop_back();
    }
    delivery->behaviour = shared_.behaviour();
    co_await take_delivery(exchange, *delivery);
    if (spare_.size() < max_spare && delivery->body.capacity() <= chunk) {
        delivery->reset();
        spare_.push_back(std::move(delivery));
    }
}

boost::asio::awaitable<bool> Lea::read_delivery(http::Exchange& exchange, const Rule* slow, std::string& body) {
    if (slow == nullptr) {
        const auto read = co_await exchange.read_body(body, max_message);
        co_return read.has_value();
    }
    const auto step = static_cast<std::size_t>(std::clamp<std::uint64_t>(slow->rate / 10, 1, chunk));
    for (;;) {
        const auto before = body.size();
        body.resize(before + step);
        const auto read = co_await exchange.read_some(std::span(body).subspan(before));
        body.resize(before + (read ? *read : 0));
        if (!read || body.size() > max_message) {
            co_return false;
        }
        if (*read == 0) {
            co_return true;
        }
        co_await wait(slow_step);
    }
}

boost::asio::awaitable<void> Lea::take_delivery(http::Exchange& exchange, Delivery& delivery) {
    const auto& behaviour = *delivery.behaviour;
    delivery.connection = connection_of(behaviour, exchange);
    Behaviour::Subject not_read;
    not_read.connection = delivery.connection;
    const std::array<Behaviour::Subject, 1> unread = {not_read};
    const Rule* slow = nullptr;
    if (!behaviour.empty()) {
        delivery.rule = first_drop(behaviour, unread, delivery.moment);
        if (delivery.rule != nullptr && delivery.moment == Moment::reading) {
            count(shared_.totals.failed);
            if (!shared_.quiet) {
                shared_.reporter.write(Line("delivery")
                                           .text("time", now_text())
                                           .text("path", exchange.path())
                                           .text("outcome", "dropped")
                                           .text("moment", "reading")
                                           .finished());
            }
            exchange.abort();
            co_return;
        }
        slow = first(behaviour, Kind::slow_read, unread);
        if (first(behaviour, Kind::withhold_continue, unread) != nullptr) {
            exchange.withhold_continue();
        }
    }
    if (!co_await read_delivery(exchange, slow, delivery.body)) {
        http::Response response;
        response.status = 400;
        (void)co_await exchange.respond(std::move(response));
        co_return;
    }
    count(shared_.totals.messages);
    count(shared_.totals.bytes, delivery.body.size());
    understand(delivery);
    keep(delivery);
    if (!delivery.readable) {
        count(shared_.totals.unreadable);
        report(delivery, exchange);
        http::Response response;
        response.status = 400;
        response.content_type = "text/plain";
        response.body = "no HI1 request\n";
        (void)co_await exchange.respond(std::move(response));
        co_return;
    }
    decide(delivery);
    if (!behaviour.empty()) {
        co_await wait(delay_for(behaviour, delivery.subjects));
    }
    report(delivery, exchange);
    co_await answer(exchange, delivery);
}

void Lea::understand(Delivery& delivery) {
    // The cheap way is enough if nothing but the ids is needed.
    const bool fast = shared_.quiet && !shared_.archive && !shared_.validator && !delivery.behaviour->needs_liids();
    delivery.readable = fast && hi1::scan_request(delivery.body, delivery.request).has_value();
    if (delivery.readable) {
        for (const auto& action : delivery.request.actions) {
            delivery.taken.push_back(
                {action.verb == hi1::Verb::deliver, true, action.identifier.value_or(model::Uuid{}), {}});
        }
        return;
    }
    auto request = hi1::read_request(delivery.body, max_message);
    if (!request) {
        return;
    }
    delivery.readable = true;
    delivery.request = std::move(*request);
    for (const auto& action : delivery.request.actions) {
        delivery.taken.push_back({action.verb == hi1::Verb::deliver && action.identifier.has_value(),
                                  action.object.child("ObjectIdentifier").uuid() == action.identifier,
                                  action.identifier.value_or(model::Uuid{}), hi1::liid_of(action.object)});
    }
    if (shared_.validator) {
        const auto valid = shared_.validator->validate(delivery.body);
        delivery.validated = true;
        if (!valid) {
            delivery.invalid = valid.error().message;
            count(shared_.totals.invalid);
        }
    }
    if (!shared_.quiet) {
        pugi::xml_document document;
        if (document.load_buffer(delivery.body.data(), delivery.body.size())) {
            CorrelationWalker walker(delivery.correlations);
            document.traverse(walker);
        }
    }
}

void Lea::keep(Delivery& delivery) {
    if (!shared_.archive) {
        return;
    }
    const auto stored = delivery.readable ? shared_.archive->store_message(delivery.request.header.transaction,
                                                                           delivery.body, delivery.file)
                                          : shared_.archive->store_unreadable(delivery.body, delivery.file);
    if (!stored) {
        delivery.file.clear();
        shared_.reporter.write(Line("problem").text("reason", stored.error().message).finished());
    }
}

void Lea::decide(Delivery& delivery) {
    const auto& behaviour = *delivery.behaviour;
    const auto& actions = delivery.request.actions;
    const bool rules = !behaviour.empty();
    if (rules) {
        for (const auto& action : delivery.taken) {
            delivery.subjects.push_back(
                {Scope::deliveries, action.liid, &action.identifier, delivery.body, delivery.connection});
        }
        for (std::size_t i = 0; i < behaviour.size() && delivery.rule == nullptr; ++i) {
            if (!is_message_kind(behaviour.rule(i).kind) || is_early(behaviour.rule(i))) {
                continue;
            }
            delivery.rule = behaviour.apply(i, delivery.subjects, random_);
            if (delivery.rule == nullptr || delivery.rule->kind != Kind::drop) {
                continue;
            }
            delivery.moment = delivery.rule->moment == Moment::any
                                  ? static_cast<Moment>(std::uniform_int_distribution<int>(1, 2)(random_))
                                  : delivery.rule->moment;
        }
    }
    delivery.action_rules.resize(actions.size(), nullptr);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        const auto& action = delivery.taken[i];
        hi1::ActionAnswer answer;
        answer.action = actions[i].action;
        answer.identifier = action.identifier;
        answer.kind = hi1::ActionAnswer::Kind::accepted;
        unsigned times = 1;
        if (!action.good()) {
            answer.kind = hi1::ActionAnswer::Kind::refused;
            answer.error = action.deliver ? hi1::ErrorInformation{not_valid, "ObjectIdentifier and Identifier differ"}
                                          : hi1::ErrorInformation{unsupported_action, "only DELIVER is known here"};
        } else if (rules) {
            const auto subject = Subjects(delivery.subjects).subspan(i, 1);
            const auto* const rule = own_rule(delivery, i, subject);
            delivery.action_rules[i] = rule;
            if (rule != nullptr && (rule->kind == Kind::refuse || rule->kind == Kind::exists)) {
                answer.kind = hi1::ActionAnswer::Kind::refused;
                answer.error = {rule->kind == Kind::exists ? hi1::object_already_exists : rule->code,
                                rule->description};
            } else if (rule != nullptr) {
                times = rule->kind == Kind::twice ? 2 : 0;
            }
        }
        for (; times > 0; --times) {
            delivery.answers.push_back(answer);
        }
    }
    count(shared_.totals.actions, actions.size());
    if (!answers_actions(delivery.rule, delivery.moment)) {
        count(shared_.totals.failed);
        return;
    }
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (!delivery.taken[i].good() ||
            (delivery.action_rules[i] != nullptr &&
             (delivery.action_rules[i]->kind == Kind::refuse || delivery.action_rules[i]->kind == Kind::exists))) {
            count(shared_.totals.refused);
        } else if (delivery.action_rules[i] == nullptr) {
            count(shared_.totals.accepted);
        }
    }
}

const Rule* Lea::own_rule(const Delivery& delivery, std::size_t action, Subjects subject) {
    const auto& behaviour = *delivery.behaviour;
    bool asks = false;
    for (std::size_t i = 0; i < behaviour.size(); ++i) {
        asks = asks || behaviour.rule(i).kind == Kind::exists;
    }
    const bool stored = answers_actions(delivery.rule, delivery.moment) || delivery.rule->kind == Kind::drop;
    if (asks && stored && !accepted_.insert(delivery.taken[action].identifier).second) {
        if (const auto* rule = first(behaviour, Kind::exists, subject)) {
            return rule;
        }
    }
    for (const Kind kind : {Kind::refuse, Kind::unanswered, Kind::twice}) {
        if (const auto* rule = first(behaviour, kind, subject)) {
            return rule;
        }
    }
    if (action > 0 && delivery.rule != nullptr && delivery.rule->kind == Kind::first_only) {
        return delivery.rule;
    }
    return nullptr;
}

namespace {

/// How the message's outcome is reported for each of its actions, if they are not answered.
void tell_misbehaviour(Line& line, const Rule& rule) {
    line.text("outcome", rule.kind == Kind::drop ? "dropped" : name_of(rule.kind));
    if (rule.kind == Kind::status || rule.kind == Kind::under_status) {
        line.number("status", rule.status);
    }
    if (rule.kind == Kind::error || rule.kind == Kind::stranger || rule.kind == Kind::under_status) {
        line.number("code", rule.code);
    }
}

/// How an action is answered: on its merits, unless `own` says otherwise.
void tell_answer(Line& line, const Taken& action, const Rule* own) {
    if (!action.good()) {
        line.text("outcome", "refused").number("code", action.deliver ? not_valid : unsupported_action);
    } else if (own == nullptr) {
        line.text("outcome", "accepted");
    } else if (own->kind == Kind::refuse) {
        line.text("outcome", "refused").number("code", own->code);
    } else if (own->kind == Kind::exists) {
        line.text("outcome", "refused").number("code", hi1::object_already_exists);
    } else if (own->kind == Kind::first_only) {
        line.text("outcome", name_of(Kind::unanswered));
    } else {
        line.text("outcome", name_of(own->kind));
    }
}

}  // namespace

void Lea::report(const Delivery& delivery, const http::Exchange& exchange) {
    if (shared_.quiet) {
        return;
    }
    std::string lines;
    const auto time = now_text();
    const auto head = [&] {
        Line line("delivery");
        line.text("time", time);
        return line;
    };
    const auto tail = [&](Line& line) {
        line.text("path", exchange.path()).number("size", delivery.body.size());
        if (!delivery.file.empty()) {
            line.text("file", delivery.file);
        }
        if (exchange.peer().certificate) {
            line.text("client", exchange.peer().certificate->subject);
        }
        if (delivery.validated) {
            line.boolean("valid", delivery.invalid.empty());
        }
        if (!delivery.invalid.empty()) {
            line.text("invalid", delivery.invalid);
        }
    };
    if (!delivery.readable) {
        auto line = head();
        line.text("outcome", "unreadable");
        tail(line);
        shared_.reporter.write(line.finished());
        return;
    }
    const auto* rule = delivery.rule;
    const bool answered = answers_actions(rule, delivery.moment);
    for (std::size_t i = 0; i < delivery.taken.size(); ++i) {
        const auto& action = delivery.taken[i];
        auto line = head();
        line.text("transaction", delivery.request.header.transaction.to_string())
            .number("action", delivery.request.actions[i].action)
            .text("object", action.identifier.to_string())
            .text("liid", action.liid);
        if (i < delivery.correlations.size() && is_number(delivery.correlations[i].level) &&
            is_number(delivery.correlations[i].sequence)) {
            line.raw("level", delivery.correlations[i].level).raw("sequence", delivery.correlations[i].sequence);
        }
        if (answered) {
            tell_answer(line, action, delivery.action_rules[i]);
        } else {
            tell_misbehaviour(line, *rule);
        }
        if (answered && rule != nullptr && rule->kind == Kind::drop) {
            line.text("then", "dropped");
        }
        tail(line);
        auto text = line.finished();
        if (shared_.archive) {
            const auto indexed = shared_.archive->add_to_index(action.identifier, text);
            if (!indexed) {
                lines += Line("problem").text("reason", indexed.error().message).finished();
            }
        }
        lines += text;
    }
    shared_.reporter.write(lines);
}

std::string Lea::garbage() {
    switch (std::uniform_int_distribution<int>(0, 4)(random_)) {
        case 0:
            return {};
        case 1:
            return "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>\n";
        case 2:
            return "<HI1Message><Header>";
        case 3:
            return "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"&b;&b;&b;\"><!ENTITY b \"ha\">]><x>&a;</x>";
        default: {
            std::string noise(512, '\0');
            for (auto& byte : noise) {
                byte = static_cast<char>(std::uniform_int_distribution<int>(0, 255)(random_));
            }
            return noise;
        }
    }
}

std::string Lea::write_answer(const Delivery& delivery) const {
    std::string out;
    out.reserve(1024 + delivery.answers.size() * 320);
    const auto now = model::system_clock().wall();
    const auto* const rule = delivery.rule;
    const auto kind = rule != nullptr ? rule->kind : Kind::delay;
    hi1::Header header = delivery.request.header;
    if (kind == Kind::wrong_transaction || kind == Kind::stranger) {
        header.transaction = model::Uuid::random();
    }
    if (kind == Kind::stranger) {
        header.receiver = {"ZZ", "UNKNOWN"};  // the response's sender
    }
    if (kind == Kind::foreign) {
        std::swap(header.sender, header.receiver);  // and so neither is, in the response
    }
    if (kind == Kind::error || kind == Kind::stranger || (kind == Kind::under_status && rule->status >= 400)) {
        hi1::append_error_response(out, header, now, {rule->code, rule->description});
    } else {
        hi1::append_response(out, header, now, delivery.answers);
    }
    if (kind == Kind::foreign) {
        return in_foreign_words(std::move(out));
    }
    return kind == Kind::gzip ? gzipped(out) : out;
}

boost::asio::awaitable<void> Lea::answer(http::Exchange& exchange, const Delivery& delivery) {
    const auto* rule = delivery.rule;
    const auto kind = rule != nullptr ? rule->kind : Kind::delay;
    if (kind == Kind::drop && delivery.moment == Moment::answering) {
        exchange.abort();
        co_return;
    }
    if (kind == Kind::status) {
        (void)co_await exchange.respond(status_response(*rule));
        co_return;
    }
    http::Response response;
    response.content_type = xml_type;
    if (kind == Kind::truncated) {
        auto text = write_answer(delivery);
        const auto promised = text.size();
        text.resize(promised / 2);
        PaddedSource source(std::move(text), promised, false);
        (void)co_await exchange.respond(std::move(response), source);
        co_return;
    }
    if (kind == Kind::oversized) {
        PaddedSource source(write_answer(delivery), rule->size, true);
        (void)co_await exchange.respond(std::move(response), source);
        co_return;
    }
    if (kind == Kind::under_status) {
        response.status = rule->status;
    } else if (kind == Kind::foreign) {
        response.content_type = "text/xml; charset=utf-8";
    } else if (kind == Kind::gzip) {
        response.fields.emplace_back("Content-Encoding", "gzip");
    }
    response.body = kind == Kind::garbage ? garbage() : write_answer(delivery);
    (void)co_await exchange.respond(std::move(response));
    if (kind == Kind::drop) {
        exchange.abort();
    }
}

boost::asio::awaitable<bool> Lea::read_upload(http::Exchange& exchange, const Rule* slow, IncomingFile* file,
                                              std::uint64_t& bytes) {
    const auto step = slow != nullptr ? std::clamp<std::uint64_t>(slow->rate / 10, 1, chunk) : chunk;
    std::vector<char> buffer(static_cast<std::size_t>(step));
    for (;;) {
        const auto read = co_await exchange.read_some(buffer);
        if (!read) {
            co_return false;
        }
        if (*read == 0) {
            co_return true;
        }
        bytes += *read;
        if (file != nullptr) {
            const auto written = file->write({buffer.data(), *read});
            if (!written) {
                shared_.reporter.write(Line("problem").text("reason", written.error().message).finished());
                co_return false;
            }
        }
        if (slow != nullptr) {
            co_await wait(slow_step);
        }
    }
}

namespace {

Line begun_line(const http::Exchange& exchange, const model::Uuid& object) {
    Line line("object");
    line.text("object", object.to_string()).text("path", exchange.path());
    line.text("content_type", exchange.header("Content-Type").value_or(std::string_view{}));
    line.boolean("expected_continue", exchange.expects_continue());
    if (const auto length = exchange.content_length()) {
        line.number("content_length", *length);
    }
    if (exchange.peer().certificate) {
        line.text("client", exchange.peer().certificate->subject);
    }
    return line;
}

}  // namespace

/// What is done to the whole upload; `moment` is when, for a drop.
const Rule* Lea::upload_rule(const Behaviour& behaviour, Subjects subjects, Moment& moment) {
    const auto* rule = first_drop(behaviour, subjects, moment);
    for (std::size_t i = 0; i < behaviour.size() && rule == nullptr; ++i) {
        const auto& candidate = behaviour.rule(i);
        if (!is_message_kind(candidate.kind) || is_early(candidate)) {
            continue;
        }
        rule = behaviour.apply(i, subjects, random_);
        if (rule != nullptr) {
            moment = rule->moment;
        }
    }
    return rule;
}

/// Reads the object, and keeps it if there is an archive. Returns whether it came complete.
boost::asio::awaitable<bool> Lea::store_upload(http::Exchange& exchange, const Rule* slow, const model::Uuid& object,
                                               Line& line, std::uint64_t& bytes) {
    std::optional<IncomingFile> file;
    if (shared_.archive) {
        auto begun = shared_.archive->begin_object();
        if (begun) {
            file.emplace(std::move(*begun));
        }
    }
    if (!co_await read_upload(exchange, slow, file ? &*file : nullptr, bytes)) {
        co_return false;
    }
    std::string stored_as;
    if (file && !file->finish(object.to_string(), "", stored_as)) {
        co_return false;
    }
    count(shared_.totals.objects);
    count(shared_.totals.object_bytes, bytes);
    if (!stored_as.empty()) {
        line.text("file", "objects/" + stored_as);
    }
    co_return true;
}

boost::asio::awaitable<void> Lea::take_upload(http::Exchange& exchange, std::string_view name) {
    const auto object = model::Uuid::parse(name);
    if (!object) {
        http::Response response;
        response.status = 404;
        (void)co_await exchange.respond(std::move(response));
        co_return;
    }
    const auto behaviour = shared_.behaviour();
    std::string words(exchange.path());
    words.append(" ").append(exchange.header("Content-Type").value_or(std::string_view{}));
    const std::array<Behaviour::Subject, 1> subjects = {
        Behaviour::Subject{Scope::uploads, {}, &*object, words, connection_of(*behaviour, exchange)}};
    Line line = begun_line(exchange, *object);

    auto moment = Moment::answering;
    const auto* rule = upload_rule(*behaviour, subjects, moment);
    const bool early = rule != nullptr && (rule->kind == Kind::status || moment == Moment::reading);
    const auto* slow = first(*behaviour, Kind::slow_read, subjects);
    if (first(*behaviour, Kind::withhold_continue, subjects) != nullptr) {
        exchange.withhold_continue();
        line.boolean("continue_withheld", true);
    }

    std::uint64_t bytes = 0;
    const bool whole = !early && co_await store_upload(exchange, slow, *object, line, bytes);
    co_await wait(delay_for(*behaviour, subjects));
    const bool dropped = rule != nullptr && rule->kind == Kind::drop && moment != Moment::answered;
    const bool refused = rule != nullptr && rule->kind != Kind::drop;
    line.number("size", bytes).text("time", now_text());
    line.text("outcome", dropped ? "dropped" : refused ? name_of(rule->kind) : whole ? "stored" : "unfinished");
    if (refused) {
        line.number("status", rule->status);
    }
    if (rule != nullptr) {
        count(shared_.totals.failed);
    }
    const auto text = line.finished();
    if (shared_.archive) {
        (void)shared_.archive->add_to_index(*object, text).has_value();
    }
    if (!shared_.quiet) {
        shared_.reporter.write(text);
    }
    if (dropped || (!whole && !early)) {
        exchange.abort();
        co_return;
    }
    http::Response response;
    if (refused) {
        response = status_response(*rule);
    }
    (void)co_await exchange.respond(std::move(response));
    if (rule != nullptr && rule->kind == Kind::drop) {
        exchange.abort();
    }
}

}  // namespace lihandover::lea_sim
