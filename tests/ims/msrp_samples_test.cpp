// Messages of other people's making, with tables of what is in them, where they lie beside the repository.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crlf.hpp"
#include "digest.hpp"
#include "lihandover/ims/assembly.hpp"
#include "lihandover/ims/msrp.hpp"
#include "samples.hpp"
#include "spools.hpp"

namespace lihandover::ims {
namespace {

std::string joined(const std::vector<std::string_view>& words) {
    std::string out;
    for (const std::string_view word : words) {
        out.append(out.empty() ? "" : " ").append(word);
    }
    return out;
}

std::string number_text(const std::optional<std::uint64_t>& number) {
    return number ? std::to_string(*number) : "*";
}

std::string lower(std::string text) {
    for (char& c : text) {
        c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return text;
}

std::string_view flag_text(ChunkFlag flag) {
    return flag == ChunkFlag::last ? "$" : flag == ChunkFlag::more ? "+" : "#";
}

/// The digits that both have: ours are the first half.
std::string digest_text(std::string_view bytes) {
    return text_of(digest_of(bytes));
}

/// What both kinds of table have.
void expect_content(const MsrpFrame& frame, const SampleRow& row) {
    EXPECT_EQ(frame.transaction, row.value("transaction_id"));
    EXPECT_EQ(frame.message_id, row.value("message_id"));
    EXPECT_EQ(frame.content_type, row.value("content_type"));
    EXPECT_EQ(frame.range.has_value(), row.has("range_start"));
    if (frame.range && row.has("range_start")) {
        EXPECT_EQ(std::to_string(frame.range->start), row["range_start"]);
        EXPECT_EQ(number_text(frame.range->end), row["range_end"]);
        EXPECT_EQ(number_text(frame.range->total), row["range_total"]);
    }
    EXPECT_EQ(frame.has_body, row["has_body"] == "yes");
    EXPECT_EQ(std::to_string(frame.body.size()), row["body_octets"]);
    if (row.has("body_sha256")) {
        EXPECT_EQ(digest_text(frame.body), row["body_sha256"].substr(0, 32));
    }
    EXPECT_EQ(flag_text(frame.flag), row["flag"]);
}

void expect_fields(const MsrpFrame& frame, const SampleRow& row) {
    expect_content(frame, row);
    EXPECT_EQ(frame.request, row["kind"] == "request");
    EXPECT_EQ(frame.method, row.value("method"));
    EXPECT_EQ(frame.request ? "" : std::to_string(frame.status), row.value("status"));
    EXPECT_EQ(frame.comment, row.value("comment"));
    EXPECT_EQ(joined(frame.to_path), row.value("to_path"));
    EXPECT_EQ(joined(frame.from_path), row.value("from_path"));
    EXPECT_TRUE(!row.has("success_report") || frame.success_report == (lower(row["success_report"]) == "yes"));
    const std::string failure = lower(row["failure_report"]);
    using Failure = MsrpFrame::Failure;
    EXPECT_EQ(frame.failure_report, failure == "no"        ? Failure::no
                                    : failure == "partial" ? Failure::partial
                                                           : Failure::yes);
    EXPECT_EQ(std::to_string(frame.octets), row["frame_octets"]);
    EXPECT_EQ(frame.report.has_value(), row.has("report_status"));
    if (frame.report) {
        EXPECT_EQ(std::to_string(1000 + frame.report->name_space).substr(1) + " " + std::to_string(frame.report->code) +
                      " " + std::string(frame.report->comment),
                  row["report_status"]);
    }
    std::string nickname = row.value("use_nickname");
    if (nickname.starts_with('"')) {
        nickname = nickname.substr(1, nickname.size() - 2);
    }
    EXPECT_EQ(frame.use_nickname.value_or(""), nickname);
}

class MsrpSamples : public testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(samples_of("msrp"))) {
            GTEST_SKIP() << "the samples are not beside the repository";
        }
    }
};

TEST_F(MsrpSamples, FramesAreReadAsTheTableSays) {
    std::size_t sound = 0;
    for (const SampleRow& row : sample_table(samples_of("msrp") / "expect.tsv")) {
        const std::filesystem::path path = samples_of("msrp") / row["file"];
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(row["file"] + ": " + row["reason"]);
        const std::string bytes = contents_of(path);
        MsrpFrame frame;
        const MsrpRead read = read_msrp(bytes, frame);
        const std::string& verdict = row["verdict"];
        if (verdict == "valid" || verdict == "tolerate") {
            ASSERT_EQ(read, MsrpRead::frame);
            expect_fields(frame, row);
        }
        if (verdict == "valid") {
            EXPECT_FALSE(frame.deviating);
            ++sound;
        } else if (verdict == "incomplete") {
            EXPECT_EQ(read, MsrpRead::incomplete);
        } else if (verdict == "invalid") {
            EXPECT_TRUE(read == MsrpRead::malformed || (read == MsrpRead::frame && frame.deviating));
            EXPECT_EQ(read == MsrpRead::malformed, !row.has("transaction_id"));
        }
    }
    EXPECT_GT(sound, 5U);
}

/// A frame of a stream: what the table has of it.
struct Found {
    std::string state;
    std::size_t offset = 0;
    std::size_t octets = 0;
    friend bool operator==(const Found&, const Found&) = default;
};

/// Cuts a stream that comes in pieces of `size`.
template <typename Take>
std::vector<Found> cut(std::string_view bytes, std::size_t size, Take take) {
    std::vector<Found> out;
    MsrpFrame frame;
    for (std::size_t at = 0, there = 0, seen = 0; at < bytes.size();) {
        const std::string_view rest = bytes.substr(at, there - at);
        switch (read_msrp(rest, frame, seen)) {
            case MsrpRead::frame:
                out.push_back({"frame", at, frame.octets});
                take(frame);
                at += frame.octets;
                there = std::max(there, at);
                seen = 0;
                break;
            case MsrpRead::incomplete:
                if (there == bytes.size()) {
                    out.push_back({"incomplete", at, bytes.size() - at});
                    return out;
                }
                seen = rest.size();
                there = std::min(there + size, bytes.size());
                break;
            case MsrpRead::malformed: {
                const std::size_t next = find_msrp(bytes.substr(at), 1);  // with all that is to come
                out.push_back({"garbage", at, next});
                at += next;
                there = std::max(there, at);
                seen = 0;
                break;
            }
        }
    }
    return out;
}

TEST_F(MsrpSamples, StreamsAreCutAsTheTableSays) {
    std::map<std::string, std::vector<SampleRow>> streams;
    for (const SampleRow& row : sample_table(samples_of("msrp") / "streams" / "frames.tsv")) {
        streams[row["file"]].push_back(row);
    }
    std::size_t frames = 0;
    for (const auto& [file, rows] : streams) {
        const std::filesystem::path path = samples_of("msrp") / "streams" / file;
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(file);
        std::vector<Found> expected;
        std::vector<const SampleRow*> expected_frames;
        for (const SampleRow& row : rows) {
            expected.push_back({row["state"], std::stoul(row["offset"]), std::stoul(row["octets"])});
            if (row["state"] == "frame") {
                expected_frames.push_back(&row);
            }
        }
        const std::string bytes = contents_of(path);
        for (const std::size_t size : {bytes.size(), std::size_t{1}, std::size_t{5}, std::size_t{17}}) {
            std::size_t index = 0;
            const auto found = cut(bytes, size, [&](const MsrpFrame& frame) {
                ASSERT_LT(index, expected_frames.size());
                expect_content(frame, *expected_frames[index++]);
                ++frames;
            });
            EXPECT_TRUE(found == expected) << "in pieces of " << size;
        }
    }
    EXPECT_GT(frames, 20U);
}

TEST_F(MsrpSamples, MessagesArePutTogetherAsTheTableSays) {
    std::size_t messages = 0;
    for (const SampleRow& row : sample_table(samples_of("msrp") / "streams" / "messages.tsv")) {
        const std::filesystem::path path = samples_of("msrp") / "streams" / row["file"];
        if (!std::filesystem::exists(path)) {
            continue;
        }
        SCOPED_TRACE(row["file"] + " " + row["message_id"]);
        ++messages;
        const std::string bytes = contents_of(path);
        for (const std::size_t in_memory : {std::size_t{0}, std::size_t{1} << 20}) {
            FakeSpools spools;
            Assembly assembly(spools, in_memory);
            std::size_t chunks = 0;
            cut(bytes, bytes.size(), [&](const MsrpFrame& frame) {
                if (frame.method == "SEND" && frame.message_id == row["message_id"]) {
                    EXPECT_TRUE(assembly.take(frame));
                    ++chunks;
                }
            });
            EXPECT_EQ(std::to_string(chunks), row["chunks"]);
            EXPECT_EQ(assembly.complete(), row["state"] == "complete");
            EXPECT_EQ(assembly.abandoned(), row["state"] == "aborted");
            EXPECT_EQ(assembly.conflicting(), row["file"].find("overlap") != std::string::npos);
            const auto whole = assembly.take_bytes();
            ASSERT_TRUE(whole);
            EXPECT_EQ(std::to_string(whole->size()), row["octets_received"]);
            if (row.has("message_sha256")) {
                EXPECT_EQ(digest_text(text_of(*whole)), row["message_sha256"].substr(0, 32));
            }
        }
    }
    EXPECT_GT(messages, 3U);
}

TEST_F(MsrpSamples, UrisAreReadAsTheTableSays) {
    for (const SampleRow& row : sample_table(samples_of("msrp") / "uris.tsv")) {
        SCOPED_TRACE(row["uri"]);
        const auto uri = read_msrp_uri(row["uri"]);
        ASSERT_EQ(uri.has_value(), row["verdict"] != "invalid");
        if (uri) {
            EXPECT_EQ(uri->secure ? "msrps" : "msrp", row["scheme"]);
            EXPECT_EQ(uri->host, row["host"]);
            EXPECT_EQ(uri->port == 0 ? "-" : std::to_string(uri->port), row["port"]);
            EXPECT_EQ(uri->session, row["session_id"]);
            EXPECT_EQ(uri->transport, row["transport"]);
        }
    }
}

/// The messages that are printed in a document, each in a block of its own.
std::vector<std::string> printed_messages(const std::string& document) {
    constexpr std::string_view fence = "```\n";
    std::vector<std::string> out;
    for (std::size_t at = document.find(fence); at != std::string::npos;) {
        const std::size_t begin = at + fence.size();
        const std::size_t end = document.find(fence, begin);
        if (end == std::string::npos) {
            break;
        }
        std::string_view block(document.data() + begin, end - begin);
        block.remove_prefix(std::min(block.find_first_not_of('\n'), block.size()));
        if (block.starts_with("MSRP ")) {
            out.emplace_back(block);
        }
        at = document.find(fence, end + fence.size());
    }
    return out;
}

TEST(MsrpOfTs24247, FramesAreReadAsPrinted) {
    const std::filesystem::path path =
        samples_of("msrp").parent_path().parent_path() / "seeds" / "003_a2d452a8272dedda.txt";
    if (!std::filesystem::exists(path)) {
        GTEST_SKIP() << "the document is not beside the repository";
    }
    const std::vector<std::string> messages = printed_messages(contents_of(path));
    EXPECT_GE(messages.size(), 30U);
    std::map<std::string, std::size_t> methods;
    for (const std::string& message : messages) {
        SCOPED_TRACE(message);
        for (const std::string& bytes : {crlf(message), message}) {
            MsrpFrame frame;
            ASSERT_EQ(read_msrp(bytes, frame), MsrpRead::frame);
            EXPECT_TRUE(frame.draft);
            EXPECT_EQ(frame.transaction.size(), 4U);  // their TR-ID
            EXPECT_EQ(frame.to_path.size(), 1U);
            EXPECT_EQ(frame.from_path.size(), message.find("\nFrom") == std::string::npos ? 0U : 1U);
            EXPECT_EQ(frame.has_body, frame.method == "SEND");
            EXPECT_EQ(frame.content_type, frame.method == "SEND" ? "text/plain" : "");
            EXPECT_TRUE(frame.request || frame.status == 200);
            EXPECT_TRUE(!frame.request || !frame.message_id.empty());
            EXPECT_EQ(bytes.find_first_not_of("\r\n", frame.octets), std::string::npos);
            ++methods[std::string(frame.method)];
        }
    }
    EXPECT_EQ(methods.size(), 3U);
}

}  // namespace
}  // namespace lihandover::ims
