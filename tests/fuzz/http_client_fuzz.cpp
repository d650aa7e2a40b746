// Our HTTP client against whatever a server answers: it ends, an answer has its bounds, and neither depends on the
// pieces in which the answer came. The first byte says in what pieces, the second what is asked.

#include <fcntl.h>
#include <sys/un.h>

#include <boost/asio/co_spawn.hpp>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "../support/temporary_directory.hpp"
#include "lihandover/http/client.hpp"
#include "loop.hpp"

namespace {

using namespace lihandover;
using fuzz::must;
namespace asio = boost::asio;

constexpr std::size_t max_body = 4096;

/// A socket in a fresh directory.
class Listener {
  public:
    Listener() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        must(path_.size() < sizeof address.sun_path, "the directory's path is short");
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        must(descriptor_ >= 0, "a socket can be had");
        must(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                 ::listen(descriptor_, 4) == 0,
             "a socket can be listened on");
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::close(descriptor_); }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] int accept() const {
        const int taken = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        must(taken >= 0, "the client has connected");
        return taken;
    }

  private:
    test::TemporaryDirectory directory_;
    std::string path_ = (directory_.path() / "s").string();
    int descriptor_ = -1;
};

class Body final : public http::BodySource {
  public:
    explicit Body(bool known) : known_(known) {}
    [[nodiscard]] std::optional<std::uint64_t> size() const override {
        return known_ ? std::optional<std::uint64_t>(total) : std::nullopt;
    }
    [[nodiscard]] asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override {
        const std::size_t count = std::min({buffer.size(), total - given_, std::size_t{333}});
        std::fill_n(buffer.begin(), count, 'x');
        given_ += count;
        co_return count;
    }

  private:
    static constexpr std::size_t total = 1000;
    bool known_;
    std::size_t given_ = 0;
};

/// The outcome of one exchange.
struct Outcome {
    std::optional<http::FailureKind> failure;
    unsigned status = 0;
    std::string body;
    std::string type;
    bool keeps_alive = false;

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

void note(Outcome& outcome, const http::ClientResult<http::Answer>& answer) {
    if (!answer) {
        outcome.failure = answer.error().kind;
        must(fuzz::is_ascii_text(answer.error().message), "a failure's words are ours");
        return;
    }
    must(answer->status >= 200 && answer->status <= 599, "an answer is final");
    must(answer->body.size() <= max_body, "a body has its bound");
    must(!answer->header("no-such-field"), "there is no such field");
    outcome.status = answer->status;
    outcome.body = answer->body;
    outcome.type = answer->header("content-type").value_or("(none)");
    must(outcome.type.find_first_of("\r\n") == std::string::npos, "a field is one line");
    outcome.keeps_alive = answer->keeps_alive();
}

void note_expected(Outcome& outcome, const http::ClientResult<http::ExpectOutcome>& expected,
                   const http::Connection& connection) {
    if (!expected) {
        note(outcome, expected.error());
        return;
    }
    must(expected->body_sent || !expected->complete, "a body that was not sent is not complete");
    must(!expected->answer.keeps_alive() || expected->complete || !connection.is_open(),
         "a connection that owes a body is closed");
    note(outcome, expected->answer);
}

Outcome ask(std::string_view bytes, std::size_t piece, std::uint8_t what) {
    static const Listener listener;
    static asio::io_context context{1};
    http::ConnectorOptions options;
    options.exchange.max_answer_header = 1024;
    options.exchange.max_answer_body = max_body;
    http::Connector connector(context.get_executor(), http::UnixPath{listener.path()}, options);
    http::Connection connection;
    asio::co_spawn(context, connector.connect(), [&](const std::exception_ptr& failure, auto result) {
        must(failure == nullptr && result.has_value(), "the client connects");
        connection = std::move(*result);
    });
    while (!connection.is_open()) {
        context.restart();
        context.run_one_for(std::chrono::milliseconds(100));
    }
    fuzz::FarEnd server(listener.accept());
    Outcome outcome;
    bool done = false;
    static constexpr std::array<std::string_view, 1> parts{"hello"};
    static constexpr std::array<std::string_view, 4> methods{"POST", "PUT", "HEAD", "GET"};
    http::Request request;
    request.method = methods.at(what >> 2U & 3U);
    Body body((what & 2U) != 0);
    if ((what & 1U) == 0) {
        request.body = parts;
        asio::co_spawn(context, connection.exchange(request),
                       [&](const std::exception_ptr& failure, const auto& answer) {
                           must(failure == nullptr, "nothing is thrown");
                           note(outcome, answer);
                           done = true;
                       });
    } else {
        asio::co_spawn(context, connection.exchange_expect(request, body, std::chrono::seconds(10)),
                       [&](const std::exception_ptr& failure, const auto& answer) {
                           must(failure == nullptr, "nothing is thrown");
                           note_expected(outcome, answer, connection);
                           done = true;
                       });
    }
    server.serve(context, bytes, piece, [&] { return done; });
    must(outcome.failure || bytes.find(std::to_string(outcome.status)) != std::string_view::npos,
         "the status is the server's");
    must(!outcome.failure || !connection.is_open(), "after a failure the connection is closed");
    connection.close();
    context.restart();
    context.poll();
    return outcome;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    if (size > 32768) {
        return;
    }
    fuzz::Input input(data, size);
    const std::size_t piece = input.byte();
    const std::uint8_t what = input.byte();
    const Outcome whole = ask(input.rest(), 0, what);
    if (piece != 0 && (what & 1U) == 0) {
        // How an invalid answer fails may vary: an end in the middle of nonsense can be taken for either.
        Outcome pieces = ask(input.rest(), piece, what);
        // Whether the connection can go on depends on what came with an answer that belongs to no request.
        pieces.keeps_alive = whole.keeps_alive;
        must(pieces == whole || (pieces.failure && whole.failure), "what is read does not depend on the pieces");
    } else if (piece != 0) {
        // Whether an answer came before or during the body depends on when it came.
        static_cast<void>(ask(input.rest(), piece, what));
    }
}
