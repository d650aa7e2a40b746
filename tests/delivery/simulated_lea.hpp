#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "destination_queue.hpp"

namespace lihandover::delivery::test {

/// A DestinationQueue with workers, connections and an LEA that exist in virtual time only: hours pass in milliseconds,
/// and the same seed gives the same run.
class SimulatedLea : public ItemOutcomes {
  public:
    using Time = DestinationQueue::Time;
    using Milliseconds = std::chrono::milliseconds;

    struct Message {
        std::vector<store::RowId> rows;
        unsigned node = 0;  ///< which of the LEA's nodes got it
        Time at;
    };
    struct Reply {
        unsigned status = 200;                        ///< 200: accepts, but for `codes`
        std::map<store::RowId, std::uint64_t> codes;  ///< HI1 errors by row
        std::optional<std::uint64_t> message_error;
        std::optional<std::chrono::seconds> retry_after;
        bool silent = false;  ///< no answer at all
        bool reset = false;
        Milliseconds after{2};
    };
    using Script = std::function<Reply(const Message&)>;

    explicit SimulatedLea(const DestinationQueue::Policy& policy, Script script)
        : policy_(policy), script_(std::move(script)) {
        queue_.set_policy(policy);
    }

    // What a test sets.
    unsigned nodes = 1;                ///< behind a balancer
    bool node_per_request = false;     ///< otherwise per connection
    unsigned most_connections = 1000;  ///< further ones are reset in the handshake
    bool closes_late = false;          ///< they are closed at their first message instead
    unsigned most_at_once = 1000;      ///< messages; further ones are answered with `busy`
    unsigned busy = 503;
    bool keeps_alive = true;
    bool down = false;  ///< nobody listens
    Milliseconds timeout{30'000};

    store::RowId add(store::LaneId lane, bool emergency = false, bool attempted = false) {
        const auto row = next_row_++;
        queue_.add(queue_.lane(lane), row, emergency, attempted);
        return row;
    }
    void set_script(Script script) { script_ = std::move(script); }

    /// Runs until nothing waits, or the time is over. True when nothing waits.
    bool run(Milliseconds time) { return run(time, false); }
    /// Runs for all of the time: what is set aside is tried on.
    void pass(Milliseconds time) { run(time, true); }

    [[nodiscard]] DestinationQueue& queue() { return queue_; }
    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] Milliseconds passed() const { return std::chrono::duration_cast<Milliseconds>(now_ - Time{}); }
    [[nodiscard]] std::size_t messages() const { return messages_; }
    [[nodiscard]] std::size_t pauses() const { return pauses_; }
    [[nodiscard]] std::size_t open_connections() const { return open(); }

    std::vector<store::RowId> accepted_rows;
    std::map<store::RowId, Time> accepted_at;
    std::map<store::RowId, store::Refusal> refused_rows;
    std::map<store::RowId, store::Refusal> set_aside_rows;
    std::vector<Message> log;  ///< of all messages

    void accepted(const SentItem& item, bool /*already_there*/) override {
        accepted_rows.push_back(item.row);
        accepted_at.emplace(item.row, now_);
    }
    void refused(const SentItem& item, store::Refusal refusal) override {
        refused_rows.emplace(item.row, std::move(refusal));
    }
    void set_aside(const SentItem& item, store::Refusal refusal) override {
        set_aside_rows.emplace(item.row, std::move(refusal));
    }
    void suspected(const SentItem& /*item*/, unsigned /*tries*/) override {}

  private:
    struct Worker {
        bool busy = false;
        bool connected = false;
        bool connecting = false;
        bool proven = false;
        unsigned node = 0;
        bool fresh = false;
        bool surplus = false;     ///< a connection above most_connections
        bool was_proven = false;  ///< before it was dropped, a moment ago
        unsigned beside = 0;      ///< messages on their way when its own went
        Ticket ticket;
        std::vector<SentItem> items;
    };

    bool run(Milliseconds time, bool to_the_end) {
        const auto end = now_ + time;
        for (;;) {
            start_what_may();
            auto next = queue_.next_event(now_);
            if (!pending_.empty() && (!next || pending_.begin()->first < *next)) {
                next = pending_.begin()->first;
            }
            if (!next || *next > end) {
                now_ = end;
                return queue_.waiting() == 0 && pending_.empty();
            }
            now_ = std::max(now_, *next);
            queue_.wake(now_);
            while (!pending_.empty() && pending_.begin()->first <= now_) {
                auto work = std::move(pending_.begin()->second);
                pending_.erase(pending_.begin());
                work();
            }
            if (!to_the_end && queue_.waiting() == 0 && pending_.empty()) {
                return true;
            }
        }
    }

    [[nodiscard]] std::size_t open() const {
        return static_cast<std::size_t>(std::ranges::count_if(workers_, [](const auto& w) { return w->connected; }));
    }
    [[nodiscard]] std::size_t connecting() const {
        return static_cast<std::size_t>(std::ranges::count_if(workers_, [](const auto& w) { return w->connecting; }));
    }
    [[nodiscard]] unsigned on_their_way() const {
        return static_cast<unsigned>(std::ranges::count_if(workers_, [](const auto& w) { return !w->items.empty(); }));
    }
    [[nodiscard]] unsigned active() const {
        return static_cast<unsigned>(std::ranges::count_if(workers_, [](const auto& w) { return w->busy; }));
    }
    [[nodiscard]] DestinationQueue::Result result(const Worker& worker) {
        DestinationQueue::Result result{worker.ticket, worker.proven, connections_last_, now_, dice()};
        result.fresh = worker.fresh;
        result.others = static_cast<unsigned>(open()) - (worker.connected ? 1 : 0);
        result.busy = std::max(worker.beside, busy_beside(worker));
        return result;
    }
    [[nodiscard]] unsigned busy_beside(const Worker& worker) const {
        return on_their_way() - (worker.items.empty() ? 0 : 1);
    }
    double dice() { return std::uniform_real_distribution<double>(0, 1)(random_); }
    void after(Milliseconds wait, std::function<void()> work) { pending_.emplace(now_ + wait, std::move(work)); }

    Worker* idle_worker() {
        Worker* free = nullptr;
        for (auto& worker : workers_) {
            if (!worker->busy && worker->connected) {
                return worker.get();
            }
            free = worker->busy ? free : worker.get();
        }
        if (queue_.connection_limit().is_lowered() &&
            !queue_.may_connect(static_cast<unsigned>(open() + connecting()), now_)) {
            return nullptr;
        }
        if (free == nullptr && workers_.size() < policy_.connections) {
            free = workers_.emplace_back(std::make_unique<Worker>()).get();
        }
        return free;
    }

    void start_what_may() {
        queue_.wake(now_);
        while (queue_.choices(now_) > connecting() && queue_.may_begin(now_, active())) {
            auto* worker = idle_worker();
            if (worker == nullptr) {
                return;
            }
            worker->busy = true;
            worker->ticket = queue_.begin(now_);
            if (worker->ticket.probe) {
                worker->connected = false;
            }
            if (worker->connected) {
                send(*worker);
            } else {
                worker->connecting = true;
                after(Milliseconds(1), [this, worker] { connect(*worker); });
            }
        }
    }

    void connect(Worker& worker) {
        worker.connecting = false;
        const bool surplus = open() >= most_connections;
        if (down || (surplus && !closes_late)) {
            AnswerClass answer;
            answer.reach = Reach::no_connection;
            answer.symptom = metrics::Pause::unreachable;
            queue_.not_connected(answer, static_cast<unsigned>(open()), result(worker));
            end(worker);
            return;
        }
        worker.connected = true;
        worker.proven = false;
        worker.fresh = true;
        worker.surplus = surplus;
        worker.node = next_node_++ % nodes;
        if (!queue_.is_wanted(worker.ticket)) {
            end(worker);
            return;
        }
        send(worker);
    }

    void send(Worker& worker) {
        auto pick = queue_.pick(worker.ticket, worker.proven || !connections_last_, now_);
        const auto most = queue_.most_actions();
        while (pick.lane != nullptr) {
            auto row = pick.row;
            while (worker.items.size() < (pick.alone ? 1 : most)) {
                const auto waiting = queue_.take(pick, row);
                SentItem item;
                item.lane = pick.lane;
                item.row = row;
                item.emergency = waiting.emergency();
                item.attempted = waiting.attempted();
                item.set_aside = pick.set_aside;
                item.sent = true;
                worker.items.push_back(item);
                if (pick.alone || pick.lane->empty()) {
                    break;
                }
                row = pick.lane->rows().front().row();
            }
            if (pick.alone || worker.items.size() >= most) {
                break;
            }
            pick = queue_.pick_more();
        }
        if (worker.items.empty()) {
            if (++empty_running_ > 1000) {
                throw std::logic_error("attempts with nothing to send begin again and again");
            }
            end(worker);
            return;
        }
        empty_running_ = 0;
        post(worker);
    }

    void post(Worker& worker) {
        ++messages_;
        worker.beside = busy_beside(worker);
        Message message;
        message.node = node_per_request ? static_cast<unsigned>(random_() % nodes) : worker.node;
        message.at = now_;
        for (const auto& item : worker.items) {
            message.rows.push_back(item.row);
        }
        log.push_back(message);
        auto reply = script_(message);
        if (worker.surplus) {
            reply.reset = true;
        } else if (on_their_way() > most_at_once) {
            reply = {};
            reply.status = busy;
            reply.after = Milliseconds(1);
        }
        after(reply.silent ? timeout : reply.after, [this, &worker, reply] { answer(worker, reply); });
    }

    void answer(Worker& worker, const Reply& reply) {
        if (reply.reset && !worker.fresh) {
            // The LEA may have closed an idle connection: once more on a fresh one, as DestinationSender has it.
            worker.was_proven = worker.proven;
            worker.fresh = true;
            worker.node = next_node_++ % nodes;
            post(worker);
            return;
        }
        worker.proven = worker.proven || std::exchange(worker.was_proven, false);
        AnswerClass answer;
        if (reply.silent || reply.reset) {
            http::Failure failure;
            failure.phase = http::Phase::receive;
            failure.kind = reply.silent ? http::FailureKind::timeout : http::FailureKind::closed;
            classify_failure(failure, answer);
        } else if (reply.status != 200) {
            classify_answer(reply.status, {}, std::nullopt, {}, {}, {}, answer);
            answer.retry_after = reply.retry_after;
        } else if (reply.message_error) {
            answer.symptom = metrics::Pause::refusals;
            answer.refusal = {*reply.message_error, store::Refusal::Kind::hi1_error, {}};
            answer.judges_content = *reply.message_error != 3003;
            answer.too_large = *reply.message_error == 3022;
        } else {
            answer.reach = Reach::answered;
            answer.symptom = metrics::Pause::refusals;
            for (const auto& item : worker.items) {
                ActionClass action;
                const auto code = reply.codes.find(item.row);
                action.outcome = code == reply.codes.end() ? ActionOutcome::accepted
                                 : code->second == 3010    ? ActionOutcome::already_there
                                 : code->second == 3003    ? ActionOutcome::transient
                                 : code->second == 3004    ? ActionOutcome::about_systems
                                                           : ActionOutcome::refused;
                action.error.code = code == reply.codes.end() ? 0 : code->second;
                answer.actions.push_back(action);
            }
        }
        if (worker.fresh && !reply.silent && !reply.reset && !DestinationQueue::says_busy(answer)) {
            queue_.connected(static_cast<unsigned>(open()));
        }
        const bool reached = answer.reach == Reach::answered;
        const bool any = queue_.settle(worker.items, answer, result(worker), *this);
        worker.fresh = false;
        worker.connected = reached && keeps_alive;
        worker.proven = any && worker.connected;
        if (any) {
            connections_last_ = worker.proven;
        }
        end(worker);
    }

    void end(Worker& worker) {
        worker.items.clear();
        worker.busy = false;
        const bool was = paused_;
        queue_.end(worker.ticket, now_);
        paused_ = queue_.health().pause_reason().has_value();
        pauses_ += paused_ && !was ? 1 : 0;
    }

    DestinationQueue::Policy policy_;
    Script script_;
    DestinationQueue queue_;
    Time now_{};
    std::multimap<Time, std::function<void()>> pending_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::mt19937 random_{20261127};  // NOLINT(cert-msc51-cpp): the same every time
    store::RowId next_row_ = 1;
    unsigned next_node_ = 0;
    std::size_t messages_ = 0;
    std::size_t pauses_ = 0;
    unsigned empty_running_ = 0;
    bool paused_ = false;
    bool connections_last_ = true;
};

}  // namespace lihandover::delivery::test
