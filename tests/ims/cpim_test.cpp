#include "lihandover/ims/cpim.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "digest.hpp"
#include "samples.hpp"

namespace lihandover::ims {
namespace {

std::string with_crlf(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return out;
}

std::vector<std::string> uris(const std::vector<CpimAddress>& addresses) {
    std::vector<std::string> out;
    for (const CpimAddress& address : addresses) {
        out.emplace_back(address.uri);
    }
    return out;
}

using Texts = std::vector<std::string>;

TEST(Cpim, IsRead) {
    const std::string bytes = with_crlf(
        "From: Fiona Falk <im:fiona@example.com>\n"
        "To: <im:gerd@example.net>\n"
        "cc: \"Hanna \\\"H\\\" H.\" <im:hanna@example.org>\n"
        "DateTime: 2026-11-20T09:30:00+01:00\n"
        "Subject: the boat\n"
        "Subject:;lang=de das Boot\n"
        "\n"
        "Content-type: text/plain; charset=utf-8\n"
        "content-ID: <4711@example.com>\n"
        "Content-Transfer-Encoding: base64\n"
        "Content-Disposition: inline\n"
        "\n"
        "SGV5\n");
    const auto message = read_cpim(bytes);
    ASSERT_TRUE(message);
    EXPECT_FALSE(message->deviating);
    ASSERT_TRUE(message->from);
    EXPECT_EQ(message->from->name, "Fiona Falk");
    EXPECT_EQ(message->from->uri, "im:fiona@example.com");
    EXPECT_EQ(uris(message->to), Texts{"im:gerd@example.net"});
    ASSERT_EQ(message->cc.size(), 1U);
    EXPECT_EQ(message->cc[0].name, "Hanna \"H\" H.");
    EXPECT_EQ(message->date_time, "2026-11-20T09:30:00+01:00");
    EXPECT_EQ(message->subject, "the boat");
    EXPECT_EQ(message->headers.size(), 6U);
    EXPECT_EQ(message->headers[5].value, "das Boot");
    EXPECT_EQ(message->content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(message->content_id, "<4711@example.com>");
    EXPECT_EQ(message->content_transfer_encoding, "base64");
    EXPECT_EQ(message->content_disposition, "inline");
    EXPECT_EQ(message->body, "SGV5\r\n");
}

TEST(Cpim, LinesMayEndInLfAlone) {
    const auto message = read_cpim("From: <im:a@x>\nTo: <im:b@y>\n\nContent-Type: text/plain\n\nhi\n");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from->uri, "im:a@x");
    EXPECT_EQ(message->body, "hi\n");
}

TEST(Cpim, NamesAreCaseSensitiveButAnAddressIsNotLostForIt) {
    const auto message = read_cpim(
        "FROM: <im:a@x>\r\nto: <im:b@y>\r\nsubject: no subject\r\ndatetime: then\r\n\r\nCONTENT-TYPE: "
        "text/plain\r\n\r\n");
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->deviating);
    ASSERT_TRUE(message->from);
    EXPECT_EQ(message->from->uri, "im:a@x");
    EXPECT_EQ(uris(message->to), Texts{"im:b@y"});
    EXPECT_EQ(message->date_time, "then");
    EXPECT_EQ(message->subject, "");
    EXPECT_EQ(message->content_type, "text/plain");

    const auto both = read_cpim("From: <im:a@x>\r\nFROM: <im:other@x>\r\n\r\n\r\n");
    ASSERT_TRUE(both);
    EXPECT_EQ(both->from->uri, "im:a@x");
    EXPECT_FALSE(both->deviating);
}

TEST(Cpim, PrefixesStandForWhatTheLinesBeforeSay) {
    const auto message =
        read_cpim(with_crlf("NS: d <urn:ietf:params:imdn>\n"
                            "d.Message-ID: first\n"
                            "d.Disposition-Notification: positive-delivery, display\n"
                            "NS: d <urn:x>\n"
                            "d.Message-ID: second\n"
                            "NS: core <urn:ietf:params:cpim-headers:>\n"
                            "core.To: <im:b@y>\n"
                            "NS: <urn:y>\n"
                            "To: not one of ours\n"
                            "\n"
                            "Content-Type: text/plain\n"
                            "\n"));
    ASSERT_TRUE(message);
    EXPECT_FALSE(message->deviating);
    EXPECT_EQ(message->imdn_message_id, "first");
    EXPECT_EQ(message->imdn_disposition, "positive-delivery, display");
    EXPECT_EQ(uris(message->to), Texts{"im:b@y"});
    ASSERT_EQ(message->headers.size(), 9U);
    EXPECT_EQ(message->headers[4].name_space, "urn:x");
    EXPECT_EQ(message->headers[4].name, "Message-ID");
    EXPECT_EQ(message->headers[8].name_space, "urn:y");
}

TEST(Cpim, AnUndeclaredPrefixDeviates) {
    const auto message = read_cpim("imdn.Message-ID: m1\r\nz.Thing: 1\r\n\r\n\r\nx");
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->deviating);
    EXPECT_EQ(message->imdn_message_id, "m1");
    EXPECT_EQ(message->headers[1].name, "z.Thing");
    EXPECT_EQ(message->headers[1].name_space, "");
}

TEST(Cpim, ANamespaceMayLackItsBrackets) {
    const auto message = read_cpim("NS: imdn urn:ietf:params:imdn\r\nimdn.Message-ID: m1\r\n\r\n\r\nx");
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->deviating);
    EXPECT_EQ(message->imdn_message_id, "m1");
}

struct AddressCase {
    std::string_view written;
    std::string name;
    Texts uris;
    bool deviating;
};

class CpimAddresses : public testing::TestWithParam<AddressCase> {};

TEST_P(CpimAddresses, AreRead) {
    const std::string bytes = "To: " + std::string(GetParam().written) + "\r\n\r\n\r\n";
    const auto message = read_cpim(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(uris(message->to), GetParam().uris);
    EXPECT_EQ(message->deviating, GetParam().deviating);
    if (!message->to.empty()) {
        EXPECT_EQ(message->to[0].name, GetParam().name);
    }
}

INSTANTIATE_TEST_SUITE_P(All, CpimAddresses,
                         testing::Values(AddressCase{"<im:a@x>", "", {"im:a@x"}, false},
                                         AddressCase{"Ann Other <im:a@x>", "Ann Other", {"im:a@x"}, false},
                                         AddressCase{"\"Ann <O>\"<im:a@x>", "Ann <O>", {"im:a@x"}, false},
                                         AddressCase{"\"Ann\\\\\" <im:a@x>", "Ann\\", {"im:a@x"}, false},
                                         AddressCase{"J\\u00f6rg <im:j@x>", "J\xC3\xB6rg", {"im:j@x"}, false},
                                         AddressCase{"\\ud83d\\ude00 <im:j@x>", "\xF0\x9F\x98\x80", {"im:j@x"}, false},
                                         AddressCase{"\\ud83d! <im:j@x>", "\xEF\xBF\xBD!", {"im:j@x"}, false},
                                         AddressCase{"tab\\t\\u12 <im:j@x>", "tab\t\\u12", {"im:j@x"}, false},
                                         AddressCase{"<sip:r@x;gr=urn:uuid:1>", "", {"sip:r@x;gr=urn:uuid:1"}, false},
                                         AddressCase{"im:a@x", "", {"im:a@x"}, true},
                                         AddressCase{"<im:a@x>, B <im:b@x>", "", {"im:a@x", "im:b@x"}, true},
                                         AddressCase{"<im:a@x", "", {"im:a@x"}, true},
                                         AddressCase{"\"never closed <im:a@x>", "", {}, true},
                                         AddressCase{"<>", "", {}, true}, AddressCase{"\"only a name\"", "", {}, true},
                                         AddressCase{"", "", {}, false}));

TEST(Cpim, ALineMayBeFolded) {
    const std::string bytes =
        "Subject: one\r\n two\r\nFrom: <im:a@x>\r\n\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\n\r\nx";
    const auto message = read_cpim(bytes);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->deviating);
    EXPECT_EQ(message->subject, "one\r\n two");
    EXPECT_EQ(message->content_type, "text/plain;\r\n\tcharset=utf-8");
    EXPECT_EQ(message->body, "x");
}

TEST(Cpim, HeadersOfTheContentMayStandAmongThoseOfTheMessage) {
    const auto message = read_cpim(
        "From: <im:a@x>\r\nContent-Disposition: notification\r\n\r\nContent-type: message/imdn+xml\r\n\r\n<imdn/>");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->content_disposition, "notification");
    EXPECT_EQ(message->content_type, "message/imdn+xml");
}

TEST(Cpim, ItsOwnTypeMayStandAroundItOnceMore) {
    const auto message =
        read_cpim("Content-type: Message/CPIM\r\n\r\nFrom: <im:a@x>\r\n\r\nContent-type: text/plain\r\n\r\nhi");
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->deviating);
    EXPECT_EQ(message->from->uri, "im:a@x");
    EXPECT_EQ(message->content_type, "text/plain");
    EXPECT_EQ(message->body, "hi");
}

TEST(Cpim, HasTwoHeaderBlocks) {
    EXPECT_FALSE(read_cpim(""));
    EXPECT_FALSE(read_cpim("\r\n\r\n"));
    EXPECT_FALSE(read_cpim("From: <im:a@x>"));
    EXPECT_FALSE(read_cpim("From: <im:a@x>\r\n"));
    EXPECT_FALSE(read_cpim("no header\r\nTo: <im:a@x>\r\n\r\nContent-Type: text/plain\r\n\r\n"));
    EXPECT_FALSE(read_cpim("From: <im:a@x>\r\n\r\njust text, without its headers\r\n\r\n"));
    EXPECT_FALSE(read_cpim("From: <im:a@x>\r\n\r\nnote: this text is the content"));
    EXPECT_FALSE(read_cpim(": nothing\r\n\r\nContent-Type: text/plain\r\n\r\n"));
    EXPECT_FALSE(read_cpim(" folded into nothing\r\n\r\nContent-Type: text/plain\r\n\r\n"));

    const auto without_headers = read_cpim("From: <im:a@x>\r\n\r\n\r\nhi");
    ASSERT_TRUE(without_headers);
    EXPECT_EQ(without_headers->content_type, "");
    EXPECT_EQ(without_headers->body, "hi");

    const auto cut = read_cpim("From: <im:a@x>\r\n\r\nContent-Type: text/plain\r\n");
    ASSERT_TRUE(cut);
    EXPECT_TRUE(cut->deviating);
    EXPECT_EQ(cut->body, "");
}

TEST(Cpim, BlankLinesAndBlanksAreBorneWith) {
    const auto message = read_cpim("\r\nFrom : <im:a@x>\r\nTo:<im:b@y>\r\n\r\nContent-Type:text/plain\r\n\r\n  ");
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->deviating);
    EXPECT_EQ(message->from->uri, "im:a@x");
    EXPECT_EQ(message->to[0].uri, "im:b@y");
    EXPECT_EQ(message->body, "  ");
}

TEST(Cpim, ParametersAreCut) {
    const auto message = read_cpim("Subject:;lang=\"a b\\\" c\" the text\r\nFrom:;x\r\n\r\n\r\n");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->subject, "the text");
    EXPECT_FALSE(message->from);
}

TEST(Cpim, IsBounded) {
    std::string headers = "From: <im:a@x>\r\n";
    for (int i = 0; i < 500; ++i) {
        headers += "X: 1\r\n";
    }
    EXPECT_TRUE(read_cpim(headers + "\r\nContent-Type: text/plain\r\n\r\n"));
    EXPECT_FALSE(read_cpim(headers + std::string("X: 1\r\nX: 1\r\nX: 1\r\n") + headers + "\r\n\r\n"));
    std::string many = "To: ";
    for (int i = 0; i < 513; ++i) {
        many += "<im:a@x>,";
    }
    EXPECT_FALSE(read_cpim(many + "\r\n\r\n\r\n"));
}

// ---- beside the repository

Texts words(std::string_view text) {
    Texts out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        out.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

void expect_namespaces(const CpimMessage& message, const SampleRow& row) {
    Texts found;
    for (const auto& header : message.headers) {
        if (header.name == "NS" && header.name_space.empty()) {
            const std::size_t open = header.value.find('<');
            std::string prefix(header.value.substr(0, open));
            prefix.resize(prefix.find_last_not_of(' ') + 1);
            found.push_back(prefix + "=" + std::string(header.value.substr(open + 1, header.value.size() - open - 2)));
        }
    }
    EXPECT_EQ(found, words(row["ns"]));
}

void expect_fields(const CpimMessage& message, const SampleRow& row) {
    EXPECT_EQ(message.from ? std::string(message.from->uri) : "", row.value("from_uri"));
    EXPECT_EQ(message.from ? message.from->name : "", row.value("from_name"));
    EXPECT_EQ(uris(message.to), words(row.value("to_uris")));
    EXPECT_EQ(message.date_time, row.value("datetime"));
    EXPECT_EQ(message.subject, row.value("subject"));
    EXPECT_EQ(message.imdn_message_id, row.value("imdn_message_id"));
    EXPECT_EQ(message.imdn_disposition, row.value("disposition_notification"));
    EXPECT_EQ(message.content_type, row.value("content_type"));
    EXPECT_EQ(std::to_string(message.body.size()), row["body_octets"]);
    if (row.has("body_sha256")) {
        EXPECT_EQ(text_of(digest_of(message.body)), row["body_sha256"].substr(0, 32));
    }
    if (row.has("ns")) {
        expect_namespaces(message, row);
    }
}

TEST(CpimSamples, AreReadAsTheirTableSays) {
    if (!std::filesystem::exists(samples_of("cpim"))) {
        GTEST_SKIP() << "the samples are not beside the repository";
    }
    for (const SampleRow& row : sample_table(samples_of("cpim") / "expect.tsv")) {
        const std::filesystem::path path = samples_of("cpim") / row["file"];
        SCOPED_TRACE(row["file"]);
        const std::string bytes = contents_of(path);
        const auto message = read_cpim(bytes);
        EXPECT_EQ(message.has_value(), row["verdict"] != "invalid");
        if (message && row["verdict"] != "invalid") {
            expect_fields(*message, row);
        }
    }
}

}  // namespace
}  // namespace lihandover::ims
