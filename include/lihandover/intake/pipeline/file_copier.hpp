#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// Between two tries to copy a file: each twice as long as the one before.
struct CopyPauses {
    std::chrono::milliseconds first{1000};
    std::chrono::milliseconds longest{60'000};
};

class NamedFile;

/// A file that an event named, to be read once its event is committed.
struct NamedCopy {
    std::shared_ptr<const store::SourceFile> file;
    /// As it was opened when the event came in, so that it is opened once; null: by its path (after a restart).
    std::shared_ptr<NamedFile> opened;
    /// By a warrant. Else it is read all the same, and nothing is kept: whoever owns the file can see it being read,
    /// and must not see more than that (promise 7).
    bool wanted = true;
    /// From copy() on, a copy that fails is tried again for so long (intake.attachment_grace), by the steady clock: a
    /// wall clock that is wrong neither holds the item for ever nor gives the file up.
    std::chrono::milliseconds grace{};
};

/// Copies the files that events named (intake.attachment_root) into the store, after the events were answered, and
/// tells the store how each copy ended (ObjectIntake::prepared). What is copied are the bytes of the file that the
/// event named, or none: inode, size and times are those of then, before the first byte and after the last, and the
/// SHA-256 is the source's, where it gave one.
///
/// Files that no warrant wants are read at the same time and in the same way. What is different for them is only that
/// the bytes go nowhere.
///
/// A copy that fails is tried again, with growing pauses, until its grace is over; then the item goes without it, and
/// `lost` counts. So it is with a file that the store could not hold even when empty. Where the store fails otherwise,
/// it goes on being tried, and the log says so: the file may still be there.
///
/// At most two files at a time, of which one has 16 MiB or more, on two threads of its own: a slow file system keeps
/// nobody waiting for an answer, and a large file keeps no small one.
/// Thread-safe.
class FileCopier {
  public:
    /// What it uses outlives its stop().
    ///   root   intake.attachment_root
    FileCopier(std::string root, store::ObjectIntake& objects, const metrics::Counter& lost, const model::Clock& clock,
               CopyPauses pauses = {});
    FileCopier(const FileCopier&) = delete;
    FileCopier& operator=(const FileCopier&) = delete;
    /// Stops.
    ~FileCopier();

    [[nodiscard]] const std::string& root() const;
    /// Where named files are examined before their events are answered: threads of its own, since a file system that
    /// hangs holds up whoever opens a file there. Nothing more after stop().
    [[nodiscard]] boost::asio::any_io_executor examiners() const;

    /// Takes up the files that were not copied when the daemon last ended (ObjectIntake::pending_files, which blocks).
    /// Once, before the first event is taken. They are tried until their give_up_at, but no longer than `grace` from
    /// now on: it may be of a clock that was ahead.
    [[nodiscard]] model::Status start(std::chrono::milliseconds grace);

    /// For files whose events were committed. At most `max_opened` stay open while they wait; those beyond are opened
    /// again by their paths, wanted or not.
    void copy(std::vector<NamedCopy> copies);
    static constexpr std::size_t max_opened = 256;

    /// Drops what waits and what is half copied (it stays pending in the store), and returns when nothing of it runs
    /// any more. Idempotent.
    void stop();

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lihandover::intake
