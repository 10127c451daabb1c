// Tracer — shows developers on a debug listener what goes over every connection, as it was framed
// and cut.
//
// Owned by the Server. Costs one test of `on()` where nobody traces. Lines are kept until
// write_pending(), because most are made while the hub is handing out, when nothing may call back
// into it. What it writes to tracers is never traced itself.
#pragma once

#include "protocol/decoder.h"
#include "reactor/slot_map.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class Hub;

class Tracer {
public:
    explicit Tracer(Hub& hub) : hub_(&hub) {}

    [[nodiscard]] bool on() const { return !members_.empty() && !writing_; }

    void set(Key member, bool on);

    [[nodiscard]] bool traces(Key member) const;

    void forget(Key member) { set(member, false); }

    /// Tick's end, behind hand_out(): the lines of this tick go to those who trace and read. True
    /// if there were any.
    bool write_pending();

    /// `bytes` have just arrived, `waiting` before them had not been parsed: shows how the stream
    /// was cut.
    void arrived(std::uint32_t connection, Key member, std::size_t bytes, std::size_t waiting);
    /// One payload was taken off the stream; `raw` with its header or line end.
    void received(std::uint32_t connection, Key member, Framing framing, std::string_view raw);
    /// Framed bytes were queued for the connection: each payload is shown.
    void sent(std::uint32_t connection, Key member, Framing framing, std::string_view raw);

private:
    void keep(std::string line);
    void payload(std::string_view arrow, std::uint32_t connection, Key member, Framing framing,
                 std::string_view raw);

    Hub* hub_;
    std::vector<Key> members_;
    std::vector<std::string> pending_;
    std::uint64_t dropped_ = 0;
    bool writing_ = false;
};

} // namespace roomd
