#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace lihandover::app {

/// What the process does about itself before it touches anything: no core dumps and no debugger of the same user
/// (events without a warrant are in memory only, promise 6), as many descriptors as the system allows, new
/// files for the owner alone, broken pipes as errors.
void harden_process();

/// Keeps what is in memory from being swapped out, where the limit allows it (the unit raises it). Called before
/// threads are started.
void lock_memory();

/// sd_notify(3); does nothing without a service manager.
void notify_ready();
void notify_stopping();
/// Between the two the service manager shows the daemon as reloading.
void notify_reloading();
void notify_watchdog();
/// How often notify_watchdog has to be called at least (half of WatchdogSec); nullopt when nobody watches.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

/// Whether the kernel thinks that the wall clock is not disciplined by a time source (adjtimex).
[[nodiscard]] bool clock_unsynchronised();

}  // namespace lihandover::app
