// The server of bytes, driven by OpenSSL's own client.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "lihandover/http/stream_server.hpp"
#include "support.hpp"
#include "tls/certificates.hpp"

namespace lihandover::http::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using lihandover::test::certificates;

std::shared_ptr<const tls::ServerContext> any_context(const tls::Files& files = certificates().files("server")) {
    return tls::ServerContext::load(files, tls::Alpn::any).value();
}

/// Sends back what it reads, in capitals. `hold` is not read on, until it is let go.
class Echo final : public StreamHandler {
  public:
    explicit Echo(asio::io_context& context) : gate_(context) {
        gate_.expires_at(std::chrono::steady_clock::time_point::max());
    }
    asio::awaitable<void> serve(Stream& stream) override {
        const Counted counted(serving);
        peers.push_back(stream.peer().certificate->subject);
        std::string bytes(4096, '\0');
        for (;;) {
            const StreamRead read = co_await stream.read_some(bytes, Stream::Clock::now() + timeout);
            ends.push_back(read.end);
            if (read.end == StreamEnd::timeout) {
                ends.push_back(co_await stream.wait_readable(Stream::Clock::now() + guard));
                continue;
            }
            if (read.size == 0) {
                break;
            }
            received += bytes.substr(0, read.size);
            if (received.ends_with("hold")) {
                boost::system::error_code ignored;
                co_await gate_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            }
            std::string answer = bytes.substr(0, read.size);
            std::ranges::transform(answer, answer.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
            wrote = co_await stream.write(answer);
        }
    }
    void let_go() { gate_.cancel(); }

    std::chrono::milliseconds timeout{guard};
    int serving = 0;
    std::vector<std::string> peers;
    std::vector<StreamEnd> ends;
    std::string received;
    bool wrote = true;

  private:
    struct Counted {
        explicit Counted(int& its_count) : count(its_count) { ++count; }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        ~Counted() { --count; }
        int& count;
    };
    asio::steady_timer gate_;
};

StreamOptions most(std::size_t connections) {
    StreamOptions options;
    options.max_connections = connections;
    return options;
}

StreamOptions last_words(std::chrono::milliseconds time) {
    StreamOptions options;
    options.last_words = time;
    return options;
}

class RunningStreams {
  public:
    explicit RunningStreams(StreamOptions options = {}) {
        options.listen = options.listen.empty() ? "127.0.0.1:0" : options.listen;
        options.tls = options.tls ? options.tls : any_context();
        server = StreamServer::listen(context_.get_executor(), std::move(options), handler).value();
        server->start();
        thread_ = std::thread([this] { context_.run(); });
    }
    RunningStreams(const RunningStreams&) = delete;
    RunningStreams& operator=(const RunningStreams&) = delete;
    ~RunningStreams() {
        run([this] { server.reset(); });
        work_.reset();
        thread_.join();
    }
    template <typename Work>
    std::invoke_result_t<Work&> run(Work work) {
        return asio::post(context_, std::packaged_task<decltype(work())()>(std::move(work))).get();
    }
    bool wait_for(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + guard;
        while (!run(condition)) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            std::this_thread::sleep_for(1ms);
        }
        return true;
    }
    std::future<void> stop(std::chrono::milliseconds grace) {
        return asio::co_spawn(context_, server->stop(grace), asio::use_future);
    }
    StreamStats stats() {
        return run([this] { return server->stats(); });
    }
    [[nodiscard]] std::uint16_t port() const { return server->port(); }

  private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};

  public:
    Echo handler{context_};
    std::unique_ptr<StreamServer> server;

  private:
    std::thread thread_;
};

struct Wanted {
    std::string client = "client";
    int version = 0;     ///< TLS1_2_VERSION, …; 0: any
    std::string alpn{};  ///< in wire form
    bool certificate = true;
};

/// A blocking TLS client.
class Client {
  public:
    explicit Client(std::uint16_t port, const Wanted& wanted = {})
        : socket_(port), context_(SSL_CTX_new(TLS_client_method())) {
        const auto files = certificates().files(wanted.client);
        EXPECT_EQ(SSL_CTX_load_verify_locations(context_.get(), files.ca.c_str(), nullptr), 1);
        if (wanted.certificate) {
            EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str()), 1);
            EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), files.private_key.c_str(), SSL_FILETYPE_PEM), 1);
        }
        if (wanted.version != 0) {
            SSL_CTX_set_min_proto_version(context_.get(), wanted.version);
            SSL_CTX_set_max_proto_version(context_.get(), wanted.version);
        }
        if (!wanted.alpn.empty()) {
            SSL_CTX_set_alpn_protos(context_.get(), reinterpret_cast<const unsigned char*>(wanted.alpn.data()),
                                    static_cast<unsigned>(wanted.alpn.size()));
        }
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), socket_.descriptor());
        connected_ = SSL_connect(ssl_.get()) == 1;
    }
    [[nodiscard]] bool connected() const { return connected_; }
    bool send(std::string_view bytes) {
        return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
    }
    std::string read(std::size_t size) {
        std::string out(size, '\0');
        std::size_t have = 0;
        while (have < size) {
            const int count = SSL_read(ssl_.get(), out.data() + have, static_cast<int>(size - have));
            if (count <= 0) {
                break;
            }
            have += static_cast<std::size_t>(count);
        }
        out.resize(have);
        return out;
    }
    /// What it answers, or nothing where it does not.
    std::string ask(std::string_view bytes) { return send(bytes) ? read(bytes.size()) : std::string(); }
    /// The server has ended it, cleanly.
    bool closes() {
        char byte = 0;
        const int count = SSL_read(ssl_.get(), &byte, 1);
        return count <= 0 && SSL_get_error(ssl_.get(), count) == SSL_ERROR_ZERO_RETURN;
    }
    bool ends() {
        char byte = 0;
        return SSL_read(ssl_.get(), &byte, 1) <= 0;
    }
    void close_cleanly() { SSL_shutdown(ssl_.get()); }
    void reset() { socket_.reset(); }
    std::string version() { return SSL_get_version(ssl_.get()); }

  private:
    struct Free {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    Raw socket_;
    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> ssl_;
    bool connected_ = false;
};

TEST(Streams, CarryBytesBothWaysOverBothVersionsOfTls) {
    RunningStreams streams;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client client(streams.port(), {.version = version});
        ASSERT_TRUE(client.connected());
        EXPECT_EQ(client.ask("hello"), "HELLO");
        const std::string much(1'000'000, 'a');
        std::thread sender([&] { EXPECT_TRUE(client.send(much)); });
        EXPECT_EQ(client.read(much.size()), std::string(much.size(), 'A'));
        sender.join();
        client.close_cleanly();
    }
    EXPECT_TRUE(streams.wait_for([&] { return streams.handler.serving == 0; }));
    EXPECT_THAT(streams.run([&] { return streams.handler.peers; }),
                testing::ElementsAre("CN=Test Client", "CN=Test Client"));
    EXPECT_EQ(streams.run([&] { return streams.handler.ends.back(); }), StreamEnd::closed);
}

TEST(Streams, WhateverProtocolThePeerNames) {
    RunningStreams streams;
    for (const std::string& alpn : {std::string(), std::string("\x02h2"), std::string("\x04x2x3\x03ndr")}) {
        Client client(streams.port(), {.alpn = alpn});
        EXPECT_EQ(client.ask("hello"), "HELLO");
    }
}

TEST(Streams, AreForPeersWithACertificateOfTheCa) {
    RunningStreams streams;
    EXPECT_EQ(Client(streams.port(), {.certificate = false}).ask("x"), "");
    EXPECT_EQ(Client(streams.port(), {.client = "other-client"}).ask("x"), "");
    EXPECT_EQ(Client(streams.port(), {.client = "expired-client"}).ask("x"), "");
    EXPECT_FALSE(Client(streams.port(), {.version = TLS1_1_VERSION}).connected());
    Raw plain{streams.port()};
    plain.send("no handshake at all, and longer than any record's head");
    static_cast<void>(plain.read_all());
    EXPECT_TRUE(streams.wait_for([&] { return streams.server->stats().handshake_failed_total == 5; }));
    EXPECT_TRUE(streams.run([&] { return streams.handler.peers.empty(); }));
    EXPECT_EQ(Client(streams.port()).ask("x"), "X");
}

TEST(Streams, AHandshakeHasItsTime) {
    StreamOptions options;
    options.handshake_timeout = 20ms;
    RunningStreams streams(options);
    Raw silent{streams.port()};
    EXPECT_TRUE(silent.closes());
}

TEST(Streams, AnEndIsToldFromACut) {
    RunningStreams streams;
    {
        Client client(streams.port());
        ASSERT_EQ(client.ask("x"), "X");
        client.reset();
    }
    ASSERT_TRUE(streams.wait_for([&] { return streams.handler.serving == 0; }));
    EXPECT_EQ(streams.run([&] { return streams.handler.ends.back(); }), StreamEnd::broken);
}

TEST(Streams, GoOnAfterATimeout) {
    RunningStreams streams;
    streams.run([&] { streams.handler.timeout = 5ms; });
    Client client(streams.port());
    ASSERT_TRUE(streams.wait_for([&] {
        return std::ranges::count(streams.handler.ends, StreamEnd::timeout) > 0 && streams.handler.serving == 1;
    }));
    EXPECT_EQ(client.ask("x"), "X");
    EXPECT_EQ(client.ask("y"), "Y");
}

TEST(Streams, ThreeHundredStalledDoNotKeepOutTheNext) {
    RunningStreams streams(most(300));
    std::vector<Raw> silent;
    std::vector<std::unique_ptr<Client>> idle;
    for (std::size_t n = 0; n < 300; ++n) {
        if (n < 30) {
            idle.push_back(std::make_unique<Client>(streams.port()));
            ASSERT_EQ(idle.back()->ask("x"), "X");
        } else {
            silent.emplace_back(streams.port());
        }
        ASSERT_TRUE(streams.wait_for([&] { return streams.server->stats().accepted_total == n + 1; }));
    }
    for (int n = 0; n < 20; ++n) {
        Client next(streams.port());
        EXPECT_EQ(next.ask("x"), "X");
    }
    EXPECT_GE(streams.stats().evicted_total, 1U);
    EXPECT_LE(streams.stats().connections, 300U);
    for (const auto& client : idle) {
        EXPECT_EQ(client->ask("y"), "Y") << "who is known stays while there are others";
    }
}

TEST(Streams, OfThoseThatAreKnownTheOneStalledLongestGoes) {
    RunningStreams streams(most(2));
    Client first(streams.port());
    ASSERT_EQ(first.ask("x"), "X");
    Client second(streams.port());
    ASSERT_EQ(second.ask("x"), "X");
    Client third(streams.port());
    EXPECT_EQ(third.ask("x"), "X");
    EXPECT_TRUE(first.ends());
    EXPECT_EQ(second.ask("y"), "Y");
}

TEST(Streams, StrangersCostNobodyKnownItsPlace) {
    constexpr std::size_t places = 20;
    RunningStreams streams(most(places));
    std::vector<std::unique_ptr<Client>> known;
    for (std::size_t n = 0; n < places; ++n) {
        known.push_back(std::make_unique<Client>(streams.port()));
        ASSERT_EQ(known.back()->ask("x"), "X");
    }
    std::vector<Raw> strangers;
    for (std::size_t n = 1; n <= 3 * places; ++n) {
        strangers.emplace_back(streams.port());
        ASSERT_TRUE(streams.wait_for([&] { return streams.server->stats().accepted_total == places + n; }));
    }
    EXPECT_LT(streams.stats().connections, 2 * places);
    for (const auto& client : known) {
        EXPECT_EQ(client->ask("y"), "Y");
    }
    Client next(streams.port());
    EXPECT_EQ(next.ask("z"), "Z");
    EXPECT_TRUE(known.front()->ends()) << "of those that are known it was heard of least lately";
    for (std::size_t n = 1; n < places; ++n) {
        EXPECT_EQ(known[n]->ask("z"), "Z");
    }
}

TEST(Streams, OneThatIsNotReadIsNotStalled) {
    RunningStreams streams(most(1));
    Client held(streams.port());
    ASSERT_TRUE(held.send("hold"));
    ASSERT_TRUE(streams.wait_for([&] { return streams.handler.received == "hold"; }));
    std::thread next([&] { EXPECT_EQ(Client(streams.port()).ask("x"), "X"); });
    EXPECT_EQ(streams.stats().connections, 1U);
    streams.run([&] { streams.handler.let_go(); });
    EXPECT_EQ(held.read(4), "HOLD");
    held.close_cleanly();
    next.join();
}

TEST(Streams, AReloadCutsWhoWouldNotBeLetInAnyMore) {
    RunningStreams streams;
    Client client(streams.port());
    ASSERT_EQ(client.ask("x"), "X");
    streams.run([&] { streams.server->set_tls(any_context(certificates().files("chained"))); });
    EXPECT_EQ(client.ask("y"), "Y");
    auto files = certificates().files("server");
    files.crl = certificates().make_list("ca", {"client"}, "stream-client-out.crl");
    streams.run([&] { streams.server->set_tls(any_context(files)); });
    EXPECT_TRUE(client.ends());
    EXPECT_EQ(Client(streams.port()).ask("x"), "");
}

TEST(Streams, AStopReadsWhatWasSentAndTellsThePeer) {
    RunningStreams streams(last_words(guard));
    Client client(streams.port());
    ASSERT_TRUE(client.send("hold"));
    ASSERT_TRUE(streams.wait_for([&] { return streams.handler.received == "hold"; }));
    ASSERT_TRUE(client.send(" and what came before the stop"));
    auto stopped = streams.stop(guard);
    EXPECT_TRUE(client.closes());
    EXPECT_THROW(Client(streams.port()), std::runtime_error);
    streams.run([&] { streams.handler.let_go(); });
    client.close_cleanly();
    stopped.get();
    EXPECT_EQ(streams.handler.received, "hold and what came before the stop");
    EXPECT_FALSE(streams.handler.wrote);
    EXPECT_EQ(streams.handler.serving, 0);
}

TEST(Streams, AStopDoesNotWaitForThoseWhoSayNothing) {
    RunningStreams streams(last_words(5ms));
    Client client(streams.port());
    ASSERT_EQ(client.ask("x"), "X");
    Raw silent{streams.port()};
    ASSERT_TRUE(streams.wait_for([&] { return streams.server->stats().accepted_total == 2; }));
    auto stopped = streams.stop(guard);
    EXPECT_EQ(stopped.wait_for(guard / 2), std::future_status::ready);
    EXPECT_EQ(streams.handler.ends.back(), StreamEnd::closed);
}

TEST(Streams, AStopCutsWhatGoesOn) {
    RunningStreams streams;
    Client client(streams.port());
    ASSERT_TRUE(client.send("hold"));
    ASSERT_TRUE(streams.wait_for([&] { return streams.handler.received == "hold"; }));
    streams.stop(10ms).get();
    EXPECT_EQ(streams.handler.serving, 0);
}

TEST(Streams, AreNotForUnixSockets) {
    asio::io_context context{1};
    Echo handler{context};
    StreamOptions options;
    options.listen = "unix:/run/x.sock";
    options.tls = any_context();
    EXPECT_FALSE(StreamServer::listen(context.get_executor(), options, handler).has_value());
}

}  // namespace
}  // namespace lihandover::http::test
