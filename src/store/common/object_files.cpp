#include "object_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

#include "directory.hpp"
#include "lihandover/store/digest.hpp"

namespace lihandover::store {

namespace {

/// Chunks that go to and come from the disk at once.
constexpr std::uint64_t block_chunks = 4;
/// Sizes of files end at 2^63 − 1, and what is added to this stays far below it.
constexpr std::uint64_t largest_object = std::uint64_t{1} << 62U;
constexpr std::size_t block_bytes = block_chunks * sealed_chunk;
/// How much may lie dirty in the system's cache before the disk is asked to begin: the sync at the end is short then.
constexpr std::uint64_t flush_step = 8U << 20U;

/// A file descriptor that closes itself.
class File {
  public:
    explicit File(int descriptor = -1) : descriptor_(descriptor) {}
    File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    File& operator=(File&&) = delete;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { reset(); }
    void reset() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
        descriptor_ = -1;
    }
    [[nodiscard]] int get() const { return descriptor_; }

  private:
    int descriptor_;
};

bool write_all(int file, std::span<const char> bytes, std::uint64_t at) {
    while (!bytes.empty()) {
        const ssize_t written = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        if (written == 0) {
            errno = ENOSPC;
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        at += static_cast<std::uint64_t>(written);
    }
    return true;
}

/// Whether all of `out` could be read; errno is 0 where the file ended before.
bool read_all(int file, std::span<char> out, std::uint64_t at) {
    while (!out.empty()) {
        const ssize_t size = pread(file, out.data(), out.size(), static_cast<off_t>(at));
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        if (size == 0) {
            errno = 0;
            return false;
        }
        out = out.subspan(static_cast<std::size_t>(size));
        at += static_cast<std::uint64_t>(size);
    }
    return true;
}

model::Error cannot_write(int code) {
    if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
        return model::Error{"no space left for a binary object in state_dir (" + system_words(code) + ")"};
    }
    return model::Error{"a binary object cannot be written to state_dir: " + system_words(code)};
}

model::Error cannot_seal() {
    return model::Error{"a binary object cannot be encrypted: the cryptographic library fails"};
}

model::Error not_authentic() {
    return model::Error{
        "a sealed object in state_dir/objects is not what was written: the file was damaged, cut or swapped; restore "
        "it from a backup, or reject the object"};
}

class FileReader final : public ObjectReader {
  public:
    FileReader(File file, const SealKey& key, std::uint64_t size)
        : file_(std::move(file)), cipher_(key, ChunkCipher::Direction::unseal), size_(size) {}
    FileReader(const FileReader&) = delete;
    FileReader& operator=(const FileReader&) = delete;
    FileReader(FileReader&&) = delete;
    FileReader& operator=(FileReader&&) = delete;
    ~FileReader() override {
        if (plain_) {
            wipe({plain_.get(), seal_chunk});
        }
    }

    model::Status prepare() {
        if (!cipher_.ready()) {
            return cannot_seal();
        }
        struct stat status {};
        std::array<char, seal_header> header{};
        if (fstat(file_.get(), &status) != 0) {
            return cannot_read(errno);
        }
        if (static_cast<std::uint64_t>(status.st_size) != sealed_size_of(size_)) {
            return not_authentic();
        }
        if (!read_all(file_.get(), header, 0)) {
            return cannot_read(errno);
        }
        if (!std::ranges::equal(header, seal_header_bytes())) {
            return not_authentic();
        }
        // An empty object gives out no bytes that could be checked later.
        if (size_ == 0) {
            return hold(0);
        }
        // Advice only.
        static_cast<void>(posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL));
        return {};
    }

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) override {
        if (at >= size_) {
            return std::size_t{0};
        }
        out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - at)));
        const std::uint64_t last_chunk = out.empty() ? 0 : (at + out.size() - 1) / seal_chunk;
        std::size_t done = 0;
        while (done < out.size()) {
            const std::uint64_t chunk = (at + done) / seal_chunk;
            const auto offset = static_cast<std::size_t>((at + done) % seal_chunk);
            const std::size_t whole = bytes_in_chunk(chunk, size_);
            const std::size_t part = std::min(whole - offset, out.size() - done);
            char* to = out.data() + done;
            if (part == whole && held_ != chunk) {
                if (auto unsealed = unseal(chunk, last_chunk, to); !unsealed) {
                    wipe(out.first(done));
                    return unsealed.error();
                }
            } else {
                if (auto held = hold(chunk); !held) {
                    wipe(out.first(done));
                    return held.error();
                }
                std::memcpy(to, plain_.get() + offset, part);
            }
            done += part;
        }
        return done;
    }

  private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};

    static model::Error cannot_read(int code) {
        if (code == 0) {
            return not_authentic();
        }
        return model::Error{"a sealed object in state_dir/objects cannot be read: " + system_words(code)};
    }

    /// Brings one chunk into plain_, for requests that want a part of it, and probably the next part next.
    model::Status hold(std::uint64_t chunk) {
        if (held_ == chunk) {
            return {};
        }
        if (!plain_) {
            plain_ = std::make_unique_for_overwrite<char[]>(seal_chunk);
        }
        held_ = none;
        if (auto unsealed = unseal(chunk, chunk, plain_.get()); !unsealed) {
            return unsealed;
        }
        held_ = chunk;
        return {};
    }

    model::Status unseal(std::uint64_t chunk, std::uint64_t last_wanted, char* out) {
        if (chunk < fetched_first_ || chunk >= fetched_first_ + fetched_count_) {
            if (auto fetched = fetch(chunk, last_wanted); !fetched) {
                return fetched;
            }
        }
        const std::span<const char> sealed(
            sealed_.get() + static_cast<std::size_t>(chunk - fetched_first_) * sealed_chunk,
            bytes_in_chunk(chunk, size_) + seal_tag);
        if (!cipher_.unseal(chunk, chunk + 1 == chunks_of(size_), sealed, out)) {
            return not_authentic();
        }
        return {};
    }

    model::Status fetch(std::uint64_t chunk, std::uint64_t last_wanted) {
        // Who reads on reads on; who asks here and there gets no more than was asked for.
        const bool onwards = chunk == fetched_first_ + fetched_count_;
        const std::uint64_t wanted = onwards ? block_chunks : last_wanted - chunk + 1;
        const std::uint64_t count = std::min({wanted, block_chunks, chunks_of(size_) - chunk});
        const std::uint64_t begin = place_of_chunk(chunk);
        const std::uint64_t end = std::min(place_of_chunk(chunk + count), sealed_size_of(size_));
        if (!sealed_ || sealed_capacity_ < end - begin) {
            // The first read says whether small requests come: most objects are small.
            sealed_capacity_ = static_cast<std::size_t>(
                onwards ? std::min<std::uint64_t>(block_bytes, sealed_size_of(size_)) : end - begin);
            sealed_ = std::make_unique_for_overwrite<char[]>(sealed_capacity_);
        }
        fetched_count_ = 0;
        fetched_first_ = chunk;
        if (!read_all(file_.get(), {sealed_.get(), static_cast<std::size_t>(end - begin)}, begin)) {
            return cannot_read(errno);
        }
        fetched_count_ = count;
        return {};
    }

    File file_;
    ChunkCipher cipher_;
    std::uint64_t size_;
    std::unique_ptr<char[]> sealed_;  ///< chunks as they are on the disk
    std::size_t sealed_capacity_ = 0;
    std::uint64_t fetched_first_ = 0;
    std::uint64_t fetched_count_ = 0;
    std::unique_ptr<char[]> plain_;  ///< chunk held_
    std::uint64_t held_ = none;
};

}  // namespace

/// Not in the unnamed namespace: a friend of ObjectFiles.
class FileWriter final : public ObjectWriter {
  public:
    explicit FileWriter(std::shared_ptr<ObjectFiles> files)
        : files_(std::move(files)),
          name_(model::Uuid::random()),
          key_(SealKey::random()),
          cipher_(key_, ChunkCipher::Direction::seal),
          block_(std::make_unique_for_overwrite<char[]>(seal_header + block_bytes)) {}
    FileWriter(const FileWriter&) = delete;
    FileWriter& operator=(const FileWriter&) = delete;
    FileWriter(FileWriter&&) = delete;
    FileWriter& operator=(FileWriter&&) = delete;
    ~FileWriter() override {
        if (pending_) {
            wipe({pending_.get(), pending_size_});
        }
        if (read_) {
            wipe({read_.get(), seal_chunk});
        }
        files_->promised_.fetch_sub(promised_, std::memory_order_relaxed);
        if (file_ < 0) {
            files_->give_back(counted_);
            return;
        }
        ::close(file_);
        if (!finished_) {
            files_->unlink(name_, counted_);
        }
    }

    /// So many bytes of the file were admitted already.
    void hold(std::uint64_t admitted) {
        counted_ = promised_ = admitted;
        files_->promised_.fetch_add(admitted, std::memory_order_relaxed);
    }

    model::Status create() {
        if (!cipher_.ready()) {
            return cannot_seal();
        }
        known_failures_ = files_->entries_.failures();
        file_ = openat(files_->directory_, name_.to_string().c_str(),
                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file_ < 0) {
            return cannot_write(errno);
        }
        std::ranges::copy(seal_header_bytes(), block_.get());
        used_ = seal_header;
        return {};
    }

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    model::Status reserve(std::uint64_t bytes) override {
        if (auto going = usable(); !going) {
            return going;
        }
        return bytes > largest_object ? cannot_write(EFBIG) : admit(sealed_size_of(size_ + bytes));
    }

    model::Status write(std::span<const char> bytes) override {
        if (auto going = usable(); !going) {
            return going;
        }
        digest_.update(bytes);
        size_ += bytes.size();
        while (!bytes.empty()) {
            // A chunk goes once something follows: the last one is marked.
            if (pending_size_ == seal_chunk) {
                const std::span<const char> chunk(pending_.get(), seal_chunk);
                if (auto sealed = seal(chunk, false); !sealed) {
                    return sealed;
                }
                pending_size_ = 0;
            }
            if (pending_size_ == 0 && bytes.size() > seal_chunk) {
                if (auto sealed = seal(bytes.first(seal_chunk), false); !sealed) {
                    return sealed;
                }
                bytes = bytes.subspan(seal_chunk);
                continue;
            }
            if (!pending_) {
                pending_ = std::make_unique_for_overwrite<char[]>(seal_chunk);
            }
            const std::size_t part = std::min(bytes.size(), seal_chunk - pending_size_);
            std::memcpy(pending_.get() + pending_size_, bytes.data(), part);
            pending_size_ += part;
            bytes = bytes.subspan(part);
        }
        return {};
    }

    model::Status read(std::uint64_t at, std::span<char> out) override {
        // The last chunk stays where it is until the end. After a failure `size_` may say more than there is.
        const std::uint64_t pending = chunk_ - (ended_ ? 1 : 0);
        const std::uint64_t there = pending * seal_chunk + pending_size_;
        if (finished_ || at > there || out.size() > there - at) {
            return model::Error{"so much of the binary object cannot be read while it is written"};
        }
        while (!out.empty()) {
            const std::uint64_t chunk = at / seal_chunk;
            const auto offset = static_cast<std::size_t>(at % seal_chunk);
            const std::size_t part = std::min(out.size(), seal_chunk - offset);
            if (chunk != pending) {
                if (auto unsealed = unseal(chunk); !unsealed) {
                    return unsealed;
                }
            }
            std::memcpy(out.data(), (chunk == pending ? pending_.get() : read_.get()) + offset, part);
            out = out.subspan(part);
            at += part;
        }
        return {};
    }

    model::Status end() override {
        if (auto going = usable(); !going) {
            return going;
        }
        sha256_ = digest_.finish();
        if (auto sealed = seal({pending_.get(), pending_size_}, true); !sealed) {
            return sealed;
        }
        ended_ = true;
        if (auto flushed = flush(); !flushed) {
            return flushed;
        }
        block_.reset();
        // Advice only.
        static_cast<void>(sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WRITE));
        return {};
    }

    model::Result<std::shared_ptr<const SealedObject>> finish() override {
        if (finished_ || !sha256_) {
            if (auto ended = end(); !ended) {
                return ended.error();
            }
        }
        if (failure_) {
            return *failure_;
        }
        if (fdatasync(file_) != 0 || !files_->entries_.sync(files_->directory_, known_failures_)) {
            return failed(cannot_write(errno)).error();
        }
        const auto handle = std::make_shared<const SealedFile>(files_, name_, key_, size_, *sha256_, true);
        finished_ = true;
        if (pending_) {
            wipe({pending_.get(), pending_size_});
            pending_.reset();
        }
        // The file was shorter than was thought.
        files_->promised_.fetch_sub(std::exchange(promised_, 0), std::memory_order_relaxed);
        if (counted_ > written_) {
            files_->give_back(counted_ - written_);
        }
        files_->add_owner(handle);
        return std::shared_ptr<const SealedObject>(handle);
    }

  private:
    model::Status usable() const {
        if (failure_) {
            return *failure_;
        }
        if (sha256_) {
            return model::Error{"the binary object is complete already"};
        }
        return {};
    }
    model::Status failed(model::Error error) {
        failure_ = std::move(error);
        return *failure_;
    }

    /// Of all that the file will have then; what was admitted and not written yet is held.
    model::Status admit(std::uint64_t bytes) {
        if (bytes <= counted_) {
            return {};
        }
        const std::uint64_t more = bytes - counted_;
        if (auto admitted = files_->admit(more); !admitted) {
            return admitted;
        }
        counted_ += more;
        promised_ += more;
        files_->promised_.fetch_add(more, std::memory_order_relaxed);
        return {};
    }

    /// Brings one chunk, not the last, into read_.
    model::Status unseal(std::uint64_t chunk) {
        if (chunk == read_chunk_) {
            return {};
        }
        if (!unsealing_) {
            unsealing_.emplace(key_, ChunkCipher::Direction::unseal);
            read_ = std::make_unique_for_overwrite<char[]>(seal_chunk);
            from_disk_ = std::make_unique_for_overwrite<char[]>(sealed_chunk);
        }
        read_chunk_ = none;
        const std::uint64_t place = place_of_chunk(chunk);
        const char* sealed = from_disk_.get();
        if (place >= written_) {
            sealed = block_.get() + (place - written_);
        } else if (!read_all(file_, {from_disk_.get(), sealed_chunk}, place)) {
            return model::Error{"a binary object cannot be read from state_dir: " +
                                (errno == 0 ? "the file was cut" : system_words(errno))};
        }
        if (!unsealing_->ready() || !unsealing_->unseal(chunk, false, {sealed, sealed_chunk}, read_.get())) {
            return not_authentic();
        }
        read_chunk_ = chunk;
        return {};
    }

    model::Status seal(std::span<const char> chunk, bool last) {
        if (used_ + chunk.size() + seal_tag > seal_header + block_bytes) {
            if (auto flushed = flush(); !flushed) {
                return flushed;
            }
        }
        if (!cipher_.seal(chunk_, last, chunk, block_.get() + used_)) {
            return failed(cannot_seal());
        }
        ++chunk_;
        used_ += chunk.size() + seal_tag;
        return {};
    }

    model::Status flush() {
        if (auto admitted = admit(written_ + used_); !admitted) {
            return failed(admitted.error());
        }
        const std::uint64_t held = std::min<std::uint64_t>(used_, promised_);
        if (!write_all(file_, {block_.get(), used_}, written_)) {
            return failed(cannot_write(errno));
        }
        promised_ -= held;
        files_->promised_.fetch_sub(held, std::memory_order_relaxed);
        written_ += used_;
        used_ = 0;
        if (written_ - asked_for_ >= flush_step) {
            // Advice only: what does not begin now is written by the sync.
            static_cast<void>(sync_file_range(file_, static_cast<off_t>(asked_for_),
                                              static_cast<off_t>(written_ - asked_for_), SYNC_FILE_RANGE_WRITE));
            asked_for_ = written_;
        }
        return {};
    }

    std::shared_ptr<ObjectFiles> files_;
    model::Uuid name_;
    SealKey key_;
    ChunkCipher cipher_;
    Sha256Digest digest_;
    std::optional<model::Sha256> sha256_;  ///< once all of it is written
    std::unique_ptr<char[]> block_;        ///< sealed, on its way to the disk
    std::size_t used_ = 0;
    std::unique_ptr<char[]> pending_;  ///< a chunk that may be the last
    std::size_t pending_size_ = 0;
    std::uint64_t chunk_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t asked_for_ = 0;
    std::uint64_t counted_ = 0;
    std::uint64_t promised_ = 0;        ///< of those, not written yet
    std::uint64_t known_failures_ = 0;  ///< of the directory's syncs, before there was an entry
    int file_ = -1;
    bool ended_ = false;  ///< the last chunk is sealed
    bool finished_ = false;
    std::optional<model::Error> failure_;

    // For reading what was written.
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    std::optional<ChunkCipher> unsealing_;
    std::unique_ptr<char[]> from_disk_;  ///< a chunk as it is there
    std::unique_ptr<char[]> read_;       ///< chunk read_chunk_
    std::uint64_t read_chunk_ = none;
};

bool DirectorySync::sync(int directory, std::uint64_t failures) {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = ++asked_;
    while (served_ < mine) {
        if (running_) {
            ended_.wait(lock);
            continue;
        }
        running_ = true;
        const std::uint64_t serves = asked_;
        lock.unlock();
        const int error = fsync(directory) == 0 ? 0 : errno;
        lock.lock();
        running_ = false;
        served_ = serves;
        if (error != 0) {
            ++failures_;
            last_error_ = error;
        }
        ended_.notify_all();
    }
    errno = last_error_;
    return failures_ == failures;
}

SealedFile::SealedFile(std::shared_ptr<ObjectFiles> files, const model::Uuid& name, SealKey key, std::uint64_t size,
                       const model::Sha256& sha256, bool owner)
    : files_(std::move(files)),
      name_(name),
      key_(std::move(key)),
      size_(size),
      sha256_(sha256),
      owner_(owner),
      kept_(!owner) {}

SealedFile::~SealedFile() {
    if (!owner_) {
        return;
    }
    files_->owner_gone(name_);
    if (!kept_.load(std::memory_order_acquire)) {
        files_->unlink(name_, sealed_size_of(size_));
    }
}

model::Result<std::shared_ptr<ObjectFiles>> ObjectFiles::open(const std::filesystem::path& state_directory,
                                                              bool& no_space) {
    const auto failed = [](int code) {
        return model::Error{"the directory \"objects\" in state_dir cannot be used: " + system_words(code)};
    };
    const File parent(::open(state_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.get() < 0) {
        return failed(errno);
    }
    const bool made = mkdirat(parent.get(), "objects", 0700) == 0;
    if (!made && errno != EEXIST) {
        no_space = errno == ENOSPC || errno == EDQUOT;
        return failed(errno);
    }
    // Also where an earlier start made it, and could not sync that.
    if (fsync(parent.get()) != 0) {
        return failed(errno);
    }
    const int directory = openat(parent.get(), "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        return failed(errno);
    }
    std::shared_ptr<ObjectFiles> files(new ObjectFiles(directory));
    struct stat status {};
    if (fstat(directory, &status) != 0 || ((status.st_mode & 0077) != 0 && fchmod(directory, 0700) != 0)) {
        return failed(errno);
    }
    return files;
}

ObjectFiles::~ObjectFiles() {
    ::close(directory_);
}

model::Result<std::unique_ptr<ObjectWriter>> ObjectFiles::writer() {
    // What the smallest object takes; the rest is looked at as it comes.
    if (auto admitted = admit(sealed_size_of(0)); !admitted) {
        return admitted.error();
    }
    give_back(sealed_size_of(0));
    auto writer = std::make_unique<FileWriter>(shared_from_this());
    if (auto created = writer->create(); !created) {
        return created.error();
    }
    return std::unique_ptr<ObjectWriter>(std::move(writer));
}

model::Result<std::unique_ptr<ObjectWriter>> ObjectFiles::copy_writer(std::uint64_t size) {
    if (!copy_fits(size)) {
        return model::Error{"the binary object is larger than store.max_bytes allows"};
    }
    // Beyond what any file can have the arithmetic has no meaning.
    if (size > largest_object) {
        return cannot_write(EFBIG);
    }
    const std::uint64_t bytes = sealed_size_of(size);
    if (auto admitted =
            admit(bytes, max_bytes_.load(std::memory_order_relaxed), copy_room_.load(std::memory_order_relaxed));
        !admitted) {
        return admitted.error();
    }
    auto writer = std::make_unique<FileWriter>(shared_from_this());
    writer->hold(bytes);
    if (auto created = writer->create(); !created) {
        return created.error();
    }
    return std::unique_ptr<ObjectWriter>(std::move(writer));
}

bool ObjectFiles::copy_fits(std::uint64_t size) const {
    const std::uint64_t most = max_bytes_.load(std::memory_order_relaxed);
    if (most == 0) {
        return true;
    }
    const std::uint64_t least = least_bytes_.load(std::memory_order_relaxed);
    return least < most && size < most - least && sealed_size_of(size) <= most - least;
}

std::uint64_t ObjectFiles::largest() const {
    const std::uint64_t most = share();
    if (most == 0) {
        return largest_object;
    }
    return largest_sealed_in(most - std::min(most, least_bytes_.load(std::memory_order_relaxed)));
}

std::uint64_t ObjectFiles::free_room() const {
    const std::uint64_t used = bytes_.load(std::memory_order_relaxed);
    const std::uint64_t disk = disk_end_.load(std::memory_order_relaxed);
    std::uint64_t room = disk - std::min(disk, used);
    if (const std::uint64_t most = share(); most != 0) {
        const std::uint64_t others = other_bytes_.load(std::memory_order_relaxed);
        room = std::min(room, most - std::min(most, used + others));
    }
    return std::min(room, largest_object);
}

model::Result<std::unique_ptr<ObjectReader>> ObjectFiles::reader(const SealedFile& file) const {
    File opened(openat(directory_, file.name().to_string().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (opened.get() < 0) {
        return model::Error{"a sealed object in state_dir/objects cannot be opened: " + system_words(errno)};
    }
    auto reader = std::make_unique<FileReader>(std::move(opened), file.key(), file.size());
    if (auto prepared = reader->prepare(); !prepared) {
        return prepared.error();
    }
    return std::unique_ptr<ObjectReader>(std::move(reader));
}

std::shared_ptr<const SealedFile> ObjectFiles::of_row(const model::Uuid& name, SealKey key, std::uint64_t size,
                                                      const model::Sha256& sha256) {
    return std::make_shared<const SealedFile>(shared_from_this(), name, std::move(key), size, sha256, false);
}

void ObjectFiles::release(const model::Uuid& name, std::uint64_t bytes) {
    std::shared_ptr<const SealedFile> owner;
    std::function<void(std::function<void()>)> remover;
    {
        const std::lock_guard lock(mutex_);
        const auto found = owners_.find(name);
        if (found != owners_.end()) {
            owner = found->second.lock();
        }
        remover = remover_;
    }
    std::function<void()> work;
    if (owner) {
        // Now, not with the work: an item that is committed in between keeps it again.
        owner->keep(false);
        work = [owner = std::move(owner)]() mutable { owner.reset(); };
    } else {
        work = [self = shared_from_this(), name, bytes] { self->unlink(name, bytes); };
    }
    if (remover) {
        remover(std::move(work));
    } else {
        work();
    }
}

void ObjectFiles::set_remover(std::function<void(std::function<void()>)> remover) {
    const std::lock_guard lock(mutex_);
    remover_ = std::move(remover);
}

model::Result<std::uint64_t> ObjectFiles::sweep(const std::function<bool(const model::Uuid&)>& has_row,
                                                std::chrono::seconds least_age) {
    const auto failed = [](int code) {
        return model::Error{"state_dir/objects could not be looked through: " + system_words(code)};
    };
    // A descriptor of its own: closing the stream closes it.
    const int again = openat(directory_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (again < 0) {
        return failed(errno);
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(again), closedir);
    if (!stream) {
        const int code = errno;
        ::close(again);
        return failed(code);
    }
    std::uint64_t found = 0;
    std::uint64_t bytes = 0;
    while (true) {
        // Only this tells an error from the end.
        errno = 0;
        const dirent* entry = readdir(stream.get());
        if (entry == nullptr) {
            if (errno != 0) {
                return failed(errno);
            }
            break;
        }
        // Whatever else somebody put there is not ours to remove.
        const auto name = model::Uuid::parse(static_cast<const char*>(entry->d_name));
        if (!name) {
            continue;
        }
        struct stat status {};
        if (fstatat(directory_, static_cast<const char*>(entry->d_name), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) {
                continue;
            }
            return failed(errno);
        }
        if (has_row(*name)) {
            ++found;
            bytes += static_cast<std::uint64_t>(status.st_size);
        } else if (least_age.count() > 0 && std::time(nullptr) - status.st_mtime < least_age.count()) {
            bytes += static_cast<std::uint64_t>(status.st_size);
        } else {
            unlinkat(directory_, static_cast<const char*>(entry->d_name), 0);
        }
    }
    take_stock(bytes);
    return found;
}

void ObjectFiles::give_back(std::uint64_t bytes) noexcept {
    // Files that somebody cut or put there were counted otherwise: never below nothing, which would be a full store.
    std::uint64_t now = bytes_.load(std::memory_order_relaxed);
    while (!bytes_.compare_exchange_weak(now, now - std::min(now, bytes), std::memory_order_relaxed)) {
    }
}

void ObjectFiles::set_budget(const Budget& budget) {
    max_bytes_.store(budget.max_bytes, std::memory_order_relaxed);
    other_bytes_.store(budget.other_bytes, std::memory_order_relaxed);
    room_.store(budget.room, std::memory_order_relaxed);
    copy_room_.store(budget.copy_room, std::memory_order_relaxed);
    least_bytes_.store(budget.least_bytes, std::memory_order_relaxed);
    const std::uint64_t free = std::min(budget.disk, largest_object);
    disk_end_.store(bytes() + free - std::min(free, budget.room), std::memory_order_relaxed);
}

model::Status ObjectFiles::admit(std::uint64_t bytes, std::uint64_t most, std::uint64_t room) {
    const std::uint64_t with = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (most != 0 && with + other_bytes_.load(std::memory_order_relaxed) > most) {
        give_back(bytes);
        return model::Error{
            "the store has what store.max_bytes leaves for binary objects: none is taken until deliveries have made "
            "room"};
    }
    struct statvfs status {};
    if (fstatvfs(directory_, &status) != 0) {
        const int code = errno;
        give_back(bytes);
        return cannot_write(code);
    }
    const std::uint64_t taken = room + promised_.load(std::memory_order_relaxed) + bytes;
    if (std::uint64_t{status.f_bavail} * status.f_frsize < taken) {
        give_back(bytes);
        return model::Error{"state_dir is short of disk space: no binary object is taken until there is more"};
    }
    return {};
}

void ObjectFiles::unlink(const model::Uuid& name, std::uint64_t bytes) noexcept {
    // What cannot be removed now counts on, and goes at the next start.
    if (unlinkat(directory_, name.to_string().c_str(), 0) == 0) {
        give_back(bytes);
    }
}

void ObjectFiles::add_owner(const std::shared_ptr<const SealedFile>& owner) {
    const std::lock_guard lock(mutex_);
    owners_[owner->name()] = owner;
}

void ObjectFiles::owner_gone(const model::Uuid& name) noexcept {
    const std::lock_guard lock(mutex_);
    owners_.erase(name);
}

}  // namespace lihandover::store
