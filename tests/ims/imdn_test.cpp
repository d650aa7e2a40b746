#include <gtest/gtest.h>

#include <string>

#include "lihandover/ims/cpim.hpp"
#include "samples.hpp"

namespace lihandover::ims {
namespace {

std::string notification(std::string_view inside) {
    return "<?xml version=\"1.0\"?><imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">" + std::string(inside) + "</imdn>";
}

TEST(Imdn, IsRead) {
    const auto imdn = read_imdn(notification(
        "<message-id> m-17 </message-id><datetime>2026-11-20T08:30:00Z</datetime>"
        "<recipient-uri>sip:b@y</recipient-uri><original-recipient-uri>tel:+441632960001</original-recipient-uri>"
        "<subject>the &lt;boat&gt;</subject>"
        "<delivery-notification><status><delivered/></status></delivery-notification>"));
    ASSERT_TRUE(imdn);
    EXPECT_EQ(imdn->message_id, "m-17");
    EXPECT_EQ(imdn->date_time, "2026-11-20T08:30:00Z");
    EXPECT_EQ(imdn->recipient, "sip:b@y");
    EXPECT_EQ(imdn->original_recipient, "tel:+441632960001");
    EXPECT_EQ(imdn->subject, "the <boat>");
    EXPECT_EQ(imdn->about, Imdn::About::delivery);
    EXPECT_EQ(imdn->status, "delivered");
}

struct StatusCase {
    std::string_view inside;
    Imdn::About about;
    std::string_view status;
};

class ImdnStatus : public testing::TestWithParam<StatusCase> {};

TEST_P(ImdnStatus, IsRead) {
    const auto imdn = read_imdn(notification("<message-id>m</message-id>" + std::string(GetParam().inside)));
    ASSERT_TRUE(imdn);
    EXPECT_EQ(imdn->about, GetParam().about);
    EXPECT_EQ(imdn->status, GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(
    All, ImdnStatus,
    testing::Values(
        StatusCase{"<display-notification><status><displayed/></status></display-notification>", Imdn::About::display,
                   "displayed"},
        StatusCase{"<processing-notification><status><stored/></status></processing-notification>",
                   Imdn::About::processing, "stored"},
        StatusCase{"<delivery-notification><status><failed/></status></delivery-notification>", Imdn::About::delivery,
                   "failed"},
        StatusCase{"<delivery-notification><delivered/></delivery-notification>", Imdn::About::delivery, "delivered"},
        StatusCase{"<delivery-notification><status>Delivered</status></delivery-notification>", Imdn::About::delivery,
                   "delivered"},
        StatusCase{"<delivery-notification><status><x:reason xmlns:x='u'/><Failed/></status></delivery-notification>",
                   Imdn::About::delivery, "failed"},
        StatusCase{"<delivery-notification><status><v:queued xmlns:v='u'/></status></delivery-notification>",
                   Imdn::About::delivery, "queued"}));

TEST(Imdn, MayHaveAnyPrefix) {
    const auto imdn = read_imdn(
        "<i:imdn xmlns:i='urn:ietf:params:xml:ns:imdn'><i:message-id>m</i:message-id>"
        "<i:display-notification><i:status><i:displayed/></i:status></i:display-notification></i:imdn>");
    ASSERT_TRUE(imdn);
    EXPECT_EQ(imdn->status, "displayed");
}

TEST(Imdn, NamesAMessageAndAStatus) {
    const std::string delivered = "<delivery-notification><status><delivered/></status></delivery-notification>";
    EXPECT_FALSE(read_imdn(""));
    EXPECT_FALSE(read_imdn("delivered"));
    EXPECT_FALSE(read_imdn("<other><message-id>m</message-id>" + delivered + "</other>"));
    EXPECT_FALSE(read_imdn(notification(delivered)));
    EXPECT_FALSE(read_imdn(notification("<message-id> </message-id>" + delivered)));
    EXPECT_FALSE(read_imdn(notification("<message-id>m</message-id>")));
    EXPECT_FALSE(read_imdn(notification("<message-id>m</message-id><delivery-notification/>")));
    EXPECT_FALSE(
        read_imdn(notification("<message-id>m</message-id><delivery-notification><status/></delivery-notification>")));
}

TEST(Imdn, HasNoDtdAndNoEntities) {
    const std::string inside =
        "<message-id>&e;</message-id><delivery-notification><status><delivered/></status></delivery-notification>";
    EXPECT_FALSE(read_imdn("<!DOCTYPE imdn [<!ENTITY e 'm'>]><imdn>" + inside + "</imdn>"));
    const auto unresolved = read_imdn("<imdn>" + inside + "</imdn>");
    ASSERT_TRUE(unresolved);
    EXPECT_EQ(unresolved->message_id, "&e;");
}

TEST(Imdn, IsBounded) {
    std::string deep;
    for (int i = 0; i < 100; ++i) {
        deep = "<a>" + deep + "</a>";
    }
    const std::string sound =
        "<message-id>m</message-id><delivery-notification><status><delivered/></status></delivery-notification>";
    EXPECT_TRUE(read_imdn(notification(sound)));
    EXPECT_FALSE(read_imdn(notification(sound + deep)));
    EXPECT_FALSE(read_imdn(notification(sound + std::string(300'000, ' '))));
    std::string attributes = "<a";
    for (int i = 0; i < 65; ++i) {
        attributes += " b" + std::to_string(i) + "=''";
    }
    EXPECT_FALSE(read_imdn(notification(sound + attributes + "/>")));
}

TEST(ImdnSamples, AreReadAsTheirTableSays) {
    if (!std::filesystem::exists(samples_of("imdn"))) {
        GTEST_SKIP() << "the samples are not beside the repository";
    }
    for (const SampleRow& row : sample_table(samples_of("imdn") / "expect.tsv")) {
        SCOPED_TRACE(row["file"]);
        const auto imdn = read_imdn(contents_of(samples_of("imdn") / row["file"]));
        // An interceptor uses what has an id and a status, though the standard asks for a time as well.
        EXPECT_EQ(imdn.has_value(), row.has("message_id") && row.has("status"));
        if (!imdn) {
            continue;
        }
        EXPECT_EQ(imdn->message_id, row["message_id"]);
        EXPECT_EQ(imdn->date_time, row.value("datetime"));
        EXPECT_EQ(imdn->status, row["status"]);
        EXPECT_EQ(imdn->about == Imdn::About::display, row["notification"] == "display");
        EXPECT_TRUE(!row.has("recipient") || imdn->recipient == row["recipient"]);
        EXPECT_TRUE(!row.has("original_recipient") || imdn->original_recipient == row["original_recipient"]);
        EXPECT_EQ(imdn->subject, row.value("subject"));
    }
}

}  // namespace
}  // namespace lihandover::ims
