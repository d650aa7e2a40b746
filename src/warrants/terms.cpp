#include "lihandover/warrants/terms.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/config/schema.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::warrants {

namespace {

/// A mapping or list in YAML's flow style.
class Flow {
  public:
    Flow(char open, char close) : text_(1, open), close_(close) {}

    void add(std::string_view item) {
        if (text_.size() > 1) {
            text_ += ", ";
        }
        text_ += item;
    }
    void add(std::string_view key, std::string_view value) { add(std::string(key) + ": " + std::string(value)); }
    [[nodiscard]] std::string close() { return text_ + close_; }

  private:
    std::string text_;
    char close_;
};

void add_time(Flow& flow, std::string_view key, const model::MaybeInstant& time) {
    if (time) {
        flow.add(key, model::to_microsecond_date_time(*time));
    }
}

std::vector<std::string> targets_of(const Warrant& warrant) {
    std::vector<std::string> list;
    for (const Target& target : warrant.targets) {
        Flow one('{', '}');
        one.add(model::name_of(target.type), config::write_text(target.value));
        add_time(one, "from", target.from);
        add_time(one, "until", target.until);
        add_time(one, "observed_at", target.observed_at);
        list.push_back(one.close());
    }
    return list;
}

std::vector<std::string> deliver_of(const model::Deliver& deliver) {
    std::vector<std::string> list;
    for (const auto& [ordered, name] : {std::pair(deliver.metadata, "metadata"), std::pair(deliver.content, "content"),
                                        std::pair(deliver.binary, "binary"), std::pair(deliver.location, "location")}) {
        if (ordered) {
            list.emplace_back(name);
        }
    }
    return list;
}

/// One of a warrant's terms as its file has it. A list also has its elements.
struct Term {
    std::string_view name;
    std::string value;
    std::vector<std::string> elements =
        {};  // NOLINT(readability-redundant-member-init): GCC warns of what leaves it out
};

Term list_term(std::string_view name, std::vector<std::string> elements) {
    Flow list('[', ']');
    for (const std::string& element : elements) {
        list.add(element);
    }
    return {name, list.close(), std::move(elements)};
}

std::vector<Term> terms_in_order(const Warrant& warrant) {
    std::vector<Term> terms;
    terms.push_back({"valid_from", model::to_microsecond_date_time(warrant.valid_from)});
    terms.push_back({"valid_until", model::to_microsecond_date_time(warrant.valid_until)});
    if (!warrant.targets.empty()) {
        terms.push_back(list_term("targets", targets_of(warrant)));
    }
    if (!warrant.xids.empty()) {
        std::vector<std::string> xids;
        for (const model::Uuid& xid : warrant.xids) {
            xids.push_back(xid.to_string());
        }
        terms.push_back(list_term("xid", std::move(xids)));
    }
    if (!warrant.services.empty()) {
        std::vector<std::string> services;
        for (const std::string& service : warrant.services) {
            services.push_back(config::write_text(service));
        }
        terms.push_back(list_term("services", std::move(services)));
    }
    terms.push_back(list_term("deliver", deliver_of(warrant.deliver)));
    if (warrant.priority == Priority::emergency) {
        terms.push_back({"priority", "emergency"});
    }
    if (warrant.review != Review::none) {
        terms.push_back({"review", warrant.review == Review::dual ? "dual" : "required"});
    }
    if (warrant.correlation == Correlation::none) {
        terms.push_back({"correlation", "none"});
    }
    if (!warrant.reference.empty()) {
        terms.push_back({"reference", config::write_text(warrant.reference)});
    }
    if (warrant.test) {
        terms.push_back({"test", "true"});
    }
    if (warrant.acknowledge_not_unique) {
        terms.push_back({"acknowledge_not_unique", "true"});
    }
    return terms;
}

/// What came to a list, and what went.
void add_elements(std::string_view name, const Term* was, const Term* is, std::vector<std::string>& lines) {
    static const std::vector<std::string> none;
    const std::vector<std::string>& before = was == nullptr ? none : was->elements;
    const std::vector<std::string>& now = is == nullptr ? none : is->elements;
    const auto add_missing = [&](const std::vector<std::string>& from, const std::vector<std::string>& in, char sign) {
        const std::set<std::string_view> known(in.begin(), in.end());
        for (const std::string& element : from) {
            if (!known.contains(element)) {
                lines.push_back(std::string(name) + ": " + sign + " " + element);
            }
        }
    };
    add_missing(before, now, '-');
    add_missing(now, before, '+');
}

}  // namespace

std::string terms_of(const Warrant& warrant) {
    Flow flow('{', '}');
    for (const Term& term : terms_in_order(warrant)) {
        flow.add(term.name, term.value);
    }
    return flow.close();
}

std::vector<std::string> difference_of(const Warrant* before, const Warrant& now) {
    std::vector<std::string> lines;
    const std::vector<Term> old = before == nullptr ? std::vector<Term>() : terms_in_order(*before);
    const std::vector<Term> fresh = terms_in_order(now);
    const auto value_in = [](const std::vector<Term>& terms, std::string_view name) -> const Term* {
        const auto found = std::ranges::find(terms, name, &Term::name);
        return found == terms.end() ? nullptr : &*found;
    };
    for (const Term& term : fresh) {
        const Term* const was = value_in(old, term.name);
        if (was != nullptr && was->value == term.value) {
            continue;
        }
        if (!term.elements.empty() || (was != nullptr && !was->elements.empty())) {
            add_elements(term.name, was, &term, lines);
        } else {
            lines.push_back(std::string(term.name) + ": " + (was == nullptr ? "" : was->value + " -> ") + term.value);
        }
    }
    for (const Term& term : old) {
        if (value_in(fresh, term.name) == nullptr) {
            lines.push_back(std::string(term.name) + ": " + term.value + " -> not given");
        }
    }
    return lines;
}

}  // namespace lihandover::warrants
