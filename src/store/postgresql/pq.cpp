#include "pq.hpp"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/numbered.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::store::postgresql {

namespace {

// pg_type.h, which clients are not given.
constexpr Oid type_bytea = 17;
constexpr Oid type_int8 = 20;
constexpr Oid type_text = 25;
constexpr Oid type_bytea_array = 1001;
constexpr Oid type_text_array = 1009;
constexpr Oid type_int8_array = 1016;

constexpr int binary = 1;
/// So often it is looked whether to give up.
constexpr std::chrono::milliseconds longest_wait{100};

void append_number(std::string& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) {
        out.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
    }
}

std::string number_bytes(std::int64_t value) {
    std::string out;
    append_number(out, static_cast<std::uint64_t>(value), 8);
    return out;
}

/// One dimension, as array_send() writes it. `append` adds an element with its length, −1 for NULL.
template <typename Range, typename Append>
std::string array_of(const Range& range, Oid type, bool nulls, const Append& append) {
    std::string out;
    append_number(out, range.empty() ? 0 : 1, 4);
    append_number(out, nulls ? 1 : 0, 4);
    append_number(out, type, 4);
    if (!range.empty()) {
        append_number(out, range.size(), 4);
        append_number(out, 1, 4);
    }
    for (const auto& element : range) {
        append(out, element);
    }
    return out;
}

void append_element(std::string& out, std::int64_t number) {
    append_number(out, 8, 4);
    append_number(out, static_cast<std::uint64_t>(number), 8);
}

void append_element(std::string& out, std::string_view bytes) {
    append_number(out, bytes.size(), 4);
    out += bytes;
}

template <typename T>
void append_element(std::string& out, const std::optional<T>& element) {
    if (element) {
        append_element(out, *element);
    } else {
        append_number(out, 0xffffffffU, 4);
    }
}

constexpr auto append = [](std::string& out, const auto& element) { append_element(out, element); };

Trouble trouble_of(std::string_view state) {
    const std::string_view type = state.substr(0, 2);
    if (state == "40001" || state == "40P01" || state == "55P03") {
        return Trouble::conflict;
    }
    if (type == "53") {
        return Trouble::full;
    }
    if (state == "57014") {
        return Trouble::slow;
    }
    // A standby, or a server that comes or goes, is one that cannot be written now.
    if (type == "08" || type == "57" || state == "25006") {
        return Trouble::unreachable;
    }
    if (type == "28" || state == "42501" || state == "3D000") {
        return Trouble::refused;
    }
    return type == "XX" || type == "22" || type == "23" ? Trouble::damaged : Trouble::failing;
}

/// Messages of these name what they are about and no values. So do those of class 42: a mistake in a statement.
bool is_free_of_values(Trouble trouble, std::string_view state) {
    return trouble == Trouble::unreachable || trouble == Trouble::slow || trouble == Trouble::full ||
           trouble == Trouble::refused || state.starts_with("42");
}

std::string trimmed(const char* text) {
    std::string_view view = text != nullptr ? text : "";
    while (view.ends_with('\n') || view.ends_with(' ')) {
        view.remove_suffix(1);
    }
    std::string out(view);
    std::ranges::replace(out, '\n', ' ');
    return out;
}

std::string_view field(const PGresult* result, int code) {
    const char* value = PQresultErrorField(result, code);
    return value != nullptr ? value : "";
}

void hear(void* warned, const PGresult* notice) {
    if (field(notice, PG_DIAG_SEVERITY_NONLOCALIZED) == "WARNING") {
        *static_cast<bool*>(warned) = true;
    }
}

}  // namespace

PgFailure::PgFailure(Trouble trouble, std::string text) : trouble_(trouble), text_(std::move(text)) {
    if (text_.empty()) {
        text_ = trouble == Trouble::damaged  ? "a row does not say what it should"
                : trouble == Trouble::fenced ? "another process has taken this node's place"
                                             : "the database does not answer";
    }
}

PgFailure PgFailure::of(const PGresult* result) {
    const std::string_view state = field(result, PG_DIAG_SQLSTATE);
    const Trouble trouble = trouble_of(state);
    std::string text = "SQLSTATE " + std::string(state);
    if (is_free_of_values(trouble, state)) {
        text += ": " + trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    }
    return PgFailure(trouble, std::move(text));
}

PgFailure PgFailure::of(PGconn* connection) {
    return PgFailure(Trouble::unreachable, trimmed(PQerrorMessage(connection)));
}

Parameters& Parameters::add(std::int64_t number) {
    values_.push_back({type_int8, number_bytes(number)});
    return *this;
}

Parameters& Parameters::add(std::optional<std::int64_t> number) {
    values_.push_back({type_int8, number ? std::optional(number_bytes(*number)) : std::nullopt});
    return *this;
}

Parameters& Parameters::add(std::string_view bytes) {
    values_.push_back({type_bytea, std::string(bytes)});
    return *this;
}

Parameters& Parameters::add(std::span<const std::uint8_t> bytes) {
    return add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Parameters& Parameters::add_optional(const std::optional<std::string>& bytes) {
    values_.push_back({type_bytea, bytes});
    return *this;
}

Parameters& Parameters::add_text(std::string_view text) {
    values_.push_back({type_text, std::string(text)});
    return *this;
}

Parameters& Parameters::add(std::span<const std::int64_t> numbers) {
    values_.push_back({type_int8_array, array_of(numbers, type_int8, false, append)});
    return *this;
}

Parameters& Parameters::add(std::span<const std::optional<std::int64_t>> numbers) {
    values_.push_back({type_int8_array, array_of(numbers, type_int8, true, append)});
    return *this;
}

Parameters& Parameters::add(std::span<const std::string> bytes) {
    values_.push_back({type_bytea_array, array_of(bytes, type_bytea, false, append)});
    return *this;
}

Parameters& Parameters::add(std::span<const std::optional<std::string>> bytes) {
    values_.push_back({type_bytea_array, array_of(bytes, type_bytea, true, append)});
    return *this;
}

Parameters& Parameters::add_texts(std::span<const std::string> texts) {
    values_.push_back({type_text_array, array_of(texts, type_text, false, append)});
    return *this;
}

std::int64_t Rows::affected() const {
    const char* text = result_ ? PQcmdTuples(result_.get()) : "";
    return std::strtoll(text, nullptr, 10);
}

std::string_view Rows::command() const {
    return result_ ? PQcmdStatus(result_.get()) : "";
}

bool Rows::is_null(int row, int column) const {
    if (row >= size() || column >= PQnfields(result_.get())) {
        throw PgFailure(Trouble::damaged);
    }
    return PQgetisnull(result_.get(), row, column) != 0;
}

std::int64_t Rows::integer(int row, int column) const {
    return optional_integer(row, column).value_or(0);
}

std::optional<std::int64_t> Rows::optional_integer(int row, int column) const {
    if (is_null(row, column)) {
        return std::nullopt;
    }
    if (PQgetlength(result_.get(), row, column) != 8) {
        throw PgFailure(Trouble::damaged);
    }
    const char* bytes = PQgetvalue(result_.get(), row, column);
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
        value = value << 8U | static_cast<unsigned char>(bytes[i]);
    }
    return static_cast<std::int64_t>(value);
}

bool Rows::boolean(int row, int column) const {
    if (is_null(row, column)) {
        return false;
    }
    if (PQgetlength(result_.get(), row, column) != 1) {
        throw PgFailure(Trouble::damaged);
    }
    return *PQgetvalue(result_.get(), row, column) != 0;
}

std::string_view Rows::bytes(int row, int column) const {
    if (is_null(row, column)) {
        return {};
    }
    return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Connection::Connection(const Settings& settings)
    : patience_(settings.patience), idle_(settings.idle_in_transaction), give_up_(settings.give_up) {
    if (give_up_ != nullptr && *give_up_) {
        throw PgFailure(Trouble::unreachable);
    }
    // What stands before the connection's own words is a default, and what stands behind them is not for it to say.
    // connect_timeout is for each of its hosts, and until the server has let us in.
    const std::array<std::pair<const char*, std::string>, 10> words = {{
        {"connect_timeout", "2"},
        {"keepalives_idle", "5"},
        {"keepalives_interval", "2"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "10000"},
        {"dbname", settings.connection},
        {"target_session_attrs", "read-write"},
        {"client_encoding", "UTF8"},
        {"fallback_application_name", "lihandoverd"},
        {nullptr, ""},
    }};
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : words) {
        names.push_back(name);
        values.push_back(name != nullptr ? value.c_str() : nullptr);
    }
    connection_.reset(PQconnectdbParams(names.data(), values.data(), 1));
    if (!connection_) {
        throw PgFailure(Trouble::unreachable);
    }
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        throw PgFailure::of(connection_.get());
    }
    PQsetNoticeReceiver(connection_.get(), hear, warned_.get());
    if (PQsetnonblocking(connection_.get(), 1) != 0) {
        throw PgFailure::of(connection_.get());
    }
    greet(settings);
    if (PQenterPipelineMode(connection_.get()) != 1) {
        throw PgFailure::of(connection_.get());
    }
}

void Connection::greet(const Settings& settings) {
    // A warning says that nobody waited for a standby, whatever the role wants to hear. The server stops working on
    // what nobody waits for any more. A transaction that its client has left behind holds locks: not for long.
    execute(std::string("SET synchronous_commit=") + (settings.replicated ? "on" : "local") +
            "; SET default_transaction_isolation='read committed'; SET client_min_messages=warning" +
            (settings.read_only ? "; SET default_transaction_read_only=on" : ""));
    set_patience(settings.patience);
}

void Connection::set_patience(std::chrono::milliseconds patience) {
    const auto limit = std::to_string(patience.count());
    execute("SET statement_timeout=" + limit +
            "; SET idle_in_transaction_session_timeout=" + std::to_string(std::min(idle_, patience).count()));
    patience_ = patience;
}

void Connection::lose() {
    PgFailure failure = PQstatus(connection_.get()) == CONNECTION_OK ? PgFailure(Trouble::unreachable)
                                                                     : PgFailure::of(connection_.get());
    connection_.reset();
    pending_.clear();
    throw std::move(failure);
}

void Connection::execute(const std::string& sql) {
    if (!connection_) {
        throw PgFailure(Trouble::unreachable);
    }
    LIHANDOVER_INVARIANT(pending_.empty(), "statements that were asked are waited for first");
    const bool piped = PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF;
    if (piped && PQexitPipelineMode(connection_.get()) != 1) {
        lose();
    }
    if (PQsendQuery(connection_.get(), sql.c_str()) != 1) {
        lose();
    }
    const auto until = std::chrono::steady_clock::now() + patience_;
    std::optional<PgFailure> first;
    while (true) {
        const std::unique_ptr<PGresult, decltype(&PQclear)> result(next_result(until), PQclear);
        if (!result) {
            break;
        }
        const ExecStatusType status = PQresultStatus(result.get());
        const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (!good && status != PGRES_FATAL_ERROR) {
            lose();
        }
        if (!good && !first) {
            first = PgFailure::of(result.get());
        }
    }
    if (PQstatus(connection_.get()) != CONNECTION_OK || (piped && PQenterPipelineMode(connection_.get()) != 1)) {
        lose();
    }
    if (first) {
        throw std::move(*first);
    }
}

Asked Connection::ask(std::string_view sql, const Parameters& parameters) {
    if (!connection_) {
        throw PgFailure(Trouble::unreachable);
    }
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const Parameters::Value& value : parameters.values_) {
        types.push_back(value.type);
        values.push_back(value.bytes ? value.bytes->data() : nullptr);
        lengths.push_back(value.bytes ? static_cast<int>(value.bytes->size()) : 0);
    }
    const auto count = static_cast<int>(types.size());
    const std::vector<int> formats(types.size(), binary);
    auto [found, added] = prepared_.try_emplace(std::string(sql));
    if (added) {
        found->second = "s" + std::to_string(next_name_++);
        if (PQsendPrepare(connection_.get(), found->second.c_str(), numbered(sql).c_str(), count, types.data()) != 1) {
            lose();
        }
        pending_.push_back({Kind::prepare, found->first, nullptr});
    }
    if (PQsendQueryPrepared(connection_.get(), found->second.c_str(), count, values.data(), lengths.data(),
                            formats.data(), binary) != 1) {
        lose();
    }
    Asked asked;
    asked.rows_ = std::make_shared<std::optional<Rows>>();
    pending_.push_back({Kind::statement, {}, asked.rows_});
    return asked;
}

Rows Connection::answer(Asked& asked) {
    LIHANDOVER_INVARIANT(asked.rows_ != nullptr, "an answer is to something that was asked");
    if (!asked.answered()) {
        flush();
    }
    if (!asked.answered()) {
        throw PgFailure(Trouble::failing, "a statement was not run, since one before it failed");
    }
    Rows rows = std::move(**asked.rows_);
    asked.rows_.reset();
    return rows;
}

void Connection::wait_for_input(std::chrono::steady_clock::time_point until) {
    while (true) {
        const int unsent = PQflush(connection_.get());
        if (unsent < 0) {
            lose();
        }
        if (unsent == 0 && PQisBusy(connection_.get()) == 0) {
            return;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0 || (give_up_ != nullptr && *give_up_)) {
            lose();
        }
        pollfd socket{PQsocket(connection_.get()), static_cast<short>(POLLIN | (unsent != 0 ? POLLOUT : 0)), 0};
        static_cast<void>(poll(&socket, 1, static_cast<int>(std::min(left, longest_wait).count())));
        if (PQconsumeInput(connection_.get()) != 1) {
            lose();
        }
    }
}

PGresult* Connection::next_result(std::chrono::steady_clock::time_point until) {
    wait_for_input(until);
    return PQgetResult(connection_.get());
}

void Connection::collect(std::chrono::steady_clock::time_point until, std::optional<PgFailure>& first) {
    for (Pending& pending : pending_) {
        std::unique_ptr<PGresult, decltype(&PQclear)> result(next_result(until), PQclear);
        if (!result) {
            lose();
        }
        const ExecStatusType status = PQresultStatus(result.get());
        const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (!good && pending.kind == Kind::prepare) {
            prepared_.erase(pending.sql);
        }
        if (status == PGRES_FATAL_ERROR && !first) {
            first = PgFailure::of(result.get());
        }
        if (good && pending.rows) {
            *pending.rows = Rows(result.release());
        }
        const std::unique_ptr<PGresult, decltype(&PQclear)> end(next_result(until), PQclear);
        if (end) {
            lose();
        }
    }
}

void Connection::flush() {
    if (!connection_) {
        throw PgFailure(Trouble::unreachable);
    }
    if (pending_.empty()) {
        return;
    }
    if (PQpipelineSync(connection_.get()) != 1) {
        lose();
    }
    const auto until = std::chrono::steady_clock::now() + patience_;
    std::optional<PgFailure> first;
    collect(until, first);
    pending_.clear();
    const std::unique_ptr<PGresult, decltype(&PQclear)> sync(next_result(until), PQclear);
    if (PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC || PQstatus(connection_.get()) != CONNECTION_OK) {
        lose();
    }
    if (first) {
        throw std::move(*first);
    }
}

}  // namespace lihandover::store::postgresql
