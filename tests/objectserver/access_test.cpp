#include "access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace lihandover::objectserver {
namespace {

using Certificates = std::map<std::string, std::vector<std::string>, std::less<>>;

constexpr std::string_view id = "01234567-89ab-4def-8123-456789abcdef";

TEST(Target, OriginFormIsWhatIsBehindTheHost) {
    EXPECT_EQ(origin_form("/objects/x?y"), "/objects/x?y");
    EXPECT_EQ(origin_form("https://csp.example.com:8444/objects/x"), "/objects/x");
    EXPECT_EQ(origin_form("HTTPS://CSP/objects/x"), "/objects/x");
    EXPECT_EQ(origin_form("http://csp?x"), "?x");
    EXPECT_EQ(origin_form("https://csp"), "");
    EXPECT_EQ(origin_form("https://"), "");
    EXPECT_EQ(origin_form("*"), "*");
    EXPECT_EQ(origin_form(""), "");
}

TEST(Target, EndsWithTheId) {
    const std::string text{id};
    for (const std::string before : {"/", "/objects/", "/o?id=", "/a%2Fb/", "//"}) {
        const auto found = object_id_of(before + text);
        ASSERT_TRUE(found.has_value()) << before;
        EXPECT_EQ(found->to_string(), id);
    }
    for (const std::string& target :
         {text, std::string{}, std::string{"/"}, "/" + text + "/", "/" + text + "?", "/" + text + "x",
          "/" + text.substr(1), std::string{"/01234567-89AB-4def-8123-456789abcdef"},
          std::string{"/0123456789ab-4def-8123-456789abcdef----"}, "/" + text.substr(0, 35) + "%66",
          "/" + text.substr(0, 35) + "g"}) {
        EXPECT_FALSE(object_id_of(target)) << target;
    }
}

tls::PeerIdentity peer(char certificate, char key) {
    tls::PeerIdentity identity;
    identity.certificate_sha256 = std::string(64, certificate);
    identity.spki_sha256 = std::string(64, key);
    return identity;
}

std::string certificate(char digit) {
    return std::string(64, digit);
}

std::string key(char digit) {
    return "spki:" + std::string(64, digit);
}

TEST(AccessList, AllowsADestinationsCertificatesAndKeys) {
    const auto list = AccessList::make(
        Certificates{{"one", {certificate('a'), key('b')}}, {"two", {certificate('c')}}, {"none", {}}}, {});
    ASSERT_TRUE(list.has_value());
    EXPECT_TRUE(list->allows("one", peer('a', '0')));
    EXPECT_TRUE(list->allows("one", peer('0', 'b')));
    EXPECT_TRUE(list->allows("one", peer('a', 'b')));
    EXPECT_TRUE(list->allows("two", peer('c', '0')));
    // A certificate's digest is no key's, and the other way round.
    EXPECT_FALSE(list->allows("one", peer('b', 'a')));
    // Another's
    EXPECT_FALSE(list->allows("one", peer('c', '0')));
    EXPECT_FALSE(list->allows("two", peer('a', 'b')));
    EXPECT_FALSE(list->allows("none", peer('a', 'b')));
    EXPECT_FALSE(list->allows("unknown", peer('a', 'b')));
    EXPECT_FALSE(list->allows("", peer('a', 'b')));
    EXPECT_FALSE(list->allows("one", peer('0', '0')));
    EXPECT_FALSE(list->allows("one", {}));
}

TEST(AccessList, EveryByteOfADigestCounts) {
    const auto list = AccessList::make(Certificates{{"one", {certificate('a')}}}, {});
    for (std::size_t at = 0; at < 64; ++at) {
        auto nearly = peer('a', 'a');
        nearly.certificate_sha256[at] = 'b';
        EXPECT_FALSE(list->allows("one", nearly)) << at;
    }
}

TEST(AccessList, OneCertificateMayServeTwoDestinations) {
    const auto list = AccessList::make(Certificates{{"one", {certificate('a')}}, {"two", {certificate('a')}}}, {});
    EXPECT_TRUE(list->allows("one", peer('a', '0')));
    EXPECT_TRUE(list->allows("two", peer('a', '0')));
}

TEST(AccessList, ClientsOfTheListenerAreACondition) {
    const auto list = AccessList::make(Certificates{{"one", {certificate('a'), certificate('b')}}}, {key('1')});
    EXPECT_TRUE(list->allows("one", peer('a', '1')));
    EXPECT_FALSE(list->allows("one", peer('a', '2')));
    EXPECT_FALSE(list->allows("one", peer('c', '1')));
}

TEST(AccessList, AllowsAPreSharedKeyByItsIdentity) {
    const std::string digest = tls::identity_sha256("lea-one");
    const auto list = AccessList::make(Certificates{{"one", {"psk:" + digest}}, {"two", {certificate('a'), digest}}},
                                       {"psk:" + digest, certificate('a')});
    ASSERT_TRUE(list.has_value());
    tls::PeerIdentity with_key;
    with_key.psk_identity = "lea-one";
    EXPECT_TRUE(list->allows("one", with_key));
    EXPECT_FALSE(list->allows("two", with_key)) << "a certificate of that digest is something else";
    EXPECT_FALSE(list->allows("one", peer('a', 'a')));
    with_key.psk_identity = "lea-two";
    EXPECT_FALSE(list->allows("one", with_key));
    tls::PeerIdentity forged = peer('a', 'a');
    forged.certificate_sha256 = digest;
    EXPECT_FALSE(list->allows("one", forged));
}

TEST(AccessList, RefusesWhatIsNoFingerprint) {
    for (const std::string& text :
         {std::string{}, std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'), std::string(64, 'g'),
          "spki:" + std::string(63, 'a'), "SPKI:" + std::string(64, 'a'), std::string{"psk:lea-one"},
          "sha256:" + std::string(64, 'a')}) {
        const auto list = AccessList::make(Certificates{{"lea-one", {text}}}, {});
        ASSERT_FALSE(list.has_value()) << text;
        EXPECT_THAT(list.error().message, testing::StartsWith("lea-one: "));
        EXPECT_FALSE(AccessList::make({}, {text}).has_value());
    }
}

class Sealed final : public store::SealedObject {
  public:
    [[nodiscard]] std::uint64_t size() const override { return 1; }
    [[nodiscard]] const model::Sha256& sha256() const override { return sha256_; }

  private:
    model::Sha256 sha256_{};
};

store::StoredObject object() {
    store::StoredObject made;
    made.model = model::BinaryModel::a;
    made.state = store::ObjectState::attached;
    made.described.expiry = model::Instant{1000, 500};
    made.sealed = std::make_shared<Sealed>();
    return made;
}

TEST(Offer, LastsFromTheFirstAttemptToTheExpiry) {
    EXPECT_TRUE(is_offered(object(), {0, 0}));
    EXPECT_TRUE(is_offered(object(), {1000, 499}));
    EXPECT_FALSE(is_offered(object(), {1000, 500}));
    EXPECT_FALSE(is_offered(object(), {1001, 0}));
    auto unsent = object();
    unsent.described.expiry.reset();
    EXPECT_FALSE(is_offered(unsent, {0, 0}));
}

TEST(Offer, IsOfModelAWithBytes) {
    auto offered = object();
    offered.state = store::ObjectState::offered;
    EXPECT_TRUE(is_offered(offered, {0, 0}));
    auto pushed = object();
    pushed.model = model::BinaryModel::b;
    EXPECT_FALSE(is_offered(pushed, {0, 0}));
    auto lost = object();
    lost.sealed.reset();
    EXPECT_FALSE(is_offered(lost, {0, 0}));
    for (const auto state : {store::ObjectState::queued, store::ObjectState::refused}) {
        auto other = object();
        other.state = state;
        EXPECT_FALSE(is_offered(other, {0, 0}));
    }
}

}  // namespace
}  // namespace lihandover::objectserver
