// parcel — descriptors and a state on their way from one process to the next, in one descriptor.
//
// A pair of SOCK_SEQPACKET sockets: what was sent into the one end waits in the kernel, open, until
// somebody reads it from the other, whichever process that is; if nobody does, it closes with the
// pair. So a service manager has one descriptor to keep and not ten thousand, and execve(2) one to
// pass. Source: unix(7), SCM_RIGHTS; memfd_create(2).
//
//   message 0     magic, number of sockets             the state, in sealed memory
//   message 1..   a byte for each: how to say goodbye  up to 253 sockets
//
// This form never changes: a reader that cannot make head or tail of the state can still say
// goodbye to everybody in the words of each.
#pragma once

#include "reactor/fd.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

/// 0: nothing can be said, something is half sent or it is no connection; else the index of its
/// dialect and one.
using Farewell = std::uint8_t;

struct Parcel {
    Fd state;
    std::vector<Fd> sockets;
    std::vector<Farewell> farewells; // one for each socket
};

/// The name it has in the service manager's store.
inline constexpr std::string_view parcel_name = "roomd-parcel";

/// Memory that is written in any order, and then sealed: nobody can change it any more. The first
/// thing that fails stays, and is what seal() tells.
class SealedMemory {
public:
    SealedMemory();

    /// False: it has failed, now or before, and nothing more is written.
    bool write(std::uint64_t at, std::string_view bytes);

    /// Leaves this empty. No descriptor, and `error` set: there was no memory, or there is no such
    /// thing here.
    [[nodiscard]] Fd seal(std::string& error);

private:
    Fd memory_;
    std::string error_;
};

/// Both ends: what was packed waits in `receiver` as long as somebody has it open. `sender` is only
/// good for finding out, see abandoned().
struct ParcelEnds {
    Fd sender;
    Fd receiver;
};

/// The sockets stay open here too. Nothing, and `error` set: no descriptor, no memory, or more in
/// flight than RLIMIT_NOFILE allows (ETOOMANYREFS). O(sockets), some 0.2 us each.
[[nodiscard]] std::optional<ParcelEnds> pack_parcel(const Fd& state, std::span<const int> sockets,
                                                    std::span<const Farewell> farewells,
                                                    std::string& error);

/// Nobody holds the receiving end any more. Asks the kernel.
[[nodiscard]] bool abandoned(const Fd& sender);

/// Empties it. Nothing: it was no parcel, or read before (then `error` is empty).
[[nodiscard]] std::optional<Parcel> unpack_parcel(const Fd& receiver, std::string& error);

/// The bytes of a state, as long as this lives.
class MappedState {
public:
    /// No bytes if it is no file that can be mapped.
    explicit MappedState(const Fd& state);
    ~MappedState();
    MappedState(const MappedState&) = delete;
    MappedState& operator=(const MappedState&) = delete;
    MappedState(MappedState&&) = delete;
    MappedState& operator=(MappedState&&) = delete;

    [[nodiscard]] std::string_view bytes() const {
        return {static_cast<const char*>(address_), size_};
    }

private:
    void* address_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace roomd
