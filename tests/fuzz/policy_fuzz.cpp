// A conference policy document as XCAP carries one, after a line with its content type.

#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz.hpp"
#include "lihandover/ims/conference.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

void check_uris(const std::vector<std::string>& uris) {
    must(uris.size() <= ims::max_conference_users, "each list has its bound");
    must(std::ranges::none_of(uris, &std::string::empty), "a URI is not empty");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const std::string_view type = input.line();
    const Exact document(input.rest());
    const auto policy = ims::read_policy(document.view(), type);
    if (!policy) {
        return;
    }
    check_uris(policy->members);
    check_uris(policy->refused);
    check_uris(policy->moderators);
    const auto info = ims::read_conference_info(document.view());
    must(!info || info->entity == policy->conference, "a conference is called the same");
    must(ims::read_policy(document.view(), "application/xcap-el+xml").has_value(),
         "what is a whole document is one wherever it is");
}
