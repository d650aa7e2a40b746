#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "answer_classifier.hpp"
#include "destination_queue.hpp"
#include "expiry_stamps.hpp"
#include "health_report.hpp"
#include "item_loader.hpp"
#include "lihandover/base/task_group.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/http/client.hpp"
#include "message_builder.hpp"
#include "open_connection.hpp"
#include "outbox_writer.hpp"
#include "send_guard.hpp"
#include "status_board.hpp"
#include "target.hpp"
#include "validation_sample.hpp"
#include "wake_timer.hpp"

namespace lihandover::delivery {

/// What a sender works with. All of it outlives the tasks.
struct SenderParts {
    boost::asio::any_io_executor executor;
    boost::asio::any_io_executor workers;  ///< for validation
    const model::Clock& clock;
    metrics::Metrics& metrics;
    base::TaskGroup& tasks;
    SendGuard& guard;
    OutboxWriter& outbox;
    ItemLoader& loader;
    ExpiryStamps& stamps;
    /// Called when one that is leaving has become empty.
    std::function<void()> emptied;
};

/// Sends the items of one destination: workers with a connection each, as many as there is work for. What goes next and
/// what follows from an answer is for its DestinationQueue to say. Everything on the delivery thread. Kept alive by its
/// workers.
class DestinationSender : public std::enable_shared_from_this<DestinationSender>, private ItemOutcomes {
  public:
    DestinationSender(SenderParts parts, std::string name);
    DestinationSender(const DestinationSender&) = delete;
    DestinationSender& operator=(const DestinationSender&) = delete;
    ~DestinationSender() override;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const DestinationQueue& queue() const { return queue_; }
    [[nodiscard]] std::shared_ptr<const StatusBoard> board() const { return board_; }

    /// The settings from now on. Without any (items wait for a destination that is not configured) nothing is sent.
    void configure(std::shared_ptr<const Target> target);
    /// Not configured any more: goes on until it is empty, and says so then.
    void leave() { leaving_ = true; }
    /// Nothing waits, nothing is on its way.
    [[nodiscard]] bool is_empty() const { return queue_.empty() && active_ == 0; }
    /// Ends the workers when they are through.
    void retire();

    void count(metrics::ItemOutcome outcome) const { metrics_.items(outcome).add(); }
    ///   attempted  the LEA may have seen it before
    void add(std::shared_ptr<const store::Lane> lane, const store::QueuedItem& item, bool attempted);
    void add_set_aside(std::shared_ptr<const store::Lane> lane, const store::QueuedItem& item);
    void withdraw(const store::QueuedItem& item);
    /// All items of a lane that wait here.
    void withdraw_lane(store::LaneId id);
    /// The same for lanes that this process holds no longer.
    void lose(const store::LostLanes& lost);
    /// The lane goes on if it is parked for this item, of which what was read is out of date.
    void look_again(const store::QueuedItem& item);
    /// Whether what is added now is likely to go out before long: worth keeping in memory till then.
    [[nodiscard]] bool sends_soon() const;
    /// Begins what can begin. To be called after anything changed; cheap.
    ///   claimed  so many messages will begin without being told
    void kick(unsigned claimed = 0);
    void probe_now();
    void pause();
    void resume();

    void wake_workers();
    /// What is on its way ends as a failure now.
    void cut_connections();

  private:
    struct Worker {
        explicit Worker(const boost::asio::any_io_executor& executor) : bell(executor) {}
        /// Its connection, open or not, is of that generation.
        [[nodiscard]] bool is_current(std::uint64_t wanted) const { return connection && generation == wanted; }
        [[nodiscard]] bool is_connected(std::uint64_t wanted) const {
            return is_current(wanted) && connection->is_open();
        }

        boost::asio::steady_timer bell;  ///< rings when there is work
        bool woken = false;
        std::optional<http::Connection> connection;
        std::uint64_t generation = 0;      ///< the sender's when `connection` was made
        bool proven = false;               ///< the last exchange on `connection` was an acceptance
        bool fresh = false;                ///< the exchange at hand is the first on `connection`
        unsigned beside = 0;               ///< others with a message on its way when it began
        DestinationQueue::Time proven_at;  ///< when it was
        OpenConnection counted;
        std::shared_ptr<const Target> target;

        // The message at hand.
        Ticket ticket;
        MessageBuilder message;
        std::vector<SentItem> items;
        std::array<std::string_view, 1> body;
        std::array<http::Field, 1> fields;
        http::Request request;
        DestinationQueue::Time begun;
        std::size_t in_flight = 0;  ///< of `items`, as counted by the sender
        bool empty_handed = false;  ///< began an attempt and took no items yet
        AnswerClass answer;
        std::string failure;  ///< why there was no answer, for the log
    };
    enum class Taken : std::uint8_t {
        something,
        nothing,
        message_full,
        waits,  ///< nothing, and the item in front cannot go yet
        later,  ///< nothing, and the item in front is to be looked at again in a moment
    };

    static boost::asio::awaitable<void> run(std::shared_ptr<DestinationSender> self, Worker* worker);
    boost::asio::awaitable<void> work(Worker& worker);
    /// False when the worker was idle for so long that it ends.
    boost::asio::awaitable<bool> idle(Worker& worker);
    void end_attempt(Worker& worker);
    boost::asio::awaitable<void> attempt(Worker& worker);
    boost::asio::awaitable<bool> connect(Worker& worker);
    boost::asio::awaitable<void> exchange(Worker& worker);
    boost::asio::awaitable<http::ClientResult<http::Answer>> post(Worker& worker);
    void classify(Worker& worker, const http::ClientResult<http::Answer>& answer);
    [[nodiscard]] bool is_answer(const Worker& worker, const http::Answer& given) const;
    void note_strays();
    boost::asio::awaitable<bool> validate(Worker& worker);

    [[nodiscard]] bool may_send() const;
    [[nodiscard]] bool may_begin(const Worker& worker);
    [[nodiscard]] bool may_go_on(const Worker& worker) const;
    [[nodiscard]] bool may_connect() const;
    /// The idle worker to wake: one that is connected, if there is one. nullptr when none may go.
    [[nodiscard]] Worker* next_idle() const;
    void wake(Worker& worker);
    /// Connections that stand, `but` that of one worker.
    [[nodiscard]] unsigned standing(const Worker* but = nullptr) const;
    void set_empty_handed(Worker& worker, bool empty_handed);
    void drop_connection(Worker& worker);

    void fill(Worker& worker);
    /// Whether the lane that was picked is this process's to send. Where it is not, it is put off or forgotten.
    [[nodiscard]] bool is_held(const DestinationQueue::Pick& pick);
    Taken take_items(Worker& worker, const DestinationQueue::Pick& pick, std::size_t most);
    Taken append_item(Worker& worker, const DestinationQueue::Pick& pick, store::StoredItem& item);
    /// nullopt: the store cannot be read.
    std::optional<ItemLoader::Filled> load(const DestinationQueue::Pick& pick);
    void look_later(const DestinationQueue::Pick& pick);
    void look_again_at_those_put_off(DestinationQueue::Time at);
    [[nodiscard]] unsigned busy_beside(const Worker& worker) const;
    [[nodiscard]] DestinationQueue::Result result_of(const Worker& worker) const;
    void put_back(Worker& worker);

    // ItemOutcomes
    void accepted(const SentItem& item, bool already_there) override;
    void refused(const SentItem& item, store::Refusal refusal) override;
    void set_aside(const SentItem& item, store::Refusal refusal) override;
    void suspected(const SentItem& item, unsigned tries) override;

    void arm();
    void publish();
    void note(metrics::Attempt attempt);
    void sync_connection(Worker& worker);
    [[nodiscard]] DestinationQueue::Time now() const { return parts_.clock.steady(); }

    SenderParts parts_;
    std::string name_;
    const metrics::DestinationMetrics& metrics_;
    std::shared_ptr<StatusBoard> board_;
    std::shared_ptr<const Target> target_;
    std::uint64_t generation_ = 0;  ///< of URL and TLS
    std::shared_ptr<http::Connector> connector_;
    bool retired_ = false;
    DestinationQueue::Time lapsed_until_ = DestinationQueue::Time::min();  ///< nothing is sent before
    bool leaving_ = false;                                                 ///< no longer configured, but not empty yet

    DestinationQueue queue_;
    HealthReport report_;
    ValidationSample sample_;
    bool connections_last_ = true;  ///< the LEA keeps connections open after an acceptance
    std::uint64_t published_suspects_ = 0;
    std::uint64_t published_set_aside_ = 0;

    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<Worker*> idle_;  ///< the one that was busy last is woken first, so that the others' connections may end
    unsigned active_ = 0;        ///< attempts
    unsigned empty_handed_ = 0;  ///< of these, those that still connect: each will take items that seem free yet
    unsigned woken_ = 0;         ///< workers on their way to an attempt
    std::uint64_t in_flight_ = 0;
    bool strays_logged_ = false;
    /// In front of lanes that are parked until `look_again_at_`.
    std::vector<std::pair<store::LaneId, store::RowId>> put_off_;
    DestinationQueue::Time look_again_at_;
    static constexpr std::chrono::minutes told_apart{1};
    DestinationQueue::Time put_off_told_ = DestinationQueue::Time() - told_apart;

    WakeTimer wake_timer_;
};

}  // namespace lihandover::delivery
