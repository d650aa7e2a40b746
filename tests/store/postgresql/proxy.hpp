#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../../support/temporary_directory.hpp"

namespace lihandover::store::test {

/// Stands between a store and its database, and loses connections at chosen moments. It reads the protocol as far as it
/// has to: where an answer to what was asked together ends.
class Proxy {
  public:
    /// Of the socket of a Cluster.
    explicit Proxy(std::filesystem::path server);
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    Proxy(Proxy&&) = delete;
    Proxy& operator=(Proxy&&) = delete;
    ~Proxy();

    [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }

    enum class Loss : int {
        none,
        answer,   ///< the answer to the next commit is lost, and the connection with it
        request,  ///< the second request from now on is
    };
    /// Of the connection that says something next. Once.
    void lose(Loss loss) { loss_ = loss; }
    /// No connection is let through while true, and those that are there end.
    void close(bool closed) { closed_ = closed; }
    /// A connection that is made while true is let in, and then hears nothing more.
    void hang(bool hanging) { hang_ = hanging; }
    /// How many of those have said something since.
    [[nodiscard]] int hanging() const { return hanging_; }

  private:
    void accept();
    void forward(int client, int server);

    lihandover::test::TemporaryDirectory directory_;
    std::filesystem::path server_;
    std::atomic<Loss> loss_{Loss::none};
    std::atomic<bool> closed_{false};
    std::atomic<bool> hang_{false};
    std::atomic<int> hanging_{0};
    std::atomic<bool> ending_{false};
    int listener_ = -1;
    std::thread accepting_;
    std::vector<std::thread> forwarding_;
};

}  // namespace lihandover::store::test
