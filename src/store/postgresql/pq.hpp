#pragma once

#include <libpq-fe.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lihandover::store::postgresql {

/// What kind of failure it is, as far as anybody can do something about it.
enum class Trouble : std::uint8_t {
    unreachable,   ///< no server that can be written answers, or it did not answer in time
    conflict,      ///< another transaction was in the way: the same again works
    slow,          ///< a statement was cancelled: it took too long, or somebody cancelled it
    full,          ///< the database has no room: disk, memory, connections
    unreplicated,  ///< commits would not wait for a standby, and have to
    refused,       ///< the role may not do that, or is not let in
    fenced,        ///< another process has taken this node's place
    moved,         ///< another daemon has taken lanes of this one, whose lease was over
    outdated,      ///< events were matched with an older state of the warrants than counts
    replaced,      ///< another state than the one that was there: what is in memory is not of it
    damaged,       ///< what is stored does not say what it should
    failing,       ///< anything else
};

/// A statement, a commit or a connection failed. Its text has no values of rows.
class PgFailure : public std::exception {
  public:
    explicit PgFailure(Trouble trouble, std::string text = {});
    /// Of a result that is an error, or of a connection that is none.
    [[nodiscard]] static PgFailure of(const PGresult* result);
    [[nodiscard]] static PgFailure of(PGconn* connection);

    [[nodiscard]] Trouble trouble() const { return trouble_; }
    /// Whether this process can do nothing any more: another start can.
    [[nodiscard]] bool is_final() const { return trouble_ == Trouble::fenced || trouble_ == Trouble::replaced; }
    /// Whether the connection may go on being used.
    [[nodiscard]] bool leaves_connection() const {
        return trouble_ == Trouble::conflict || trouble_ == Trouble::full || trouble_ == Trouble::refused;
    }
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

  private:
    Trouble trouble_;
    std::string text_;
};

/// What goes with a statement, in the binary format.
class Parameters {
  public:
    Parameters() = default;
    Parameters& add(std::int64_t number);
    Parameters& add(bool value) = delete;
    Parameters& add(std::optional<std::int64_t> number);
    /// As bytea.
    Parameters& add(std::string_view bytes);
    Parameters& add(std::span<const std::uint8_t> bytes);
    Parameters& add_optional(const std::optional<std::string>& bytes);
    Parameters& add_text(std::string_view text);
    /// Arrays, for unnest() and ANY().
    Parameters& add(std::span<const std::int64_t> numbers);
    Parameters& add(std::span<const std::optional<std::int64_t>> numbers);
    Parameters& add(std::span<const std::string> bytes);
    Parameters& add(std::span<const std::optional<std::string>> bytes);
    Parameters& add_texts(std::span<const std::string> texts);

  private:
    friend class Connection;
    struct Value {
        Oid type = 0;
        std::optional<std::string> bytes;
    };
    std::vector<Value> values_;
};

/// The rows that a statement gave. Empty where it has none.
class Rows {
  public:
    Rows() = default;
    explicit Rows(PGresult* result) : result_(result) {}

    [[nodiscard]] int size() const { return result_ ? PQntuples(result_.get()) : 0; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    /// How many the statement changed.
    [[nodiscard]] std::int64_t affected() const;
    [[nodiscard]] std::string_view command() const;

    // A value of a row. Throws PgFailure where it is of another kind; an integer or text that is NULL is 0 or empty.
    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] std::int64_t integer(int row, int column) const;
    [[nodiscard]] std::optional<std::int64_t> optional_integer(int row, int column) const;
    [[nodiscard]] bool boolean(int row, int column) const;
    /// Of text or bytea; as long as the rows live.
    [[nodiscard]] std::string_view bytes(int row, int column) const;

  private:
    struct Free {
        void operator()(PGresult* result) const { PQclear(result); }
    };
    std::unique_ptr<PGresult, Free> result_;
};

/// A statement that was sent, or will be with others.
class Asked {
  public:
    Asked() = default;
    [[nodiscard]] bool answered() const { return rows_ && rows_->has_value(); }

  private:
    friend class Connection;
    std::shared_ptr<std::optional<Rows>> rows_;
};

/// A connection to the database, in pipeline mode: statements are sent together, and their answers are waited for where
/// one of them is wanted. Each is prepared once. SQL says stored numbers by name (numbered.hpp). Not thread-safe;
/// throws PgFailure.
///
/// An error of one statement is thrown by whatever waits next; none of those behind it was run then.
class Connection {
  public:
    struct Settings {
        std::string connection;   ///< as libpq has it
        bool replicated = false;  ///< a commit waits for the synchronous standbys
        bool read_only = false;   ///< of a server that could be written: one that follows it may be behind
        std::chrono::milliseconds patience{10'000};  ///< that an answer is waited for
        /// That a transaction may do nothing, once it has begun, until the server ends it.
        std::chrono::milliseconds idle_in_transaction{10'000};
        const std::atomic<bool>* give_up = nullptr;  ///< waits for nothing any more once it is true
    };

    Connection() = default;
    explicit Connection(const Settings& settings);

    explicit operator bool() const { return connection_ != nullptr; }
    [[nodiscard]] PGconn* handle() const { return connection_.get(); }

    /// Sends a statement with the next that is waited for.
    Asked ask(std::string_view sql, const Parameters& parameters = {});
    /// The same where nobody wants its rows.
    void write(std::string_view sql, const Parameters& parameters = {}) { static_cast<void>(ask(sql, parameters)); }
    /// What it gave. Waits for all that was asked, unless that was done before. Once for each.
    [[nodiscard]] Rows answer(Asked& asked);
    [[nodiscard]] Rows read(std::string_view sql, const Parameters& parameters = {}) {
        Asked asked = ask(sql, parameters);
        return answer(asked);
    }
    /// Waits for all that was asked.
    void flush();

    /// Several statements in one text, at once, without parameters. Waits for them.
    void execute(const std::string& sql);

    /// How long an answer is waited for, from now on. Waits for one.
    void set_patience(std::chrono::milliseconds patience);

    /// Since the last call: the server warned. During a commit that is the word that nobody waited for a standby.
    [[nodiscard]] bool take_warned() {
        const bool warned = *warned_;
        *warned_ = false;
        return warned;
    }

  private:
    enum class Kind : std::uint8_t { prepare, statement };
    struct Pending {
        Kind kind{};
        std::string sql;
        std::shared_ptr<std::optional<Rows>> rows;
    };
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    void greet(const Settings& settings);
    void wait_for_input(std::chrono::steady_clock::time_point until);
    [[nodiscard]] PGresult* next_result(std::chrono::steady_clock::time_point until);
    void collect(std::chrono::steady_clock::time_point until, std::optional<PgFailure>& first);
    [[noreturn]] void lose();

    std::unique_ptr<PGconn, Finish> connection_;
    std::unique_ptr<bool> warned_ = std::make_unique<bool>(false);
    std::chrono::milliseconds patience_{};
    std::chrono::milliseconds idle_{};
    const std::atomic<bool>* give_up_ = nullptr;
    std::unordered_map<std::string, std::string> prepared_;  ///< statement by its SQL
    std::uint64_t next_name_ = 0;
    std::vector<Pending> pending_;
};

}  // namespace lihandover::store::postgresql
