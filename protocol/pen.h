// Pen — writes payloads, framed, to the end of a string.
//
// Internal to protocol/. Lives for one encode(): begin() opens a payload, put() and text() fill it,
// end() closes it with what the framing asks for. Short pieces are gathered in a buffer on the
// stack, because appending to a string costs more than the handful of bytes that most pieces are.
// Invariants: between begin() and end() exactly one payload is open; everything is in `out` after
// end().
#pragma once

#include "protocol/decoder.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace roomd {

class Pen {
public:
    /// `framing` is frame or line. `out` must outlive the pen and not be touched while a payload is
    /// open.
    Pen(std::string& out, Framing framing);

    /// Opens a payload. `bytes` (a guess, headers and line ends not counted) is reserved at once.
    void begin(std::size_t bytes);
    /// Closes it. A frame that would reach 2^24 bytes is cut between characters below that.
    void end();

    /// As it is: words of the protocol, names, numbers.
    void put(std::string_view piece) {
        if (piece.size() > out_.size() - used_) {
            put_beyond(piece);
        } else if (!piece.empty()) {
            std::memcpy(out_.data() + used_, piece.data(), piece.size());
            used_ += piece.size();
        }
    }

    void put(std::uint64_t number);

    /// Something that a person chose: verbatim in frames, visible in lines.
    void text(std::string_view text, bool harmless = false);

    /// All pieces, one behind the other.
    template <class... Pieces>
    void put_all(const Pieces&... pieces) {
        (put_any(pieces), ...);
    }

    /// All fields, with one space between two.
    template <class... Fields>
    void words(std::string_view first, const Fields&... fields) {
        put(first);
        ((put(" "), put_any(fields)), ...);
    }

    /// The last field, behind its space; nothing at all if it is empty.
    void tail(std::string_view last, bool harmless = false);

private:
    template <class Piece>
    void put_any(const Piece& piece) {
        if constexpr (std::is_integral_v<Piece>) {
            put(std::uint64_t{piece});
        } else {
            put(std::string_view{piece});
        }
    }

    void put_beyond(std::string_view piece);
    void extend(std::size_t bytes);

    std::string& out_;
    std::size_t start_ = 0; // where in out_ the open payload begins
    std::size_t used_ = 0;  // how much of out_ is written; the rest is room
    Framing framing_;
};

} // namespace roomd
