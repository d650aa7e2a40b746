#include "x2x3/spool.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace {

class StoreSpool final : public ims::Spool {
  public:
    StoreSpool(store::ObjectIntake& objects, std::unique_ptr<store::ObjectWriter> writer)
        : objects_(objects), writer_(std::move(writer)) {}

    [[nodiscard]] model::Status append(std::string_view bytes) override {
        if (sealed_) {
            return model::Error{"the spool was handed over already"};
        }
        if (auto mended = mend(); !mended) {
            return mended;
        }
        if (auto reserved = writer_->reserve(bytes.size()); !reserved) {
            return reserved;
        }
        if (auto written = writer_->write(bytes); !written) {
            // It is of no use any more, but for what it had before.
            broken_ = true;
            return written;
        }
        size_ += bytes.size();
        return {};
    }

    [[nodiscard]] model::Status read(std::uint64_t at, std::span<char> out) override {
        if (sealed_ || at > size_ || out.size() > size_ - at) {
            return model::Error{"so much of the spool cannot be read"};
        }
        return writer_->read(at, out);
    }

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    [[nodiscard]] model::Result<std::shared_ptr<const store::SealedObject>> seal() {
        if (!sealed_) {
            if (auto mended = mend(); !mended) {
                return mended.error();
            }
            auto finished = writer_->finish();
            if (!finished) {
                broken_ = true;
                return finished.error();
            }
            sealed_ = std::move(*finished);
            writer_.reset();
        }
        return sealed_;
    }

  private:
    /// Goes on with a new file where the old one takes no more.
    model::Status mend() {
        if (!broken_) {
            return {};
        }
        auto fresh = objects_.writer();
        if (!fresh) {
            return fresh.error();
        }
        WipedBuffer buffer(std::size_t{64} * 1024);
        for (std::uint64_t at = 0; at < size_;) {
            const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - at));
            const std::span<char> bytes = buffer.bytes().first(part);
            at += part;
            auto copied = writer_->read(at - part, bytes);
            if (copied) {
                copied = (*fresh)->write(bytes);  // dropped where it fails
            }
            if (!copied) {
                return copied;
            }
        }
        writer_ = std::move(*fresh);
        broken_ = false;
        return {};
    }

    store::ObjectIntake& objects_;
    std::unique_ptr<store::ObjectWriter> writer_;
    std::uint64_t size_ = 0;  ///< what was taken; a writer that failed may say more
    bool broken_ = false;
    std::shared_ptr<const store::SealedObject> sealed_;
};

}  // namespace

model::Result<std::unique_ptr<ims::Spool>> StoreSpools::make() {
    auto writer = objects_.writer();
    if (!writer) {
        return writer.error();
    }
    return std::unique_ptr<ims::Spool>(std::make_unique<StoreSpool>(objects_, std::move(*writer)));
}

model::Result<std::shared_ptr<const store::SealedObject>> sealed_of(ims::Spool& spool) {
    auto* const ours = dynamic_cast<StoreSpool*>(&spool);
    if (ours == nullptr) {
        return model::Error{"the spool is none of the store's"};
    }
    return ours->seal();
}

}  // namespace lihandover::intake
