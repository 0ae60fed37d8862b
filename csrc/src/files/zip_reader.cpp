// APPNOTE.TXT 6.3, sections 4.3 (records) and 4.5.3 (zip64 extra field).
#include "files/zip_reader.hpp"

#include <stdexcept>

namespace lmlp {

namespace {

constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::uint32_t end64_signature = 0x06064b50;
constexpr std::uint32_t locator64_signature = 0x07064b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint64_t none16 = 0xffff, none32 = 0xffffffff;

[[noreturn]] void broken(const std::string& what) {
    throw std::runtime_error("broken zip archive: " + what);
}

// Bytes [at, at + size), or an error; no sum can overflow.
Bytes slice(Bytes bytes, std::uint64_t at, std::uint64_t size) {
    if (at > bytes.size() || size > bytes.size() - at) broken("a record reaches beyond the end");
    return bytes.subspan(at, size);
}

std::uint64_t number(Bytes bytes, std::uint64_t at, int size) {
    const Bytes raw = slice(bytes, at, static_cast<std::uint64_t>(size));
    std::uint64_t value = 0;
    for (int i = size - 1; i >= 0; --i) value = value << 8 | raw[i];
    return value;
}

std::string text(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

struct Directory {
    std::uint64_t n_entries, size, offset;
};

Directory find_directory(Bytes file, std::size_t comment_size) {
    if (file.size() < 22 + comment_size) broken("too short");
    const std::uint64_t end = file.size() - 22 - comment_size;
    if (number(file, end, 4) != end_signature || number(file, end + 20, 2) != comment_size)
        broken("no end record");
    Directory directory{number(file, end + 10, 2), number(file, end + 12, 4), number(file, end + 16, 4)};
    if (directory.n_entries != none16 && directory.size != none32 && directory.offset != none32)
        return directory;
    if (end < 20 || number(file, end - 20, 4) != locator64_signature) broken("no zip64 locator");
    const std::uint64_t end64 = number(file, end - 12, 8);
    if (number(file, end64, 4) != end64_signature) broken("no zip64 end record");
    return {number(file, end64 + 32, 8), number(file, end64 + 40, 8), number(file, end64 + 48, 8)};
}

struct Record {
    std::string name;
    std::uint64_t flags, method, compressed, size, local, length;
};

// The zip64 extra field holds, in this order, those of the three numbers that do not fit 32 bits.
void apply_zip64(Bytes extra, Record& record) {
    for (std::uint64_t at = 0; at + 4 <= extra.size();) {
        const std::uint64_t id = number(extra, at, 2), size = number(extra, at + 2, 2);
        if (id == 1) {
            const Bytes field = slice(extra, at + 4, size);
            std::uint64_t next = 0;
            for (std::uint64_t* value : {&record.size, &record.compressed, &record.local})
                if (*value == none32) {
                    *value = number(field, next, 8);
                    next += 8;
                }
            return;
        }
        at += 4 + size;
    }
    if (record.size == none32 || record.compressed == none32 || record.local == none32)
        broken("no zip64 sizes");
}

Record read_record(Bytes directory, std::uint64_t at) {
    if (number(directory, at, 4) != central_signature) broken("no directory entry where one must be");
    const std::uint64_t name = number(directory, at + 28, 2), extra = number(directory, at + 30, 2),
                        comment = number(directory, at + 32, 2);
    Record record{text(slice(directory, at + 46, name)),
                  number(directory, at + 8, 2),
                  number(directory, at + 10, 2),
                  number(directory, at + 20, 4),
                  number(directory, at + 24, 4),
                  number(directory, at + 42, 4),
                  46 + name + extra + comment};
    apply_zip64(slice(directory, at + 46 + name, extra), record);
    return record;
}

Bytes content_of(Bytes file, const Record& record) {
    if (record.method != 0 || record.compressed != record.size || (record.flags & 1) != 0)
        broken("entry " + record.name + " is compressed or encrypted, only stored entries are read");
    if (number(file, record.local, 4) != local_signature) broken("no local header of " + record.name);
    const std::uint64_t name = number(file, record.local + 26, 2), extra = number(file, record.local + 28, 2);
    return slice(file, record.local + 30 + name + extra, record.size);
}

}  // namespace

std::vector<ZipEntry> read_zip(Bytes file, std::size_t comment_size,
                               bool (*wanted)(const std::string& name)) {
    const Directory where = find_directory(file, comment_size);
    const Bytes directory = slice(file, where.offset, where.size);
    std::vector<ZipEntry> entries;
    std::uint64_t at = 0;
    for (std::uint64_t i = 0; i < where.n_entries; ++i) {
        const Record record =
            read_record(directory, at);  // fails at the end: a large n_entries costs nothing
        if (wanted(record.name)) entries.push_back({record.name, content_of(file, record)});
        at += record.length;
    }
    return entries;
}

}  // namespace lmlp
