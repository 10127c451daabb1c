#include "protocol/pen.h"

#include "protocol/limits.h"
#include "protocol/text.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

namespace roomd {

// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the buffer is written before it is read
Pen::Pen(std::string& out, Framing framing) : out_(out), framing_(framing) {
    assert(framing == Framing::frame || framing == Framing::line);
}

void Pen::begin(std::size_t bytes) {
    start_ = out_.size();
    // Not every library's reserve() grows by a factor; a run of many small events must.
    const std::size_t needed = start_ + bytes + frame_header_bytes;
    if (needed > out_.capacity()) {
        out_.reserve(std::max(needed, out_.capacity() * 2));
    }
    if (framing_ == Framing::frame) {
        put(std::string_view{"\0\0\0\0", frame_header_bytes}); // end() knows the length
    }
}

void Pen::end() {
    if (framing_ == Framing::line) {
        put("\n");
        spill();
        return;
    }
    spill();
    std::size_t length = out_.size() - start_ - frame_header_bytes;
    if (length > frame_bytes_ceiling) {
        const std::string_view payload = std::string_view{out_}.substr(start_ + frame_header_bytes);
        length = cut_at_character(payload, frame_bytes_ceiling).size();
        out_.resize(start_ + frame_header_bytes + length);
    }
    for (std::size_t index = frame_header_bytes; index > 0; --index) {
        out_[start_ + index - 1] = static_cast<char>(length & 0xFFU);
        length >>= 8U;
    }
}

void Pen::put(std::string_view piece) {
    if (piece.size() > buffer_.size() - used_) {
        spill();
        if (piece.size() > buffer_.size()) {
            out_.append(piece);
            return;
        }
    }
    if (!piece.empty()) {
        std::memcpy(&buffer_[used_], piece.data(), piece.size());
        used_ += piece.size();
    }
}

void Pen::put(std::uint64_t number) {
    std::array<char, 20> digits; // NOLINT: to_chars writes what is read
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    assert(error == std::errc{});
    put(std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void Pen::text(std::string_view text, bool harmless) {
    if (framing_ == Framing::frame || harmless) {
        put(text);
        return;
    }
    spill();
    append_visible(out_, text);
}

void Pen::tail(std::string_view last, bool harmless) {
    if (!last.empty()) {
        put(" ");
        text(last, harmless);
    }
}

void Pen::spill() {
    out_.append(buffer_.data(), used_);
    used_ = 0;
}

} // namespace roomd
