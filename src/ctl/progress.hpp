#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace lihandover::ctl {

/// Says on standard error that something takes its time, and how far it is: on a terminal only, in one line that goes
/// away with this, and only after a second.
class Progress {
  public:
    explicit Progress(std::string what);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();

    /// `40 %`, `120000 entries`
    void say(std::string how_far);

  private:
    void run(const std::stop_token& stop);

    std::string what_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::string how_far_;
    std::jthread thread_;  ///< last: it works with the others
};

}  // namespace lihandover::ctl
