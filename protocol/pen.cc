#include "protocol/pen.h"

#include "protocol/limits.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <system_error>

namespace roomd {

namespace {

/// Room is filled with zeros first, which is cheaper than many appends, but not than one of a long
/// text.
constexpr std::size_t room_bytes_max = 1'024;
constexpr std::size_t number_bytes_max = 20;

} // namespace

Pen::Pen(std::string& out, Framing framing) : out_(out), framing_(framing) {
    assert(framing == Framing::frame || framing == Framing::line);
}

void Pen::begin(std::size_t bytes) {
    start_ = out_.size();
    used_ = start_;
    // Not every library's reserve() grows by a factor; a run of many small events must.
    const std::size_t needed = start_ + bytes + frame_header_bytes;
    if (needed > out_.capacity()) {
        out_.reserve(std::max(needed, out_.capacity() * 2));
    }
    extend(std::min(bytes + frame_header_bytes, room_bytes_max));
    if (framing_ == Framing::frame) {
        put(std::string_view{"\0\0\0\0", frame_header_bytes}); // end() knows the length
    }
}

void Pen::end() {
    if (framing_ == Framing::line) {
        put("\n");
        out_.resize(used_);
        return;
    }
    std::size_t length = used_ - start_ - frame_header_bytes;
    if (length > frame_bytes_ceiling) {
        const std::string_view payload = std::string_view{out_}.substr(start_ + frame_header_bytes);
        length = cut_at_character(payload.substr(0, length), frame_bytes_ceiling).size();
        used_ = start_ + frame_header_bytes + length;
    }
    out_.resize(used_);
    const auto byte = [length](unsigned shift) {
        return static_cast<char>((length >> shift) & 0xFFU);
    };
    const std::array<char, frame_header_bytes> header = {byte(24), byte(16), byte(8), byte(0)};
    std::memcpy(out_.data() + start_, header.data(), header.size());
}

void Pen::put(std::uint64_t number) {
    if (out_.size() - used_ < number_bytes_max) {
        extend(number_bytes_max);
    }
    char* const at = out_.data() + used_;
    const auto [end, error] = std::to_chars(at, at + number_bytes_max, number);
    assert(error == std::errc{});
    used_ += static_cast<std::size_t>(end - at);
}

void Pen::text(std::string_view text, bool harmless) {
    if (framing_ == Framing::frame || harmless) {
        put(text);
        return;
    }
    out_.resize(used_);
    append_visible(out_, text);
    used_ = out_.size();
}

void Pen::tail(std::string_view last, bool harmless) {
    if (!last.empty()) {
        put(" ");
        text(last, harmless);
    }
}

/// A piece for which there is no room.
void Pen::put_beyond(std::string_view piece) {
    out_.resize(used_);
    out_.append(piece);
    used_ = out_.size();
}

void Pen::extend(std::size_t bytes) {
    out_.resize(used_ + bytes);
}

} // namespace roomd
