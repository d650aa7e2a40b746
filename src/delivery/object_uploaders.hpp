#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "lihandover/delivery/delivery.hpp"
#include "lihandover/store/uploads.hpp"
#include "object_uploader.hpp"

namespace lihandover::delivery {

/// The uploaders of all destinations. On the delivery thread, but for what says otherwise.
class ObjectUploaders {
  public:
    explicit ObjectUploaders(UploaderParts parts);
    ObjectUploaders(const ObjectUploaders&) = delete;
    ObjectUploaders& operator=(const ObjectUploaders&) = delete;
    ~ObjectUploaders();

    void configure(const std::string& destination, std::shared_ptr<const Target> target);
    /// Not configured any more, but not empty.
    void leave(std::string_view destination);
    void forget(const std::string& destination);
    [[nodiscard]] bool is_empty(std::string_view destination) const;

    void add(const std::string& destination, const store::QueuedObject& object, bool set_aside);
    /// As add(), of a lane that this process has taken over.
    void take_over(const std::string& destination, const store::QueuedObject& object, bool set_aside);
    /// Of lanes that this process holds no longer.
    void lose(const store::LostLanes& lost);
    void withdraw(const model::Uuid& object);
    void settled(const model::Uuid& object, store::Outcome outcome);
    /// Begins what can begin.
    void kick();
    void probe_now(std::string_view destination);
    void pause(std::string_view destination);
    void resume(std::string_view destination);
    /// Ends what is on its way.
    ///   waiting  only what has sent nothing of its object yet
    void cut(bool waiting);
    /// Begins nothing any more.
    void retire();

    /// Any thread.
    [[nodiscard]] UploadStatus status(std::string_view destination) const;

  private:
    [[nodiscard]] ObjectUploader& uploader(const std::string& destination);
    [[nodiscard]] ObjectUploader* find(std::string_view destination) const;

    UploaderParts parts_;
    std::map<std::string, std::shared_ptr<ObjectUploader>, std::less<>> uploaders_;
    mutable std::mutex boards_mutex_;
    std::map<std::string, std::shared_ptr<const StatusBoard>, std::less<>> boards_;
};

}  // namespace lihandover::delivery
