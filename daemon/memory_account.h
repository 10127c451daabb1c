// MemoryAccount — what the daemon holds for its clients, against one ceiling.
//
// Owned by the Server, which tells it the sums once a tick; each sum is kept where the memory is
// taken (BlockPool, Arena, Hub). Counts bytes, never pages: what the allocator and the kernel add
// is what the ceiling leaves free (see sys::memory_limit and `memory_max`). Pure.
//
//   0 ........ 7/8 ........ 15/16 ..... ceiling
//     ample        scarce        over
//
// scarce: new connections wait, and clients' reading and answers are kept short.
// over:   those who hold most lose it, until it is scarce no more (Relief).
#pragma once

#include <algorithm>
#include <cstdint>

namespace roomd {

struct MemoryUse {
    std::uint64_t connections = 0; // sessions, names, table entries
    std::uint64_t input = 0;       // read and not parsed
    std::uint64_t output =
        0; // chunks that wait to be sent or are open, and the queues' lists of them
    std::uint64_t history = 0;
    std::uint64_t rooms = 0;

    [[nodiscard]] std::uint64_t total() const {
        return connections + input + output + history + rooms;
    }
};

class MemoryAccount {
public:
    enum class Level : std::uint8_t { ample, scarce, over };

    /// 0: no ceiling.
    void set_ceiling(std::uint64_t bytes) { ceiling_ = bytes; }

    [[nodiscard]] std::uint64_t ceiling() const { return ceiling_; }

    void update(const MemoryUse& use) {
        use_ = use;
        peak_ = use.total() > peak_ ? use.total() : peak_;
        recent_peak_ = use.total() > recent_peak_ ? use.total() : recent_peak_;
    }

    /// Once a second. True when a load is over: much less is held than a while ago, and has been
    /// for some seconds. Once for each load.
    [[nodiscard]] bool load_is_over() {
        constexpr std::uint64_t worth_it = std::uint64_t{16} << 20U;
        constexpr std::uint32_t quiet_seconds = 3;
        const std::uint64_t fallen = recent_peak_ - use_.total();
        quiet_seconds_ = fallen > worth_it && fallen > use_.total() / 8 ? quiet_seconds_ + 1 : 0;
        if (quiet_seconds_ < quiet_seconds) {
            return false;
        }
        quiet_seconds_ = 0;
        recent_peak_ = use_.total();
        return true;
    }

    [[nodiscard]] const MemoryUse& use() const { return use_; }

    [[nodiscard]] std::uint64_t peak() const { return peak_; }

    [[nodiscard]] Level level() const {
        const std::uint64_t used = use_.total();
        if (ceiling_ == 0 || used < scarce_from()) {
            return Level::ample;
        }
        return used < over_from() ? Level::scarce : Level::over;
    }

    /// How much has to go for the level to be below `over` by a margin; 0 unless it is over.
    [[nodiscard]] std::uint64_t excess() const {
        return level() == Level::over ? use_.total() - scarce_from() : 0;
    }

    /// How much of `spare`, which is kept for those who come next and counts as free, has to go so
    /// that the level would not be `over` if it counted.
    [[nodiscard]] std::uint64_t surplus(std::uint64_t spare) const {
        if (ceiling_ == 0) {
            return 0;
        }
        const std::uint64_t room = over_from() - std::min(over_from(), use_.total());
        return spare - std::min(spare, room);
    }

    /// Bytes until the ceiling.
    [[nodiscard]] std::uint64_t headroom() const {
        const std::uint64_t used = use_.total();
        return ceiling_ == 0 ? UINT64_MAX : ceiling_ > used ? ceiling_ - used : 0;
    }

private:
    [[nodiscard]] std::uint64_t scarce_from() const { return ceiling_ - ceiling_ / 8; }

    [[nodiscard]] std::uint64_t over_from() const { return ceiling_ - ceiling_ / 16; }

    MemoryUse use_;
    std::uint64_t ceiling_ = 0;
    std::uint64_t peak_ = 0;
    std::uint64_t recent_peak_ = 0; // since the last load was over
    std::uint32_t quiet_seconds_ = 0;
};

} // namespace roomd
