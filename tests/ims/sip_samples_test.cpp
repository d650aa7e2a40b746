// Messages of other people's making, with tables of what is in them, where they lie beside the repository.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "digest.hpp"
#include "lihandover/ims/multipart.hpp"
#include "lihandover/ims/sdp.hpp"
#include "lihandover/ims/sip.hpp"
#include "samples.hpp"

namespace lihandover::ims {
namespace {

const std::filesystem::path samples = samples_of("sip");

bool is_sound(const SampleRow& row) {
    return row["verdict"] == "valid" || row["verdict"] == "conformant";
}

/// The digits that both have: ours are the first half.
std::string digest_text(std::string_view bytes) {
    return text_of(digest_of(bytes));
}

void expect_fields(const SipMessage& message, const SampleRow& row) {
    EXPECT_EQ(message.request, row["kind"] == "request");
    EXPECT_EQ(message.method, row.value(message.request ? "method" : "cseq_method"));
    EXPECT_EQ(message.request_uri, row.value("request_uri"));
    if (row.has("status")) {
        EXPECT_EQ(std::to_string(message.status), row["status"]);
    }
    EXPECT_EQ(message.call_id, row.value("call_id"));
    EXPECT_EQ(message.cseq, std::stoul(row["cseq_number"]));
    EXPECT_EQ(message.from.uri, row.value("from_uri"));
    EXPECT_EQ(message.from_tag(), row.value("from_tag"));
    EXPECT_EQ(message.to.uri, row.value("to_uri"));
    EXPECT_EQ(message.to_tag(), row.value("to_tag"));
    EXPECT_EQ(message.content_type, row.value("content_type"));
    if (row.has("body_octets")) {
        EXPECT_EQ(std::to_string(message.body.size()), row["body_octets"]);
    }
    if (row.has("body_sha256")) {
        EXPECT_EQ(digest_text(message.body), row["body_sha256"].substr(0, 32));
    }
}

class SipSamples : public testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(samples)) {
            GTEST_SKIP() << "the samples are not beside the repository";
        }
    }
};

TEST_F(SipSamples, MessagesAreReadAsTheTableSays) {
    std::size_t sound = 0;
    for (const SampleRow& row : sample_table(samples / "messages" / "expect.tsv")) {
        const std::filesystem::path path = samples / "messages" / row["file"];
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(row["file"]);
        const std::string bytes = contents_of(path);
        const auto message = read_sip(bytes);
        sound += is_sound(row) ? 1 : 0;
        EXPECT_TRUE(message || !is_sound(row));
        if (message && row["verdict"] != "invalid") {
            expect_fields(*message, row);
        }
    }
    EXPECT_GT(sound, 5U);
}

TEST_F(SipSamples, TortureMessagesAreReadAsTheTableSays) {
    std::map<std::string, SampleRow> fields;
    for (SampleRow& row : sample_table(samples / "torture" / "fields.tsv")) {
        fields[row["file"]] = row;
    }
    std::size_t sound = 0;
    for (const SampleRow& row : sample_table(samples / "torture" / "expect.tsv")) {
        const std::filesystem::path path = samples / "torture" / row["file"];
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(row["file"]);
        const std::string bytes = contents_of(path);
        const auto message = read_sip(bytes);
        sound += is_sound(row) ? 1 : 0;
        EXPECT_TRUE(message || !is_sound(row));
        if (message && (is_sound(row) || row["tolerance"] == "may-repair")) {
            expect_fields(*message, fields[row["file"]]);
        }
    }
    EXPECT_GT(sound, 5U);
}

std::string joined(const std::vector<std::string_view>& words) {
    std::string out;
    for (const std::string_view word : words) {
        out.append(out.empty() ? "" : " ").append(word);
    }
    return out;
}

void expect_medium(const SdpMsrp& medium, const SampleRow& row) {
    EXPECT_EQ(std::to_string(medium.port), row["port"]);
    EXPECT_EQ(medium.refused(), row["refused"] == "yes");
    EXPECT_EQ(medium.secure, row["proto"].find("TLS") != std::string::npos);
    EXPECT_EQ(joined(medium.path), row.value("path"));
    EXPECT_EQ(joined(medium.accept_types), row.value("accept_types"));
    EXPECT_EQ(joined(medium.accept_wrapped_types), row.value("accept_wrapped_types"));
    EXPECT_EQ(medium.setup, row.value("setup"));
    EXPECT_EQ(medium.direction, row.value("direction"));
    EXPECT_EQ(medium.max_size ? std::to_string(*medium.max_size) : "", row.value("max_size"));
    EXPECT_EQ(joined(medium.chatroom_tokens), row.value("chatroom"));
    const std::string address = row.value("connection_address");
    EXPECT_EQ(medium.address, address.substr(address.rfind(' ') + 1));
}

TEST_F(SipSamples, DescriptionsAreReadAsTheTableSays) {
    std::size_t media = 0;
    for (const SampleRow& row : sample_table(samples / "sdp" / "expect.tsv")) {
        const std::filesystem::path path = samples / "sdp" / row["file"];
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(row["file"]);
        const std::string bytes = contents_of(path);
        const auto sdp = read_sdp(bytes);
        EXPECT_TRUE(sdp || !is_sound(row));
        const std::size_t block = std::stoul(row["message_block"]);
        if (!sdp || row["verdict"] == "invalid") {
            continue;
        }
        ASSERT_TRUE(block == 0 ? sdp->msrp.empty() : sdp->msrp.size() >= block);
        if (block > 0) {
            expect_medium(sdp->msrp[block - 1], row);
            ++media;
        }
    }
    EXPECT_GT(media, 5U);
}

TEST_F(SipSamples, BodiesAreTakenApartAsTheTableSays) {
    std::map<std::string, std::vector<SampleRow>> bodies;
    for (const SampleRow& row : sample_table(samples / "multipart" / "expect.tsv")) {
        bodies[row["file"]].push_back(row);
    }
    std::size_t found = 0;
    for (const auto& [file, rows] : bodies) {
        const std::filesystem::path path = samples / "multipart" / file;
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(file);
        const std::string bytes = contents_of(path);
        const std::string type = "multipart/mixed;boundary=\"" + rows[0]["boundary"] + "\"";
        const auto parts = leaves_of(type, {}, bytes);
        ASSERT_EQ(parts.size(), rows.size());
        for (std::size_t i = 0; i < parts.size(); ++i) {
            EXPECT_EQ(read_content_type(parts[i].content_type).type, rows[i]["content_type"]);
            EXPECT_EQ(parts[i].content_id, rows[i].value("content_id"));
            EXPECT_EQ(std::to_string(parts[i].body.size()), rows[i]["part_body_octets"]);
            EXPECT_EQ(digest_text(parts[i].body), rows[i]["part_body_sha256"].substr(0, 32));
            ++found;
        }
    }
    EXPECT_GT(found, 2U);
}

}  // namespace
}  // namespace lihandover::ims
