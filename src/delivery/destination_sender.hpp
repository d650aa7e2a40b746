#pragma once

#include <array>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "answer_classifier.hpp"
#include "destination_health.hpp"
#include "health_report.hpp"
#include "lane_scheduler.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/http/client.hpp"
#include "open_connection.hpp"
#include "status_board.hpp"
#include "wake_timer.hpp"

namespace lihandover::delivery {

class Dispatcher;

/// A destination with its URLs taken apart.
struct Target {
    Destination destination;
    std::vector<http::Url> urls;  ///< of messages
    http::ConnectorOptions connection;
};

/// Delivery to one destination: its lanes, its gate, and workers with a connection each, as many as there is work for.
/// Everything on the delivery thread. Kept alive by its workers' coroutines.
class DestinationSender : public std::enable_shared_from_this<DestinationSender> {
  public:
    DestinationSender(Dispatcher& dispatcher, std::string name);
    DestinationSender(const DestinationSender&) = delete;
    DestinationSender& operator=(const DestinationSender&) = delete;
    ~DestinationSender();

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::shared_ptr<const StatusBoard> board() const { return board_; }

    /// The settings from now on. Without any (items wait for a destination that is not configured) nothing is sent.
    void configure(std::shared_ptr<const Target> target);
    /// Not configured any more: goes on until it is empty, and says so then.
    void leave() { leaving_ = true; }
    /// Nothing waits, nothing is on its way.
    [[nodiscard]] bool is_empty() const;
    /// Ends the workers when they are through.
    void retire();

    void count(metrics::ItemOutcome outcome) const { metrics_.items(outcome).add(); }
    void add(Lane& lane, store::RowId row, bool emergency);
    void withdraw(Lane& lane, store::RowId row);
    /// The lane goes on if it is parked for this item.
    void look_again(Lane& lane, store::RowId row);
    /// Whether what is added now is likely to go out before long: worth keeping in memory till then.
    [[nodiscard]] bool sends_soon() const;
    /// Begins what can begin. To be called after anything changed; cheap.
    ///   claimed  so many messages will begin without being told
    void kick(unsigned claimed = 0);
    void probe_now();

    [[nodiscard]] std::size_t workers() const { return workers_.size(); }
    void wake_workers();
    /// What is on its way ends as a failure now.
    void cut_connections();

  private:
    /// One item of a message.
    struct Sending {
        Lane* lane = nullptr;
        store::RowId row = 0;
        bool emergency = false;
        bool carries_schema = false;
        bool withdrawn = false;  ///< an operator ended it meanwhile
        store::ProfileId profile = 0;
        model::Instant received_at;
        bool has_objects = false;
    };
    struct Worker {
        explicit Worker(const boost::asio::any_io_executor& executor) : bell(executor) {}

        boost::asio::steady_timer bell;  ///< rings when there is work
        bool woken = false;
        std::optional<http::Connection> connection;
        std::uint64_t generation = 0;  ///< the sender's when `connection` was made
        OpenConnection counted;
        std::shared_ptr<const Target> target;

        // The message at hand; the buffers are reused.
        std::string message;
        std::string head;
        std::size_t head_size = 0;
        std::array<std::string_view, 1> body;  ///< `message`, while it is sent
        std::array<http::Field, 1> fields;
        http::Request request;
        DestinationHealth::Time begun;
        std::shared_ptr<const model::Profile> profile;
        model::Uuid transaction;
        std::vector<Sending> batch;
        std::size_t in_flight = 0;  ///< of `batch`, as counted by the sender
        bool empty_handed = false;  ///< began an attempt and took no items yet
        std::vector<model::Uuid> objects;
        AnswerClass answer_class;
        std::string failure;  ///< why there was no answer, for the log
    };
    /// An item set aside: rejected three times by itself, to be compared with the next one.
    struct Suspect {
        Lane* lane = nullptr;
        store::RowId row = 0;
        bool emergency = false;
        std::uint8_t doubts = 0;
        store::Refusal refusal;
        std::uint64_t since = 0;      ///< attempts from this number on are comparisons
        DestinationHealth::Time due;  ///< when it is tried again itself should there be nothing to compare with
    };
    enum class Taken : std::uint8_t {
        something,
        nothing,
        message_full,
        waits,  ///< nothing, and the item in front cannot go yet
    };

    static boost::asio::awaitable<void> run(std::shared_ptr<Dispatcher> dispatcher,
                                            std::shared_ptr<DestinationSender> self, Worker* worker);
    boost::asio::awaitable<void> work(Worker& worker);
    /// False when the worker was idle for so long that it ends.
    boost::asio::awaitable<bool> idle(Worker& worker);
    boost::asio::awaitable<void> attempt(Worker& worker, Ticket ticket);
    boost::asio::awaitable<bool> connect(Worker& worker, Ticket ticket);
    boost::asio::awaitable<void> exchange(Worker& worker, Ticket ticket);
    boost::asio::awaitable<http::ClientResult<http::Answer>> post(Worker& worker);
    boost::asio::awaitable<bool> validate(Worker& worker);

    void set_empty_handed(Worker& worker, bool empty_handed);
    /// Whether the next worker to be woken need not connect first.
    [[nodiscard]] bool has_connected_idler() const;
    [[nodiscard]] bool may_start(DestinationHealth::Time now) const;
    [[nodiscard]] unsigned allowed() const;
    /// Lanes a message could be made of now.
    [[nodiscard]] std::size_t choices() const;

    void fill(Worker& worker, const Ticket& ticket);
    Lane* next_lane(const Ticket& ticket);
    Taken take_items(Worker& worker, Lane& lane, std::size_t most);
    Taken append_item(Worker& worker, Lane& lane, store::StoredItem& item);
    bool load(Lane& lane);
    void write_head(Worker& worker);
    [[nodiscard]] bool wants_validation(Worker& worker);
    [[nodiscard]] bool sample_is_due();

    void settle(Worker& worker, const Ticket& ticket);
    void settle_actions(Worker& worker, const Ticket& ticket);
    void settle_rejected(Worker& worker, const Ticket& ticket);
    void each_alone(Worker& worker);
    /// All items of the message wait again; its lanes rest, or are ready at once.
    enum class Then : std::uint8_t { rest, ready };
    void return_all(Worker& worker, Then then);
    void return_item(const Sending& item);
    void release(Lane& lane, bool failed, std::uint32_t items_in_message);
    void left(Lane& lane);

    void restore(const Suspect& suspect, std::uint8_t doubts);
    void restore_all_suspects();
    void restore_due_suspects(DestinationHealth::Time now);
    void refuse_suspects(const Ticket& ticket);

    void arm();
    void look_for_early_probe(DestinationHealth::Time now);
    void publish();
    void note(metrics::Attempt attempt);
    void sync_connection(Worker& worker);

    Dispatcher& dispatcher_;
    std::string name_;
    const metrics::DestinationMetrics& metrics_;
    std::shared_ptr<StatusBoard> board_;
    std::shared_ptr<const Target> target_;
    std::uint64_t generation_ = 0;  ///< of URL and TLS
    std::shared_ptr<http::Connector> connector_;
    bool retired_ = false;
    bool leaving_ = false;  ///< no longer configured, but not empty yet

    LaneScheduler scheduler_;
    DestinationHealth health_;
    HealthReport report_;
    std::vector<Suspect> suspects_;
    std::unordered_set<store::ProfileId> sampled_profiles_;
    std::uint64_t sample_counter_ = 0;  ///< messages since the last one of the sample
    std::optional<DestinationHealth::Time> last_sample_;

    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<Worker*> idle_;  ///< the one that was busy last is woken first, so that the others' connections may end
    unsigned active_ = 0;        ///< attempts
    unsigned empty_handed_ = 0;  ///< of these, those that still connect: each will take items that seem free yet
    unsigned woken_ = 0;         ///< workers on their way to an attempt
    std::uint64_t in_flight_ = 0;

    WakeTimer wake_timer_;
};

}  // namespace lihandover::delivery
