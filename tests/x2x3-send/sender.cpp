#include "sender.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <thread>
#include <utility>

#include "lihandover/model/clock.hpp"

namespace lihandover::x2x3_send {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_waiting = std::size_t{1} << 20;  // bytes per connection, beyond the PDU that passes it

/// A connection, and the keepalives on it.
struct Line {
    explicit Line(std::unique_ptr<Connection> opened) : connection(std::move(opened)) {}
    struct Asked {
        std::optional<std::uint32_t> number;
        SteadyTime at;
    };
    std::unique_ptr<Connection> connection;
    std::deque<Asked> asked;
    std::uint32_t next_number = 0;
    SteadyTime last_asked;
    std::string answers;
};

/// One try: connections, and all PDUs over them.
class Try {
  public:
    Try(PduSequence& pdus, const SendOptions& options, Sent& sent) : pdus_(pdus), options_(options), sent_(sent) {}

    model::Status open(const Tls& tls, bool may_be_killed) {
        for (std::size_t i = 0; i < options_.connections; ++i) {
            auto connection = Connection::open(options_.tls, tls, options_.cuts);
            if (!connection) {
                return connection.error();
            }
            if (options_.kill_after && may_be_killed) {
                (*connection)->kill_after(*options_.kill_after);
            }
            lines_.emplace_back(std::move(*connection));
        }
        return {};
    }

    void run() {
        began_ = Clock::now();
        for (auto& line : lines_) {
            line.last_asked = began_;
        }
        while (!over()) {
            const SteadyTime now = Clock::now();
            fill(now);
            for (auto& line : lines_) {
                ask(line, now);
                line.connection->write(now);
                line.connection->read(line.answers);
                take_answers(line, now);
            }
            if (!over()) {
                wait(now);
            }
        }
        finish();
    }

  private:
    static bool is_full(const Line& line) { return line.connection->waiting() >= most_waiting; }
    [[nodiscard]] bool stopped() const { return sent_.outcome != Sent::Outcome::done; }
    [[nodiscard]] bool over() {
        for (const auto& line : lines_) {
            const auto state = line.connection->state();
            if (state != Connection::State::open && !stopped()) {
                sent_.outcome = state == Connection::State::killed ? Sent::Outcome::killed : Sent::Outcome::lost;
                sent_.why = line.connection->why();
            }
        }
        return stopped() || (exhausted_ && last_asked_ && std::ranges::all_of(lines_, [](const Line& line) {
                                 return line.connection->waiting() == 0 && line.asked.empty();
                             }));
    }

    [[nodiscard]] bool at_end() const {
        const bool time_is_over = options_.duration && Clock::now() - began_ >= *options_.duration;
        return pdus_.size() == 0 || time_is_over || (options_.repetitions != 0 && repetition_ >= options_.repetitions);
    }

    /// When the next PDU is due.
    [[nodiscard]] SteadyTime next_due() const {
        std::chrono::nanoseconds after{0};
        if (options_.rate > 0) {
            after = std::chrono::nanoseconds(
                static_cast<std::int64_t>(static_cast<double>(sent_.pdus) / options_.rate * 1e9));
        }
        if (options_.speed > 0) {
            const auto span = repetition_ * static_cast<std::uint64_t>(pdus_.at(pdus_.size() - 1).at.count());
            const auto at = static_cast<double>(pdus_.at(index_).at.count()) + static_cast<double>(span);
            after = std::max(after, std::chrono::nanoseconds(static_cast<std::int64_t>(at / options_.speed)));
        }
        return began_ + after;
    }

    [[nodiscard]] std::optional<model::Instant> time_of_flow() {
        switch (options_.time) {
            case SendOptions::Time::fixed:
                return options_.begin;
            case SendOptions::Time::captured:
                return pdus_.at(index_).captured ? std::nullopt : std::optional(flow_began_);
            case SendOptions::Time::now:
                break;
        }
        return flow_began_;
    }

    /// Gives connections PDUs, as long as they are due and there is room.
    void fill(SteadyTime now) {
        more_now_ = false;
        blocked_on_ = nullptr;
        for (int count = 0; !exhausted_; ++count) {
            if (count == 4096) {
                more_now_ = true;
                break;
            }
            if (at_end()) {
                exhausted_ = true;
                break;
            }
            const bool timed = options_.rate > 0 || options_.speed > 0;
            if (timed && next_due() > now) {
                break;
            }
            if (index_ == 0) {
                flow_began_ = model::system_clock().wall();
            }
            blocked_on_ = full_one();
            if (blocked_on_ != nullptr) {
                break;
            }
            give();
            if (++index_ == pdus_.size()) {
                index_ = 0;
                ++repetition_;
            }
        }
        if (exhausted_ && !last_asked_) {
            last_asked_ = true;
            for (std::uint64_t i = 0; i < options_.last_keepalives; ++i) {
                for (auto& line : lines_) {
                    add_keepalive(line, now);
                }
            }
        }
    }

    [[nodiscard]] bool goes_to(std::size_t line) const {
        switch (options_.deal) {
            case SendOptions::Deal::session:
                return pdus_.correlation(index_, repetition_) % lines_.size() == line;
            case SendOptions::Deal::turn:
                return sent_.pdus % lines_.size() == line;
            case SendOptions::Deal::copy:
                break;
        }
        return true;
    }

    /// A connection that the next PDU goes to and that has no room for it.
    [[nodiscard]] const Line* full_one() const {
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            if (goes_to(i) && is_full(lines_[i])) {
                return &lines_[i];
            }
        }
        return nullptr;
    }

    void give() {
        const std::string& bytes = pdus_.bytes(index_, repetition_, time_of_flow());
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            if (goes_to(i)) {
                lines_[i].connection->add(bytes);
            }
        }
        ++sent_.pdus;
    }

    void add_keepalive(Line& line, SteadyTime now) {
        const auto number = options_.keepalive_numbers ? std::optional(line.next_number++) : std::nullopt;
        constexpr std::uint16_t version = 0x0005;
        line.connection->add(keepalive(number, version));
        line.asked.push_back({number, now});
        line.last_asked = now;
        ++sent_.keepalives;
    }

    void ask(Line& line, SteadyTime now) {
        if (options_.keepalive_interval.count() > 0 && !exhausted_ && line.asked.empty() &&
            now - line.last_asked >= options_.keepalive_interval) {
            add_keepalive(line, now);
        }
        if (!line.asked.empty() && now - line.asked.front().at >= options_.keepalive_timeout && !stopped()) {
            sent_.outcome = Sent::Outcome::unacknowledged;
            sent_.why = "a keepalive was not acknowledged in time";
        }
    }

    void take_answers(Line& line, SteadyTime now) {
        Acknowledgement got;
        AnswerRead read{};
        while ((read = read_answer(line.answers, got)) == AnswerRead::acknowledgement) {
            line.answers.erase(0, got.octets);
            if (line.asked.empty() || line.asked.front().number != got.number) {
                read = AnswerRead::something_else;
                break;
            }
            ++sent_.acknowledged;
            sent_.slowest_acknowledgement =
                std::max<std::chrono::nanoseconds>(sent_.slowest_acknowledgement, now - line.asked.front().at);
            line.asked.pop_front();
        }
        if (read == AnswerRead::something_else && !stopped()) {
            sent_.outcome = Sent::Outcome::unacknowledged;
            sent_.why = "the receiver sent something else than the acknowledgement that was due";
        }
    }

    void wait(SteadyTime now) {
        SteadyTime until = now + std::chrono::milliseconds(200);
        const bool timed = options_.rate > 0 || options_.speed > 0;
        std::vector<pollfd> waited;
        for (const auto& line : lines_) {
            const bool writes = line.connection->wants_to_write(now);
            waited.push_back({line.connection->descriptor(), static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0});
            until = std::min(until, line.connection->due().value_or(until));
        }
        // Where the next PDU goes, there may be room by now.
        if (more_now_ || (blocked_on_ != nullptr && !is_full(*blocked_on_))) {
            until = now;
        } else if (!exhausted_ && timed) {
            until = std::min(until, next_due());
        }
        const auto left = std::max<std::chrono::nanoseconds>(until - now, std::chrono::nanoseconds(0));
        const timespec pause{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
        (void)::ppoll(waited.data(), waited.size(), &pause, nullptr);
    }

    void finish() {
        sent_.took = Clock::now() - began_;
        for (const auto& line : lines_) {
            sent_.bytes += line.connection->written();
        }
        if (sent_.outcome == Sent::Outcome::done) {
            for (const auto& line : lines_) {
                line.connection->close(options_.tls.patience);
            }
        }
    }

    PduSequence& pdus_;
    const SendOptions& options_;
    Sent& sent_;
    std::vector<Line> lines_;
    SteadyTime began_;
    model::Instant flow_began_;
    std::size_t index_ = 0;
    std::uint64_t repetition_ = 0;
    bool exhausted_ = false;
    bool more_now_ = false;             ///< there was room for more
    const Line* blocked_on_ = nullptr;  ///< there was none there for the next PDU
    bool last_asked_ = false;
};

}  // namespace

model::Result<Sent> send(PduSequence& pdus, const SendOptions& options) {
    auto tls = Tls::load(options.tls);
    if (!tls) {
        return tls.error();
    }
    for (std::uint64_t tries = 1;; ++tries) {
        Sent sent;
        sent.tries = tries;
        const bool again = tries <= options.reconnects;
        Try one(pdus, options, sent);
        if (auto opened = one.open(*tls, tries == 1); !opened) {
            if (!again) {
                return opened.error();
            }
        } else {
            one.run();
            const bool ended = sent.outcome == Sent::Outcome::lost || sent.outcome == Sent::Outcome::killed;
            if (!ended || !again) {
                return sent;
            }
        }
        std::this_thread::sleep_until(Clock::now() + options.reconnect_pause);
    }
}

}  // namespace lihandover::x2x3_send
