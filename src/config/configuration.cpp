#include "lihandover/config/configuration.hpp"

#include <algorithm>
#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>
#include <charconv>

#include "configuration_schema.hpp"
#include "lihandover/config/options.hpp"

namespace lihandover::config {

bool ListenAddress::is_loopback() const {
    if (const auto v4 = boost::urls::parse_ipv4_address(host)) {
        return v4->is_loopback();
    }
    const auto v6 = boost::urls::parse_ipv6_address(host);
    return v6 && v6->is_loopback();
}

std::string ListenAddress::to_string() const {
    if (is_unix()) {
        return "unix:" + path;
    }
    if (host.empty()) {
        return {};
    }
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
    constexpr std::string_view unix_prefix = "unix:";
    constexpr std::size_t max_socket_path = 107;  // sockaddr_un
    if (text.starts_with(unix_prefix)) {
        const std::string_view path = text.substr(unix_prefix.size());
        const bool good = path.starts_with('/') && path.size() <= max_socket_path &&
                          std::ranges::all_of(path, [](char c) { return c > ' ' && c != 0x7F; });
        return good ? std::optional(ListenAddress{std::string(path), {}, 0}) : std::nullopt;
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || stop != digits.data() + digits.size()) {
        return std::nullopt;
    }
    bool good = false;
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        good = boost::urls::parse_ipv6_address({host.data(), host.size()}).has_value();
    } else {
        good = boost::urls::parse_ipv4_address({host.data(), host.size()}).has_value();
    }
    return good ? std::optional(ListenAddress{{}, std::string(host), port}) : std::nullopt;
}

Loaded load_text(std::string_view text, const std::string& file) {
    Loaded loaded;
    Configuration configuration;
    if (const std::optional<YamlNode> root = parse_yaml(text, file, loaded.problems)) {
        Reader reader(file, loaded.problems);
        configuration_schema().read(reader, *root, configuration);
        loaded.places = reader.places();
    }
    sort_by_place(loaded.problems);
    if (loaded.problems.empty()) {
        loaded.configuration = std::move(configuration);
    }
    return loaded;
}

Loaded load_file(const std::string& path) {
    const model::Result<FileText> text = read_text_file(path, max_file_size);
    if (!text) {
        Loaded loaded;
        loaded.problems.push_back({path, 0, 0, "cannot be read: " + text.error().message, {}});
        return loaded;
    }
    return load_text(text->bytes, path);
}

Problem problem_of(const Loaded& loaded, const std::string& file, const std::string& path, std::string_view message,
                   std::string value) {
    // An option that was not given has the place of its nearest section.
    std::string nearest_path = path;
    auto found = loaded.places.find(nearest_path);
    while (found == loaded.places.end() && !nearest_path.empty()) {
        nearest_path.resize(std::min(nearest_path.find_last_of(".["), nearest_path.size() - 1));
        found = loaded.places.find(nearest_path);
    }
    const Place place = found != loaded.places.end() ? found->second : Place{1, 1};
    return {file, place.line, place.column, path + ": " + std::string(message), std::move(value)};
}

std::vector<ChangedOption> changed_options(const Configuration& before, const Configuration& after) {
    std::vector<ChangedOption> changed;
    configuration_schema().compare(before, after, {}, changed);
    return changed;
}

std::string reference_markdown() {
    std::string text = R"(# Configuration

The daemon reads one YAML file, `lihandoverd --config FILE`. `lihandoverd --check --config FILE` prints every problem
in it, and in the warrants, certificates and schemas, each as `FILE:LINE:COLUMN: what is wrong, what is allowed`. Its
exit status is 0 (good), 1 (the daemon would not start, or would refuse the reload) or 2 (it would run, but something
is wrong).

- Keys that are not listed here are errors, and so is a key given twice. Anchors, aliases, merge keys and tags are not
  allowed.
- Sizes are whole numbers with `B`, `KiB`, `MiB`, `GiB` or `TiB`; durations with `ms`, `s`, `m`, `h` or `d`.
- Paths are absolute. `listen` takes `unix:/path`, `address:port` or `[v6-address]:port`.
- *Reload* says whether SIGHUP (or `lihandoverctl reload`) puts a new value in force. The file reloads as a whole or not
  at all: a changed option that needs a restart makes the reload fail. Certificates, keys, CAs and revocation lists are
  read again at each reload, and when they change (`tls_reload_interval`), whether or not their paths changed.
- Setting an option that is *not built yet* is an error, so that nothing is configured in vain.

## Example

```yaml
)";
    text += example_configuration();
    text += R"(```

## Options

`[]` stands for each element of a list, `*` for each name.

)";
    return text + rows_markdown(option_rows(), "###");
}

}  // namespace lihandover::config
