#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lihandover/hi1/request.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::delivery::test {

/// A message as it came in.
struct Arrival {
    std::size_t number = 0;  ///< from 0
    model::Uuid transaction;
    std::vector<model::Uuid> objects;
    std::vector<std::string> liids;
    std::size_t size = 0;
    std::string peer;  ///< tells connections apart
    std::string body;
    /// From the first DELIVER element to the last.
    [[nodiscard]] std::string deliver() const;
};

/// What the LEA does about it. Made by the functions below.
struct Reply {
    unsigned status = 200;
    std::optional<std::string> body;  ///< else an HI1 response
    std::vector<std::pair<std::string, std::string>> fields;
    std::vector<hi1::ActionAnswer> answers;  ///< for the HI1 response
    std::optional<hi1::ErrorInformation> message_error;
    bool wrong_transaction = false;
    bool drop = false;   ///< close without an answer
    bool close = false;  ///< after the answer
    bool hold = false;   ///< not before Lea::release()
};

[[nodiscard]] Reply accept(const Arrival& arrival);
/// Accepts all but those of the code given by object.
[[nodiscard]] Reply refuse(const Arrival& arrival, const std::map<model::Uuid, std::uint64_t>& codes);
[[nodiscard]] Reply message_error(std::uint64_t code);
[[nodiscard]] Reply http_status(unsigned status, std::string_view retry_after = {});
[[nodiscard]] Reply garbage();

/// A binary object that comes in (Model B).
struct UploadArrival {
    std::size_t number = 0;  ///< from 0
    std::string path;
    std::string content_type;
    std::optional<std::uint64_t> content_length;
    bool expects = false;        ///< 100-continue
    std::size_t deliveries = 0;  ///< messages answered before it began
    std::string peer;            ///< tells connections apart
    std::string certificate;     ///< its SHA-256, over TLS
    std::string bytes;           ///< of the body, as far as it came
    bool whole = false;          ///< all of it came
    bool ended = false;          ///< answered, or given up by either side
    std::optional<model::Uuid> id() const;
};

/// What the LEA does about it.
struct UploadReply {
    unsigned status = 201;  ///< below 200: nothing but reading until the other side gives up
    bool unasked = false;   ///< answers without asking for the body
    bool withhold = false;  ///< neither asks nor answers
    std::size_t drop_after = std::numeric_limits<std::size_t>::max();    ///< closes after so many bytes
    std::size_t hold_after = std::numeric_limits<std::size_t>::max();    ///< reads no further until Lea::release()
    std::size_t answer_after = std::numeric_limits<std::size_t>::max();  ///< answers after so many bytes
    bool close = false;                                                  ///< after the answer
    std::string retry_after = {};
};

/// An LEA on a thread of its own that does as its script says. Checks of itself that no two messages hold actions of
/// one LIID at the same time.
class Lea final : private http::Handler {
  public:
    using Script = std::function<Reply(const Arrival&)>;

    explicit Lea(Script script, std::shared_ptr<const tls::ServerContext> tls = nullptr, std::uint16_t port = 0);
    Lea(const Lea&) = delete;
    Lea& operator=(const Lea&) = delete;
    ~Lea() override;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string url() const;
    void set_script(Script script);
    /// What it does about objects; at first it takes all of them.
    using UploadScript = std::function<UploadReply(const UploadArrival&)>;
    void set_upload_script(UploadScript script);
    /// Below it, any path takes an object.
    [[nodiscard]] std::string objects_url() const;
    [[nodiscard]] std::vector<UploadArrival> uploads() const;
    [[nodiscard]] std::vector<UploadArrival> uploads_of(const model::Uuid& object) const;
    /// Bytes of objects that came in.
    [[nodiscard]] std::uint64_t upload_bytes() const;
    /// Answers what was held; what comes later and would be held is answered too.
    void release();

    [[nodiscard]] std::vector<Arrival> arrivals() const;
    [[nodiscard]] std::size_t count() const;
    /// The objects of all messages, in order.
    [[nodiscard]] std::vector<model::Uuid> objects() const;
    [[nodiscard]] std::size_t held() const;
    /// The most messages there ever were at the same time.
    [[nodiscard]] std::size_t most_at_once() const;
    /// Whether a LIID was ever in two messages at the same time.
    [[nodiscard]] bool overlapped() const;
    void stop();

  private:
    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;
    boost::asio::awaitable<void> take_object(http::Exchange& exchange);
    boost::asio::awaitable<void> take_bytes(http::Exchange& exchange, const UploadReply& reply, std::size_t number);
    boost::asio::awaitable<void> answer(http::Exchange& exchange, const hi1::Request& request, const Reply& reply);
    static boost::asio::awaitable<void> stop_server(http::Server* server);

    boost::asio::io_context io_{1};
    std::uint16_t port_ = 0;
    bool secure_ = false;
    mutable std::mutex mutex_;
    Script script_;
    std::vector<Arrival> arrivals_;
    UploadScript upload_script_ = [](const UploadArrival&) { return UploadReply{}; };
    std::vector<UploadArrival> uploads_;
    std::size_t answered_ = 0;
    std::map<std::string, int> in_flight_;
    std::size_t at_once_ = 0;
    std::size_t most_at_once_ = 0;
    std::size_t held_ = 0;
    bool overlapped_ = false;
    bool released_ = false;
    std::unique_ptr<http::Server> server_;
    std::thread thread_;
};

}  // namespace lihandover::delivery::test
