#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lihandover/ims/multipart.hpp"

namespace lihandover::ims {
namespace {

using Texts = std::vector<std::string>;

TEST(ResourceList, NamesReceiversInOrder) {
    EXPECT_EQ(receivers_of_list("<?xml version='1.0' encoding='UTF-8'?>"
                                "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'"
                                " xmlns:cp='urn:ietf:params:xml:ns:copycontrol'>"
                                "<list name='crew'>"
                                "<entry uri='sip:one@x' cp:copyControl='to'><display-name>One</display-name></entry>"
                                "<entry uri=' tel:+441632960002 ' cp:copyControl='cc'/>"
                                "<list><entry uri='sip:three@x' cp:copyControl='bcc' cp:anonymize='true'/></list>"
                                "<entry-ref ref='other'/><external anchor='http://x/l'/><entry/>"
                                "</list>"
                                "<list><entry uri='sip:four@x?subject=a&amp;b'/></list>"
                                "</resource-lists>"),
              (Texts{"sip:one@x", "tel:+441632960002", "sip:three@x", "sip:four@x?subject=a&b"}));
}

TEST(ResourceList, MayHaveAnyPrefix) {
    EXPECT_EQ(receivers_of_list("<r:resource-lists xmlns:r='urn:ietf:params:xml:ns:resource-lists'>"
                                "<r:list><r:entry uri='sip:a@x'/></r:list></r:resource-lists>"),
              Texts{"sip:a@x"});
}

TEST(ResourceList, OtherThingsNameNobody) {
    EXPECT_EQ(receivers_of_list(""), Texts{});
    EXPECT_EQ(receivers_of_list("<list><entry uri='sip:a@x'/></list>"), Texts{});
    EXPECT_EQ(receivers_of_list("<resource-lists><list><entry uri='sip:a@x'/></list>"), Texts{});
    EXPECT_EQ(receivers_of_list("<!DOCTYPE r><resource-lists><list><entry uri='sip:a@x'/></list></resource-lists>"),
              Texts{});
}

TEST(ResourceList, IsBounded) {
    std::string entries;
    for (int i = 0; i < 5000; ++i) {
        entries += "<entry uri='sip:" + std::to_string(i) + "@x'/>";
    }
    const Texts receivers = receivers_of_list("<resource-lists><list>" + entries + "</list></resource-lists>");
    ASSERT_EQ(receivers.size(), 4096U);
    EXPECT_EQ(receivers.back(), "sip:4095@x");
}

}  // namespace
}  // namespace lihandover::ims
