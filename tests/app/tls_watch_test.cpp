#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "../support/temporary_directory.hpp"
#include "assembly.hpp"
#include "lihandover/model/clock.hpp"
#include "tls/certificates.hpp"
#include "tls_ends.hpp"

namespace lihandover::app {
namespace {

using metrics::CertificateRole;
using testing::HasSubstr;

/// One destination and one listener with files of their own.
class TlsWatchTest : public testing::Test {
  protected:
    TlsWatchTest() {
        auto assembly = std::make_shared<Assembly>();
        for (const auto role : {CertificateRole::destination, CertificateRole::intake}) {
            const std::string name = role == CertificateRole::intake ? "server" : "client";
            TlsEnd end;
            end.role = role;
            end.name = name;
            end.files = {path(name + ".pem"), path(name + ".key"), path(name + "-ca.pem")};
            put(name, name);
            copy(pki_.certificate("ca"), end.files.ca);
            EXPECT_TRUE(end.load(nullptr, {}));
            assembly->tls_ends.push_back(end);
        }
        assembly->delivery.destinations.push_back({"client", {}, nullptr});
        assembly->place_tls();
        in_force_ = assembly;
    }

    [[nodiscard]] std::string path(const std::string& file) const { return (directory_.path() / file).string(); }
    static void copy(const std::string& from, const std::string& to) {
        // Written beside it and put in its place, as tools do.
        std::filesystem::copy_file(from, to + ".new", std::filesystem::copy_options::overwrite_existing);
        std::filesystem::rename(to + ".new", to);
    }
    void put(const std::string& what, const std::string& end) const {
        copy(pki_.certificate(what), path(end + ".pem"));
        copy(pki_.key(what), path(end + ".key"));
    }
    std::shared_ptr<const Assembly> look() {
        auto next = watch_.look(in_force_, model::system_clock().wall());
        in_force_ = next ? next : in_force_;
        return next;
    }
    /// As many looks as it takes to see a change, and one more.
    void look_often() {
        for (int n = 0; n < 3; ++n) {
            look();
        }
    }
    [[nodiscard]] const TlsEnd& end(std::size_t n) const { return in_force_->tls_ends.at(n); }

    const test::Certificates& pki_ = test::certificates();
    test::TemporaryDirectory directory_;
    std::shared_ptr<const Assembly> in_force_;
    TlsWatch watch_;
};

TEST_F(TlsWatchTest, FilesThatStayChangeNothing) {
    for (int n = 0; n < 4; ++n) {
        EXPECT_EQ(look(), nullptr);
    }
}

/// Of two clients with keys, one has a bad file.
TEST_F(TlsWatchTest, ABadKeyFileKeepsNoOtherFileFromBeingTaken) {
    const auto write_key = [&](const std::string& name, const std::string& text) {
        std::ofstream(path(name + ".new")) << text;
        std::filesystem::permissions(path(name + ".new"), std::filesystem::perms::owner_read);
        std::filesystem::rename(path(name + ".new"), path(name));
        return path(name);
    };
    auto assembly = std::make_shared<Assembly>(*in_force_);
    TlsEnd& server = assembly->tls_ends[1];
    server.files.psks = {{"lea-one", write_key("one.psk", std::string(32, 'a'))},
                         {"lea-two", write_key("two.psk", std::string(32, 'b'))}};
    ASSERT_TRUE(server.load(nullptr, assembly->tls_ends));
    EXPECT_EQ(server.problem, "");
    const auto digests = server.server->psk_digests();
    in_force_ = assembly;
    look_often();
    write_key("one.psk", "half");
    look_often();
    EXPECT_THAT(end(1).problem, HasSubstr("one.psk: "));
    EXPECT_EQ(end(1).server->psk_digests(), digests) << "what was in it before";
    put("other-server", "server");
    write_key("two.psk", std::string(32, 'c'));
    look_often();
    EXPECT_NE(end(1).server->psk_digests(), digests) << "the others are taken";
    EXPECT_THAT(end(1).problem, HasSubstr("one.psk: "));
    write_key("one.psk", std::string(32, 'd'));
    look_often();
    EXPECT_EQ(end(1).problem, "");
}

TEST_F(TlsWatchTest, WhatIsWrittenAnewWithTheSameBytesChangesNothing) {
    look_often();
    put("client", "client");
    for (int n = 0; n < 3; ++n) {
        EXPECT_EQ(look(), nullptr);
    }
}

TEST_F(TlsWatchTest, ChangedFilesAreTakenWhenTheyRest) {
    look_often();
    const auto before = end(0).client;
    const auto listener = end(1).server;
    put("other-client", "client");
    EXPECT_EQ(look(), nullptr) << "they may be half written";
    copy(pki_.certificate("client"), path("client.pem"));
    EXPECT_EQ(look(), nullptr) << "and were";
    copy(pki_.certificate("other-client"), path("client.pem"));
    EXPECT_EQ(look(), nullptr);
    const auto next = look();
    ASSERT_NE(next, nullptr);
    EXPECT_NE(end(0).client, before);
    EXPECT_EQ(next->delivery.destinations.front().tls, end(0).client);
    EXPECT_EQ(end(1).server, listener) << "its files are the same";
    EXPECT_EQ(next->listener_tls("server"), listener);
    EXPECT_EQ(look(), nullptr);
}

TEST_F(TlsWatchTest, APairThatDoesNotMatchLeavesWhatWasThere) {
    look_often();
    const auto before = end(0).client;
    copy(pki_.certificate("other-client"), path("client.pem"));
    look_often();
    EXPECT_EQ(end(0).client, before);
    EXPECT_EQ(in_force_->delivery.destinations.front().tls, before);
    EXPECT_THAT(end(0).problem, HasSubstr("client.key: the private key does not belong to the first certificate"));
    EXPECT_TRUE(end(1).problem.empty());
    EXPECT_EQ(look(), nullptr) << "said once";
    copy(pki_.key("other-client"), path("client.key"));
    look_often();
    EXPECT_NE(end(0).client, before);
    EXPECT_TRUE(end(0).problem.empty());
}

TEST_F(TlsWatchTest, AMistakeThatIsTakenBackIsNoChange) {
    look_often();
    const auto before = end(1).server;
    std::filesystem::remove(path("server.pem"));
    look_often();
    EXPECT_EQ(end(1).server, before);
    EXPECT_THAT(end(1).problem, HasSubstr("server.pem: cannot be opened"));
    put("server", "server");
    look_often();
    EXPECT_EQ(end(1).server, before) << "sessions of it go on";
    EXPECT_TRUE(end(1).problem.empty());
}

TEST_F(TlsWatchTest, ADestinationWithoutUsableFilesGetsThemLater) {
    auto start = std::make_shared<Assembly>(*in_force_);
    start->tls_ends[0].client = nullptr;
    start->tls_ends[0].problem = "cannot be opened";
    start->place_tls();
    EXPECT_TRUE(start->unusable.contains("client"));
    in_force_ = start;
    look_often();
    EXPECT_NE(end(0).client, nullptr);
    EXPECT_TRUE(in_force_->unusable.empty());
    EXPECT_EQ(in_force_->delivery.destinations.front().tls, end(0).client);
}

TEST_F(TlsWatchTest, APageWithoutUsableFilesRefusesEverybodyAndGetsThemLater) {
    auto start = std::make_shared<Assembly>(*in_force_);
    TlsEnd& page = start->tls_ends[1];
    page.role = CertificateRole::console;
    page.server = nullptr;
    page.problem = "cannot be opened";
    ASSERT_NE(start->console_tls(), nullptr);
    EXPECT_TRUE(start->console_tls()->endings().empty());
    in_force_ = start;
    look_often();
    ASSERT_NE(end(1).server, nullptr);
    EXPECT_EQ(in_force_->console_tls(), end(1).server);
    EXPECT_TRUE(end(1).problem.empty());
}

TEST_F(TlsWatchTest, AfterAReloadItBeginsAnew) {
    look_often();
    put("other-client", "client");
    EXPECT_EQ(look(), nullptr);
    in_force_ = std::make_shared<Assembly>(*in_force_);
    EXPECT_EQ(look(), nullptr) << "the first look at what is in force now";
    EXPECT_NE(look(), nullptr);
}

}  // namespace
}  // namespace lihandover::app
