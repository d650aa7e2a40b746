// Warrant files, and warrants as the store remembers them.

#include <string>
#include <vector>

#include "fuzz.hpp"
#include "lihandover/model/liid.hpp"
#include "lihandover/warrants/index.hpp"
#include "lihandover/warrants/loader.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

void check_warrant(const warrants::Warrant& warrant) {
    const std::string bytes = warrants::encode(warrant);
    const auto decoded = warrants::decode(bytes);
    must(decoded && *decoded == warrant, "a warrant is remembered as it was");
    must(warrants::encode(*decoded) == bytes, "the same warrant gives the same bytes");
    must(warrants::digest_of(*decoded) == warrants::digest_of(warrant), "and the same digest");
    for (const std::size_t cut : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
        must(!warrants::decode(std::string_view(bytes).substr(0, cut)), "a part of it is no warrant");
    }
    must(!warrants::decode(bytes + '\0'), "nor is more than it");
}

void check_in_force(const warrants::Warrant& warrant) {
    must(model::is_liid(warrant.liid), "a warrant has an LIID");
    must(warrant.valid_from < warrant.valid_until && !warrant.targets.empty(), "and a window, and targets");
    // Each of its targets is found by its own identifier, within its own window.
    const warrants::Index index({std::make_shared<const warrants::Warrant>(warrant)});
    warrants::MatchScratch scratch;
    std::vector<warrants::Match> matches;
    for (const auto& target : warrant.targets) {
        model::Event event;
        event.service = warrant.services.empty() ? std::string_view("any") : std::string_view(warrant.services.front());
        event.identifiers.push_back({target.type, target.value});
        event.parties.push_back({model::PartyRole::sender, 0, 1, {}});
        const auto from = target.from.value_or(warrant.valid_from);
        index.match(event, {from, from}, scratch, matches);
        must(matches.size() == 1, "a target is found from its beginning on");
        const auto until = target.until.value_or(warrant.valid_until);
        index.match(event, {until, until}, scratch, matches);
        // Another target may name the same party for longer.
        must(matches.empty() || warrant.targets.size() > 1, "and not from its end on");
        const model::Instant before{warrant.valid_from.seconds - 1, 0};
        index.match(event, {before, before}, scratch, matches);
        must(matches.empty(), "nor before the warrant");
    }
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    static const warrants::Destinations destinations{.names = {"lea-one", "lea-two"}, .with_binary = {"lea-one"}};
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    warrants::Warrant warrant;
    const auto problems = warrants::read_warrant(bytes.view(), "w.yaml", destinations, warrant);
    for (const auto& problem : problems) {
        must(fuzz::is_ascii_text(config::log_text(problem)), "a problem fits into a line of the log");
    }
    if (problems.empty()) {
        must(destinations.names.contains(warrant.destination), "a warrant has a destination there is");
        check_warrant(warrant);
        check_in_force(warrant);
    }
    const auto remembered = warrants::decode(bytes.view());
    if (remembered) {
        const auto again = warrants::decode(warrants::encode(*remembered));
        must(again && *again == *remembered, "what was remembered can be written again");
    }
}
