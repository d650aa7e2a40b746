#include "test_store.hpp"

#include <array>
#include <chrono>
#include <future>
#include <stdexcept>

#include "arrival.hpp"
#include "lihandover/handover/names.hpp"
#include "lihandover/handover/writer.hpp"

namespace lihandover::admin::test {

namespace {

using store::test::Call;

constexpr std::array decisions = {Call::retry, Call::retry_all, Call::reject, Call::approve,
                                  Call::shown, Call::pause,     Call::resume, Call::clock_accepted};

}  // namespace

TestStore::TestStore() {
    store_.set_limits(std::uint64_t{50} << 30U, std::chrono::seconds(0));
    store_.show_bytes(4096, 8192);
}

store::ItemView TestStore::add(store::ItemState state, const std::string& destination, const std::string& liid,
                               const std::function<void(store::ItemView&)>& change) {
    store::ItemView item;
    item.object_id = model::Uuid::random();
    item.destination = destination;
    item.liid = liid;
    item.state = state;
    item.correlation = model::ApplicationCorrelation{7, 1};
    item.received_at = {1'795'342'531, 5'000};
    item.changed_at = {1'795'342'532, 0};
    if (state == store::ItemState::refused || state == store::ItemState::set_aside) {
        item.refusal = store::Refusal{3007, store::Refusal::Kind::hi1_error, "not valid, says the LEA"};
    }
    if (change) {
        change(item);
    }
    item.row = store_.put(item);
    return item;
}

model::Uuid TestStore::hold(store::Review review, bool emergency, const std::string& text) {
    model::Profile profile;
    profile.sender = {"XX", "EXAMPLE-CSP"};
    profile.receiver = {"XX", "Not specified"};
    profile.etsi_version = "V1.14.1";
    profile.schema_identifier = handover::csp_schema_identifier;
    profile.writer_version = handover::current_writer_version;
    model::Event event;
    event.event_id = "e-1";
    event.service = "examplechat";
    event.identifiers = {{model::IdentifierType::user_id, "u-1"}, {model::IdentifierType::user_id, "u-2"}};
    event.parties = {{model::PartyRole::sender, 0, 1, {}}, {model::PartyRole::receiver, 1, 2, {}}};
    event.has_content = true;
    event.content_type = "text/plain";
    event.text = text;
    store::NewItem item;
    item.lane = store_.warrant_register().lane("lea-one", "LIID-1").value();
    item.profile = store_.warrant_register().profile(profile).value();
    item.object_id = model::Uuid::random();
    item.repeat_hash = store::Hash128{++repeats_};
    item.emergency = emergency;
    item.review = review;
    item.received_at = {1'795'342'531, 5'000};
    model::encode_share(event, std::array<std::uint64_t, 1>{1}, {.metadata = true, .content = true}, item.received_at,
                        {}, item.share);
    store::NewObject object;
    object.id = model::Uuid::random();
    object.url = "https://lea.example.com/" + object.id.to_string();
    object.content_type = "image/jpeg";
    object.original_filename = "roof.jpg";
    object.lifetime = std::chrono::hours(72);
    const auto writer = store_.object_intake().writer().value();
    static_cast<void>(writer->write("bytes"));
    object.sealed = writer->finish().value();
    item.objects = std::make_shared<const std::vector<store::NewObject>>(1, object);
    const model::Uuid id = item.object_id;
    std::vector<store::NewItem> items;
    items.push_back(std::move(item));
    std::promise<store::Outcome> submitted;
    store::test::submit_to(store_.item_intake(), std::move(items),
                           [&](store::Outcome outcome) { submitted.set_value(outcome); });
    if (submitted.get_future().get() != store::Outcome::committed) {
        throw std::runtime_error("not held");
    }
    return id;
}

void TestStore::fail_decisions() {
    for (const Call call : decisions) {
        store_.fail(call);
    }
}

void TestStore::mend_decisions() {
    for (const Call call : decisions) {
        store_.mend(call);
    }
}

}  // namespace lihandover::admin::test
