#include "option_types.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "lihandover/base/hex.hpp"
#include "lihandover/model/tls_names.hpp"

namespace lihandover::config {

namespace {

bool consists_of(std::string_view text, std::string_view punctuation, bool capitals) {
    return std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (capitals && c >= 'A' && c <= 'Z') ||
               punctuation.find(c) != std::string_view::npos;
    });
}

}  // namespace

Type<std::string> name_type(const std::string& allowed, std::string_view punctuation, bool capitals) {
    TextCheck check = [punctuation, capitals, allowed](std::string_view text) {
        return consists_of(text, punctuation, capitals) ? std::nullopt
                                                        : std::optional("not such a name; allowed: " + allowed);
    };
    return text_type(1, 64, allowed, std::move(check));
}

Type<std::string> country_code_type() {
    return text_type(2, 2, "two capital letters, XX for none", [](std::string_view text) {
        const bool letters = std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
        return letters && text.size() == 2 ? std::nullopt
                                           : std::optional<std::string>("a country code is two capital letters, or XX");
    });
}

Type<std::string> etsi_version_type() {
    return text_type(6, 32, "V<number>.<number>.<number>", [](std::string_view text) {
        std::size_t numbers = 0;
        bool good = text.starts_with('V');
        for (std::string_view rest = good ? text.substr(1) : std::string_view{}; good; ++numbers) {
            const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
            good = digits > 0;
            rest.remove_prefix(digits);
            if (rest.empty()) {
                ++numbers;
                break;
            }
            good = good && rest.front() == '.';
            rest.remove_prefix(1);
        }
        return good && numbers == 3 ? std::nullopt
                                    : std::optional<std::string>("a version of TS 103 120 is needed, such as V1.14.1");
    });
}

Type<std::string> fingerprint_type() {
    constexpr std::string_view allowed = "64 lower-case hex digits, or spki: and 64 of them";
    return text_type(64, 69, std::string(allowed), [allowed](std::string_view text) {
        const std::string_view digits = text.starts_with("spki:") ? text.substr(5) : text;
        const bool hex = digits.size() == 64 && digits.find_first_not_of(base::hex_digits) == std::string_view::npos;
        return hex ? std::nullopt : std::optional("not a SHA-256; allowed: " + std::string(allowed));
    });
}

Type<std::string> url_template_type() {
    Type<std::string> url = https_url_type();
    Type<std::string> type = url;
    type.name = "URL template";
    type.allowed = "https, with {object_identifier} once, after the host";
    type.read = [url](Reader& reader, const YamlNode& node, std::string& out) {
        constexpr std::string_view parameter = "{object_identifier}";
        const std::size_t at = node.text.find(parameter);
        const std::size_t path = node.text.find('/', std::min(node.text.find("//"), node.text.size() - 1) + 2);
        if (at == std::string::npos || node.text.find(parameter, at + 1) != std::string::npos || path > at) {
            reader.problem(node.place, "{object_identifier} is needed exactly once, after the host");
            return false;
        }
        YamlNode filled = node;
        filled.text.replace(at, parameter.size(), "00000000-0000-4000-8000-000000000000");
        std::string ignored;
        if (!url.read(reader, filled, ignored)) {
            return false;
        }
        out = node.text;
        return true;
    };
    return type;
}

Type<ListenAddress> listen_type() {
    const std::string allowed = "unix:/path, address:port or [v6]:port";
    auto read = [allowed](Reader& reader, const YamlNode& node, ListenAddress& out) {
        const auto address =
            node.kind == YamlNode::Kind::scalar ? parse_listen_address(node.text) : std::optional<ListenAddress>{};
        if (!address) {
            reader.problem(node.place, "not an address to listen on; allowed: " + allowed, node.text);
            return false;
        }
        out = *address;
        return true;
    };
    return {"listen address", allowed, read, [](const ListenAddress& value) { return value.to_string(); }};
}

Type<std::uint32_t> mode_type() {
    const std::string allowed = "0000 to 0777, octal";
    auto read = [allowed](Reader& reader, const YamlNode& node, std::uint32_t& out) {
        std::string_view text = node.text;
        if (text.starts_with("0o")) {
            text.remove_prefix(2);
        }
        std::uint32_t mode = 0;
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
        if (node.kind != YamlNode::Kind::scalar || error != std::errc{} || stop != text.data() + text.size() ||
            mode > 0777) {
            reader.problem(node.place, "a file mode is needed, " + allowed, node.text);
            return false;
        }
        out = mode;
        return true;
    };
    auto write = [](const std::uint32_t& value) {
        std::array<char, 8> digits{};
        const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, 8);
        const std::string text(digits.data(), error == std::errc{} ? end : digits.data());
        return std::string(4 - std::min<std::size_t>(4, text.size()), '0') + text;
    };
    return {"file mode", allowed, read, write};
}

Type<std::string> group_type() {
    return text_type(1, 32, "a group name of at most 32 characters");
}

namespace {

/// One of several arrays of names.
template <typename... Arrays>
Type<std::vector<std::string>> names_type(const Arrays&... arrays) {
    std::vector<Choice<std::string>> choices;
    const auto add = [&choices](const auto& names) {
        for (const std::string_view name : names) {
            choices.push_back({std::string(name), std::string(name)});
        }
    };
    (add(arrays), ...);
    return list_type(choice_type<std::string>(std::move(choices)), 0, 32);
}

}  // namespace

Type<std::vector<std::string>> tls_groups_type() {
    return names_type(model::tls_curves, model::tls_finite_fields);
}

Type<std::vector<std::string>> tls_suites_type() {
    return names_type(model::tls13_suites, model::tls12_suites, model::tls12_psk_suites, model::tls12_psk_cbc_suites);
}

Schema<PreSharedKey> psk_schema() {
    const std::string allowed = "1 to 128 printable ASCII characters without spaces";
    Type<std::string> identity = text_type(1, 128, allowed, [allowed](std::string_view text) {
        const bool good = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
        return good ? std::nullopt : std::optional("not such an identity; allowed: " + allowed);
    });
    return Schema<PreSharedKey>()
        .option(required({.name = "identity",
                          .help = "What both sides call the key. It is sent in the clear.",
                          .example = "csp-1",
                          .reloadable = true}),
                &PreSharedKey::identity, identity)
        .option(required({.name = "key_file",
                          .help = "File with the key: 32 to 128 hex digits on one line, random (`openssl rand -hex "
                                  "32`), for these two sides alone. Nobody but its owner and group may read it.",
                          .example = "/etc/lihandoverd/keys/lea-three.psk",
                          .reloadable = true}),
                &PreSharedKey::key_file, path_type());
}

Facts required(Facts facts) {
    facts.required = true;
    return facts;
}

Schema<model::Endpoint> endpoint_schema(Facts country, Facts identifier, std::size_t longest) {
    country.reloadable = true;
    identifier.reloadable = true;
    return Schema<model::Endpoint>()
        .option(std::move(country), &model::Endpoint::country_code, country_code_type())
        .option(std::move(identifier), &model::Endpoint::unique_identifier, text_type(1, longest));
}

}  // namespace lihandover::config
