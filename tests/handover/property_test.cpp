#include <gtest/gtest.h>

#include "readback.hpp"

namespace lihandover::handover::test {
namespace {

constexpr std::uint32_t seeds = 3000;

// Whatever a source reports, the document is valid and says just that.
TEST(AnyEvent, MakesAValidDocumentThatSaysIt) {
    std::size_t base64 = 0;
    std::size_t schemas = 0;
    std::size_t objects = 0;
    for (std::uint32_t seed = 0; seed < seeds; ++seed) {
        const Item item = random_item(seed);
        ASSERT_TRUE(check_profile(item.profile).has_value());
        const std::string document = document_of(item);
        const model::Status valid = validator().validate(document);
        ASSERT_TRUE(valid.has_value()) << "seed " << seed << ": " << valid.error().message << '\n' << document;
        expect_says(document, item);
        ASSERT_FALSE(HasFailure()) << "seed " << seed << '\n' << document;
        base64 += document.find("encoding=\"base64\"") != std::string::npos ? 1 : 0;
        objects += item.objects.size();
        schemas += item.identity.carries_schema ? 1 : 0;
    }
    // The rare cases occurred.
    EXPECT_GT(base64, seeds / 10);
    EXPECT_GT(schemas, seeds / 100);
    EXPECT_GT(objects, seeds / 4);
}

TEST(AnyEvent, MakesTheSameBytesWhenReadBackFromTheStoredShare) {
    for (std::uint32_t seed = 0; seed < seeds; ++seed) {
        const Item item = random_item(seed);
        std::vector<std::uint64_t> targeted(item.share.targeted.size() / 64 + 1);
        for (std::size_t at = 0; at < item.share.targeted.size(); ++at) {
            targeted[at / 64] |= std::uint64_t{item.share.targeted[at]} << (at % 64);
        }
        // Which parameters are metadata does not matter here, as long as it is ordered.
        std::vector<std::string> metadata_parameters;
        if (!item.share.deliver.content) {
            for (const model::Property& parameter : item.share.event.parameters) {
                metadata_parameters.emplace_back(parameter.name);
            }
        }
        if (!item.share.deliver.metadata && !item.share.deliver.content && !item.share.event.parameters.empty()) {
            continue;
        }
        std::string bytes;
        model::encode_share(item.share.event, targeted, item.share.deliver, item.share.received_at, metadata_parameters,
                            bytes);
        model::Share decoded;
        ASSERT_TRUE(model::decode_share(bytes, decoded).has_value());
        std::string deliver;
        ASSERT_TRUE(append_deliver(deliver, decoded, item.identity, item.profile, item.objects).has_value());
        ASSERT_EQ(deliver, deliver_of(item)) << "seed " << seed;
    }
}

}  // namespace
}  // namespace lihandover::handover::test
