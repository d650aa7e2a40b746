#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive.hpp"
#include "behaviour.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/hi1/request.hpp"
#include "lihandover/http/server.hpp"
#include "report.hpp"

namespace lihandover::lea_sim {

/// What all requests share.
struct Shared {
    explicit Shared(int output) : reporter(output) {}

    [[nodiscard]] std::shared_ptr<const Behaviour> behaviour() const {
        const std::lock_guard lock(mutex_);
        return behaviour_;
    }
    /// For requests that start from now on.
    void set_behaviour(std::shared_ptr<const Behaviour> next) {
        const std::lock_guard lock(mutex_);
        behaviour_ = std::move(next);
    }

    std::optional<Archive> archive;  ///< none: everything is discarded
    std::optional<handover::Validator> validator;
    bool quiet = false;
    std::string upload_prefix = "/binaryData/";
    Totals totals;
    Reporter reporter;

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Behaviour> behaviour_ = std::make_shared<Behaviour>(std::vector<Rule>());
};

/// Answers deliveries and uploads the way an LEA might. Lives on the server's thread.
class Lea final : public http::Handler {
  public:
    Lea(boost::asio::any_io_executor executor, Shared& shared, std::uint64_t seed);
    ~Lea() override;
    Lea(const Lea&) = delete;
    Lea& operator=(const Lea&) = delete;

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

    /// Ends the delays that run now. On the thread of the server.
    void release();
    /// The same, and nothing is delayed from now on.
    void hurry();

  private:
    struct Delivery;
    using Subjects = std::span<const Behaviour::Subject>;

    boost::asio::awaitable<void> take_delivery(http::Exchange& exchange, Delivery& delivery);
    boost::asio::awaitable<void> take_upload(http::Exchange& exchange, std::string_view name);
    [[nodiscard]] const Rule* upload_rule(const Behaviour& behaviour, Subjects subjects, Moment& moment);
    boost::asio::awaitable<bool> store_upload(http::Exchange& exchange, const Rule* slow, const model::Uuid& object,
                                              Line& line, std::uint64_t& bytes);
    boost::asio::awaitable<bool> read_upload(http::Exchange& exchange, const Rule* slow, IncomingFile* file,
                                             std::uint64_t& bytes);
    boost::asio::awaitable<bool> read_delivery(http::Exchange& exchange, const Rule* slow, std::string& body);
    boost::asio::awaitable<void> answer(http::Exchange& exchange, const Delivery& delivery);
    boost::asio::awaitable<void> wait(std::chrono::milliseconds time);

    [[nodiscard]] const Rule* first(const Behaviour& behaviour, Kind kind, Subjects subjects);
    [[nodiscard]] const Rule* first_drop(const Behaviour& behaviour, Subjects subjects, Moment& moment);
    [[nodiscard]] std::chrono::milliseconds delay_for(const Behaviour& behaviour, Subjects subjects);
    void understand(Delivery& delivery);
    void keep(Delivery& delivery);
    void decide(Delivery& delivery);
    void report(const Delivery& delivery, const http::Exchange& exchange);
    [[nodiscard]] std::string write_answer(const Delivery& delivery) const;
    /// Which connection that is, counted from 0, while some rule asks for it.
    [[nodiscard]] std::uint64_t connection_of(const Behaviour& behaviour, const http::Exchange& exchange);
    [[nodiscard]] const Rule* own_rule(const Delivery& delivery, std::size_t action, Subjects subject);
    [[nodiscard]] std::string garbage();

    boost::asio::any_io_executor executor_;
    Shared& shared_;
    Random random_;
    bool hurried_ = false;
    std::list<boost::asio::steady_timer> timers_;
    std::map<std::string, std::uint64_t> connections_;  ///< by the peer's address
    std::uint64_t next_connection_ = 0;
    std::set<model::Uuid> accepted_;                ///< while some rule asks what exists
    std::vector<std::unique_ptr<Delivery>> spare_;  ///< so that the fast path allocates nothing
};

}  // namespace lihandover::lea_sim
