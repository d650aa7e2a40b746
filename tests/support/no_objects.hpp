#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "lihandover/store/objects.hpp"

namespace lihandover::test {

/// For fake stores whose tests have no binary objects: has none and takes none.
class NoObjects : public store::Objects {
  public:
    void set_listener(store::ObjectListener* /*listener*/) override {}
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> writer() override { return refusal(); }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> copy_writer(std::uint64_t /*size*/) override {
        return refusal();
    }
    [[nodiscard]] bool fits(std::uint64_t /*size*/) const override { return true; }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectReader>> open(
        const store::SealedObject& /*object*/) const override {
        return refusal();
    }
    [[nodiscard]] model::Status write_filler(std::uint64_t /*bytes*/) override { return refusal(); }
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const store::SourceFile>>> pending_files() override {
        return std::vector<std::shared_ptr<const store::SourceFile>>{};
    }
    void prepared(const model::Uuid& /*file*/, std::shared_ptr<const store::SealedObject> /*copy*/,
                  model::ObjectLoss /*loss*/, Done done) override {
        refuse(done);
    }
    void stamp(store::RowId /*item*/, model::Instant /*expiry*/, Done done) override { refuse(done); }
    void pushed(const model::Uuid& /*object*/, Done done) override { refuse(done); }
    void refused(const model::Uuid& /*object*/, store::Refusal /*refusal*/, Done done) override { refuse(done); }
    void fetched(store::Fetch /*fetch*/, Done done) override { refuse(done); }

  private:
    static model::Error refusal() { return model::Error{"there are no binary objects here"}; }
    static void refuse(const Done& done) {
        if (done) {
            done(store::Outcome::failed);
        }
    }
};

}  // namespace lihandover::test
