#include "lihandover/config/options.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "lihandover/config/configuration.hpp"

namespace lihandover::config {

// GoogleTest finds it by this name.
static void PrintTo(const OptionRow& row, std::ostream* out) {  // NOLINT(readability-identifier-naming)
    *out << row.path;
}

namespace {

TEST(ConfigurationReference, IsTheOneInDocs) {
    const std::string path = LIHANDOVER_SOURCE_DIR "/docs/configuration.md";
    std::ostringstream file;
    file << std::ifstream(path).rdbuf();
    // The part about warrant files follows; the warrants' tests compare it with its own declarations.
    EXPECT_TRUE(file.str().starts_with(reference_markdown()))
        << "run the warrants' tests with LIHANDOVER_UPDATE_DOCS=1 to write docs/configuration.md anew";
}

TEST(Options, TheExampleLoads) {
    const Loaded loaded = load_text(example_configuration(), "example.yaml");
    for (const Problem& problem : loaded.problems) {
        ADD_FAILURE() << check_text(problem);
    }
    ASSERT_TRUE(loaded.configuration.has_value());
    EXPECT_EQ(loaded.configuration->intake.http.size(), 2U);
    EXPECT_EQ(loaded.configuration->intake.x2x3.size(), 1U);
    EXPECT_EQ(loaded.configuration->destinations.at("lea-one").receiver.country_code, "GB");
}

TEST(Options, EveryOneHasHelpThatIsASentence) {
    std::set<std::string> paths;
    for (const OptionRow& row : option_rows()) {
        EXPECT_TRUE(paths.insert(row.path).second) << row.path;
        EXPECT_TRUE(row.facts.help.ends_with('.')) << row.path;
        EXPECT_TRUE(row.section || !row.allowed.empty()) << row.path;
    }
    EXPECT_GT(paths.size(), 60U);
}

/// A file made from the options' examples.
struct Tree {
    std::map<std::string, Tree> below;
    std::string value;

    void set(std::string_view path, const std::string& text) {
        Tree* tree = this;
        while (!path.empty()) {
            const std::size_t dot = std::min(path.find('.'), path.size());
            tree = &tree->below[std::string(path.substr(0, dot))];
            path.remove_prefix(std::min(dot + 1, path.size()));
        }
        tree->value = text;
    }
    [[nodiscard]] std::string flow() const {
        if (below.empty()) {
            return value;
        }
        std::string text;
        for (const auto& [name, tree] : below) {
            const bool list = name.ends_with("[]");
            text += (text.empty() ? "" : ", ") + (list ? name.substr(0, name.size() - 2) : name) + ": ";
            text += list ? "[" + tree.flow() + "]" : tree.flow();
        }
        return "{" + text + "}";
    }
};

std::string concrete(std::string path) {
    const std::size_t star = path.find(".*");
    return star == std::string::npos ? path : path.replace(star, 2, ".lea-one");
}

/// The minimum that loads.
Tree least() {
    Tree tree;
    tree.set("csp.country_code", "XX");
    tree.set("csp.unique_identifier", "X");
    tree.set("intake.http[].listen", "\"unix:/x\"");
    tree.set("destinations.lea-one.url", "\"https://x.example/\"");
    for (const char* const file : {"certificate", "private_key", "ca"}) {
        tree.set(std::string("destinations.lea-one.tls.") + file, "/x");
    }
    return tree;
}

/// What an option's value needs besides it.
void add_company(const std::string& path, Tree& tree) {
    if (path.starts_with("intake.http[].tls") || path == "intake.http[].listen") {
        tree.set("intake.http[].listen", "\"127.0.0.1:1\"");
        for (const char* const file : {"certificate", "private_key", "client_ca"}) {
            tree.set(std::string("intake.http[].tls.") + file, "/x");
        }
    } else if (path.starts_with("intake.x2x3[]")) {
        tree.set("intake.x2x3[].listen", "\"127.0.0.1:1\"");
        for (const char* const file : {"certificate", "private_key", "client_ca"}) {
            tree.set(std::string("intake.x2x3[].tls.") + file, "/x");
        }
    } else if (path.starts_with("intake.http[].numbers.")) {
        tree.set("intake.http[].numbers.country_code", "\"44\"");
    } else if (path.starts_with("matching.services.*.")) {
        const bool name = path.ends_with(".username");
        tree.set(std::string("matching.services.lea-one.") + (name ? "email_local_part" : "username"), "exact");
    } else if (path.starts_with("destinations.*.tls.psk")) {
        tree.set("destinations.lea-one.tls.psk.identity", "csp-1");
        tree.set("destinations.lea-one.tls.psk.key_file", "/x");
    } else if (path == "destinations.*.urls") {
        tree.below["destinations"].below["lea-one"].below.erase("url");
        tree.set("destinations.lea-one.urls", "[\"https://x.example/\"]");
    } else if (path.find(".sender.") != std::string::npos) {
        tree.set("destinations.lea-one.sender.country_code", "XX");
        tree.set("destinations.lea-one.sender.unique_identifier", "X");
    } else if (path == "intake.max_request_size") {
        tree.set("intake.max_event_size", "1KiB");
    } else if (path.find(".binary.client") != std::string::npos || path.find(".binary.remove") != std::string::npos) {
        tree.set("destinations.lea-one.binary.model", "A");
        tree.set("destinations.lea-one.binary.client_certificates", "[" + std::string(64, 'b') + "]");
        if (path.find(".client_psks[]") != std::string::npos) {
            tree.set("destinations.lea-one.binary.client_psks[].identity", "lea-one");
            tree.set("destinations.lea-one.binary.client_psks[].key_file", "/x");
        }
        add_company("objectserver", tree);
    } else if (path.find(".binary.") != std::string::npos) {
        tree.set("destinations.lea-one.binary.model", "B");
        tree.set("destinations.lea-one.binary.url_template", "\"https://x.example/{object_identifier}\"");
    } else if (path.starts_with("admin.console")) {
        tree.set("admin.console.listen", "\"127.0.0.1:1\"");
        tree.set("admin.console.people", "{CN=ann: [review]}");
        for (const char* const file : {"certificate", "private_key", "client_ca"}) {
            tree.set(std::string("admin.console.tls.") + file, "/x");
        }
    } else if (path.starts_with("store.engine") || path.starts_with("store.postgresql")) {
        tree.set("store.postgresql.connection", "\"host=db1\"");
        tree.set("encryption.key_files", "[/x]");
        tree.set("warrants_dir", "/x");  // which has another default with each engine
    } else if (path.starts_with("objectserver")) {
        tree.set("objectserver.listen", "\"127.0.0.1:1\"");
        tree.set("objectserver.public_url", "\"https://x.example/\"");
        for (const char* const file : {"certificate", "private_key", "client_ca"}) {
            tree.set(std::string("objectserver.tls.") + file, "/x");
        }
    }
}

/// Another value than the default and than those of least() and add_company().
std::string other_value(const OptionRow& row) {
    const std::map<std::string, std::string> by_type = {{"boolean", "true"},
                                                        {"integer", "7"},
                                                        {"size", "32MiB"},
                                                        {"duration", "2d"},
                                                        {"path", "/some/where"},
                                                        {"URL", "\"https://other.example/\""},
                                                        {"file mode", "0640"},
                                                        {"list of integer", "[7]"},
                                                        {"listen address", "127.0.0.1:7"},
                                                        {"list of text", "[" + std::string(64, 'a') + "]"}};
    const std::map<std::string, std::string> by_path = {
        {"csp.country_code", "DE"},
        {"csp.test_targets", "[{user_id: u-test}]"},
        {"warrants.approval", "dual"},
        {"destinations.*.sender.country_code", "DE"},
        {"destinations.*.receiver.country_code", "DE"},
        {"destinations.*.etsi_version", "V1.2.3"},
        {"csp_schema.content", "always"},
        {"schema_validation", "all"},
        {"log_level", "error"},
        {"intake.max_request_size", "3MiB"},
        {"intake.max_event_size", "2MiB"},
        {"intake.max_future", "7m"},
        {"destinations.*.retry.initial", "2s"},
        {"destinations.*.retry.maximum", "20h"},
        {"destinations.*.timeout", "7s"},
        {"destinations.*.urls", "[\"https://x.example/\", \"https://other.example/\"]"},
        {"destinations.*.local_address", "192.0.2.7"},
        {"destinations.*.proxy", "\"http://user:pass@proxy.example:3128\""},
        {"destinations.*.connection_lifetime", "7m"},
        {"destinations.*.headers", "{User-Agent: other}"},
        {"destinations.*.content_type", "text/xml"},
        {"intake.attachment_grace", "7m"},
        {"intake.answer_interval", "30ms"},
        {"intake.answer_timeout", "20s"},
        {"intake.x2x3[].partial_message_timeout", "7s"},
        {"intake.x2x3[].keepalive_timeout", "7s"},
        {"destinations.*.binary.early_success", "delivered"},
        {"destinations.*.binary.continue_timeout", "7m"},
        {"destinations.*.binary.url_template", "\"https://y.example/{object_identifier}\""},
        {"intake.http[].numbers.country_code", "\"49\""},
        {"intake.http[].numbers.trunk_prefix", "\"8\""},
        {"intake.http[].numbers.international_prefix", "\"011\""},
        {"matching.email_local_part", "exact"},
        {"matching.username", "insensitive"},
        {"matching.services.*.email_local_part", "exact"},
        {"matching.services.*.username", "insensitive"},
        {"objectserver.min_rate_after", "7s"},
        {"admin.console.people", "{CN=ann: [review], \"CN=Bea Q.,O=csp\": [operate, review]}"},
        {"store.engine", "postgresql"},
        {"store.postgresql.durability", "local"},
        {"store.commit_timeout", "7s"},
        {"store.postgresql.lease", "7s"},
        {"clock_tolerance", "7m"},
        {"tls_reload_interval", "7m"},
        {"clock_trust", "always"},
        {"encryption.key_files", "[/etc/other.key]"},
        {"shutdown_timeout", "7s"}};
    if (const auto found = by_path.find(row.path); found != by_path.end()) {
        return found->second;
    }
    if (row.type == "list of choice") {
        return row.path.ends_with("groups") ? "[x448]" : "[TLS_AES_128_GCM_SHA256]";
    }
    const auto found = by_type.find(row.type);
    return found != by_type.end() ? found->second : "other";
}

class EachOption : public testing::TestWithParam<OptionRow> {};

TEST_P(EachOption, IsReadComparedAndRefusedWhereItIsNotBuilt) {
    const OptionRow& row = GetParam();
    Tree tree = least();
    add_company(row.path, tree);
    const std::string base_text = tree.flow();
    tree.set(concrete(row.path), other_value(row));

    const Loaded base = load_text(base_text, "f");
    ASSERT_TRUE(base.configuration.has_value()) << base_text << "\n" << check_text(base.problems.at(0));
    const Loaded loaded = load_text(tree.flow(), "f");

    std::string path = concrete(row.path);
    if (const std::size_t list = path.find("[]"); list != std::string::npos) {
        path.replace(list, 2, "[0]");
    }
    bool built = row.facts.built;
    for (const OptionRow& other : option_rows()) {
        built = built && (other.facts.built || !row.path.starts_with(other.path + "."));
    }
    if (!built) {
        ASSERT_FALSE(loaded.configuration.has_value()) << tree.flow();
        EXPECT_NE(loaded.problems.at(0).message.find("not built yet"), std::string::npos);
        return;
    }
    ASSERT_TRUE(loaded.configuration.has_value()) << tree.flow() << "\n" << check_text(loaded.problems.at(0));
    EXPECT_TRUE(loaded.places.contains(path));
    const std::vector<ChangedOption> changed = changed_options(*base.configuration, *loaded.configuration);
    ASSERT_EQ(changed.size(), 1U) << tree.flow();
    EXPECT_EQ(changed[0].path, path);
    EXPECT_EQ(changed[0].reloadable, row.facts.reloadable);
    EXPECT_TRUE(changed_options(*loaded.configuration, *loaded.configuration).empty());
}

TEST(Options, NumbersOfASource) {
    const auto numbers = [](const std::string& text) {
        Tree tree = least();
        tree.set("intake.http[].numbers", text);
        return load_text(tree.flow(), "f");
    };
    const Loaded british = numbers(R"({country_code: "44", trunk_prefix: "0"})");
    ASSERT_TRUE(british.configuration);
    EXPECT_EQ(british.configuration->intake.http[0].numbers, (model::NumberPlan{"44", "0", "00"}));
    const Loaded danish = numbers(R"({country_code: "45", trunk_prefix: ""})");
    ASSERT_TRUE(danish.configuration);
    EXPECT_EQ(danish.configuration->intake.http[0].numbers->trunk_prefix, "") << "there, and empty";
    for (const char* const bad :
         {"{}", R"({country_code: "0"})", R"({country_code: "+44"})", R"({country_code: "4444"})",
          R"({country_code: "44", trunk_prefix: "x"})", R"({country_code: "44", international_prefix: ""})"}) {
        EXPECT_FALSE(numbers(bad).configuration) << bad;
    }
}

TEST_P(EachOption, HasAnExampleThatIsTaken) {
    const OptionRow& row = GetParam();
    Tree tree = least();
    add_company(row.path, tree);
    if (!row.facts.example.empty()) {
        tree.set(concrete(row.path), row.facts.example);
    }
    const Loaded loaded = load_text(tree.flow(), "f");
    for (const Problem& problem : loaded.problems) {
        EXPECT_NE(problem.message.find("not built yet"), std::string::npos) << check_text(problem);
    }
}

TEST_P(EachOption, RefusesAValueOfAnotherKindAtItsPlace) {
    const OptionRow& row = GetParam();
    Tree tree = least();
    add_company(row.path, tree);
    const bool takes_mappings = row.type == "header fields" || row.type == "people";
    tree.set(concrete(row.path), takes_mappings ? "[wrong-kind]" : "{wrong-kind: [1]}");
    const Loaded loaded = load_text(tree.flow(), "f");
    ASSERT_FALSE(loaded.configuration.has_value());
    ASSERT_FALSE(loaded.problems.empty());
    const std::size_t column = tree.flow().find(takes_mappings ? "[wrong-kind" : "{wrong-kind") + 1;
    bool found = false;
    for (const Problem& problem : loaded.problems) {
        found = found || problem.column == column ||
                problem.message.find("not built yet") != std::string::npos;  // of its section
        EXPECT_EQ(problem.message.find("wrong-kind"), std::string::npos);
    }
    EXPECT_TRUE(found) << check_text(loaded.problems[0]);
}

std::vector<OptionRow> leaves() {
    std::vector<OptionRow> rows = option_rows();
    // Another model needs other options besides it: Configuration.BinaryObjectsNeedWhatTheirModelNeeds.
    std::erase_if(rows, [](const OptionRow& row) { return row.section || row.path == "destinations.*.binary.model"; });
    return rows;
}

INSTANTIATE_TEST_SUITE_P(All, EachOption, testing::ValuesIn(leaves()),
                         [](const testing::TestParamInfo<OptionRow>& option) {
                             std::string name;
                             for (const char c : option.param.path) {
                                 const bool word = (c >= 'a' && c <= 'z') || c == '_';
                                 name += word ? std::string(1, c) : c == '.' ? "__" : "";
                             }
                             return name;
                         });

}  // namespace
}  // namespace lihandover::config
