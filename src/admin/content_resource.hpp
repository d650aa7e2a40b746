#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "answer.hpp"
#include "content_text.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/store/objects.hpp"

namespace lihandover::admin {

/// Who wants to look.
struct Viewer {
    std::string refusal;  ///< why he may not; empty: he may
    std::string who;      ///< for the record
};

/// An item as somebody may see it, once that is on record.
struct Look {
    unsigned status = 200;  ///< not 200: there is nothing to be seen
    std::string sentence;   ///< why
    store::ItemView view;
    ContentFields content;
    std::string document;  ///< where that was asked for
    std::vector<store::StoredObject> objects;
    store::RowId row = 0;
    std::string who;
};

/// How much of a binary object is read.
struct ObjectPart {
    std::size_t first = 0;  ///< of its beginning, in any case
    std::size_t most = 0;   ///< one that is larger is not read any further
    /// Whether what begins so is wanted as a whole.
    bool (*wants_all)(std::string_view first) = nullptr;
};

/// The beginning of a binary object, or all of it.
struct ObjectLook {
    unsigned status = 200;
    std::string sentence;
    std::string bytes;
    std::uint64_t size = 0;  ///< of the whole object
    store::RowId row = 0;
    std::string who;
};

/// The content of one waiting item, for those who may look. The entry that says who has seen it is durable before it is
/// shown. On the server's thread; reads the store on `worker`.
class ContentResource {
  public:
    ContentResource(const Parts& parts, boost::asio::any_io_executor worker)
        : parts_(parts), worker_(std::move(worker)) {}

    /// POST /v1/content, for members of admin.reviewers.
    [[nodiscard]] boost::asio::awaitable<Answer> show(http::Exchange& exchange) const;

    enum class Form : std::uint8_t { fields, document };
    ///   viewer  called on the worker, since it may have to ask the system
    [[nodiscard]] boost::asio::awaitable<Look> look(model::Uuid id, Form form, std::function<Viewer()> viewer) const;
    /// One of the item's binary objects.
    [[nodiscard]] boost::asio::awaitable<ObjectLook> look_at_object(model::Uuid id, model::Uuid object, ObjectPart part,
                                                                    std::function<Viewer()> viewer) const;

  private:
    // On the worker:
    [[nodiscard]] Look prepare(const model::Uuid& id, Form form, const std::function<Viewer()>& viewer) const;
    void write(Look& look, store::StoredItem& item, Form form) const;
    [[nodiscard]] ObjectLook prepare(const model::Uuid& id, const model::Uuid& object, const ObjectPart& part,
                                     const std::function<Viewer()>& viewer) const;

    template <typename Prepared>
    [[nodiscard]] boost::asio::awaitable<bool> record(Prepared& prepared, const model::Uuid& id,
                                                      std::string what) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
