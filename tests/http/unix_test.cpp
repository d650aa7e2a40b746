#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "support.hpp"
#include "tls/certificates.hpp"

namespace lihandover::http::test {
namespace {

using testing::HasSubstr;

class UnixSocket : public testing::Test {
  protected:
    [[nodiscard]] std::string path() const { return (directory_.path() / "x.sock").string(); }
    [[nodiscard]] ServerOptions options() const {
        ServerOptions options;
        options.listen = "unix:" + path();
        return options;
    }
    [[nodiscard]] std::string listen_error(const ServerOptions& options) {
        const auto server = Server::listen(context_.get_executor(), options, handler_);
        return server.has_value() ? "" : server.error().message;
    }

    lihandover::test::TemporaryDirectory directory_;
    boost::asio::io_context context_{1};
    TestHandler handler_{context_};
};

TEST_F(UnixSocket, SaysWhoIsThere) {
    TestServer server{options()};
    EXPECT_EQ(server.address(), "unix:" + path());
    EXPECT_EQ(server.port(), 0);
    TestClient client{UnixPath{path()}};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/who");
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "address= uid=" + std::to_string(getuid()) + " pid=" + std::to_string(getpid()) +
                                " user=" + user_name(getuid()) + " host=localhost");
}

// Of a Unix socket, since there it is known what its buffers take and when the peer has it.
TEST_F(UnixSocket, ConfirmsWhatThePeerHasTaken) {
    TestServer server{options()};
    Raw client{path()};
    client.send("GET /confirmed HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_event("sent"));
    server.run([&] { EXPECT_THAT(server.handler().events, testing::Not(testing::Contains("confirmed"))); });
    EXPECT_EQ(client.read_message().body.size(), 100'000U);
    EXPECT_TRUE(server.wait_event("confirmed"));
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST_F(UnixSocket, DoesNotConfirmWhatThePeerLeftUnread) {
    TestServer server{options()};
    Raw client{path()};
    client.send("GET /confirmed HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_event("sent"));
    client.close();
    EXPECT_TRUE(server.wait_event("not confirmed"));
}

TEST_F(UnixSocket, ConfirmingEndsWhenThePeerTakesNothing) {
    auto impatient = options();
    impatient.timeouts.write_stall = std::chrono::milliseconds{50};
    TestServer server{impatient};
    Raw client{path()};
    client.send("GET /confirmed HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(server.wait_event("not confirmed"));
    EXPECT_EQ(server.stats().timed_out_total, 1U);
}

TEST_F(UnixSocket, ConfirmingEndsWithTheServer) {
    TestServer server{options()};
    Raw client{path()};
    client.send("GET /confirmed HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_event("sent"));
    EXPECT_EQ(server.stop(std::chrono::milliseconds{1}).wait_for(guard), std::future_status::ready);
}

TEST_F(UnixSocket, HasItsMode) {
    for (const unsigned mode : {0660U, 0600U, 0666U}) {
        auto wanted = options();
        wanted.unix_mode = mode;
        TestServer server{wanted};
        struct stat status {};
        ASSERT_EQ(stat(path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, mode);
    }
}

TEST_F(UnixSocket, HasItsGroup) {
    auto wanted = options();
    const group* own = getgrgid(getgid());
    if (own == nullptr) {
        GTEST_SKIP() << "our own group has no name here";
    }
    wanted.unix_group = own->gr_name;
    TestServer server{wanted};
    struct stat status {};
    ASSERT_EQ(stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_gid, getgid());
}

TEST_F(UnixSocket, UnknownGroupIsAnErrorAndLeavesNothing) {
    auto wanted = options();
    wanted.unix_group = "no-such-group";
    EXPECT_THAT(listen_error(wanted), HasSubstr("there is no group \"no-such-group\""));
    EXPECT_NE(access(path().c_str(), F_OK), 0);
}

TEST_F(UnixSocket, GoesWithTheServer) {
    {
        TestServer server{options()};
        EXPECT_EQ(access(path().c_str(), F_OK), 0);
        server.stop(std::chrono::seconds{1}).wait();
        EXPECT_NE(access(path().c_str(), F_OK), 0);
    }
    EXPECT_NE(access(path().c_str(), F_OK), 0);
}

TEST_F(UnixSocket, SomebodyElsesIsNotRemoved) {
    TestServer server{options()};
    ASSERT_EQ(unlink(path().c_str()), 0);
    std::ofstream{path()} << "mine";
    server.stop(std::chrono::seconds{1}).wait();
    EXPECT_EQ(access(path().c_str(), F_OK), 0);
}

TEST_F(UnixSocket, StaleOneIsReplaced) {
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    close(dead);  // the file stays, as after a crash
    ASSERT_EQ(access(path().c_str(), F_OK), 0);
    TestServer server{options()};
    Raw client{path()};
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST_F(UnixSocket, LiveOneIsRefused) {
    TestServer server{options()};
    EXPECT_THAT(listen_error(options()), HasSubstr("another process listens"));
    Raw client{path()};
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST_F(UnixSocket, OrdinaryFileIsLeftAlone) {
    std::ofstream{path()} << "precious";
    EXPECT_THAT(listen_error(options()), HasSubstr("is not a socket"));
    std::ifstream file{path()};
    std::string text;
    file >> text;
    EXPECT_EQ(text, "precious");
}

TEST_F(UnixSocket, MissingDirectoryAndLongPathAreErrors) {
    auto wanted = options();
    wanted.listen = "unix:" + (directory_.path() / "missing" / "x.sock").string();
    EXPECT_THAT(listen_error(wanted), HasSubstr("No such file"));
    wanted.listen = "unix:/" + std::string(200, 'x');
    EXPECT_THAT(listen_error(wanted), HasSubstr("107"));
}

TEST_F(UnixSocket, TlsIsNotForIt) {
    auto wanted = options();
    wanted.tls = lihandover::test::server_context();
    EXPECT_THAT(listen_error(wanted), HasSubstr("TLS is not for Unix sockets"));
}

TEST_F(UnixSocket, ClientReportsNobodyThere) {
    TestClient client{UnixPath{path()}};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().kind, FailureKind::connect);
}

TEST(UserName, FallsBackToTheNumber) {
    EXPECT_EQ(user_name(0), "root");
    EXPECT_EQ(user_name(3999999), "3999999");
}

}  // namespace
}  // namespace lihandover::http::test
