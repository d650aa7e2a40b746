#include "lihandover/intake/http/event_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "allocations.hpp"
#include "corpus.hpp"
#include "lihandover/intake/http/event_members.hpp"

namespace lihandover::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using testing::Sample;

const model::Instant now{1'769'076'930, 0};  // 2026-01-22T10:15:30Z

std::string_view name_of(metrics::Rejection reason) {
    return metrics::rejection_names[static_cast<std::size_t>(reason)];
}

class EventParserTest : public ::testing::Test {
  protected:
    // The text is alone in memory, so that a sanitizer sees every read beyond its end.
    std::optional<Fault> parse(std::string_view json, model::Instant latest = now) {
        text_ = std::vector<char>(json.begin(), json.end());
        return parser_.parse({text_.data(), json.size()}, latest, event_);
    }
    std::string refusal(std::string_view json, model::Instant latest = now) {
        const auto fault = parse(json, latest);
        return fault ? std::string(name_of(fault->kind)) + ' ' + fault->field : "accepted";
    }
    static std::string event(const std::string& rest) {
        return R"({"event_id":"e","service":"s","event_type":"message",)"
               R"("sender":{"identifiers":[{"type":"user_id","value":"u"}]})" +
               rest + '}';
    }

    EventParser parser_;
    model::Event event_;
    std::vector<char> text_;
};

TEST_F(EventParserTest, AnEmptyTextIsNoEventEvenForAParserThatHasReadNothing) {
    const auto fault = parse("");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, metrics::Rejection::malformed);
}

TEST_F(EventParserTest, JudgesEveryEventOfTheCorpus) {
    for (const Sample& sample : testing::corpus()) {
        const std::string expected = sample.valid ? "accepted" : sample.reason + ' ' + sample.field;
        EXPECT_EQ(refusal(sample.json), expected) << sample.name;
    }
}

TEST_F(EventParserTest, ReadsEveryMember) {
    ASSERT_FALSE(parse(testing::read_file(testing::source_dir() / "tests/intake/corpus/valid/everything.json")));
    EXPECT_EQ(event_.event_id, "e-2");
    EXPECT_EQ(event_.service, "examplechat");
    EXPECT_EQ(event_.type, model::EventType::message_edited);
    ASSERT_TRUE(event_.timestamp);
    EXPECT_EQ(event_.timestamp->text, "2026-01-22T10:15:30.5+02:00");
    EXPECT_EQ(event_.timestamp->instant, (model::Instant{now.seconds - 7200, 500'000'000}));
    EXPECT_EQ(event_.refers_to, "e-1");
    EXPECT_EQ(event_.status, "edited");
    EXPECT_TRUE(event_.has_conversation);
    EXPECT_EQ(event_.conversation.id, "c-1");
    EXPECT_EQ(event_.conversation.kind, "group");
    EXPECT_EQ(event_.conversation.thread_id, "t-1");
    EXPECT_EQ(event_.conversation.title, "T");
    EXPECT_EQ(event_.conversation.previous_title, "P");
    EXPECT_EQ(event_.conversation.thread_title, "TT");
    EXPECT_TRUE(event_.has_content);
    EXPECT_EQ(event_.content_type, "text/plain");
    EXPECT_EQ(event_.text, "Hello");
    ASSERT_EQ(event_.attachments.size(), 3U);
    EXPECT_EQ(event_.attachments[0].id, "a1");
    EXPECT_EQ(event_.attachments[0].content_type, "image/jpeg");
    EXPECT_EQ(event_.attachments[0].filename, "roof.jpg");
    EXPECT_EQ(event_.attachments[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(event_.attachments[0].source, model::Attachment::Source::data);
    EXPECT_EQ(event_.attachments[0].reference, "YWJj");
    EXPECT_EQ(event_.attachments[1].id, "a2");
    EXPECT_EQ(event_.attachments[1].source, model::Attachment::Source::object);
    EXPECT_EQ(event_.attachments[1].reference, "o-1");
    EXPECT_TRUE(event_.attachments[1].sha256.empty());
    EXPECT_EQ(event_.attachments[2].source, model::Attachment::Source::file);
    EXPECT_EQ(event_.attachments[2].reference, "x/y");
    ASSERT_TRUE(event_.location);
    EXPECT_EQ(event_.location->latitude, "51.5007");
    EXPECT_EQ(event_.location->longitude, "-0.1246");
    EXPECT_EQ(event_.location->accuracy_metres, "12");
    EXPECT_EQ(event_.location->altitude_metres, "-3.5");
    EXPECT_EQ(event_.location->cell, "234-15-1-2");
    EXPECT_EQ(event_.location->description, "Bridge");
    ASSERT_TRUE(event_.location->observed_at);
    EXPECT_EQ(event_.location->observed_at->text, "2026-01-22T10:15:00Z");

    ASSERT_EQ(event_.parties.size(), 5U);
    EXPECT_EQ(event_.parties[0].role, model::PartyRole::sender);
    EXPECT_EQ(event_.parties[0].nickname, "Al");
    const auto sender = event_.identifiers_of(event_.parties[0]);
    ASSERT_EQ(sender.size(), 7U);
    for (std::size_t i = 0; i < sender.size(); ++i) {
        EXPECT_EQ(sender[i].type, static_cast<model::IdentifierType>(i));
    }
    EXPECT_EQ(sender[1].value,
              "Al\xC3\xAF"
              "ce");
    EXPECT_EQ(sender[2].value, "+44 7700 900123");
    EXPECT_EQ(event_.parties[1].role, model::PartyRole::receiver);
    EXPECT_EQ(event_.parties[1].nickname, "Bo");
    EXPECT_EQ(event_.identifiers_of(event_.parties[2])[0].value, "u-3");
    EXPECT_EQ(event_.parties[3].role, model::PartyRole::actor);
    EXPECT_EQ(event_.parties[4].role, model::PartyRole::member);
    EXPECT_EQ(event_.identifiers_of(event_.parties[4])[0].value, "u-4");

    const auto property = [](std::string_view name, std::string_view value, bool json) {
        return ::testing::AllOf(Field(&model::Property::name, name), Field(&model::Property::value, value),
                                Field(&model::Property::json, json));
    };
    EXPECT_THAT(event_.device, ElementsAre(property("model", "X1", false), property("version", "3", true),
                                           property("rooted", "false", true)));
    EXPECT_THAT(event_.network, ElementsAre(property("ip", "192.0.2.1", false), property("port", "4711", true),
                                            property("roaming", "true", true)));
    ASSERT_EQ(event_.parameters.size(), 8U);
    EXPECT_THAT(event_.parameters[0], property("s", "t", false));
    EXPECT_THAT(event_.parameters[1], property("n", "1", true));
    EXPECT_THAT(event_.parameters[2], property("f", "0.0015", true));
    EXPECT_THAT(event_.parameters[3], property("b", "true", true));
    EXPECT_THAT(event_.parameters[4], property("z", "null", true));
    EXPECT_EQ(event_.parameters[5].name, "o");
    EXPECT_TRUE(event_.parameters[5].value.starts_with('{') && event_.parameters[5].value.ends_with('}'));
    EXPECT_THAT(event_.parameters[6], property("l", "[]", true));
    EXPECT_THAT(event_.parameters[7], property("", "empty name", false));
}

TEST_F(EventParserTest, PutsPartiesInTheOrderOfTheirRoles) {
    ASSERT_FALSE(
        parse(testing::read_file(testing::source_dir() / "tests/intake/corpus/valid/members_in_another_order.json")));
    std::vector<std::string> found;
    found.reserve(event_.parties.size());
    for (const model::Party& party : event_.parties) {
        found.push_back(std::string(model::name_of(party.role)) + ' ' +
                        std::string(event_.identifiers_of(party)[0].value));
    }
    EXPECT_THAT(found, ElementsAre("sender u-4", "receiver u-3", "actor u-2", "member u-1"));
}

TEST_F(EventParserTest, ForgetsTheEventBefore) {
    ASSERT_FALSE(parse(testing::read_file(testing::source_dir() / "tests/intake/corpus/valid/everything.json")));
    ASSERT_FALSE(parse(event("")));
    EXPECT_FALSE(event_.has_content || event_.has_conversation || event_.location || event_.timestamp);
    EXPECT_EQ(event_.parties.size(), 1U);
    EXPECT_TRUE(event_.parameters.empty() && event_.device.empty() && event_.network.empty());
    EXPECT_TRUE(event_.attachments.empty());
}

TEST_F(EventParserTest, CarriesNestedParametersAsRawJson) {
    ASSERT_FALSE(parse(event(R"(,"parameters":{"a": [ 1, {"b" : "\ud800\u0041"} ] , "c":{ } })")));
    ASSERT_EQ(event_.parameters.size(), 2U);
    EXPECT_EQ(event_.parameters[0].value, R"([ 1, {"b" : "\ud800\u0041"} ])");
    EXPECT_TRUE(event_.parameters[0].json);
    EXPECT_EQ(event_.parameters[1].value, "{ }");
}

TEST_F(EventParserTest, CarriesHostileNamesOfAttachments) {
    ASSERT_FALSE(
        parse(testing::read_file(testing::source_dir() / "tests/intake/corpus/valid/attachment_hostile_names.json")));
    using namespace std::string_view_literals;
    ASSERT_EQ(event_.attachments.size(), 2U);
    EXPECT_EQ(event_.attachments[0].id, "\0"sv);
    EXPECT_EQ(event_.attachments[0].content_type, "image/jpeg\r\nX: y");
    EXPECT_EQ(event_.attachments[0].filename, "../../\0\xED\xA0\x80<&>"sv);
    EXPECT_EQ(event_.attachments[0].reference, "a\0b"sv);
    ASSERT_FALSE(
        parse(event(R"(,"attachments":[{"id":"a","data":"","filename":")" + std::string(65'536, 'n') + R"("}])")));
    EXPECT_EQ(event_.attachments[0].filename.size(), 65'536U);
    EXPECT_EQ(
        refusal(event(R"(,"attachments":[{"id":"a","data":"","filename":")" + std::string(65'537, 'n') + R"("}])")),
        "too_large attachments[0].filename");
}

TEST_F(EventParserTest, BoundsTheNumberOfAttachments) {
    const auto attachments = [](std::uint32_t count) {
        std::string out;
        for (std::uint32_t i = 0; i < count; ++i) {
            out += (i == 0 ? R"({"id":")" : R"(,{"id":")") + std::to_string(i) + R"(","data":""})";
        }
        return event(R"(,"attachments":[)" + out + ']');
    };
    EXPECT_EQ(refusal(attachments(1000)), "accepted");
    EXPECT_EQ(refusal(attachments(1001)), "too_large attachments");
}

TEST_F(EventParserTest, DecodesLoneSurrogatesToWtf8) {
    ASSERT_FALSE(parse(event(R"(,"content":{"text":"a\ud83dz\ude00\ud83d\ude00\udfff\uD800\uDBFF"})")));
    EXPECT_EQ(event_.text, "a\xED\xA0\xBDz\xED\xB8\x80\xF0\x9F\x98\x80\xED\xBF\xBF\xED\xA0\x80\xED\xAF\xBF");
}

TEST_F(EventParserTest, CarriesEveryEscapedCharacter) {
    ASSERT_FALSE(parse(event(R"(,"content":{"text":"\u0000\u001f\"\\\/\b\f\n\r\t\u00e9\u20ac\ufffe\uFFFF"})")));
    using namespace std::string_view_literals;
    EXPECT_EQ(event_.text, "\0\x1f\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBE\xEF\xBF\xBF"sv);
}

TEST_F(EventParserTest, KeepsSeveralUnescapedTextsAtOnce) {
    ASSERT_FALSE(parse(event(R"(,"status":"\u0061\n","refers_to":"\u0062\n","parameters":{"\u0063":"\u0064"})")));
    EXPECT_EQ(event_.status, "a\n");
    EXPECT_EQ(event_.refers_to, "b\n");
    EXPECT_EQ(event_.parameters[0].name, "c");
    EXPECT_EQ(event_.parameters[0].value, "d");
}

TEST_F(EventParserTest, RefusesTheFarFuture) {
    const auto at = [](const char* time) { return event(std::string(R"(,"timestamp":")") + time + '"'); };
    EXPECT_EQ(refusal(at("2026-01-22T10:15:30Z")), "accepted");
    EXPECT_EQ(refusal(at("2026-01-22T10:15:30.000000001Z")), "future timestamp");
    EXPECT_EQ(refusal(at("2026-01-22T11:15:30+01:00")), "accepted");
    EXPECT_EQ(refusal(at("2026-01-22T10:15:31Z"), {now.seconds, 999'999'999}), "future timestamp");
    EXPECT_EQ(refusal(at("9999-12-31T23:59:59Z")), "future timestamp");
    EXPECT_EQ(refusal(event(R"(,"location":{"observed_at":"9999-12-31T23:59:59Z"})")), "accepted");
}

TEST_F(EventParserTest, BoundsTheDepthOfParameters) {
    const auto nested = [](std::uint32_t depth, char open, char close) {
        std::string value(open == '[' ? "" : "1");
        for (std::uint32_t i = 0; i < depth; ++i) {
            value.insert(0, open == '[' ? "[" : R"({"x":)");
            value += close;
        }
        return event(R"(,"parameters":{"p":)" + value + '}');
    };
    EXPECT_EQ(refusal(nested(parameter_depth, '[', ']')), "accepted");
    EXPECT_EQ(refusal(nested(parameter_depth + 1, '[', ']')), "too_large parameters.p");
    EXPECT_EQ(refusal(nested(parameter_depth, '{', '}')), "accepted");
    EXPECT_EQ(refusal(nested(parameter_depth + 1, '{', '}')), "too_large parameters.p");
    EXPECT_EQ(refusal(event(R"(,"parameters":{"p":)" + std::string(500'000, '[') + '}')), "too_large parameters.p");
}

TEST_F(EventParserTest, BoundsTheNumberOfEverything) {
    const auto list = [](const std::string& name, const std::string& element, std::uint32_t count) {
        std::string out = ",\"" + name + "\":[";
        for (std::uint32_t i = 0; i < count; ++i) {
            out += (i == 0 ? "" : ",") + element;
        }
        return event(out + ']');
    };
    const std::string party = R"({"identifiers":[{"type":"user_id","value":"u"}]})";
    for (const char* const name : {"receivers", "members"}) {
        EXPECT_EQ(refusal(list(name, party, 10'000)), "accepted");
        EXPECT_EQ(refusal(list(name, party, 10'001)), std::string("too_large ") + name);
    }
    const auto identifiers = [&](std::uint32_t count) {
        std::string out;
        for (std::uint32_t i = 0; i < count; ++i) {
            out += std::string(i == 0 ? "" : ",") + R"({"type":"user_id","value":"u"})";
        }
        return event(R"(,"actor":{"identifiers":[)" + out + "]}");
    };
    EXPECT_EQ(refusal(identifiers(64)), "accepted");
    EXPECT_EQ(refusal(identifiers(65)), "too_large actor.identifiers");
    const auto named = [](const std::string& name, std::uint32_t count) {
        std::string out;
        for (std::uint32_t i = 0; i < count; ++i) {
            out += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":" + std::to_string(i);
        }
        return event(",\"" + name + "\":{" + out + '}');
    };
    EXPECT_EQ(refusal(named("device", 64)), "accepted");
    EXPECT_EQ(refusal(named("device", 65)), "too_large device");
    EXPECT_EQ(refusal(named("network", 65)), "too_large network");
    EXPECT_EQ(refusal(named("parameters", 256)), "accepted");
    EXPECT_EQ(refusal(named("parameters", 257)), "too_large parameters");
}

TEST_F(EventParserTest, BoundsNamesAndNumbers) {
    const auto device = [](const std::string& name, const std::string& value) {
        return event(R"(,"device":{")" + name + R"(":)" + value + '}');
    };
    EXPECT_EQ(refusal(device(std::string(max_property_name, 'n'), "1")), "accepted");
    EXPECT_EQ(refusal(device(std::string(max_property_name + 1, 'n'), "1")), "too_large device");
    EXPECT_EQ(refusal(device("n", '"' + std::string(max_property_value, 'v') + '"')), "accepted");
    EXPECT_EQ(refusal(device("n", '"' + std::string(max_property_value + 1, 'v') + '"')), "too_large device.n");
    EXPECT_EQ(refusal(device("n", std::string(max_number_text, '9'))), "accepted");
    EXPECT_EQ(refusal(device("n", std::string(max_number_text + 1, '9'))), "too_large device.n");
    const auto parameter = [](std::size_t size) {
        return event(R"(,"parameters":{")" + std::string(size, 'n') + R"(":1})");
    };
    EXPECT_EQ(refusal(parameter(max_parameter_name)), "accepted");
    EXPECT_EQ(refusal(parameter(max_parameter_name + 1)), "too_large parameters");
    const auto latitude = [](std::size_t zeros) {
        return event(R"(,"location":{"longitude":0,"latitude":1.)" + std::string(zeros, '0') + '}');
    };
    EXPECT_EQ(refusal(latitude(max_number_text - 2)), "accepted");
    EXPECT_EQ(refusal(latitude(max_number_text - 1)), "too_large location.latitude");
}

TEST_F(EventParserTest, CountsCharactersNotBytes) {
    const auto status = [](const std::string& character, std::size_t count) {
        std::string out;
        for (std::size_t i = 0; i < count; ++i) {
            out += character;
        }
        return event(R"(,"status":")" + out + '"');
    };
    EXPECT_EQ(refusal(status("\xF0\x9F\x98\x80", 128)), "accepted");
    EXPECT_EQ(refusal(status("\xF0\x9F\x98\x80", 129)), "too_large status");
    EXPECT_EQ(refusal(status("\\ud83d", 128)), "accepted");
    EXPECT_EQ(refusal(status("\\ud83d", 129)), "too_large status");
}

TEST_F(EventParserTest, TakesAnEventOfAnySizeTheCallerAllows) {
    const std::string text(8 << 20, 'x');
    ASSERT_FALSE(parse(event(R"(,"content":{"text":")" + text + "\\n\"}")));
    EXPECT_EQ(event_.text, text + '\n');
    parser_.let_go();
    ASSERT_FALSE(parse(event("")));
    EXPECT_EQ(event_.event_id, "e");
}

TEST_F(EventParserTest, LeavesNothingOfWhatItDecoded) {
    ASSERT_FALSE(parse(event(R"(,"content":{"text":"\"secret\""})")));
    const std::string_view decoded = event_.text;
    EXPECT_EQ(decoded, "\"secret\"");
    ASSERT_FALSE(parse(event("")));
    parser_.let_go();
    // It keeps the memory of an event of this size.
    EXPECT_EQ(decoded, std::string(decoded.size(), '\0'));
}

TEST_F(EventParserTest, NamesWhatItRefusesButNoValue) {
    auto fault = parse(event(",\"colour\xC3\xA9\":\"secret-red\""));
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->field, "colour\xC3\xA9");
    EXPECT_EQ(fault->reason, "is not known here");
    fault = parse(event(",\"" + std::string(63, 'x') + "\xC3\xA9zz\":1"));
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->field, std::string(63, 'x')) << "cut between characters";
    for (const Sample& sample : testing::corpus()) {
        fault = parse(sample.json);
        if (fault) {
            EXPECT_EQ(fault->reason.find("u-1"), std::string::npos);
            EXPECT_FALSE(fault->reason.empty());
        }
    }
}

TEST_F(EventParserTest, AllocatesNothingForAnEventLikeTheOneBefore) {
    const std::string json = testing::read_file(testing::source_dir() / "tests/intake/corpus/valid/everything.json");
    EXPECT_FALSE(parser_.parse(json, now, event_));
    const std::size_t before = testing::allocations();
    const bool refused = parser_.parse(json, now, event_).has_value();
    EXPECT_EQ(testing::allocations(), before);
    EXPECT_FALSE(refused);
}

// We must not read the byte after the text: it may be beyond the end of memory.
TEST_F(EventParserTest, ReadsNothingBeyondTheText) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t size = 4 * page;
    auto* const memory =
        static_cast<char*>(::mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory, MAP_FAILED);
    ASSERT_EQ(::mprotect(memory + size, page, PROT_NONE), 0);
    for (const Sample& sample : testing::corpus()) {
        for (std::size_t cut = 0; cut < std::min<std::size_t>(sample.json.size(), 130); ++cut) {
            const std::string_view text = std::string_view(sample.json).substr(0, sample.json.size() - cut);
            char* const place = memory + size - text.size();
            std::ranges::copy(text, place);
            (void)parser_.parse({place, text.size()}, now, event_);
        }
    }
    ::munmap(memory, size + page);
}

// Whatever happens to the text, it is refused or gives an event whose parts can be read.
TEST_F(EventParserTest, BearsRandomChanges) {
    std::mt19937 random(20260122);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same run every time
    const auto samples = testing::corpus();
    constexpr auto pieces = std::to_array<std::string_view>(
        {"{",   "}",    "[",    "]", "\"", "\\",   ":",  ",",  "\\u",      "\\ud800", "null", "-",
         "1e9", "\x01", "\xff", " ", "\n", "true", "{}", "[]", "\"a\":1,", "\x1a",    "\x0c"});
    std::size_t accepted = 0;
    for (int round = 0; round < 40'000; ++round) {
        std::string json = samples[random() % samples.size()].json;
        for (std::size_t change = random() % 4 + 1; change > 0 && !json.empty(); --change) {
            const std::size_t at = random() % json.size();
            switch (random() % 5) {
                case 0:
                    json[at] = static_cast<char>(random());
                    break;
                case 1:
                    json.erase(at, random() % 8);
                    break;
                case 2:
                    json.insert(at, pieces[random() % std::size(pieces)]);
                    break;
                case 3:
                    json.resize(at);
                    break;
                default:
                    json.insert(at, json.substr(random() % json.size(), random() % 40));
                    break;
            }
        }
        if (parse(json)) {
            continue;
        }
        ++accepted;
        std::size_t bytes = event_.text.size() + event_.event_id.size();
        for (const model::Party& party : event_.parties) {
            ASSERT_LT(party.first_identifier, party.end_identifier);
            for (const model::Identifier& identifier : event_.identifiers_of(party)) {
                bytes += std::string(identifier.value).size();
            }
        }
        for (const model::Property& parameter : event_.parameters) {
            bytes += std::string(parameter.value).size();
        }
        ASSERT_LE(bytes, json.size());
    }
    EXPECT_GT(accepted, 100U);
}

}  // namespace
}  // namespace lihandover::intake
