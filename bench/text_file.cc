#include "bench/text_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace roomd::bench {

namespace {

struct Close {
    void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};

[[noreturn]] void fail(const std::string& path) {
    throw std::system_error(errno, std::generic_category(), "cannot write " + path);
}

} // namespace

void write_text_file(const std::string& path, std::string_view text) {
    const std::string unfinished = path + ".part";
    std::unique_ptr<std::FILE, Close> file(std::fopen(unfinished.c_str(), "wbe"));
    if (file == nullptr) {
        fail(path);
    }
    const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
    const bool flushed = std::fclose(file.release()) == 0;
    if (!written || !flushed || std::rename(unfinished.c_str(), path.c_str()) != 0) {
        const int reason = errno;
        static_cast<void>(std::remove(unfinished.c_str()));
        errno = reason;
        fail(path);
    }
}

} // namespace roomd::bench
