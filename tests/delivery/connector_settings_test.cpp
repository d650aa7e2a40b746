#include "connector_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tls/certificates.hpp"

namespace lihandover::delivery {
namespace {

using lihandover::test::certificates;
using testing::Contains;
using testing::Pair;

Destination destination() {
    Destination made;
    made.name = "lea-one";
    made.options.url = "https://lea.example.com:8443/hi";
    made.tls = lihandover::test::client_context();
    return made;
}

TEST(ConnectorSettings, SayWhoWeAreUnlessTheConfigurationDoes) {
    const auto usual = connector_settings(destination());
    ASSERT_TRUE(usual.has_value());
    EXPECT_THAT(usual->options.fields, Contains(Pair("User-Agent", "lihandoverd")));
    EXPECT_THAT(usual->options.fields, Contains(Pair("Accept", testing::HasSubstr("xml"))));
    EXPECT_EQ(usual->options.lifetime, std::chrono::minutes(10));
    auto other = destination();
    other.options.headers = {{"user-agent", "Other/1.0"}, {"X-Agreement", "17"}};
    const auto settings = connector_settings(other);
    ASSERT_TRUE(settings.has_value());
    EXPECT_THAT(settings->options.fields,
                testing::UnorderedElementsAre(Pair("user-agent", "Other/1.0"), Pair("X-Agreement", "17"),
                                              Pair("Accept", testing::_)));
    EXPECT_EQ(content_type(other.options), "application/xml");
    other.options.content_type = config::MessageType::text_xml;
    EXPECT_EQ(content_type(other.options), "text/xml");
}

TEST(ConnectorSettings, TakeTheWayThatIsConfigured) {
    auto with = destination();
    with.options.urls = {"https://a.example/hi", "https://b.example:8443/hi"};
    with.options.proxy = "http://user:pass@proxy.example:3128";
    with.options.local_address = "192.0.2.7";
    with.options.server_name = "lea.internal.example";
    const auto settings = connector_settings(with);
    ASSERT_TRUE(settings.has_value());
    ASSERT_EQ(settings->urls.size(), 2U);
    EXPECT_EQ(settings->urls[1].endpoint(), "b.example:8443");
    ASSERT_TRUE(settings->options.proxy);
    EXPECT_EQ(settings->options.proxy->host, "proxy.example");
    EXPECT_EQ(settings->options.local_address, "192.0.2.7");
    EXPECT_EQ(settings->options.server_name, "lea.internal.example");
    with.tls.reset();
    EXPECT_FALSE(connector_settings(with).has_value());
}

TEST(SameConnections, OnlyARealChangeCounts) {
    const auto before = destination();
    auto after = destination();
    // A reload reads the same files again.
    after.tls = *tls::ClientContext::load(certificates().files("client"));
    ASSERT_NE(before.tls, after.tls);
    EXPECT_TRUE(same_connections(before, after));
    after.options.retry.maximum = std::chrono::hours(1);
    after.options.connections = 3;
    EXPECT_TRUE(same_connections(before, after));
    after.tls = lihandover::test::client_context("other-client");
    EXPECT_FALSE(same_connections(before, after));
    for (const auto& change : std::vector<std::function<void(config::Destination&)>>{
             [](auto& options) { options.url = "https://lea.example.com/hi"; },
             [](auto& options) { options.timeout = std::chrono::seconds(1); },
             [](auto& options) { options.proxy = "http://p:1"; }, [](auto& options) { options.server_name = "x"; },
             [](auto& options) {
                 options.headers = {{"X", "y"}};
             },
             [](auto& options) { options.local_address = "192.0.2.7"; }}) {
        after = destination();
        change(after.options);
        EXPECT_FALSE(same_connections(before, after));
    }
}

}  // namespace
}  // namespace lihandover::delivery
