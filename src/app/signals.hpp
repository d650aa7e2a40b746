#pragma once

#include <functional>
#include <thread>

#include "lihandover/base/descriptor.hpp"

namespace lihandover::app {

/// Holds SIGTERM, SIGINT and SIGHUP back in this thread and all that it starts: one that comes before anybody waits for
/// it is kept by the kernel, not lost and not deadly. The first thing that main() does.
void hold_back_signals();
/// Undoes it, for a run that is over at once (`--check`).
void let_signals_through();

/// Takes the signals that are held back, on a thread of its own: it hears of them whatever the other threads hang in.
class SignalThread {
  public:
    /// `heard` gets the number of each, on the thread; it must not block. Throws std::system_error where the system
    /// gives no descriptors.
    explicit SignalThread(std::function<void(int)> heard);
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;
    ~SignalThread();

  private:
    void run(const std::function<void(int)>& heard) const;

    base::Descriptor signals_;
    base::Descriptor end_;
    std::thread thread_;
};

}  // namespace lihandover::app
