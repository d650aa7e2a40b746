// YAML and the main configuration.

#include <string>

#include "fuzz.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/config/yaml.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

void check_problems(const config::Problems& problems, std::string_view text) {
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 2;
    for (const auto& problem : problems) {
        must(problem.file == "f.yaml", "a problem names its file");
        must(problem.line <= lines + 1 && problem.column <= text.size() + 2, "a problem is within the file");
        must(!problem.message.empty() && problem.message.size() < 4096, "a problem is a sentence");
        must(fuzz::is_ascii_text(config::log_text(problem)), "a problem fits into a line of the log");
        must(config::check_text(problem).find('\n') == std::string::npos, "and of a terminal");
    }
}

std::size_t depth_of(const config::YamlNode& node) {
    must(node.kind == config::YamlNode::Kind::mapping ? node.keys.size() == node.items.size() : node.keys.empty(),
         "a mapping has as many values as keys");
    std::size_t deepest = 0;
    for (const auto& item : node.items) {
        deepest = std::max(deepest, depth_of(item));
    }
    return deepest + 1;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    const std::string_view text = bytes.view();
    config::Problems problems;
    const auto tree = config::parse_yaml(text, "f.yaml", problems);
    must(tree.has_value() || !problems.empty(), "what is no YAML has a reason");
    check_problems(problems, text);
    if (tree) {
        must(depth_of(*tree) <= 100, "depth has its bound");
    }
    const auto loaded = config::load_text(text, "f.yaml");
    must(loaded.configuration.has_value() == loaded.problems.empty(), "a configuration, or reasons why not");
    must(tree.has_value() || !loaded.configuration, "what is no YAML is no configuration");
    check_problems(loaded.problems, text);
    if (loaded.configuration) {
        const auto again = config::load_text(text, "f.yaml");
        must(again.configuration && config::changed_options(*loaded.configuration, *again.configuration).empty(),
             "the same text is the same configuration");
    }
}
