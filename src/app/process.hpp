#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace lihandover::app {

/// What the process does about itself before anything else: no core dumps and no debugger of the same user (events
/// without a warrant are in memory only, promise 6), as many descriptors as the system allows, new files for the owner
/// only, broken pipes as errors.
void harden_process();

/// Keeps memory from being swapped out, if the limit allows it (the unit raises it). Called before threads are started.
void lock_memory();

/// sd_notify(3); does nothing without a service manager.
void notify_ready();
/// How long the stop may take: more than the unit's TimeoutStopSec, perhaps.
void notify_stopping(std::chrono::microseconds longest);
/// Between the two calls the service manager shows the daemon as reloading.
void notify_reloading();
void notify_watchdog();
/// How often notify_watchdog has to be called at least (half of WatchdogSec); nullopt if there is no watchdog.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

/// Whether the kernel reports the wall clock as not synchronised by a time source (adjtimex).
[[nodiscard]] bool clock_unsynchronised();

}  // namespace lihandover::app
