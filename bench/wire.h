// Wire — how one kind of server is spoken to: what a connection says first, how a message is
// published, and how what comes back is taken apart.
//
// Stateless and shared by all connections of a run. Knows bytes only: no descriptor, no clock, no
// count. One implementation each for roomd (plain, event, human), for the relay that is the floor,
// and for each of the other servers that roombench compares with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace roomd::bench {

enum class Role : std::uint8_t {
    member,    // hears a room, says nothing
    publisher, // speaks to a room; what it hears of it is thrown away
    echo       // wants its own bytes back
};

/// Who a connection is to be.
struct Part {
    Role role = Role::member;
    std::string_view room;    // letters, digits and '-' only
    std::uint32_t number = 0; // unique in the run; for names
    bool acknowledged =
        false; // publisher: wants a sign of life for each message, if the server has one
};

/// What the first bytes of an input are.
struct Heard {
    enum class Kind : std::uint8_t {
        incomplete,   // more bytes are needed
        entered,      // the connection is now what enter() asked for
        message,      // one message, `text` as it was published
        acknowledged, // one message of this publisher was taken
        other,        // of no interest
        refused       // the server will not: `text` says why
    };

    Kind kind = Kind::incomplete;
    std::size_t size = 0;    // bytes it takes; 0 if incomplete
    std::string_view text;   // a view of the input
    std::string_view answer; // to be sent back at once (a server's own ping); static
};

class Wire {
public:
    Wire() = default;
    virtual ~Wire() = default;
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;
    Wire(Wire&&) = delete;
    Wire& operator=(Wire&&) = delete;

    /// Appends what a new connection says to become `part`. The server's last answer to it is
    /// `entered`, and what is published from then on is heard. Nothing appended: it is so at once.
    virtual void enter(std::string& out, const Part& part) const = 0;
    /// Appends one message; `text` holds printable ASCII, no line end, and does not begin with '/'.
    virtual void publish(std::string& out, std::string_view room, std::string_view text) const = 0;
    /// Takes the first payload of `input` apart.
    [[nodiscard]] virtual Heard next(std::string_view input) const = 0;

    /// The server says something for each message of a publisher that asked for it.
    [[nodiscard]] virtual bool acknowledges() const { return false; }
};

} // namespace roomd::bench
