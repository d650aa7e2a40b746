#pragma once

namespace lihandover::store::sqlite {

/// The name of an SQLite file system that gathers what one transaction writes to the write-ahead log, or nullptr where
/// it cannot be set up (the default one does as well then, only slower). Made once, on top of what is the default VFS
/// at the first call. Thread-safe.
///
/// SQLite writes a log frame by frame, and each frame as a header of 24 bytes and a page: some twenty system calls for
/// a small group. Here these bytes wait in memory (120 KiB at most) and go out as one write when they have to.
///
/// Why nothing is lost by it:
/// - Only log files are touched, and only the writer's connection uses it, with synchronous=FULL. Then SQLite syncs the
///   log before it moves the wal-index on to a commit's frames, and xSync writes what was gathered first. So all that
///   other connections look for, and all that a commit promised, is in the file; what only memory holds belongs to a
///   transaction that is not over yet, and that a crash would undo anyway.
/// - The writer itself reads back what it gathered, from memory, and every other operation on the file (a write
///   elsewhere, its size, cutting it off) finds the gathered bytes written first.
/// - When they cannot be written, the operation that needed it fails with the file system's code, and they are
///   forgotten, as after a write that failed part of the way. Those operations belong to a commit or to a page that
///   left the cache: SQLite rolls the transaction back after either, and the next one begins at the end of the last
///   commit again. Reads of the gathered bytes cannot fail, as they need no writing.
///
/// With synchronous=NORMAL or OFF it would be wrong: commits come without xSync there.
[[nodiscard]] const char* wal_vfs() noexcept;

}  // namespace lihandover::store::sqlite
