// The sealed form on the disk, and reading it.
#include "common/seal.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "common/object_files.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using testing::HasSubstr;

TEST(TheSealedForm, HasTheSizesThatItsDescriptionSays) {
    EXPECT_EQ(sealed_size_of(0), 16U + 16U);
    EXPECT_EQ(sealed_size_of(1), 16U + 17U);
    EXPECT_EQ(sealed_size_of(65'536), 16U + 65'552U);
    EXPECT_EQ(sealed_size_of(65'537), 16U + 65'552U + 17U);
    // 5 GiB: beyond 32 bits in every number.
    constexpr std::uint64_t large = 5ULL << 30U;
    EXPECT_EQ(chunks_of(large), 81'920U);
    EXPECT_EQ(chunks_of(large + 1), 81'921U);
    EXPECT_EQ(place_of_chunk(81'920), 16U + 81'920ULL * 65'552U);
    EXPECT_EQ(sealed_size_of(large), place_of_chunk(81'920));
    EXPECT_EQ(bytes_in_chunk(81'919, large), 65'536U);
    EXPECT_EQ(bytes_in_chunk(81'920, large + 7), 7U);
    EXPECT_EQ(bytes_in_chunk(0, 0), 0U);
}

class Sealed : public testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::create_directory(directory_.path() / "state");
        bool no_space = false;
        auto opened = ObjectFiles::open(directory_.path() / "state", no_space);
        ASSERT_TRUE(opened) << opened.error().message;
        files_ = *opened;
    }
    static std::string some(std::size_t size) {
        std::mt19937_64 random(size);
        std::string bytes(size, '\0');
        for (char& byte : bytes) {
            byte = static_cast<char>(random());
        }
        return bytes;
    }
    std::shared_ptr<const SealedFile> seal(std::string_view bytes, std::size_t step = 100'000) {
        auto writer = files_->writer();
        EXPECT_TRUE(writer) << writer.error().message;
        while (!bytes.empty()) {
            const auto part = bytes.substr(0, step);
            EXPECT_TRUE((*writer)->write(part));
            bytes.remove_prefix(part.size());
        }
        auto sealed = (*writer)->finish();
        EXPECT_TRUE(sealed) << sealed.error().message;
        return std::static_pointer_cast<const SealedFile>(*sealed);
    }
    std::filesystem::path path_of(const SealedFile& file) const {
        return directory_.path() / "state" / "objects" / file.name().to_string();
    }
    static std::string content(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void put(const std::filesystem::path& path, std::string_view bytes) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    }
    /// What reading all of it in steps gives: the bytes, or the error.
    model::Result<std::string> unseal(const SealedFile& file, std::size_t step = 1 << 20) const {
        auto reader = files_->reader(file);
        if (!reader) {
            return reader.error();
        }
        std::string bytes;
        std::string part(step, '\0');
        while (true) {
            auto size = (*reader)->read(bytes.size(), part);
            if (!size) {
                return size.error();
            }
            if (*size == 0) {
                return model::Result<std::string>(boost::system::in_place_value, std::move(bytes));
            }
            bytes.append(part, 0, *size);
        }
    }
    lihandover::test::TemporaryDirectory directory_;
    std::shared_ptr<ObjectFiles> files_;
};

TEST_F(Sealed, IsReadBackWhateverItsSizeAndTheSteps) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{65'535}, std::size_t{65'536}, std::size_t{65'537},
          std::size_t{131'072}, std::size_t{262'144}, std::size_t{262'145}, std::size_t{1'000'000}}) {
        SCOPED_TRACE(size);
        const std::string bytes = some(size);
        for (const std::size_t step :
             {std::size_t{1000}, std::size_t{65'536}, std::size_t{65'537}, std::size_t{400'000}}) {
            const auto file = seal(bytes, step);
            EXPECT_EQ(file->size(), size);
            EXPECT_EQ(std::filesystem::file_size(path_of(*file)), sealed_size_of(size));
            const auto back = unseal(*file, step);
            ASSERT_TRUE(back) << back.error().message;
            EXPECT_TRUE(*back == bytes);
            model::Sha256 digest{};
            unsigned length = 0;
            ASSERT_EQ(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr), 1);
            EXPECT_EQ(file->sha256(), digest);
        }
    }
    EXPECT_EQ(files_->bytes(), 0U);
}

TEST_F(Sealed, GivesAnyRange) {
    const std::string bytes = some(700'000);
    const auto file = seal(bytes);
    std::mt19937_64 random(7);
    auto reader = files_->reader(*file);
    ASSERT_TRUE(reader);
    for (int i = 0; i < 300; ++i) {
        const std::size_t at = i % 3 == 0 ? random() % 11 * 65'536 : random() % 700'100;
        std::string part(i % 2 == 0 ? random() % 200 : random() % 300'000, '?');
        const auto size = (*reader)->read(at, part);
        ASSERT_TRUE(size) << size.error().message;
        const std::string expected = at < bytes.size() ? bytes.substr(at, part.size()) : "";
        ASSERT_EQ(*size, expected.size());
        part.resize(*size);
        ASSERT_TRUE(part == expected) << at;
    }
    EXPECT_EQ((*reader)->read(~std::uint64_t{0}, {}).value(), 0U);
}

TEST_F(Sealed, IsLaidOutAsDescribed) {
    // Unsealed with nothing but the library, by what docs/store.md says.
    const std::string bytes = some(65'536 + 10);
    const auto file = seal(bytes);
    const std::string on_disk = content(path_of(*file));
    ASSERT_EQ(on_disk.size(), 16U + 65'536U + 16U + 10U + 16U);
    EXPECT_EQ(on_disk.substr(0, 16), std::string("LIHOSEAL\0\0\0\1\0\1\0\0", 16));
    EXPECT_EQ(on_disk.find(bytes.substr(0, 16)), std::string::npos);
    std::string back;
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                  EVP_CIPHER_CTX_free);
    const auto byte = [](const char* data) {
        return static_cast<const unsigned char*>(static_cast<const void*>(data));
    };
    for (int chunk = 0; chunk < 2; ++chunk) {
        const std::size_t begin = chunk == 0 ? 16 : 16 + 65'552;
        const int size = chunk == 0 ? 65'536 : 10;
        std::array<unsigned char, 12> nonce{};
        nonce[11] = static_cast<unsigned char>(chunk);
        std::string additional = on_disk.substr(0, 16) + std::string(7, '\0') + static_cast<char>(chunk);
        additional += static_cast<char>(chunk == 1 ? 1 : 0);
        std::vector<unsigned char> plain(static_cast<std::size_t>(size));
        std::string tag = on_disk.substr(begin + plain.size(), 16);
        int length = 0;
        ASSERT_EQ(
            EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, file->key().bytes().data(), nonce.data()), 1);
        ASSERT_EQ(EVP_DecryptUpdate(context.get(), nullptr, &length, byte(additional.data()),
                                    static_cast<int>(additional.size())),
                  1);
        ASSERT_EQ(EVP_DecryptUpdate(context.get(), plain.data(), &length, byte(on_disk.data() + begin), size), 1);
        ASSERT_EQ(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data()), 1);
        ASSERT_EQ(EVP_DecryptFinal_ex(context.get(), plain.data() + length, &length), 1);
        back.append(plain.begin(), plain.end());
    }
    EXPECT_TRUE(back == bytes);
}

TEST_F(Sealed, NoticesEveryByteThatWasChanged) {
    const std::string bytes = some(65'536 * 2 + 100);
    const auto file = seal(bytes);
    const std::string whole = content(path_of(*file));
    for (const std::size_t place : {std::size_t{0}, std::size_t{11}, std::size_t{15}, std::size_t{16},
                                    std::size_t{16 + 65'535}, std::size_t{16 + 65'536}, std::size_t{16 + 65'551},
                                    std::size_t{16 + 65'552}, whole.size() - 17, whole.size() - 1}) {
        SCOPED_TRACE(place);
        std::string changed = whole;
        changed[place] = static_cast<char>(changed[place] ^ 0x10);
        put(path_of(*file), changed);
        const auto back = unseal(*file);
        ASSERT_FALSE(back);
        EXPECT_THAT(back.error().message, HasSubstr("not what was written"));
    }
    put(path_of(*file), whole);
    EXPECT_TRUE(unseal(*file));
}

TEST_F(Sealed, WipesWhatItCannotVouchFor) {
    const std::string bytes(200'000, 'p');
    const auto file = seal(bytes);
    std::string changed = content(path_of(*file));
    changed[16 + 65'552 + 7] = static_cast<char>(changed[16 + 65'552 + 7] ^ 1);
    put(path_of(*file), changed);
    auto reader = files_->reader(*file);
    ASSERT_TRUE(reader);
    std::string out(200'000, '?');
    EXPECT_FALSE((*reader)->read(0, out));
    EXPECT_EQ(out.find('p'), std::string::npos);
    // Other chunks are as good as ever.
    EXPECT_EQ((*reader)->read(0, std::span(out).first(65'536)).value(), 65'536U);
}

TEST_F(Sealed, NoticesCutsAndChunksInTheWrongPlace) {
    const std::string bytes = some(65'536 * 3);
    const auto file = seal(bytes);
    const std::string whole = content(path_of(*file));
    const auto chunk = [&](std::size_t number) { return whole.substr(16 + number * 65'552, 65'552); };
    put(path_of(*file), whole.substr(0, 16) + chunk(1) + chunk(0) + chunk(2));
    EXPECT_FALSE(unseal(*file)) << "two chunks changed places";
    put(path_of(*file), whole.substr(0, 16) + chunk(0) + chunk(1));
    EXPECT_FALSE(unseal(*file)) << "the last chunk is missing";
    put(path_of(*file), whole + "x");
    EXPECT_FALSE(unseal(*file)) << "something follows";
    // Even where the row would say that it is that short.
    put(path_of(*file), whole.substr(0, 16) + chunk(0) + chunk(1));
    EXPECT_FALSE(unseal(*files_->of_row(file->name(), file->key(), 65'536 * 2, file->sha256())));
    put(path_of(*file), whole.substr(0, 10));
    EXPECT_FALSE(unseal(*file));
    std::filesystem::remove(path_of(*file));
    EXPECT_FALSE(unseal(*file));
}

TEST_F(Sealed, NoticesThatFilesWereSwapped) {
    const auto one = seal(some(1000));
    const auto two = seal(std::string(1000, 'x'));
    const auto empty_one = seal("");
    const auto empty_two = seal("");
    std::filesystem::copy_file(path_of(*two), path_of(*one), std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(path_of(*empty_two), path_of(*empty_one),
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_FALSE(unseal(*one));
    EXPECT_TRUE(unseal(*two));
    EXPECT_FALSE(unseal(*empty_one)) << "an empty object has something to vouch for as well";
    EXPECT_TRUE(unseal(*empty_two));
}

TEST_F(Sealed, FollowsNoLink) {
    const auto file = seal("one");
    std::filesystem::rename(path_of(*file), directory_.path() / "elsewhere");
    std::filesystem::create_symlink(directory_.path() / "elsewhere", path_of(*file));
    EXPECT_FALSE(unseal(*file));
}

TEST_F(Sealed, HasAKeyOfItsOwnEachTime) {
    const std::string bytes(1000, 'x');
    const auto one = seal(bytes);
    const auto two = seal(bytes);
    EXPECT_FALSE(std::ranges::equal(one->key().bytes(), two->key().bytes()));
    EXPECT_NE(content(path_of(*one)), content(path_of(*two)));
}

TEST_F(Sealed, IsRefusedWhereTheDiskIsShort) {
    files_->set_budget({0, 0, std::uint64_t{1} << 62U, 0, 0});
    const auto writer = files_->writer();
    ASSERT_FALSE(writer);
    EXPECT_THAT(writer.error().message, HasSubstr("short of disk space"));
}

TEST_F(Sealed, FilesThatWereCountedOtherwiseLeaveNoLessThanNothing) {
    {
        const auto one = seal("bytes");
        files_->take_stock(3);
    }
    EXPECT_EQ(files_->bytes(), 0U);
}

TEST_F(Sealed, CopiesHoldTheirRoomUntilTheyEnd) {
    const std::uint64_t sealed = sealed_size_of(100'000);
    files_->set_budget({sealed + 2000, 1000, std::uint64_t{1} << 62U, 0, 500});
    EXPECT_TRUE(files_->copy_fits(100'000));
    EXPECT_FALSE(files_->copy_fits(102'000)) << "never";
    EXPECT_FALSE(files_->copy_fits(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_FALSE(files_->copy_writer(101'200)) << "not now";
    EXPECT_TRUE(files_->copy_fits(101'200));
    EXPECT_FALSE(files_->writer()) << "other objects leave more room on the disk";
    EXPECT_EQ(files_->bytes(), 0U);
    {
        auto writer = files_->copy_writer(100'000);
        ASSERT_TRUE(writer) << writer.error().message;
        EXPECT_EQ(files_->bytes(), sealed);
        EXPECT_FALSE(files_->copy_writer(1000)) << "what is held is held";
        EXPECT_TRUE((*writer)->write(std::string(100'000, 'c')));
        const auto copy = (*writer)->finish();
        ASSERT_TRUE(copy) << copy.error().message;
        EXPECT_EQ(files_->bytes(), sealed);
    }
    EXPECT_EQ(files_->bytes(), 0U);
    {
        // It got shorter, and then longer, meanwhile.
        auto shorter = files_->copy_writer(90'000);
        ASSERT_TRUE(shorter && (*shorter)->write(std::string_view("abc")));
        const auto copy = (*shorter)->finish();
        ASSERT_TRUE(copy);
        EXPECT_EQ(files_->bytes(), sealed_size_of(3));
        auto longer = files_->copy_writer(10);
        ASSERT_TRUE(longer && (*longer)->write(std::string_view("abcdefghijk")));
        EXPECT_FALSE((*longer)->finish());
    }
    EXPECT_EQ(files_->bytes(), 0U);
    {
        const auto given_up = files_->copy_writer(90'000);
        ASSERT_TRUE(given_up);
    }
    EXPECT_EQ(files_->bytes(), 0U);
    files_->set_budget({0, 0, 0, std::uint64_t{1} << 61U, 0});
    EXPECT_TRUE(files_->copy_fits(std::numeric_limits<std::uint64_t>::max())) << "there is no limit";
    EXPECT_FALSE(files_->copy_writer(1)) << "but the disk";
    EXPECT_FALSE(files_->copy_writer(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_EQ(files_->bytes(), 0U);
}

TEST(SealedSizes, AreTurnedRound) {
    EXPECT_EQ(largest_sealed_in(0), 0U);
    EXPECT_EQ(largest_sealed_in(sealed_size_of(0)), 0U);
    for (const std::uint64_t size : {1U, 2U, 65'535U, 65'536U, 65'537U, 131'072U, 1'000'000U}) {
        EXPECT_EQ(largest_sealed_in(sealed_size_of(size)), size);
    }
    for (std::uint64_t bytes = 0; bytes < 140'000; ++bytes) {
        const auto size = largest_sealed_in(bytes);
        EXPECT_TRUE(size == 0 || sealed_size_of(size) <= bytes) << bytes;
        EXPECT_GT(sealed_size_of(size + 1), bytes) << bytes;
    }
}

TEST_F(Sealed, TheLargestObjectFitsAndRoomIsWhatIsLeft) {
    constexpr std::uint64_t max_bytes = 1U << 20U;
    const auto budget = [&](std::uint64_t disk) {
        files_->set_budget(
            {.max_bytes = max_bytes, .other_bytes = 1000, .room = 5000, .least_bytes = 1000, .disk = disk});
    };
    budget(1U << 30U);
    const auto largest = files_->largest();
    EXPECT_LT(largest, max_bytes - max_bytes / 8);
    EXPECT_TRUE(files_->copy_fits(largest + 1)) << "copies may have what is left for events";
    EXPECT_GE(files_->free_room(), largest);
    const auto write = [&](std::uint64_t size) -> std::shared_ptr<const SealedObject> {
        auto writer = files_->writer();
        if (!writer || !(*writer)->write(std::string(size, 'x'))) {
            return nullptr;
        }
        auto sealed = (*writer)->finish();
        return sealed ? *sealed : nullptr;
    };
    EXPECT_FALSE(write(largest + 1));
    {
        const auto one = write(largest);
        ASSERT_TRUE(one);
        EXPECT_LE(files_->free_room(), seal_tag);
    }
    budget(105'000);
    EXPECT_EQ(files_->free_room(), 100'000U) << "the disk has less";
    {
        const auto one = write(50'000);
        ASSERT_TRUE(one);
        EXPECT_EQ(files_->free_room(), 100'000U - sealed_size_of(50'000));
    }
    files_->set_budget({});
    EXPECT_GT(files_->free_room(), std::uint64_t{1} << 60U);
    EXPECT_GT(files_->largest(), std::uint64_t{1} << 60U);
}

TEST_F(Sealed, FarBeyondFourGibibytesIsReadFromItsPlace) {
    // A file of 5 GiB with holes: only the chunks that are looked at were ever written.
    constexpr std::uint64_t size = (5ULL << 30U) + 3;
    const auto small = seal("x");
    const SealKey key = small->key();
    const auto large = files_->of_row(small->name(), key, size, small->sha256());
    {
        const int file = open(path_of(*small).c_str(), O_WRONLY | O_CLOEXEC);
        ASSERT_GE(file, 0);
        ASSERT_EQ(ftruncate(file, static_cast<off_t>(sealed_size_of(size))), 0);
        ChunkCipher cipher(key, ChunkCipher::Direction::seal);
        std::string sealed(sealed_chunk, '\0');
        const std::string before(seal_chunk, 'b');
        const std::uint64_t last = chunks_of(size) - 1;
        ASSERT_TRUE(cipher.seal(last - 1, false, before, sealed.data()));
        ASSERT_EQ(pwrite(file, sealed.data(), sealed_chunk, static_cast<off_t>(place_of_chunk(last - 1))), 65'552);
        ASSERT_TRUE(cipher.seal(last, true, std::string_view("end"), sealed.data()));
        ASSERT_EQ(pwrite(file, sealed.data(), 3 + seal_tag, static_cast<off_t>(place_of_chunk(last))), 19);
        close(file);
    }
    auto reader = files_->reader(*large);
    ASSERT_TRUE(reader) << reader.error().message;
    std::string out(100, '?');
    ASSERT_EQ((*reader)->read(size - 5, out).value(), 5U);
    EXPECT_EQ(out.substr(0, 5), "bbend");
    EXPECT_FALSE((*reader)->read(0, out)) << "a hole is not authentic";
}

}  // namespace
}  // namespace lihandover::store::test
