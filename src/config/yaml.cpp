#include "lihandover/config/yaml.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <system_error>

#include "lihandover/base/descriptor.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::config {

namespace {

constexpr std::size_t max_depth = 12;  // our deepest option is at 5

Place place_of(const YAML::Mark& mark) {
    if (mark.is_null()) {
        return {};
    }
    return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

/// Ends the parser's run from within a handler.
struct TooDeep {
    Place place;
};

/// Builds our tree from the parser's events. Every node is built in place within its parent, so the stack of open nodes
/// points down the tree; a parent's list does not grow while one of its children is open.
class TreeBuilder : public YAML::EventHandler {
  public:
    TreeBuilder(const std::string& file, Problems& problems) : file_(file), problems_(problems) {}

    [[nodiscard]] YamlNode take_root() { return std::move(root_); }
    /// Where the innermost list or mapping that is still open begins; line 0: none is.
    [[nodiscard]] Place innermost_open() const { return open_.empty() ? Place{} : open_.back()->place; }

    void OnDocumentStart(const YAML::Mark& /*mark*/) override {}  // NOLINT(readability-identifier-naming)
    void OnDocumentEnd() override {}                              // NOLINT(readability-identifier-naming)

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {  // NOLINT(readability-identifier-naming)
        refuse_anchor(mark, anchor);
        if (at_key()) {
            problem(mark, "a key is needed before the colon");
            add_key(mark, {});
            return;
        }
        add_node(YamlNode::Kind::null, mark);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {  // NOLINT(readability-identifier-naming)
        problem(mark, "aliases (*name) are not taken; write the value out");
        if (at_key()) {
            add_key(mark, {});
            return;
        }
        add_node(YamlNode::Kind::refused, mark);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag,  // NOLINT(readability-identifier-naming)
                  YAML::anchor_t anchor, const std::string& value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (at_key()) {
            add_key(mark, value);
            return;
        }
        YamlNode& node = add_node(YamlNode::Kind::scalar, mark);
        node.text = value;
        node.plain = tag == "?";
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,  // NOLINT(readability-identifier-naming)
                         YAML::anchor_t anchor, YAML::EmitterStyle::value /*style*/) override {
        open(YamlNode::Kind::sequence, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }  // NOLINT(readability-identifier-naming)

    void OnMapStart(const YAML::Mark& mark, const std::string& tag,  // NOLINT(readability-identifier-naming)
                    YAML::anchor_t anchor, YAML::EmitterStyle::value /*style*/) override {
        open(YamlNode::Kind::mapping, mark, tag, anchor);
    }
    void OnMapEnd() override { close(); }  // NOLINT(readability-identifier-naming)

  private:
    void problem(const YAML::Mark& mark, const char* message) {
        const Place place = place_of(mark);
        problems_.push_back({file_, place.line, place.column, message, {}});
    }
    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != 0) {
            problem(mark, "anchors (&name) are not taken; write the value where it is needed");
        }
    }
    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") {
            problem(mark, "tags (!type) are not taken; write the plain value");
        }
    }

    [[nodiscard]] bool at_key() const {
        return !open_.empty() && open_.back()->kind == YamlNode::Kind::mapping &&
               open_.back()->keys.size() == open_.back()->items.size();
    }
    void add_key(const YAML::Mark& mark, const std::string& text) {
        open_.back()->keys.push_back({text, place_of(mark)});
    }
    YamlNode& add_node(YamlNode::Kind kind, const YAML::Mark& mark) {
        YamlNode* node = &root_;
        if (!open_.empty()) {
            node = &open_.back()->items.emplace_back();
        }
        node->kind = kind;
        node->place = place_of(mark);
        return *node;
    }
    void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (open_.size() >= max_depth) {
            throw TooDeep{place_of(mark)};
        }
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (at_key()) {
            // Its contents go into a separate value that no option has, so the pairs of the mapping stay in step.
            problem(mark, "a key is a single word, not a list or mapping");
            add_key(mark, {});
            YamlNode& node = add_node(YamlNode::Kind::refused, mark);
            complex_keys_.push_back(&node);
            node.kind = kind;
            open_.push_back(&node);
            return;
        }
        open_.push_back(&add_node(kind, mark));
    }
    void close() {
        YamlNode* const closed = open_.back();
        open_.pop_back();
        if (!complex_keys_.empty() && complex_keys_.back() == closed) {
            complex_keys_.pop_back();
            open_.back()->items.pop_back();  // the key's value is still to come
        }
    }

    const std::string& file_;
    Problems& problems_;
    YamlNode root_;
    std::vector<YamlNode*> open_;
    std::vector<YamlNode*> complex_keys_;
};

/// YAML's parser accepts some broken texts as something else, so the bytes are checked first.
bool is_clean(std::string_view text, const std::string& file, Problems& problems) {
    Place place{1, 1};
    while (!text.empty()) {
        const std::size_t length = base::first_character(text).size;
        if (length == 0) {
            problems.push_back({file, place.line, place.column, "not UTF-8; files are UTF-8 text", {}});
            return false;
        }
        const char c = text.front();
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F) {
            problems.push_back({file,
                                place.line,
                                place.column,
                                R"(a control character; write it as an escape in double quotes, such as "\x01")",
                                {}});
            return false;
        }
        place = c == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + length};
        text.remove_prefix(length);
    }
    return true;
}

model::Error system_error(int number) {
    return {std::generic_category().message(number)};
}

model::Result<FileStamp> stamp_from(const struct stat& status) {
    if (!S_ISREG(status.st_mode)) {
        return model::Error{"not a regular file"};
    }
    constexpr std::int64_t nanos = 1'000'000'000;
    return FileStamp{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
                     static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec * nanos + status.st_mtim.tv_nsec,
                     status.st_ctim.tv_sec * nanos + status.st_ctim.tv_nsec};
}

}  // namespace

Place YamlNode::place_of(std::string_view key) const {
    const auto found = std::ranges::find_if(keys, [&](const YamlKey& k) { return k.text == key; });
    return found != keys.end() ? found->place : place;
}

const YamlNode* YamlNode::find(std::string_view key) const {
    const auto found = std::ranges::find_if(keys, [&](const YamlKey& k) { return k.text == key; });
    const auto index = static_cast<std::size_t>(found - keys.begin());
    return index < items.size() ? &items[index] : nullptr;
}

model::Result<FileStamp> stamp_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return system_error(errno);
    }
    return stamp_from(status);
}

model::Result<FileText> read_text_file(const std::string& path, std::size_t max_size) {
    // Non-blocking: a pipe in the directory must not block a reload before it is found not to be a file.
    const base::Descriptor file(
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));  // NOLINT(*-vararg)
    if (!file) {
        return system_error(errno);
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) {
        return system_error(errno);
    }
    const model::Result<FileStamp> stamp = stamp_from(status);
    if (!stamp) {
        return stamp.error();
    }
    FileText result;
    result.stamp = *stamp;
    constexpr std::size_t block = std::size_t{64} << 10U;
    std::size_t length = 0;
    while (length <= max_size) {
        result.bytes.resize(length + std::min(block, max_size + 1 - length));
        const ssize_t got = ::read(file.get(), result.bytes.data() + length, result.bytes.size() - length);
        if (got < 0 && errno != EINTR) {
            return system_error(errno);
        }
        if (got == 0) {
            result.bytes.resize(length);
            return result;
        }
        length += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return model::Error{"larger than " + std::to_string(max_size) + " bytes, the most that is read"};
}

std::optional<YamlNode> parse_yaml(std::string_view text, const std::string& file, Problems& problems) {
    if (text.starts_with("\xEF\xBB\xBF")) {
        text.remove_prefix(3);
    }
    if (!is_clean(text, file, problems)) {
        return std::nullopt;
    }
    TreeBuilder builder(file, problems);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        if (!parser.HandleNextDocument(builder)) {
            return YamlNode{YamlNode::Kind::null, true, {1, 1}, {}, {}, {}};
        }
        YamlNode root = builder.take_root();
        Problems ignored;
        TreeBuilder second(file, ignored);
        if (parser.HandleNextDocument(second)) {
            const Place place = second.take_root().place;
            problems.push_back({file, place.line, place.column, "a second document (---); a file holds one", {}});
        }
        if (root.place.line == 0) {
            root.place = {1, 1};
        }
        return root;
    } catch (const YAML::Exception& error) {
        const Place place = place_of(error.mark);
        // What follows a colon may come from the file (a character, a name).
        const std::size_t colon = std::min(error.msg.find(':'), error.msg.size());
        problems.push_back(
            {file, place.line, place.column, "not YAML: " + error.msg.substr(0, colon), error.msg.substr(colon)});
        // An unclosed bracket is noticed only far below it.
        if (const Place open = builder.innermost_open(); error.msg.starts_with("end of") && open.line != 0) {
            problems.push_back({file, open.line, open.column, "not YAML: what begins here has no end", {}});
        }
    } catch (const TooDeep& deep) {
        problems.push_back({file,
                            deep.place.line,
                            deep.place.column,
                            "nested too deeply; at most " + std::to_string(max_depth) + " levels are taken",
                            {}});
    }
    return std::nullopt;
}

}  // namespace lihandover::config
