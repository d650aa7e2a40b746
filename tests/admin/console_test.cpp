// The reviewers' page: who gets in, what each may do, and what a browser is given.
#include "console/console.hpp"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <map>

#include "console/html.hpp"
#include "console/url.hpp"
#include "support.hpp"

namespace lihandover::admin::test {
namespace {

using store::ItemState;
using store::Review;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view ann = "CN=Ann Example,O=csp";
constexpr std::string_view bea = "CN=Bea Example,O=csp";
constexpr std::string_view otto = "CN=Otto Example,O=csp";

/// A request as a browser sends it, and what comes back.
class FakeExchange final : public http::Exchange {
  public:
    FakeExchange(std::string method, std::string target) : method_(std::move(method)), target_(std::move(target)) {
        headers["host"] = "console.example:9465";
        headers["sec-fetch-site"] = "same-origin";
        if (method_ == "POST") {
            headers["origin"] = "https://console.example:9465";
            headers["content-type"] = "application/x-www-form-urlencoded";
        }
    }

    [[nodiscard]] std::string_view method() const override { return method_; }
    [[nodiscard]] std::string_view target() const override { return target_; }
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const override {
        std::string lower(name);
        std::ranges::transform(lower, lower.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
        const auto found = headers.find(lower);
        return found != headers.end() ? std::optional<std::string_view>(found->second) : std::nullopt;
    }
    [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return body.size(); }
    [[nodiscard]] const http::Peer& peer() const override { return who; }
    [[nodiscard]] boost::asio::awaitable<http::BodyResult<void>> read_body(std::string& out, std::size_t max) override {
        body_read = true;
        if (while_reading) {
            while_reading();
        }
        if (body.size() > max) {
            co_return http::BodyFailure::too_large;
        }
        out = body;
        co_return http::BodyResult<void>();
    }
    [[nodiscard]] boost::asio::awaitable<http::BodyResult<std::size_t>> read_some(std::span<char> /*out*/) override {
        co_return std::size_t{0};
    }
    [[nodiscard]] bool expects_continue() const override { return false; }
    void withhold_continue() override {}
    [[nodiscard]] boost::asio::awaitable<bool> respond(http::Response response) override {
        answer = std::move(response);
        co_return true;
    }
    [[nodiscard]] boost::asio::awaitable<bool> respond(http::Response response, http::BodySource& source) override {
        answer = std::move(response);
        wiped = true;
        std::array<char, 1000> some{};
        for (;;) {
            const auto count = co_await source.read(some);
            if (!count || *count == 0) {
                break;
            }
            answer.body.append(some.data(), *count);
        }
        co_return answer.body.size() == source.size();
    }
    void abort() override {}

    [[nodiscard]] std::string field(std::string_view name) const {
        for (const auto& [one, value] : answer.fields) {
            if (one == name) {
                return value;
            }
        }
        return {};
    }

    std::map<std::string, std::string> headers;
    std::string body;
    bool body_read = false;
    std::function<void()> while_reading;
    http::Peer who;
    http::Response answer;
    bool wiped = false;  ///< it comes out of a body that wipes itself

  private:
    std::string method_;
    std::string target_;
};

class ConsoleTest : public AdminTest {
  protected:
    ConsoleTest() {
        config::Console page;
        page.people = {{std::string(ann), {config::Role::review, config::Role::operate}},
                       {std::string(bea), {config::Role::review}},
                       {std::string(otto), {config::Role::operate}}};
        control_.page = page;
        loop_ = std::thread([this] { pages_io_.run(); });
    }
    ~ConsoleTest() override {
        pages_work_.reset();
        loop_.join();
    }
    ConsoleTest(const ConsoleTest&) = delete;
    ConsoleTest& operator=(const ConsoleTest&) = delete;

    static http::Peer peer(std::string_view subject, std::string_view sha = "") {
        http::Peer peer;
        peer.certificate.emplace().subject = subject;
        peer.certificate->certificate_sha256 = sha.empty() ? std::string(subject) : std::string(sha);
        peer.certificate->not_after = {4'102'444'800, 0};
        return peer;
    }

    void send(FakeExchange& exchange) {
        boost::asio::co_spawn(pages_io_, page_.handle(exchange), boost::asio::use_future).get();
    }
    void approve_beside(const model::Uuid& id) {
        std::promise<void> approved;
        store_.items().approve({id}, {"uid:1001", "somebody"},
                               [&](store::Outcome, const store::Decided&) { approved.set_value(); });
        approved.get_future().wait();
    }
    FakeExchange get(std::string_view who, const std::string& target) {
        FakeExchange exchange("GET", target);
        exchange.who = peer(who);
        send(exchange);
        return exchange;
    }
    /// As the form on a page that was shown to `who`.
    FakeExchange post(std::string_view who, const std::string& target, const std::string& fields) {
        FakeExchange exchange("POST", target);
        exchange.who = peer(who);
        exchange.body = "token=" + token_of(who) + (fields.empty() ? "" : "&") + fields;
        send(exchange);
        return exchange;
    }
    std::string token_of(std::string_view who) {
        // An operator finds a form on the overview, a reviewer on the item's page.
        static const std::string mark = "name=\"token\" value=\"";
        for (const std::string& target : {std::string("/"), "/items/" + any_.to_string()}) {
            const std::string body = get(who, target).answer.body;
            if (const auto at = body.find(mark); at != std::string::npos) {
                return body.substr(at + mark.size(), 64);
            }
        }
        return {};
    }
    ItemState state_of(const model::Uuid& id) { return store_.items().find(id).value().value().state; }

    model::Uuid any_ = store_.hold(Review::required);
    boost::asio::io_context pages_io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> pages_work_{pages_io_.get_executor()};
    std::thread loop_;
    Console page_{parts(), workers_.get_executor(), [] { return Readiness::ready; },
                  [](const std::string& host) { return host == "console.example" || host == "::1"; }};
};

TEST(Html, NothingFromOutsideIsMarkup) {
    Html html;
    html.open("p", {{"title", "\"><script>'&"}}).words("<b>&\"'").foreign("</p><script>alert(1)</script>").close();
    EXPECT_EQ(html.take(),
              "<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">&lt;b&gt;&amp;&quot;&#39;<bdi>&lt;/p&gt;&lt;script&gt;"
              "alert(1)&lt;/script&gt;</bdi></p>");
}

TEST(Html, WhatCannotBeSeenIsShown) {
    Html html;
    html.open("p").foreign("a\u202Eb\u200B\x01\n\xFF\xED\xA0\x80\U000E0041").close();
    EXPECT_EQ(html.take(),
              "<p><bdi>a<span class=\"mark\">U+202E</span>b<span class=\"mark\">U+200B</span><span "
              "class=\"mark\">U+0001</span><span class=\"mark\">U+000A</span>\uFFFD<span class=\"mark\">U+D800</span>"
              "<span class=\"mark\">U+E0041</span></bdi></p>");
    html.open("pre").foreign_lines("a\n\tb\r").close();
    EXPECT_EQ(html.take(), "<pre><bdi>a\n\tb<span class=\"mark\">U+000D</span></bdi></pre>");
    EXPECT_EQ(made_visible("x\u2066y"), "x\u27E8U+2066\u27E9y");
}

TEST(Html, ALinkStaysALinkWhateverIsInIt) {
    EXPECT_EQ(Link("/items").step("../..//x?y#z").with("a", "1&b=2\"").text(),
              "/items/..%2f..%2f%2fx%3fy%23z?a=1%26b%3d2%22");
    EXPECT_EQ(Link("/items").with("a", "").with("b", "c").text(), "/items?b=c");
}

TEST(Forms, AreReadAsBrowsersWriteThem) {
    const auto form = Form::parse("id=1&id=2&reason=not+his%20%26+more&x=");
    ASSERT_TRUE(form);
    EXPECT_THAT(form->all("id"), ElementsAre("1", "2"));
    EXPECT_EQ(form->only("id"), "") << "which of the two?";
    EXPECT_EQ(form->only("reason"), "not his & more");
    EXPECT_FALSE(Form::parse("a"));
    EXPECT_FALSE(Form::parse("a=%4"));
    std::string many;
    for (std::size_t i = 0; i <= Form::max_fields; ++i) {
        many += "a=b&";
    }
    EXPECT_FALSE(Form::parse(many));
}

TEST_F(ConsoleTest, NobodyGetsInWhoIsNotListed) {
    for (const std::string& target :
         {std::string("/"), std::string("/console.js"), std::string("/nothing"), "/items/" + any_.to_string()}) {
        const auto exchange = get("CN=Mallory,O=csp", target);
        EXPECT_EQ(exchange.answer.status, 403U) << target;
        EXPECT_THAT(exchange.answer.body, Not(HasSubstr("LIID")));
    }
    FakeExchange nobody("GET", "/");
    send(nobody);
    EXPECT_EQ(nobody.answer.status, 403U);
    EXPECT_TRUE(nobody.answer.close);
    FakeExchange ended("GET", "/");
    ended.who = peer(ann);
    ended.who.certificate->not_after = {1, 0};
    send(ended);
    EXPECT_EQ(ended.answer.status, 403U) << "a connection outlives its certificate";
    FakeExchange posts("POST", "/decide");
    posts.who = peer("CN=Mallory,O=csp");
    posts.body = "action=approve&id=" + any_.to_string();
    send(posts);
    EXPECT_EQ(posts.answer.status, 403U);
    EXPECT_FALSE(posts.body_read);
    EXPECT_EQ(get(ann, "/").answer.status, 200U);
    control_.page->people.erase(std::string(ann));
    EXPECT_EQ(get(ann, "/").answer.status, 403U) << "the configuration in force decides, not that of the start";
    control_.page.reset();
    EXPECT_EQ(get(bea, "/").answer.status, 403U);
}

TEST_F(ConsoleTest, ASubjectIsTheWholeSubject) {
    for (const char* const other : {"CN=Ann Example", "CN=Ann Example,O=csp,C=XX", "CN=Ann Example,O=cs",
                                    "cn=ann example,o=csp", "CN=Ann Example\\,O=csp", ""}) {
        EXPECT_EQ(get(other, "/").answer.status, 403U) << other;
    }
}

TEST_F(ConsoleTest, OnlyNamedCertificatesWhereTheyAreNamed) {
    control_.page->tls.clients = {std::string(64, 'a')};
    EXPECT_EQ(get(ann, "/").answer.status, 403U);
    FakeExchange exchange("GET", "/");
    exchange.who = peer(ann, std::string(64, 'a'));
    send(exchange);
    EXPECT_EQ(exchange.answer.status, 200U);
}

TEST_F(ConsoleTest, EveryAnswerKeepsBrowsersInBounds) {
    for (const char* const target : {"/", "/items", "/nothing", "/console.css", "/console.js", "/items?state=no"}) {
        const auto exchange = get(ann, target);
        EXPECT_EQ(exchange.field("Cache-Control"), "no-store") << target;
        EXPECT_EQ(exchange.field("X-Content-Type-Options"), "nosniff");
        EXPECT_EQ(exchange.field("Referrer-Policy"), "same-origin");
        EXPECT_EQ(exchange.field("Cross-Origin-Opener-Policy"), "same-origin");
        EXPECT_EQ(exchange.field("Cross-Origin-Resource-Policy"), "same-origin");
        const std::string policy = exchange.field("Content-Security-Policy");
        EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
        EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
        EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
        EXPECT_EQ(exchange.field("Set-Cookie"), "");
    }
    EXPECT_EQ(get("CN=Mallory", "/").field("Cache-Control"), "no-store");
}

TEST_F(ConsoleTest, APageUnderAnotherNameIsNotOurs) {
    for (const char* const host : {"evil.example", "console.example.evil.example", "console.example@evil", "", "[::1",
                                   "console.example:", "console.example:1:2", "console.example\\x"}) {
        FakeExchange exchange("GET", "/");
        exchange.who = peer(ann);
        exchange.headers["host"] = host;
        send(exchange);
        EXPECT_EQ(exchange.answer.status, 421U) << host;
    }
    for (const char* const host : {"console.example", "console.example:443", "[::1]:9465", "[::1]"}) {
        FakeExchange exchange("GET", "/");
        exchange.who = peer(ann);
        exchange.headers["host"] = host;
        send(exchange);
        EXPECT_EQ(exchange.answer.status, 200U) << host;
    }
}

TEST_F(ConsoleTest, AFormComesFromAPageOfOurs) {
    const std::string fields = "action=approve&id=" + any_.to_string();
    const std::string good = "token=" + token_of(ann) + "&" + fields;
    struct Case {
        std::string what;
        std::string body;
        std::map<std::string, std::string> headers;
        unsigned status;
    };
    const std::vector<Case> cases = {
        {"no token", fields, {}, 403},
        {"another's token", "token=" + token_of(bea) + "&" + fields, {}, 403},
        {"an empty token", "token=&" + fields, {}, 403},
        {"two tokens", good + "&token=" + token_of(ann), {}, 403},
        {"a short token", "token=" + token_of(ann).substr(1) + "&" + fields, {}, 403},
        {"another origin", good, {{"origin", "https://evil.example"}}, 403},
        {"no origin that can be known", good, {{"origin", "null"}}, 403},
        {"another port", good, {{"origin", "https://console.example:1"}}, 403},
        {"not by TLS", good, {{"origin", "http://console.example:9465"}}, 403},
        {"no origin", good, {{"origin", ""}}, 403},
        {"another site", good, {{"sec-fetch-site", "cross-site"}}, 403},
        {"a neighbour", good, {{"sec-fetch-site", "same-site"}}, 403},
        {"another type", good, {{"content-type", "text/plain"}}, 415},
        {"a type with more", good, {{"content-type", "application/x-www-form-urlencoded; charset=utf-7"}}, 415},
        {"too much", good + "&reason=" + std::string(Form::max_body, 'x'), {}, 413},
    };
    for (const Case& one : cases) {
        FakeExchange exchange("POST", "/decide");
        exchange.who = peer(ann);
        exchange.body = one.body;
        for (const auto& [name, value] : one.headers) {
            exchange.headers[name] = value;
        }
        send(exchange);
        EXPECT_EQ(exchange.answer.status, one.status) << one.what;
        EXPECT_EQ(state_of(any_), ItemState::held) << one.what;
    }
    FakeExchange without("POST", "/decide");
    without.who = peer(ann);
    without.body = good;
    without.headers.erase("origin");
    send(without);
    EXPECT_EQ(without.answer.status, 403U);
    EXPECT_EQ(state_of(any_), ItemState::held);
    EXPECT_EQ(post(ann, "/decide", fields).answer.status, 200U);
    EXPECT_EQ(state_of(any_), ItemState::queued);
}

TEST_F(ConsoleTest, NothingButALinkLeadsHereFromElsewhere) {
    const auto asked = [this](const std::map<std::string, std::string>& headers) {
        FakeExchange exchange("GET", "/");
        exchange.who = peer(ann);
        for (const auto& [name, value] : headers) {
            exchange.headers[name] = value;
        }
        send(exchange);
        return exchange.answer.status;
    };
    EXPECT_EQ(asked({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "no-cors"}, {"sec-fetch-dest", "image"}}),
              403U);
    EXPECT_EQ(asked({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-dest", "iframe"}}),
              403U);
    EXPECT_EQ(asked({{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-dest", "document"}}),
              200U);
    EXPECT_EQ(asked({{"sec-fetch-site", "none"}}), 200U);
    EXPECT_EQ(asked({{"origin", "https://evil.example"}}), 403U);
}

TEST_F(ConsoleTest, EachRoleMayDoWhatIsItsOwn) {
    const auto refused = store_.add(ItemState::refused).object_id;
    const auto held = [this] { return store_.hold(Review::required); };
    struct Case {
        std::string_view who;
        std::string target;
        std::string fields;
        unsigned status;
    };
    const std::string item = "/items/" + any_.to_string();
    const std::string warrant = "destination=lea-one&liid=LIID-1&reason=over&queued=deliver";
    const std::vector<Case> cases = {
        {otto, item + "/content", "form=fields", 403},
        {otto, item + "/objects/" + any_.to_string(), "", 403},
        {otto, "/decide", "action=approve&id=" + any_.to_string(), 403},
        {bea, "/decide", "action=retry&id=" + refused.to_string(), 403},
        {bea, "/warrants/revoke", warrant, 403},
        {bea, "/destinations/pause", "destination=lea-one", 403},
        {bea, "/destinations/resume", "destination=lea-one", 403},
        {bea, item + "/content", "form=fields", 200},
        {bea, "/decide", "action=approve&id=" + held().to_string(), 200},
        {bea, "/decide", "action=reject&reason=no&state=held&id=" + held().to_string(), 200},
        {otto, "/decide", "action=reject&reason=no&state=held&id=" + held().to_string(), 403},
        {otto, "/decide", "action=retry&id=" + refused.to_string(), 200},
        {otto, "/warrants/revoke", warrant, 200},
        {otto, "/destinations/pause", "destination=lea-one", 200},
        {otto, "/destinations/resume", "destination=lea-one", 200},
    };
    for (const Case& one : cases) {
        const auto exchange = post(one.who, one.target, one.fields);
        EXPECT_EQ(exchange.answer.status, one.status) << one.who << " " << one.target << " " << one.fields;
        EXPECT_EQ(exchange.body_read || one.target == "/decide", one.status == 200 || one.target == "/decide");
    }
    EXPECT_EQ(get(bea, "/warrants/revoke?destination=lea-one&liid=LIID-1").answer.status, 403U);
    EXPECT_EQ(get(otto, "/warrants/revoke?destination=lea-one&liid=LIID-1").answer.status, 200U);
    EXPECT_EQ(state_of(any_), ItemState::held);
}

TEST_F(ConsoleTest, NothingIsChangedByReading) {
    const std::string item = "/items/" + any_.to_string();
    for (const std::string& target : {std::string("/decide"), std::string("/destinations/pause"), item + "/content"}) {
        EXPECT_EQ(get(ann, target).answer.status, 405U) << target;
    }
    EXPECT_EQ(post(ann, "/items", "").answer.status, 405U);
    EXPECT_EQ(post(ann, "/", "").answer.status, 405U);
    EXPECT_EQ(get(ann, "/items/a/b/c/d/e").answer.status, 404U);
    EXPECT_EQ(get(ann, "/items//").answer.status, 404U);
    EXPECT_EQ(get(ann, "/items/%zz").answer.status, 404U);
    EXPECT_THAT(store_.decided(), IsEmpty());
}

TEST_F(ConsoleTest, TwoCertificatesAreTwoPeopleAndOneSubjectIsOne) {
    const auto one = store_.hold(Review::dual);
    const std::string fields = "action=approve&id=" + one.to_string();
    const auto first = post(ann, "/decide", fields);
    EXPECT_EQ(first.answer.status, 200U);
    EXPECT_THAT(first.answer.body, HasSubstr("another person has to say the same"));
    FakeExchange renewed("POST", "/decide");
    renewed.who = peer(ann, "another certificate");
    FakeExchange shown("GET", "/");
    shown.who = renewed.who;
    send(shown);
    const auto at = shown.answer.body.find("value=\"", shown.answer.body.find("name=\"token\"")) + 7;
    renewed.body = "token=" + shown.answer.body.substr(at, 64) + "&" + fields;
    send(renewed);
    EXPECT_EQ(renewed.answer.status, 409U);
    EXPECT_EQ(state_of(one), ItemState::held);
    std::promise<store::Decided> socket;
    store_.items().approve({one}, {"uid:1001", "ann"},
                           [&](store::Outcome, const store::Decided& decided) { socket.set_value(decided); });
    EXPECT_EQ(socket.get_future().get().repeated, 1U) << "nobody can tell that it is not she";
    EXPECT_EQ(state_of(one), ItemState::held);
    EXPECT_EQ(post(bea, "/decide", fields).answer.status, 200U);
    EXPECT_EQ(state_of(one), ItemState::queued);
    EXPECT_EQ(store_.decided()[0].who, std::string(ann) + " sha256:" + std::string(ann))
        << "the record tells her certificates apart";
    EXPECT_EQ(store_.decided()[0].identity, "certificate:" + std::string(ann));
}

TEST_F(ConsoleTest, RejectsWithAReasonOnly) {
    for (const char* const reason : {"", "&reason=", "&reason=++", "&reason=a%0Ab", "&reason=%FF"}) {
        EXPECT_EQ(post(ann, "/decide", "action=reject&state=held&id=" + any_.to_string() + reason).answer.status, 400U)
            << reason;
    }
    EXPECT_EQ(
        post(ann, "/decide", "action=reject&state=held&id=" + any_.to_string() + "&reason=" + std::string(1001, 'x'))
            .answer.status,
        400U);
    EXPECT_EQ(post(ann, "/decide", "action=reject&state=held&reason=x").answer.status, 400U);
    EXPECT_EQ(post(ann, "/decide", "action=reject&reason=x&id=" + any_.to_string()).answer.status, 400U);
    EXPECT_EQ(post(ann, "/decide", "action=approve&reason=not+his&id=" + any_.to_string()).answer.status, 400U)
        << "Enter in the field of the reason";
    EXPECT_EQ(post(ann, "/decide", "action=eat&id=" + any_.to_string()).answer.status, 400U);
    EXPECT_EQ(post(ann, "/decide", "action=approve&id=no").answer.status, 400U);
    EXPECT_EQ(state_of(any_), ItemState::held);
    EXPECT_EQ(post(ann, "/decide", "action=reject&state=held&id=" + any_.to_string() + "&reason=not+his").answer.status,
              200U);
    EXPECT_EQ(state_of(any_), ItemState::rejected);
}

TEST_F(ConsoleTest, WhoIsTakenOffTheListWhileAFormComesInDecidesNothing) {
    FakeExchange slow("POST", "/decide");
    slow.who = peer(bea);
    slow.body = "token=" + token_of(bea) + "&action=approve&id=" + any_.to_string();
    slow.while_reading = [this] { control_.page->people.erase(std::string(bea)); };
    send(slow);
    EXPECT_EQ(slow.answer.status, 403U);
    EXPECT_EQ(state_of(any_), ItemState::held);
}

TEST_F(ConsoleTest, WhatAPageShowedAsHeldIsNotRejectedOnceItIsQueued) {
    ASSERT_EQ(post(bea, "/decide", "action=approve&id=" + any_.to_string()).answer.status, 200U);
    const auto late = post(ann, "/decide", "action=reject&reason=no&state=held&id=" + any_.to_string());
    EXPECT_EQ(late.answer.status, 409U);
    const auto filtered =
        post(ann, "/decide", "action=eat&state=held&destination=lea-one&liid=LIID-1&priority=routine");
    EXPECT_THAT(filtered.answer.body,
                HasSubstr("/items?state=held&amp;destination=lea-one&amp;liid=LIID-1&amp;priority=routine"));
    EXPECT_THAT(late.answer.body, HasSubstr("no longer held"));
    EXPECT_EQ(state_of(any_), ItemState::queued);
}

TEST_F(ConsoleTest, WhatSomebodyApprovesInTheSameMomentIsNotRejected) {
    const auto other = store_.hold(Review::required);
    store_.decide_before_next([this] { approve_beside(any_); });
    const auto late =
        post(ann, "/decide", "action=reject&reason=no&state=held&id=" + any_.to_string() + "&id=" + other.to_string());
    EXPECT_EQ(late.answer.status, 409U);
    EXPECT_THAT(late.answer.body, HasSubstr("no longer as they were seen"));
    EXPECT_EQ(state_of(any_), ItemState::queued);
    EXPECT_EQ(state_of(other), ItemState::rejected);
    EXPECT_THAT(metrics_.render(), HasSubstr(R"(lihandover_items_total{destination="lea-one",outcome="rejected"} 1)"));
}

TEST_F(ConsoleTest, WhatIsHeldInTheSameMomentIsNotForWhoeverOnlyOperates) {
    const auto refused = store_.add(ItemState::refused).object_id;
    const auto fields = "action=reject&reason=no&state=refused&id=" + refused.to_string();
    store_.decide_before_next([this, &refused] {
        std::promise<void> retried;
        store_.items().retry({refused}, "somebody", [&](store::Outcome, std::size_t) { retried.set_value(); });
        retried.get_future().wait();
        store::WarrantChanges changes;
        store::StoredRevocation& revoked = changes.revoked.emplace_back();
        revoked.destination = "lea-one";
        revoked.liid = "LIID-1";
        revoked.hold = Review::required;
        EXPECT_TRUE(store_.warrants().change_warrants(changes));
    });
    EXPECT_EQ(post(otto, "/decide", fields).answer.status, 409U);
    EXPECT_EQ(state_of(refused), ItemState::held);
}

TEST_F(ConsoleTest, ManyThatHaveGoneAreLeftWithoutALongLook) {
    const auto open = store_.hold(Review::required);
    const auto gone = store_.add(ItemState::delivered).object_id;
    store_.look_slowly();
    const auto answered = post(ann, "/decide", "action=approve&id=" + open.to_string() + "&id=" + gone.to_string());
    EXPECT_EQ(answered.answer.status, 409U);
    EXPECT_THAT(answered.answer.body, HasSubstr(gone.to_string() + "</code> is elsewhere"));
    EXPECT_EQ(state_of(open), ItemState::queued);
}

TEST_F(ConsoleTest, WhatOthersDecidedMeanwhileHoldsUpNothing) {
    const auto taken = store_.hold(Review::required);
    const auto gone = store_.hold(Review::required);
    const auto open = store_.hold(Review::required);
    ASSERT_EQ(post(bea, "/decide", "action=approve&id=" + taken.to_string()).answer.status, 200U);
    ASSERT_EQ(post(ann, "/decide", "action=reject&state=held&reason=no&id=" + gone.to_string()).answer.status, 200U);
    const auto some =
        post(ann, "/decide",
             "action=approve&id=" + taken.to_string() + "&id=" + open.to_string() + "&id=" + gone.to_string());
    EXPECT_EQ(some.answer.status, 409U);
    EXPECT_EQ(state_of(open), ItemState::queued);
    EXPECT_EQ(state_of(gone), ItemState::rejected);
    const std::string& body = some.answer.body;
    EXPECT_THAT(body, HasSubstr("Done in part"));
    EXPECT_THAT(body, HasSubstr("only held items can be approved; 2 items were left as they are"));
    EXPECT_THAT(body, HasSubstr("1 item approved."));
    EXPECT_THAT(body, HasSubstr(taken.to_string() + "</code> is queued, decided by <bdi>" + std::string(bea)));
    EXPECT_THAT(body, HasSubstr(gone.to_string() + "</code> is rejected, decided by <bdi>" + std::string(ann)));
    const auto late = store_.hold(Review::required);
    const auto rejected =
        post(bea, "/decide", "action=reject&state=held&reason=no&id=" + late.to_string() + "&id=" + open.to_string());
    EXPECT_EQ(state_of(late), ItemState::rejected);
    EXPECT_EQ(state_of(open), ItemState::queued) << "it was shown as held";
    EXPECT_THAT(rejected.answer.body, HasSubstr("no longer held; 1 item was left as it is"));
    const auto none = post(ann, "/decide", "action=approve&id=" + open.to_string() + "&id=" + gone.to_string());
    EXPECT_EQ(none.answer.status, 409U);
    EXPECT_THAT(none.answer.body, HasSubstr("nothing was changed"));
    EXPECT_THAT(none.answer.body, HasSubstr("Not done"));
}

TEST_F(ConsoleTest, ContentIsSeenOnRecordOnly) {
    const auto id = store_.hold(Review::required, false, "<img src=x onerror=alert(1)>\u202Egnp\n</pre>");
    const std::string target = "/items/" + id.to_string();
    EXPECT_THAT(get(ann, target).answer.body, Not(HasSubstr("onerror")));
    EXPECT_THAT(store_.decided(), IsEmpty());
    const auto seen = post(ann, target + "/content", "form=fields");
    ASSERT_EQ(seen.answer.status, 200U);
    EXPECT_THAT(seen.answer.body,
                HasSubstr("&lt;img src=x onerror=alert(1)&gt;<span class=\"mark\">U+202E</span>gnp\n&lt;/pre&gt;"));
    EXPECT_THAT(seen.answer.body, Not(HasSubstr("<img")));
    EXPECT_TRUE(seen.wiped);
    EXPECT_FALSE(get(ann, target).wiped);
    ASSERT_THAT(store_.decided(), SizeIs(1));
    EXPECT_EQ(store_.decided()[0].who, std::string(ann) + " sha256:" + std::string(ann));
    EXPECT_THAT(post(bea, target + "/content", "form=document").answer.body, HasSubstr("&lt;HI1Message"));
    EXPECT_THAT(store_.decided(), SizeIs(2));
    store_.fail_decisions();
    const auto unseen = post(ann, target + "/content", "form=fields");
    EXPECT_EQ(unseen.answer.status, 503U);
    EXPECT_THAT(unseen.answer.body, Not(HasSubstr("onerror")));
}

TEST_F(ConsoleTest, APageThatIsNotAllSaysSo) {
    const auto id = store_.hold(Review::required, false, std::string(max_text + 10, '\x01'));
    const auto seen = post(ann, "/items/" + id.to_string() + "/content", "form=fields");
    EXPECT_THAT(seen.answer.body, HasSubstr("This is not all of it"));
    EXPECT_THAT(post(ann, "/items/" + any_.to_string() + "/content", "form=fields").answer.body,
                Not(HasSubstr("This is not all of it")));
}

TEST_F(ConsoleTest, WhatAnLeaSaysIsText) {
    const std::string evil = "<script>alert('lea')</script>\u202E";
    const auto item =
        store_.add(ItemState::refused, "lea-one", "LIID-1", [&](store::ItemView& view) { view.refusal->words = evil; });
    for (const std::string& target : {"/items/" + item.object_id.to_string(), std::string("/items?state=refused")}) {
        const std::string body = get(ann, target).answer.body;
        EXPECT_THAT(body, HasSubstr("&lt;script&gt;alert(&#39;lea&#39;)&lt;/script&gt;<span class=\"mark\">U+202E"));
        EXPECT_THAT(body, Not(HasSubstr("<script>")));
    }
}

TEST_F(ConsoleTest, WhatSomebodyTypesIntoAnAddressIsText) {
    const std::string body = get(ann, "/items?liid=%22%3E%3Cscript%3E&destination=%27x").answer.body;
    EXPECT_THAT(body, HasSubstr("value=\"&quot;&gt;&lt;script&gt;\""));
    EXPECT_THAT(body, Not(HasSubstr("\"><script>")));
    EXPECT_EQ(get(ann, "/items?state=%3Cb%3E").answer.status, 400U);
    EXPECT_EQ(get(ann, "/items?other=1").answer.status, 400U);
    EXPECT_EQ(get(ann, "/items?after=x").answer.status, 400U);
    EXPECT_EQ(get(ann, "/items?liid=" + std::string(51, 'x')).answer.status, 400U);
}

TEST_F(ConsoleTest, ListsEmergenciesFirstAndPages) {
    for (int i = 0; i < 150; ++i) {
        store_.add(ItemState::set_aside, i % 2 == 0 ? "lea-one" : "lea-two", "LIID-" + std::to_string(i % 3));
    }
    const auto urgent =
        store_.add(ItemState::set_aside, "lea-two", "LIID-9", [](store::ItemView& view) { view.emergency = true; });
    const auto rows = [](const std::string& body) {
        std::vector<std::string> found;
        static const std::string mark = "type=\"checkbox\" name=\"id\" value=\"";
        for (auto at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 1)) {
            found.push_back(body.substr(at + mark.size(), 36));
        }
        return found;
    };
    const std::string first = get(ann, "/items?state=set_aside").answer.body;
    EXPECT_THAT(rows(first), SizeIs(100));
    EXPECT_EQ(rows(first)[0], urgent.object_id.to_string());
    const auto at = first.find("href=\"/items?state=set_aside&amp;after=") + 6;
    std::string next = first.substr(at, first.find('"', at) - at);
    next.replace(next.find("&amp;"), 5, "&");
    EXPECT_THAT(rows(get(ann, next).answer.body), SizeIs(51));
    EXPECT_THAT(rows(get(ann, "/items?state=set_aside&priority=emergency").answer.body), SizeIs(1));
    EXPECT_THAT(rows(get(ann, "/items?state=set_aside&liid=LIID-2&destination=lea-one").answer.body), SizeIs(25));
    EXPECT_THAT(rows(get(ann, "/items?state=set_aside&liid=LIID-9&priority=routine").answer.body), IsEmpty());
}

TEST_F(ConsoleTest, ShowsWhatHappenedToAnItem) {
    post(ann, "/items/" + any_.to_string() + "/content", "form=fields");
    const std::string body = get(ann, "/items/" + any_.to_string()).answer.body;
    EXPECT_THAT(body, HasSubstr("content_shown"));
    EXPECT_THAT(body, HasSubstr("<bdi>" + std::string(ann) + " sha256:" + std::string(ann) + "</bdi>"));
    EXPECT_EQ(get(ann, "/items/" + model::Uuid::random().to_string()).answer.status, 404U);
    EXPECT_EQ(get(ann, "/items/nonsense").answer.status, 404U);
}

TEST_F(ConsoleTest, ALongHistoryGoesOn) {
    const std::string target = "/items/" + any_.to_string();
    const auto entries_of = [](const std::string& body) {
        std::size_t count = 0;
        for (auto at = body.find(">content_shown<"); at != std::string::npos;
             at = body.find(">content_shown<", at + 1)) {
            ++count;
        }
        return count;
    };
    for (int i = 0; i < 1005; ++i) {
        std::promise<void> done;
        store_.items().shown(store_.items().find(any_).value()->row, any_, "ann", "the fields",
                             [&done](store::Outcome, std::size_t) { done.set_value(); });
        done.get_future().get();
    }
    const std::string first = get(ann, target).answer.body;
    const auto link = first.find("href=\"" + target + "?after=");
    ASSERT_NE(link, std::string::npos);
    const auto at = link + 6;
    const std::string rest = get(ann, first.substr(at, first.find('"', at) - at)).answer.body;
    EXPECT_EQ(entries_of(first) + entries_of(rest), 1005U);
    EXPECT_GT(entries_of(rest), 0U);
    EXPECT_THAT(rest, HasSubstr("To the first entries"));
    EXPECT_THAT(rest, Not(HasSubstr("Look further")));
    for (const char* const bad : {"?after=1", "?after=1:2:3:4:5", "?before=1", "?after"}) {
        EXPECT_EQ(get(ann, target + bad).answer.status, 400U) << bad;
    }
}

TEST_F(ConsoleTest, ARevocationShowsWhatItEnds) {
    control_.add_warrant("lea-one", "LIID-1");
    const std::string page = get(otto, "/warrants/revoke?destination=lea-one&liid=LIID-1").answer.body;
    for (const char* const part :
         {"2023-11-14T22:13:20", "2027-01-15T08:00:00", "53 days left", "routine", "metadata, content", "W-17"}) {
        EXPECT_THAT(page, HasSubstr(part));
    }
    EXPECT_THAT(page, Not(HasSubstr("secret-target")));
    EXPECT_THAT(get(otto, "/warrants/revoke?destination=lea-one&liid=LIID-2").answer.body,
                HasSubstr("No such warrant is in force."));
}

TEST_F(ConsoleTest, OnlyAnImageIsReadAsAWhole) {
    const auto id = store_.hold(Review::required);
    const auto object = store_.items().content(id).value()->objects->at(0).described.id;
    const ContentResource content(parts(), workers_.get_executor());
    const auto look = [&](const ObjectPart& part) {
        return boost::asio::co_spawn(pages_io_,
                                     content.look_at_object(id, object, part,
                                                            [] {
                                                                return Viewer{{}, "ann"};
                                                            }),
                                     boost::asio::use_future)
            .get();
    };
    const auto yes = [](std::string_view first) { return first == "by"; };
    const auto no = [](std::string_view /*first*/) { return false; };
    const std::string all("bytes\0", 6);  // as the store of these tests has it
    EXPECT_EQ(look({2, 6, yes}).bytes, all);
    EXPECT_EQ(look({2, 6, no}).bytes, "by");
    EXPECT_EQ(look({2, 5, yes}).bytes, "by");
    EXPECT_EQ(look({9, 9, yes}).bytes, all);
    EXPECT_EQ(look({2, 5, yes}).size, 6U);
}

TEST_F(ConsoleTest, ShowsDestinationsAlarmsAndWarrants) {
    control_.answer.alarms = {"destination lea-one is paused: <operator>"};
    control_.add_warrant("lea-one", "LIID-<1>");
    const std::string overview = get(ann, "/").answer.body;
    EXPECT_THAT(overview, HasSubstr("is paused: &lt;operator&gt;"));
    EXPECT_THAT(overview, HasSubstr("aria-label=\"Pause lea-one\""));
    EXPECT_THAT(get(bea, "/").answer.body, Not(HasSubstr("aria-label=\"Pause lea-one\"")));
    const std::string warrants = get(otto, "/warrants").answer.body;
    EXPECT_THAT(warrants, HasSubstr("LIID-&lt;1&gt;"));
    EXPECT_THAT(warrants, HasSubstr("53 days left"));
    EXPECT_THAT(warrants, HasSubstr("/warrants/revoke?destination=lea-one&amp;liid=LIID-%3c1%3e"));
    EXPECT_THAT(warrants, Not(HasSubstr("secret-target")));
    const std::string revoke = "destination=lea-one&liid=LIID-1&reason=the+court+said+so";
    EXPECT_EQ(post(otto, "/warrants/revoke", revoke).answer.status, 400U) << "what becomes of what is queued";
    post(otto, "/warrants/revoke", revoke + "&queued=hold");
    ASSERT_THAT(control_.revocations_asked, SizeIs(1));
    EXPECT_EQ(control_.revocations_asked[0].who, std::string(otto) + " sha256:" + std::string(otto));
    EXPECT_EQ(control_.revocations_asked[0].reason, "the court said so");
    EXPECT_TRUE(control_.revocations_asked[0].hold_queued);
    EXPECT_EQ(post(otto, "/destinations/pause", "destination=lea-nine").answer.status, 404U);
    EXPECT_EQ(post(otto, "/destinations/pause", "destination=lea-one").answer.status, 200U);
    EXPECT_TRUE(control_.held);
    EXPECT_EQ(post(otto, "/destinations/resume", "destination=lea-one").answer.status, 200U);
    EXPECT_FALSE(control_.held);
}

TEST(Images, AreWhatTheirFirstBytesSay) {
    using namespace std::string_view_literals;
    EXPECT_EQ(image_type_of("\x89PNG\r\n\x1A\n...."sv), "image/png");
    EXPECT_EQ(image_type_of("\xFF\xD8\xFF\xE0"sv), "image/jpeg");
    EXPECT_EQ(image_type_of("GIF89a<script>"sv), "image/gif");
    EXPECT_EQ(image_type_of("RIFF\x10\0\0\0WEBPVP8L"sv), "image/webp");
    for (const auto other :
         {""sv, "<svg onload=alert(1)>"sv, "<html>"sv, "\x89PNG"sv, "RIFF\x10\0\0\0WAVE"sv, "BM"sv, "%PDF-1.7"sv}) {
        EXPECT_EQ(image_type_of(other), "") << other;
    }
}

}  // namespace
}  // namespace lihandover::admin::test
