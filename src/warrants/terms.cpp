#include "lihandover/warrants/terms.hpp"

#include <string_view>
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

std::string targets_of(const Warrant& warrant) {
    Flow list('[', ']');
    for (const Target& target : warrant.targets) {
        Flow one('{', '}');
        one.add(model::name_of(target.type), config::write_text(target.value));
        add_time(one, "from", target.from);
        add_time(one, "until", target.until);
        add_time(one, "observed_at", target.observed_at);
        list.add(one.close());
    }
    return list.close();
}

std::string deliver_of(const model::Deliver& deliver) {
    Flow list('[', ']');
    for (const auto& [ordered, name] : {std::pair(deliver.metadata, "metadata"), std::pair(deliver.content, "content"),
                                        std::pair(deliver.binary, "binary"), std::pair(deliver.location, "location")}) {
        if (ordered) {
            list.add(name);
        }
    }
    return list.close();
}

}  // namespace

std::string terms_of(const Warrant& warrant) {
    Flow flow('{', '}');
    flow.add("valid_from", model::to_microsecond_date_time(warrant.valid_from));
    flow.add("valid_until", model::to_microsecond_date_time(warrant.valid_until));
    if (!warrant.targets.empty()) {
        flow.add("targets", targets_of(warrant));
    }
    if (!warrant.xids.empty()) {
        Flow xids('[', ']');
        for (const model::Uuid& xid : warrant.xids) {
            xids.add(xid.to_string());
        }
        flow.add("xid", xids.close());
    }
    if (!warrant.services.empty()) {
        Flow services('[', ']');
        for (const std::string& service : warrant.services) {
            services.add(config::write_text(service));
        }
        flow.add("services", services.close());
    }
    flow.add("deliver", deliver_of(warrant.deliver));
    if (warrant.priority == Priority::emergency) {
        flow.add("priority", "emergency");
    }
    if (warrant.review != Review::none) {
        flow.add("review", warrant.review == Review::dual ? "dual" : "required");
    }
    if (warrant.correlation == Correlation::none) {
        flow.add("correlation", "none");
    }
    if (!warrant.reference.empty()) {
        flow.add("reference", config::write_text(warrant.reference));
    }
    if (warrant.acknowledge_not_unique) {
        flow.add("acknowledge_not_unique", "true");
    }
    return flow.close();
}

}  // namespace lihandover::warrants
