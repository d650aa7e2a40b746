#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/config/problem.hpp"
#include "lihandover/config/yaml.hpp"

namespace lihandover::config {

// Declaring the options of a file, once each. A Schema<S> lists the options of one mapping with the members of the
// struct S that they fill; from it come reading with every problem of a file in one run, the reference in docs/, and
// the comparison of two versions. Schemas are built once and read from any thread.
//
//     const Schema<Store> schema = Schema<Store>()
//         .option({.name = "max_bytes", .help = "…", .example = "50GiB", .reloadable = true}, &Store::max_bytes,
//                 size_type(…, …));
//
// A default is the member's value in a default-constructed S.

/// Collects problems while a tree is read, and knows the current path.
class Reader {
  public:
    Reader(std::string file, Problems& problems) : file_(std::move(file)), problems_(problems) {}

    /// Adds a problem of the current option. `message` says what is wrong and what is allowed, `value` what was found
    /// (omitted for secret options).
    void problem(Place place, std::string_view message, std::string value = {});
    /// The same for an option below the current one.
    void problem_below(std::string_view name, Place place, std::string_view message, std::string value = {});

    /// The place of each option that was read, by path.
    [[nodiscard]] const std::map<std::string, Place>& places() const { return places_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::size_t problem_count() const { return problems_.size(); }

    /// Descends to an option for its lifetime. `step` is `.name` or `[3]`.
    class Descent {
      public:
        Descent(Reader& reader, std::string_view step, Place place, bool secret = false);
        ~Descent();
        Descent(const Descent&) = delete;
        Descent& operator=(const Descent&) = delete;

      private:
        Reader& reader_;
        std::size_t length_;
        bool secret_;
    };

  private:
    friend class Descent;
    std::string file_;
    Problems& problems_;
    std::map<std::string, Place> places_;
    std::string path_;
    bool secret_ = false;
};

/// How values of one kind are read, checked, written and described.
template <typename V>
struct Type {
    std::string name;     ///< `size`, `list of text`
    std::string allowed;  ///< bounds for the reference and for messages: `1KiB to 64MiB`
    /// False, with a problem reported, if the node is not such a value.
    std::function<bool(Reader&, const YamlNode&, V&)> read;
    /// One line as it would be in the file; empty for nothing.
    std::function<std::string(const V&)> write;
};

/// Checks a scalar's text beyond its type: returns what is wrong, or nothing.
using TextCheck = std::function<std::optional<std::string>(std::string_view)>;

[[nodiscard]] Type<bool> boolean_type();
/// A whole number.
[[nodiscard]] Type<std::uint32_t> integer_type(std::uint32_t least, std::uint32_t most);
/// Bytes: a whole number with B, KiB, MiB, GiB or TiB.
[[nodiscard]] Type<std::uint64_t> size_type(std::uint64_t least, std::uint64_t most);
/// A whole number with ms, s, m, h or d.
[[nodiscard]] Type<std::chrono::milliseconds> duration_type(std::chrono::milliseconds least,
                                                            std::chrono::milliseconds most);
/// Text without control characters, of `least` to `most` characters (not bytes).
[[nodiscard]] Type<std::string> text_type(std::size_t least, std::size_t most, std::string allowed = {},
                                          TextCheck check = {});
/// The absolute path of a file or directory, at most `most` bytes.
[[nodiscard]] Type<std::string> path_type(std::size_t most = 4095);
[[nodiscard]] Type<std::string> https_url_type();

/// The one of `known` that is nearest to what somebody typed, if one is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& known);
[[nodiscard]] std::string write_size(std::uint64_t bytes);
[[nodiscard]] std::string write_duration(std::chrono::milliseconds duration);
/// A text as a YAML scalar: plain where that is safe, else in double quotes.
[[nodiscard]] std::string write_text(std::string_view text);

/// One name of a set; names whose feature is not built are refused individually.
template <typename E>
struct Choice {
    std::string name;
    E value{};
    bool built = true;
};

/// `a, b or c`.
[[nodiscard]] std::string alternatives(const std::vector<std::string>& names);

template <typename E>
[[nodiscard]] Type<E> choice_type(std::vector<Choice<E>> choices) {
    std::vector<std::string> names;
    for (const Choice<E>& choice : choices) {
        if (choice.built) {
            names.push_back(choice.name);
        }
    }
    const std::string allowed = alternatives(names);
    auto write = [choices](const E& value) {
        for (const Choice<E>& choice : choices) {
            if (choice.value == value) {
                return choice.name;
            }
        }
        return std::string{};
    };
    auto read = [choices = std::move(choices), allowed](Reader& reader, const YamlNode& node, E& out) {
        if (node.kind == YamlNode::Kind::scalar) {
            for (const Choice<E>& choice : choices) {
                if (choice.name != node.text) {
                    continue;
                }
                if (!choice.built) {
                    reader.problem(node.place, "not built yet; allowed: " + allowed, node.text);
                    return false;
                }
                out = choice.value;
                return true;
            }
        }
        reader.problem(node.place, "not one of the choices; allowed: " + allowed, node.text);
        return false;
    };
    return {"choice", allowed, std::move(read), std::move(write)};
}

/// A list of distinct values, `least` to `most` of them.
template <typename V>
[[nodiscard]] Type<std::vector<V>> list_type(const Type<V>& element, std::size_t least, std::size_t most) {
    std::string allowed = element.allowed;
    if (least > 0) {
        allowed += allowed.empty() ? "not empty" : "; not empty";
    }
    auto read = [element, least, most](Reader& reader, const YamlNode& node, std::vector<V>& out) {
        if (node.kind != YamlNode::Kind::sequence) {
            reader.problem(node.place, "a list is needed: [a, b]", node.text);
            return false;
        }
        if (node.items.size() < least || node.items.size() > most) {
            reader.problem(node.place, "a list of " + std::to_string(least) + " to " + std::to_string(most) +
                                           " elements is needed");
            return false;
        }
        const std::size_t problems_before = reader.problem_count();
        std::vector<V> values;
        std::map<std::string, std::size_t> seen;
        for (std::size_t n = 0; n < node.items.size(); ++n) {
            const YamlNode& item = node.items[n];
            if (item.kind == YamlNode::Kind::refused) {
                continue;
            }
            const Reader::Descent descent(reader, "[" + std::to_string(n) + "]", item.place);
            V value{};
            if (!element.read(reader, item, value)) {
                continue;
            }
            if (!seen.try_emplace(element.write(value), n).second) {
                reader.problem(item.place, "twice in the list", item.text);
                continue;
            }
            values.push_back(std::move(value));
        }
        out = std::move(values);
        return reader.problem_count() == problems_before;
    };
    auto write = [element](const std::vector<V>& values) {
        std::string text = "[";
        for (const V& value : values) {
            text += (text.size() > 1 ? ", " : "") + element.write(value);
        }
        return text + "]";
    };
    return {"list of " + element.name, std::move(allowed), std::move(read), std::move(write)};
}

/// What is declared of an option besides its type.
struct Facts {
    // Initialisers, because GCC warns if a designated initialiser leaves one out.
    std::string name = {};     // NOLINT(readability-redundant-member-init)
    std::string help = {};     // NOLINT(readability-redundant-member-init): a sentence or two for the reference
    std::string example = {};  // NOLINT(readability-redundant-member-init): a value as in a file
    bool required = false;
    bool reloadable = false;
    bool secret = false;  ///< its value is never shown, not even by --check
    /// False: the feature is not built, so anything except the default is an error. Change only this when it is built.
    bool built = true;
};

/// One row of the reference.
struct OptionRow {
    std::string path;  ///< `intake.http[].listen`, `destinations.*.url`
    std::string type;
    std::string allowed;
    std::string default_text;
    Facts facts;
    bool section = false;
    std::size_t depth = 0;
    enum class Container : std::uint8_t { none, mapping, list, map } container = Container::none;
};

template <typename S>
class Schema {
  public:
    /// A value.
    template <typename V>
    Schema&& option(Facts facts, V S::*member, const Type<V>& type) &&;
    /// A value that may be absent.
    template <typename V>
    Schema&& option(Facts facts, std::optional<V> S::*member, const Type<V>& type) &&;
    /// A mapping below this one, which fills an S or an optional S.
    template <typename Sub>
    Schema&& section(Facts facts, Sub S::*member, Schema<Sub> schema) &&;
    template <typename Sub>
    Schema&& section(Facts facts, std::optional<Sub> S::*member, Schema<Sub> schema) &&;
    /// A list of mappings, `least` to `most` of them.
    template <typename Sub>
    Schema&& list(Facts facts, std::vector<Sub> S::*member, std::size_t least, std::size_t most, Schema<Sub> schema) &&;
    /// A mapping from names, checked by `key`, to mappings.
    template <typename Sub>
    Schema&& map(Facts facts, std::map<std::string, Sub> S::*member, const Type<std::string>& key, std::size_t most,
                 Schema<Sub> schema) &&;
    /// Checks options together, after all of the mapping were read (whether or not there were problems: an option with
    /// one has its default). `node` is the mapping.
    Schema&& check(std::function<void(Reader&, const YamlNode& node, S&)> function) &&;

    /// Reads the mapping; what is absent keeps its value in `out`. All problems go to the reader.
    void read(Reader& reader, const YamlNode& node, S& out) const;
    void describe(const std::string& prefix, std::size_t depth, std::vector<OptionRow>& rows) const;
    void compare(const S& before, const S& after, const std::string& prefix, std::vector<ChangedOption>& out) const;

  private:
    struct Entry {
        Facts facts;
        std::function<void(Reader&, const YamlNode&, S&)> read;
        std::function<void(const Facts&, const std::string& path, std::size_t depth, std::vector<OptionRow>&)> describe;
        std::function<void(const Facts&, const S& before, const S& after, const std::string& path,
                           std::vector<ChangedOption>&)>
            compare;
    };
    template <typename V, typename Set, typename Write>
    void add_value(Facts facts, const Type<V>& type, Set set, const Write& write);
    template <typename Sub>
    static void describe_below(const Schema<Sub>& schema, const Facts& facts, const std::string& path,
                               OptionRow::Container container, std::size_t depth, std::vector<OptionRow>& rows);
    void read_entry(Reader& reader, const Entry& entry, const YamlKey& key, const YamlNode& item, S& out) const;
    void unknown_key(Reader& reader, const YamlKey& key) const;

    std::vector<Entry> entries_;
    std::function<void(Reader&, const YamlNode&, S&)> check_;
};

// ---- how it works

template <typename S>
template <typename V, typename Set, typename Write>
void Schema<S>::add_value(Facts facts, const Type<V>& type, Set set, const Write& write) {
    Entry entry;
    entry.read = [type, set, write, built = facts.built](Reader& reader, const YamlNode& node, S& out) {
        V value{};
        if (!type.read(reader, node, value)) {
            return;
        }
        if (!built) {
            S changed{};
            set(changed, value);
            if (write(changed) != write(S{})) {
                reader.problem(node.place, "not built yet: leave it out", node.text);
                return;
            }
        }
        set(out, std::move(value));
    };
    entry.describe = [type, write](const Facts& facts_of_entry, const std::string& path, std::size_t depth,
                                   std::vector<OptionRow>& rows) {
        rows.push_back(
            {path, type.name, type.allowed, write(S{}), facts_of_entry, false, depth, OptionRow::Container::none});
    };
    entry.compare = [write](const Facts& facts_of_entry, const S& before, const S& after, const std::string& path,
                            std::vector<ChangedOption>& out) {
        if (write(before) != write(after)) {
            out.push_back({path, facts_of_entry.reloadable});
        }
    };
    entry.facts = std::move(facts);
    entries_.push_back(std::move(entry));
}

template <typename S>
template <typename V>
Schema<S>&& Schema<S>::option(Facts facts, V S::*member, const Type<V>& type) && {
    auto write = [member, text = type.write](const S& s) { return text(s.*member); };
    add_value(
        std::move(facts), type, [member](S& s, V value) { s.*member = std::move(value); }, write);
    return std::move(*this);
}

template <typename S>
template <typename V>
Schema<S>&& Schema<S>::option(Facts facts, std::optional<V> S::*member, const Type<V>& type) && {
    auto write = [member, text = type.write](const S& s) { return s.*member ? text(*(s.*member)) : std::string{}; };
    add_value(
        std::move(facts), type, [member](S& s, V value) { s.*member = std::move(value); }, write);
    return std::move(*this);
}

template <typename S>
template <typename Sub>
void Schema<S>::describe_below(const Schema<Sub>& schema, const Facts& facts, const std::string& path,
                               OptionRow::Container container, std::size_t depth, std::vector<OptionRow>& rows) {
    std::string type = "section";
    std::string suffix;
    if (container == OptionRow::Container::list) {
        type = "list of sections";
        suffix = "[]";
    } else if (container == OptionRow::Container::map) {
        type = "sections by name";
        suffix = ".*";
    }
    rows.push_back({path, type, {}, {}, facts, true, depth, container});
    schema.describe(path + suffix, depth + 1, rows);
}

template <typename S>
template <typename Sub>
Schema<S>&& Schema<S>::section(Facts facts, Sub S::*member, Schema<Sub> schema) && {
    auto shared = std::make_shared<const Schema<Sub>>(std::move(schema));
    Entry entry;
    entry.read = [member, shared](Reader& reader, const YamlNode& node, S& out) {
        shared->read(reader, node, out.*member);
    };
    entry.describe = [shared](const Facts& facts_of_entry, const std::string& path, std::size_t depth,
                              std::vector<OptionRow>& rows) {
        describe_below(*shared, facts_of_entry, path, OptionRow::Container::mapping, depth, rows);
    };
    entry.compare = [member, shared](const Facts&, const S& before, const S& after, const std::string& path,
                                     std::vector<ChangedOption>& out) {
        shared->compare(before.*member, after.*member, path, out);
    };
    entry.facts = std::move(facts);
    entries_.push_back(std::move(entry));
    return std::move(*this);
}

template <typename S>
template <typename Sub>
Schema<S>&& Schema<S>::section(Facts facts, std::optional<Sub> S::*member, Schema<Sub> schema) && {
    auto shared = std::make_shared<const Schema<Sub>>(std::move(schema));
    Entry entry;
    entry.read = [member, shared, built = facts.built](Reader& reader, const YamlNode& node, S& out) {
        if (!built) {
            reader.problem(node.place, "not built yet: leave it out");
            return;
        }
        Sub value{};
        shared->read(reader, node, value);
        out.*member = std::move(value);
    };
    entry.describe = [shared](const Facts& facts_of_entry, const std::string& path, std::size_t depth,
                              std::vector<OptionRow>& rows) {
        describe_below(*shared, facts_of_entry, path, OptionRow::Container::mapping, depth, rows);
    };
    entry.compare = [member, shared](const Facts& facts_of_entry, const S& before, const S& after,
                                     const std::string& path, std::vector<ChangedOption>& out) {
        const auto& old_value = before.*member;
        const auto& new_value = after.*member;
        if (old_value.has_value() != new_value.has_value()) {
            out.push_back({path, facts_of_entry.reloadable});
        } else if (old_value) {
            shared->compare(*old_value, *new_value, path, out);
        }
    };
    entry.facts = std::move(facts);
    entries_.push_back(std::move(entry));
    return std::move(*this);
}

template <typename S>
template <typename Sub>
Schema<S>&& Schema<S>::list(Facts facts, std::vector<Sub> S::*member, std::size_t least, std::size_t most,
                            Schema<Sub> schema) && {
    auto shared = std::make_shared<const Schema<Sub>>(std::move(schema));
    Entry entry;
    entry.read = [member, shared, least, most](Reader& reader, const YamlNode& node, S& out) {
        if (node.kind != YamlNode::Kind::sequence || node.items.size() < least || node.items.size() > most) {
            reader.problem(node.place, "a list of " + std::to_string(least) + " to " + std::to_string(most) +
                                           " mappings is needed");
            return;
        }
        std::vector<Sub> values(node.items.size());
        for (std::size_t n = 0; n < node.items.size(); ++n) {
            const Reader::Descent descent(reader, "[" + std::to_string(n) + "]", node.items[n].place);
            shared->read(reader, node.items[n], values[n]);
        }
        out.*member = std::move(values);
    };
    entry.describe = [shared](const Facts& facts_of_entry, const std::string& path, std::size_t depth,
                              std::vector<OptionRow>& rows) {
        describe_below(*shared, facts_of_entry, path, OptionRow::Container::list, depth, rows);
    };
    entry.compare = [member, shared](const Facts& facts_of_entry, const S& before, const S& after,
                                     const std::string& path, std::vector<ChangedOption>& out) {
        const auto& old_values = before.*member;
        const auto& new_values = after.*member;
        if (old_values.size() != new_values.size()) {
            out.push_back({path, facts_of_entry.reloadable});
            return;
        }
        for (std::size_t n = 0; n < old_values.size(); ++n) {
            shared->compare(old_values[n], new_values[n], path + "[" + std::to_string(n) + "]", out);
        }
    };
    entry.facts = std::move(facts);
    entries_.push_back(std::move(entry));
    return std::move(*this);
}

template <typename S>
template <typename Sub>
Schema<S>&& Schema<S>::map(Facts facts, std::map<std::string, Sub> S::*member, const Type<std::string>& key,
                           std::size_t most, Schema<Sub> schema) && {
    auto shared = std::make_shared<const Schema<Sub>>(std::move(schema));
    Entry entry;
    entry.read = [member, shared, key, most](Reader& reader, const YamlNode& node, S& out) {
        if (node.kind != YamlNode::Kind::mapping || node.items.size() > most) {
            reader.problem(node.place, "a mapping from names to mappings is needed, at most " + std::to_string(most));
            return;
        }
        std::map<std::string, Sub> values;
        for (std::size_t n = 0; n < node.items.size(); ++n) {
            const YamlKey& name = node.keys[n];
            const YamlNode name_node{YamlNode::Kind::scalar, true, name.place, name.text, {}, {}};
            std::string checked;
            // An invalid name may be anything, so it is not repeated in paths.
            const bool sound = key.read(reader, name_node, checked);
            const YamlNode& item = node.items[n];
            const Reader::Descent descent(reader, "." + (sound ? checked : "*"),
                                          item.kind == YamlNode::Kind::null ? name.place : item.place);
            Sub value{};
            shared->read(reader, item, value);
            if (sound && !values.try_emplace(checked, std::move(value)).second) {
                reader.problem(name.place, "a second mapping of this name");
            }
        }
        out.*member = std::move(values);
    };
    entry.describe = [shared](const Facts& facts_of_entry, const std::string& path, std::size_t depth,
                              std::vector<OptionRow>& rows) {
        describe_below(*shared, facts_of_entry, path, OptionRow::Container::map, depth, rows);
    };
    entry.compare = [member, shared](const Facts& facts_of_entry, const S& before, const S& after,
                                     const std::string& path, std::vector<ChangedOption>& out) {
        const auto& old_values = before.*member;
        const auto& new_values = after.*member;
        const auto path_of = [&path](const std::string& name) {
            std::string below = path;
            return below.append(".").append(name);
        };
        for (const auto& [name, value] : old_values) {
            if (const auto found = new_values.find(name); found != new_values.end()) {
                shared->compare(value, found->second, path_of(name), out);
            } else {
                out.push_back({path_of(name), facts_of_entry.reloadable});
            }
        }
        for (const auto& [name, value] : new_values) {
            if (!old_values.contains(name)) {
                out.push_back({path_of(name), facts_of_entry.reloadable});
            }
        }
    };
    entry.facts = std::move(facts);
    entries_.push_back(std::move(entry));
    return std::move(*this);
}

template <typename S>
Schema<S>&& Schema<S>::check(std::function<void(Reader&, const YamlNode&, S&)> function) && {
    check_ = std::move(function);
    return std::move(*this);
}

template <typename S>
void Schema<S>::unknown_key(Reader& reader, const YamlKey& key) const {
    std::vector<std::string> known;
    known.reserve(entries_.size());
    for (const Entry& entry : entries_) {
        known.push_back(entry.facts.name);
    }
    const std::optional<std::string> near = nearest(key.text, known);
    reader.problem(key.place,
                   near ? "unknown key; did you mean " + *near + "?" : "unknown key; allowed: " + alternatives(known),
                   key.text);
}

template <typename S>
void Schema<S>::read_entry(Reader& reader, const Entry& entry, const YamlKey& key, const YamlNode& item, S& out) const {
    const bool empty = item.kind == YamlNode::Kind::null;
    const Reader::Descent descent(reader, "." + entry.facts.name, empty ? key.place : item.place, entry.facts.secret);
    if (empty) {
        reader.problem(key.place, "no value; give one or leave the key out");
        return;
    }
    if (item.kind == YamlNode::Kind::refused) {
        return;
    }
    entry.read(reader, item, out);
}

template <typename S>
void Schema<S>::read(Reader& reader, const YamlNode& node, S& out) const {
    if (node.kind == YamlNode::Kind::refused) {
        return;
    }
    const bool empty_file = node.kind == YamlNode::Kind::null && reader.path().empty();
    if (node.kind != YamlNode::Kind::mapping && !empty_file) {
        reader.problem(node.place, "a mapping is needed: key: value");
        return;
    }
    std::map<std::string_view, bool> seen;
    for (std::size_t n = 0; n < node.keys.size(); ++n) {
        const YamlKey& key = node.keys[n];
        const Entry* found = nullptr;
        for (const Entry& entry : entries_) {
            if (entry.facts.name == key.text) {
                found = &entry;
            }
        }
        if (found == nullptr) {
            unknown_key(reader, key);
        } else if (!seen.try_emplace(found->facts.name, true).second) {
            reader.problem_below(found->facts.name, key.place, "the same key a second time; one is allowed");
        } else {
            read_entry(reader, *found, key, node.items[n], out);
        }
    }
    for (const Entry& entry : entries_) {
        if (entry.facts.required && !seen.contains(entry.facts.name)) {
            reader.problem_below(entry.facts.name, node.place, "missing; it has no default");
        }
    }
    if (check_) {
        check_(reader, node, out);
    }
}

template <typename S>
void Schema<S>::describe(const std::string& prefix, std::size_t depth, std::vector<OptionRow>& rows) const {
    for (const Entry& entry : entries_) {
        const std::string path = prefix.empty() ? entry.facts.name : prefix + "." + entry.facts.name;
        entry.describe(entry.facts, path, depth, rows);
    }
}

template <typename S>
void Schema<S>::compare(const S& before, const S& after, const std::string& prefix,
                        std::vector<ChangedOption>& out) const {
    for (const Entry& entry : entries_) {
        const std::string path = prefix.empty() ? entry.facts.name : prefix + "." + entry.facts.name;
        entry.compare(entry.facts, before, after, path, out);
    }
}

/// Markdown of the rows: one table for each mapping, under headings of `heading` ("###").
[[nodiscard]] std::string rows_markdown(const std::vector<OptionRow>& rows, std::string_view heading);

}  // namespace lihandover::config
