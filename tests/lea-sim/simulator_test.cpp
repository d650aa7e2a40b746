// What the test LEA answers, keeps and reports, seen through the daemon's own HTTP client.

#include "simulator.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include "lihandover/handover/writer.hpp"
#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/writer.hpp"
#include "lihandover/http/client.hpp"
#include "lihandover/model/clock.hpp"
#include "test_support.hpp"

namespace lihandover::lea_sim::test {
namespace {

using hi1::ActionAnswer;
using http::FailureKind;
using testing::HasSubstr;
using AnswerKind = ActionAnswer::Kind;
using Posted = http::ClientResult<http::Answer>;
using Uploaded = http::ClientResult<http::ExpectOutcome>;

constexpr std::chrono::milliseconds patience{60'000};

/// A message of one or more actions, as the daemon would write it.
struct Message {
    model::Uuid transaction = model::Uuid::random();
    std::vector<model::Uuid> objects;
    std::string document;
};

Message message_of(const std::vector<std::string>& liids) {
    model::Profile profile;
    profile.sender = {"XX", "EXAMPLE-CSP"};
    profile.receiver = {"XX", "Not specified"};
    profile.etsi_version = "V1.14.1";
    profile.schema_identifier = std::string(handover::csp_schema_identifier);
    Message message;
    handover::append_message_head(message.document, profile, message.transaction, model::system_clock().wall());
    for (std::size_t i = 0; i < liids.size(); ++i) {
        model::Share share;
        share.deliver.metadata = true;
        share.event.event_id = "e-1";
        share.event.service = "examplechat";
        share.event.type = model::EventType::message;
        share.event.identifiers = {{model::IdentifierType::user_id, "u-1"}};
        share.event.parties = {{model::PartyRole::sender, 0, 1, {}}};
        share.targeted = {true};
        share.received_at = model::system_clock().wall();
        model::ItemIdentity identity;
        identity.object_id = message.objects.emplace_back(model::Uuid::random());
        identity.liid = liids[i];
        identity.correlation = model::ApplicationCorrelation{77, i};
        hi1::append_action_head(message.document, i);
        EXPECT_TRUE(handover::append_deliver(message.document, share, identity, profile));
        message.document += hi1::action_tail;
    }
    message.document += hi1::message_tail;
    return message;
}

/// A connection to the simulator, made when it is first needed.
struct Client {
    http::Connector connector;
    http::Connection connection{};

    boost::asio::awaitable<http::ClientResult<void>> connect() {
        if (!connection.is_open()) {
            auto connected = co_await connector.connect();
            if (!connected) {
                co_return connected.error();
            }
            connection = std::move(*connected);
        }
        co_return http::ClientResult<void>{};
    }
};

boost::asio::awaitable<void> post_on(Client& client, std::string target, std::string document,
                                     std::optional<Posted>& out) {
    const auto connected = co_await client.connect();
    if (!connected) {
        out.emplace(connected.error());
        co_return;
    }
    const http::Field field{"Content-Type", "application/xml"};
    const std::string_view body = document;
    http::Request request;
    request.target = target;
    request.fields = {&field, 1};
    request.body = {&body, 1};
    out.emplace(co_await client.connection.exchange(request));
}

class TextSource final : public http::BodySource {
  public:
    explicit TextSource(std::string text) : text_(std::move(text)) {}
    [[nodiscard]] std::optional<std::uint64_t> size() const override { return text_.size(); }
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override {
        const auto count = std::min(buffer.size(), text_.size() - given_);
        std::memcpy(buffer.data(), text_.data() + given_, count);
        given_ += count;
        co_return count;
    }

  private:
    std::string text_;
    std::size_t given_ = 0;
};

boost::asio::awaitable<void> upload_on(Client& client, std::string target, std::string bytes,
                                       std::chrono::milliseconds continue_timeout, std::optional<Uploaded>& out) {
    const auto connected = co_await client.connect();
    if (!connected) {
        out.emplace(connected.error());
        co_return;
    }
    const http::Field field{"Content-Type", "image/jpeg"};
    http::Request request;
    request.target = target;
    request.fields = {&field, 1};
    TextSource source(std::move(bytes));
    out.emplace(co_await client.connection.exchange_expect(request, source, continue_timeout));
}

class SimulatorTest : public testing::Test {
  protected:
    SimulatorTest() {
        options_.listen = "127.0.0.1:0";
        options_.tls = Certificates::lea();
        options_.output = (directory_.path() / "out").string();
        options_.control = "127.0.0.1:0";
        lines_path_ = directory_.path() / "lines.jsonl";
        lines_ = ::open(lines_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        options_.report_to = lines_;
    }
    ~SimulatorTest() override {
        simulator_.reset();
        ::close(lines_);
    }

    void start(const std::vector<std::string>& rules = {}) {
        options_.rules = rules_of(rules);
        auto started = Simulator::start(options_);
        ASSERT_TRUE(started) << started.error().message;
        simulator_ = std::move(*started);
    }

    static std::vector<Rule> rules_of(const std::vector<std::string>& texts) {
        std::vector<Rule> rules;
        for (const auto& text : texts) {
            Settings settings;
            EXPECT_TRUE(parse_settings(text, settings));
            auto rule = make_rule(settings);
            EXPECT_TRUE(rule) << text << ": " << rule.error().message;
            rules.push_back(*rule);
        }
        return rules;
    }

    std::unique_ptr<Client> connection(const tls::Files& files = Certificates::csp()) {
        auto context = tls::ClientContext::load(files);
        EXPECT_TRUE(context);
        const auto url = http::parse_url("https://127.0.0.1:" + std::to_string(simulator_->port()) + "/hi");
        http::ConnectorOptions options;
        options.exchange.answer_timeout = patience;
        options.exchange.max_answer_body = 1 << 20;
        return std::unique_ptr<Client>(new Client{{io_.get_executor(), *url, *context, options}});
    }

    /// Runs until there is a result. An open connection may have timers of its own, so the context need not run dry.
    template <typename Result>
    void run(const std::optional<Result>& out) {
        io_.restart();
        while (!out) {
            if (io_.run_one() == 0) {
                throw std::logic_error("nothing is left to do, and no result");
            }
        }
    }

    Posted post(const std::string& document, const std::string& target = "/hi") {
        auto own = connection();
        return post(*own, document, target);
    }
    Posted post(Client& on, const std::string& document, const std::string& target = "/hi") {
        std::optional<Posted> out;
        boost::asio::co_spawn(io_, post_on(on, target, document, out), rethrow);
        run(out);
        return std::move(*out);
    }
    Uploaded upload(const std::string& target, const std::string& bytes, std::chrono::milliseconds wait = patience) {
        auto own = connection();
        std::optional<Uploaded> out;
        boost::asio::co_spawn(io_, upload_on(*own, target, bytes, wait, out), rethrow);
        run(out);
        return std::move(*out);
    }
    static void rethrow(const std::exception_ptr& failure) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

    /// POST, or GET if there is no body, to the control port.
    http::Answer control(const std::string& target, const std::optional<std::string>& body = std::nullopt) {
        const auto url = http::parse_url("http://" + simulator_->control_address() + target);
        Client plain{{io_.get_executor(), *url, nullptr}};
        std::optional<Posted> out;
        boost::asio::co_spawn(io_, control_on(plain, target, body, out), rethrow);
        run(out);
        EXPECT_TRUE(out && *out) << target;
        return std::move(**out);
    }
    static boost::asio::awaitable<void> control_on(Client& on, std::string target, std::optional<std::string> body,
                                                   std::optional<Posted>& out) {
        const auto connected = co_await on.connect();
        if (!connected) {
            out.emplace(connected.error());
            co_return;
        }
        const std::string_view view = body ? std::string_view(*body) : std::string_view();
        http::Request request;
        request.method = body ? "POST" : "GET";
        request.target = target;
        if (body) {
            request.body = {&view, 1};
        }
        out.emplace(co_await on.connection.exchange(request));
    }
    std::int64_t total(std::string_view name) { return ParsedLine(control("/totals").body).number(name); }

    /// Lines of one kind of event.
    std::vector<std::string> lines(std::string_view event = "delivery") {
        auto all = lines_of(read_file(lines_path_));
        std::erase_if(all, [&](const std::string& line) { return ParsedLine(line).text("event") != event; });
        return all;
    }
    std::vector<std::string> outcomes() {
        std::vector<std::string> out;
        for (const auto& line : lines()) {
            out.push_back(ParsedLine(line).text("outcome"));
        }
        return out;
    }
    [[nodiscard]] std::filesystem::path output(const std::string& name) const {
        return std::filesystem::path(options_.output) / name;
    }

    static hi1::Response response_of(const Posted& posted) {
        EXPECT_TRUE(posted) << posted.error().message;
        EXPECT_EQ(posted->status, 200U);
        auto response = hi1::parse_response(posted->body);
        EXPECT_TRUE(response) << response.error().message;
        return response ? std::move(*response) : hi1::Response();
    }
    static std::vector<AnswerKind> kinds_of(const hi1::Response& response) {
        std::vector<AnswerKind> kinds;
        for (const auto& action : response.actions) {
            kinds.push_back(action.kind);
        }
        return kinds;
    }

    Directory directory_;
    Options options_;
    std::filesystem::path lines_path_;
    int lines_ = -1;
    boost::asio::io_context io_;
    std::unique_ptr<Simulator> simulator_;
};

TEST_F(SimulatorTest, AcceptsStoresAndReports) {
    start();
    const auto message = message_of({"LIID-1", "LIID-2"});
    const auto posted = post(message.document, "/hi?x=1");
    const auto response = response_of(posted);
    EXPECT_EQ(posted->header("Content-Type"), "application/xml");
    EXPECT_EQ(response.header.transaction, message.transaction);
    ASSERT_EQ(response.actions.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(response.actions[i].action, i);
        EXPECT_EQ(response.actions[i].kind, AnswerKind::accepted);
        EXPECT_EQ(response.actions[i].identifier, message.objects[i]);
    }
    EXPECT_EQ(read_file(output(message.transaction.to_string() + ".xml")), message.document);
    const auto told = lines();
    ASSERT_EQ(told.size(), 2U);
    const ParsedLine line(told[1]);
    EXPECT_EQ(line.text("transaction"), message.transaction.to_string());
    EXPECT_EQ(line.number("action"), 1);
    EXPECT_EQ(line.text("object"), message.objects[1].to_string());
    EXPECT_EQ(line.text("liid"), "LIID-2");
    EXPECT_EQ(line.number("level"), 77);
    EXPECT_EQ(line.number("sequence"), 1);
    EXPECT_EQ(line.text("path"), "/hi");
    EXPECT_EQ(line.number("size"), static_cast<std::int64_t>(message.document.size()));
    EXPECT_EQ(line.text("outcome"), "accepted");
    EXPECT_EQ(line.text("file"), message.transaction.to_string() + ".xml");
    EXPECT_THAT(line.text("client"), HasSubstr("CN=csp"));
    EXPECT_EQ(line.text("time").size(), std::strlen("2026-11-22T10:15:30.123456Z"));
    EXPECT_FALSE(line.has("valid"));
    EXPECT_EQ(read_file(output("index/" + message.objects[1].to_string() + ".jsonl")), told[1] + "\n");
    EXPECT_EQ(total("accepted"), 2);
}

TEST_F(SimulatorTest, KeepsEveryAttemptOfATransactionAndOfAnObject) {
    start();
    const auto message = message_of({"LIID-1"});
    (void)post(message.document);
    (void)post(message.document);
    EXPECT_EQ(read_file(output(message.transaction.to_string() + ".2.xml")), message.document);
    EXPECT_EQ(lines_of(read_file(output("index/" + message.objects[0].to_string() + ".jsonl"))).size(), 2U);
    for (const auto& entry : std::filesystem::directory_iterator(options_.output)) {
        EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << "left behind: " << entry.path();
    }
}

TEST_F(SimulatorTest, ServesManyRequestsOnOneConnection) {
    start();
    auto own = connection();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(kinds_of(response_of(post(*own, message_of({"A"}).document))).size(), 1U);
    }
    EXPECT_EQ(own->connection.exchanges(), 20U);
}

TEST_F(SimulatorTest, RefusesActionsByLiid) {
    start({"kind=refuse,code=3999,description=no such LIID,liid=LIID-1"});
    const auto response = response_of(post(message_of({"LIID-1", "LIID-2"}).document));
    EXPECT_EQ(kinds_of(response), (std::vector{AnswerKind::refused, AnswerKind::accepted}));
    EXPECT_EQ(response.actions[0].error, (hi1::ErrorInformation{3999, "no such LIID"}));
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"refused", "accepted"}));
    EXPECT_EQ(ParsedLine(lines()[0]).number("code"), 3999);
    EXPECT_EQ(total("refused"), 1);
}

TEST_F(SimulatorTest, RefusesAnObjectOnly) {
    const auto message = message_of({"A", "B"});
    start({"kind=refuse,object=" + message.objects[1].to_string()});
    EXPECT_EQ(kinds_of(response_of(post(message.document))), (std::vector{AnswerKind::accepted, AnswerKind::refused}));
}

TEST_F(SimulatorTest, RefusesWholeMessages) {
    start({"kind=error,code=3002,description=not now,times=1"});
    const auto response = response_of(post(message_of({"A", "B"}).document));
    ASSERT_TRUE(response.message_error);
    EXPECT_EQ(*response.message_error, (hi1::ErrorInformation{3002, "not now"}));
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"error", "error"}));
    EXPECT_FALSE(response_of(post(message_of({"A"}).document)).message_error) << "times=1 is over";
}

TEST_F(SimulatorTest, AnswersWithAStatus) {
    start({"kind=status,status=503,retry_after=2,liid=A", "kind=status,status=307,location=https://other/,liid=B"});
    const auto busy = post(message_of({"A"}).document);
    ASSERT_TRUE(busy);
    EXPECT_EQ(busy->status, 503U);
    EXPECT_EQ(busy->header("Retry-After"), "2");
    const auto redirect = post(message_of({"B"}).document);
    ASSERT_TRUE(redirect);
    EXPECT_EQ(redirect->status, 307U);
    EXPECT_EQ(redirect->header("Location"), "https://other/");
    EXPECT_EQ(kinds_of(response_of(post(message_of({"C"}).document))), std::vector{AnswerKind::accepted});
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"status", "status", "accepted"}));
}

TEST_F(SimulatorTest, DropsBeforeReading) {
    start({"kind=drop,moment=reading"});
    const auto posted = post(message_of({"A"}).document);
    ASSERT_FALSE(posted);
    EXPECT_EQ(total("messages"), 0);
    EXPECT_EQ(outcomes(), std::vector<std::string>{"dropped"});
}

TEST_F(SimulatorTest, DropsWithoutAnAnswerWhatItHasStored) {
    start({"kind=drop,moment=answering"});
    const auto message = message_of({"A"});
    const auto posted = post(message.document);
    ASSERT_FALSE(posted);
    EXPECT_EQ(posted.error().kind, FailureKind::closed);
    EXPECT_EQ(read_file(output(message.transaction.to_string() + ".xml")), message.document);
    EXPECT_EQ(outcomes(), std::vector<std::string>{"dropped"});
    EXPECT_EQ(total("accepted"), 0);
}

TEST_F(SimulatorTest, DropsAfterTheAnswer) {
    start({"kind=drop,moment=answered,times=1"});
    auto own = connection();
    EXPECT_EQ(kinds_of(response_of(post(*own, message_of({"A"}).document))), std::vector{AnswerKind::accepted});
    EXPECT_EQ(ParsedLine(lines()[0]).text("then"), "dropped");
    EXPECT_EQ(total("accepted"), 1);
    // The connection is gone: the next exchange fails on it.
    if (own->connection.is_open()) {
        const auto next = post(*own, message_of({"A"}).document);
        ASSERT_FALSE(next);
        EXPECT_TRUE(next.error().reused);
    }
}

TEST_F(SimulatorTest, AnswersAnotherTransaction) {
    start({"kind=wrong_transaction"});
    const auto message = message_of({"A"});
    EXPECT_NE(response_of(post(message.document)).header.transaction, message.transaction);
    EXPECT_EQ(outcomes(), std::vector<std::string>{"wrong_transaction"});
}

TEST_F(SimulatorTest, SaysThatAnObjectExistsOnceItHasIt) {
    start({"kind=drop,moment=answering,times=1", "kind=exists"});
    const auto message = message_of({"LIID-1"});
    EXPECT_FALSE(post(message.document));  // stored, and the answer lost
    const auto again = response_of(post(message.document));
    ASSERT_EQ(again.actions.size(), 1U);
    EXPECT_EQ(again.actions[0].error.code, 3010U);
    EXPECT_EQ(kinds_of(response_of(post(message_of({"LIID-1"}).document))),
              std::vector<AnswerKind>{AnswerKind::accepted});
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"dropped", "refused", "accepted"}));
}

TEST_F(SimulatorTest, HasNotTakenWhatAFilterAnswered) {
    start({"kind=status,status=503,times=1", "kind=exists"});
    const auto message = message_of({"LIID-1"});
    EXPECT_EQ(post(message.document)->status, 503U);
    EXPECT_EQ(kinds_of(response_of(post(message.document))), std::vector<AnswerKind>{AnswerKind::accepted});
}

TEST_F(SimulatorTest, FiltersByText) {
    start({"kind=status,status=403,contains=LIID-poison"});
    EXPECT_EQ(post(message_of({"LIID-1"}).document)->status, 200U);
    EXPECT_EQ(post(message_of({"LIID-poison"}).document)->status, 403U);
}

TEST_F(SimulatorTest, OneNodeOfSeveralIsBroken) {
    start({"kind=status,status=404,nodes=2,node=1"});
    const auto good = connection();
    const auto bad = connection();
    for (int times = 0; times < 3; ++times) {
        EXPECT_EQ(post(*good, message_of({"LIID-1"}).document)->status, 200U);
        EXPECT_EQ(post(*bad, message_of({"LIID-1"}).document)->status, 404U);
    }
}

TEST_F(SimulatorTest, AnswersAsOthersWriteIt) {
    start({"kind=foreign,times=1", "kind=first_only,times=1", "kind=stranger,code=3020,times=1",
           "kind=under_status,status=202,times=1", "kind=under_status,status=500,code=500,times=1"});
    const auto message = message_of({"LIID-1", "LIID-2"});
    const auto foreign = post(message.document);
    EXPECT_THAT(foreign->body, HasSubstr("<Remark>"));
    const auto read = response_of(foreign);
    EXPECT_EQ(kinds_of(read), (std::vector<AnswerKind>{AnswerKind::accepted, AnswerKind::accepted}));
    EXPECT_EQ(read.header.sender.unique_identifier, "EXAMPLE-CSP");

    EXPECT_EQ(response_of(post(message.document)).actions.size(), 1U);

    const auto stranger = response_of(post(message.document));
    EXPECT_NE(stranger.header.transaction, message.transaction);
    EXPECT_EQ(stranger.header.sender.unique_identifier, "UNKNOWN");
    EXPECT_EQ(stranger.message_error->code, 3020U);

    const auto accepted = post(message.document);
    EXPECT_EQ(accepted->status, 202U);
    EXPECT_EQ(hi1::parse_response(accepted->body)->actions.size(), 2U);
    const auto failed = post(message.document);
    EXPECT_EQ(failed->status, 500U);
    EXPECT_EQ(hi1::parse_response(failed->body)->message_error->code, 500U);
}

TEST_F(SimulatorTest, CompressesUnasked) {
    start({"kind=gzip"});
    const auto posted = post(message_of({"LIID-1"}).document);
    if (posted) {  // a client may refuse what it did not ask for
        EXPECT_TRUE(posted->body.starts_with("\x1f\x8b"));
    }
    EXPECT_EQ(outcomes(), std::vector<std::string>{"accepted"});
}

TEST_F(SimulatorTest, AnswersNonsense) {
    start({"kind=garbage"});
    for (int i = 0; i < 30; ++i) {
        const auto posted = post(message_of({"A"}).document);
        ASSERT_TRUE(posted);
        EXPECT_EQ(posted->status, 200U);
        EXPECT_FALSE(hi1::parse_response(posted->body));
    }
}

TEST_F(SimulatorTest, LeavesActionsOutOrAnswersThemTwice) {
    start({"kind=unanswered,liid=A", "kind=twice,liid=B"});
    const auto response = response_of(post(message_of({"A", "B", "C"}).document));
    ASSERT_EQ(response.actions.size(), 3U);
    EXPECT_EQ(response.actions[0].action, 1U);
    EXPECT_EQ(response.actions[1].action, 1U);
    EXPECT_EQ(response.actions[2].action, 2U);
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"unanswered", "twice", "accepted"}));
    EXPECT_EQ(total("accepted"), 1);
}

TEST_F(SimulatorTest, BreaksOffItsAnswer) {
    start({"kind=truncated"});
    const auto posted = post(message_of({"A"}).document);
    ASSERT_FALSE(posted);
    EXPECT_EQ(posted.error().kind, FailureKind::truncated);
}

TEST_F(SimulatorTest, AnswersTooMuch) {
    start({"kind=oversized,size=2000000"});
    const auto posted = post(message_of({"A"}).document);
    ASSERT_FALSE(posted);
    EXPECT_EQ(posted.error().kind, FailureKind::too_large);
}

TEST_F(SimulatorTest, DelaysUntilReleased) {
    start({"kind=delay,delay=1h"});
    auto own = connection();
    const auto message = message_of({"A"});
    std::optional<Posted> out;
    boost::asio::co_spawn(io_, post_on(*own, "/hi", message.document, out), rethrow);
    std::thread client([this, &out] { run(out); });
    // Stored, and still without an answer.
    const auto file = output(message.transaction.to_string() + ".xml");
    while (!std::filesystem::exists(file)) {
        std::this_thread::yield();
    }
    EXPECT_TRUE(lines().empty());
    // Until the delay itself has started there is nothing to release.
    std::atomic<bool> done = false;
    std::thread releasing([&] {
        while (!done) {
            simulator_->release();
            std::this_thread::yield();
        }
    });
    client.join();
    done = true;
    releasing.join();
    EXPECT_EQ(kinds_of(response_of(*out)), std::vector{AnswerKind::accepted});
}

TEST_F(SimulatorTest, EndsWhileItDelays) {
    start({"kind=delay,delay=1h"});
    auto own = connection();
    const auto message = message_of({"A"});
    std::optional<Posted> out;
    boost::asio::co_spawn(io_, post_on(*own, "/hi", message.document, out), rethrow);
    std::thread client([this, &out] { run(out); });
    while (!std::filesystem::exists(output(message.transaction.to_string() + ".xml"))) {
        std::this_thread::yield();
    }
    simulator_->stop();
    client.join();
    ASSERT_TRUE(out);
    EXPECT_EQ(lines("totals").size(), 1U);
}

TEST_F(SimulatorTest, ReadsSlowly) {
    start({"kind=slow_read,rate=50000"});
    const auto message = message_of({"A", "B", "C", "D"});
    EXPECT_EQ(kinds_of(response_of(post(message.document))).size(), 4U);
    EXPECT_EQ(read_file(output(message.transaction.to_string() + ".xml")), message.document);
}

TEST_F(SimulatorTest, KeepsWhatItCannotRead) {
    start();
    const auto posted = post("<HI1Message>");
    ASSERT_TRUE(posted);
    EXPECT_EQ(posted->status, 400U);
    EXPECT_EQ(read_file(output("unreadable.xml")), "<HI1Message>");
    EXPECT_EQ(outcomes(), std::vector<std::string>{"unreadable"});
    EXPECT_EQ(total("unreadable"), 1);
}

TEST_F(SimulatorTest, ChecksDocumentsWhenAsked) {
    options_.validate = std::string(LIHANDOVER_SOURCE_DIR) + "/schemas";
    start();
    auto message = message_of({"A"});
    (void)post(message.document);
    message.document.insert(message.document.rfind("</HI1Message>"), "<Surprise/>");
    (void)post(message.document);
    const auto told = lines();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_TRUE(ParsedLine(told[0]).flag("valid")) << told[0];
    EXPECT_TRUE(ParsedLine(told[1]).has("valid"));
    EXPECT_FALSE(ParsedLine(told[1]).flag("valid"));
    EXPECT_FALSE(ParsedLine(told[1]).text("invalid").empty());
    EXPECT_EQ(total("invalid"), 1);
}

TEST_F(SimulatorTest, AnswersWithoutKeepingAnything) {
    options_.output.clear();
    options_.quiet = true;
    start();
    const auto message = message_of({"LIID-1", "LIID-2"});
    auto own = connection();
    for (int i = 0; i < 3; ++i) {
        const auto response = response_of(post(*own, message.document));
        EXPECT_EQ(response.header.transaction, message.transaction);
        EXPECT_EQ(kinds_of(response), (std::vector{AnswerKind::accepted, AnswerKind::accepted}));
    }
    EXPECT_TRUE(lines().empty());
    EXPECT_EQ(total("accepted"), 6);
    // A rule that asks for LIIDs works all the same.
    simulator_->set_rules(rules_of({"kind=refuse,liid=LIID-2"}));
    EXPECT_EQ(kinds_of(response_of(post(*own, message.document))),
              (std::vector{AnswerKind::accepted, AnswerKind::refused}));
    // And what the quick scan does not know is read in full.
    const auto spread = "<?xml version=\"1.0\"?>\n<!-- by another writer -->\n" +
                        message.document.substr(message.document.find("<HI1Message"));
    EXPECT_EQ(response_of(post(*own, spread)).actions.size(), 2U);
}

TEST_F(SimulatorTest, ChangesWhileItRuns) {
    start();
    EXPECT_EQ(post(message_of({"A"}).document)->status, 200U);
    EXPECT_EQ(control("/behaviour", R"({"rules":[{"kind":"status","status":500,"times":2}]})").status, 200U);
    EXPECT_EQ(post(message_of({"A"}).document)->status, 500U);
    EXPECT_EQ(post(message_of({"A"}).document)->status, 500U);
    EXPECT_EQ(post(message_of({"A"}).document)->status, 200U);
    EXPECT_THAT(control("/behaviour").body, HasSubstr(R"("kind":"status","applied":2)"));
    const auto refused = control("/behaviour", R"({"rules":[{"kind":"explode"}]})");
    EXPECT_EQ(refused.status, 400U);
    EXPECT_THAT(refused.body, HasSubstr("kind"));
    EXPECT_EQ(control("/release", "").status, 200U);
    EXPECT_EQ(control("/nowhere").status, 404U);
    EXPECT_EQ(control("/behaviour", R"({"rules":[]})").status, 200U);
    EXPECT_EQ(total("messages"), 4);
}

TEST_F(SimulatorTest, ForgetsNothingInTheMiddleOfChaos) {
    auto chaos =
        chaos_rules("drop=0.15,delay=0.1,refuse=0.1,garbage=0.1,status=0.1,wrong_transaction=0.05,truncated=0.05");
    ASSERT_TRUE(chaos);
    start();
    simulator_->set_rules(std::move(*chaos));
    std::int64_t accepted = 0;
    for (int i = 0; i < 200; ++i) {
        const auto message = message_of({"A"});
        const auto posted = post(message.document);
        if (!posted || posted->status != 200) {
            continue;
        }
        const auto response = hi1::parse_response(posted->body);
        if (!response || response->header.transaction != message.transaction) {
            continue;
        }
        if (kinds_of(*response) != std::vector{AnswerKind::accepted}) {
            continue;
        }
        ++accepted;
        EXPECT_THAT(read_file(output("index/" + message.objects[0].to_string() + ".jsonl")), HasSubstr("accepted"));
    }
    EXPECT_GT(accepted, 0);
    EXPECT_LT(accepted, 200);
    EXPECT_GE(total("accepted"), accepted);
}

TEST_F(SimulatorTest, TakesNoStrangers) {
    start();
    auto own = connection(Certificates::stranger());
    EXPECT_FALSE(post(*own, message_of({"A"}).document));
    EXPECT_EQ(total("messages"), 0);
}

TEST_F(SimulatorTest, KnowsOnlyPost) {
    start();
    auto own = connection();
    std::optional<Posted> out;
    boost::asio::co_spawn(io_, control_on(*own, "/hi", std::nullopt, out), rethrow);
    run(out);
    ASSERT_TRUE(*out);
    EXPECT_EQ((*out)->status, 405U);
}

TEST_F(SimulatorTest, StoresUploads) {
    start();
    const auto object = model::Uuid::random();
    std::string bytes(300'000, 'x');
    bytes[5] = '\0';
    const auto path = "/binaryData/" + object.to_string() + "/";
    const auto uploaded = upload(path, bytes);
    ASSERT_TRUE(uploaded) << uploaded.error().message;
    EXPECT_EQ(uploaded->answer.status, 200U);
    EXPECT_TRUE(uploaded->body_sent);
    EXPECT_EQ(read_file(output("objects/" + object.to_string())), bytes);
    const ParsedLine line(lines("object").at(0));
    EXPECT_EQ(line.text("object"), object.to_string());
    EXPECT_EQ(line.text("outcome"), "stored");
    EXPECT_EQ(line.text("content_type"), "image/jpeg");
    EXPECT_EQ(line.text("path"), path);
    EXPECT_EQ(line.number("size"), 300'000);
    EXPECT_TRUE(line.flag("expected_continue"));
    EXPECT_EQ(upload("/binaryData/no-uuid/", bytes)->answer.status, 404U);
}

TEST_F(SimulatorTest, StoresEmptyUploads) {
    start();
    const auto object = model::Uuid::random();
    const auto uploaded = upload("/binaryData/" + object.to_string() + "/", "");
    ASSERT_TRUE(uploaded) << uploaded.error().message;
    EXPECT_EQ(uploaded->answer.status, 200U);
    EXPECT_TRUE(std::filesystem::exists(output("objects/" + object.to_string())));
    EXPECT_FALSE(ParsedLine(lines("object").at(0)).flag("expected_continue"));
}

TEST_F(SimulatorTest, RefusesUploadsInsteadOfContinue) {
    start({"kind=status,on=uploads,status=417"});
    const auto object = model::Uuid::random();
    const auto uploaded = upload("/binaryData/" + object.to_string() + "/", "bytes");
    ASSERT_TRUE(uploaded) << uploaded.error().message;
    EXPECT_EQ(uploaded->answer.status, 417U);
    EXPECT_FALSE(uploaded->body_sent);
    EXPECT_FALSE(std::filesystem::exists(output("objects/" + object.to_string())));
    EXPECT_EQ(post(message_of({"A"}).document)->status, 200U) << "deliveries are not concerned";
}

TEST_F(SimulatorTest, WithholdsContinue) {
    start({"kind=withhold_continue"});
    const auto object = model::Uuid::random();
    const auto uploaded = upload("/binaryData/" + object.to_string() + "/", "bytes", std::chrono::milliseconds(50));
    ASSERT_FALSE(uploaded);
    EXPECT_EQ(uploaded.error().phase, http::Phase::await_continue);
    EXPECT_EQ(uploaded.error().kind, FailureKind::timeout);
    while (lines("object").empty()) {
        std::this_thread::yield();
    }
    EXPECT_EQ(ParsedLine(lines("object")[0]).text("outcome"), "unfinished");
    EXPECT_FALSE(std::filesystem::exists(output("objects/" + object.to_string())));
}

}  // namespace
}  // namespace lihandover::lea_sim::test
