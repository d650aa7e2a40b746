#include "reading.hpp"

#include <algorithm>
#include <charconv>

namespace lihandover::hi1 {
namespace {

model::Endpoint read_endpoint(const Element& element) {
    return {element.child("CountryCode").text(), element.child("UniqueIdentifier").text()};
}

}  // namespace

std::optional<std::uint64_t> read_number(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('+')) {
        text.remove_prefix(1);
    }
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} ? std::min(number, max_number) : max_number;
}

model::Result<Element> read_message(std::string_view body, std::size_t max_size, Document& document, Header& header) {
    if (const model::Status status = document.read(body, max_size); status.has_error()) {
        return status.error();
    }
    const Element message = document.root();
    if (!message.is("HI1Message")) {
        return model::Error{"the message is not an HI1Message of TS 103 120"};
    }
    const Element head = message.child("Header");
    header.transaction = head.child("TransactionIdentifier").uuid().value_or(model::Uuid{});
    header.sender = read_endpoint(head.child("SenderIdentifier"));
    header.receiver = read_endpoint(head.child("ReceiverIdentifier"));
    const Element version = head.child("Version");
    header.etsi_version = version.child("ETSIVersion").text();
    header.national_profile_owner = version.child("NationalProfileOwner").text();
    header.national_profile_version = version.child("NationalProfileVersion").text();
    return message;
}

}  // namespace lihandover::hi1
