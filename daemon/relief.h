// Relief — which of the largest holders have to lose something so that enough memory comes free,
// computed before anything is done.
//
// A value for one decision: candidates are offered in the order in which they are to lose (the
// largest first) until satisfied(). A chunk that many queues share counts once all of its holders
// have been offered, because only then it comes free. Never touches a session.
#pragma once

#include "reactor/out_queue.h"

#include <cstdint>
#include <unordered_map>

namespace roomd {

class Relief {
public:
    explicit Relief(std::uint64_t bytes_needed) : needed_(bytes_needed) {}

    /// Memory of its own.
    void offer(std::uint64_t bytes) { freed_ += bytes; }

    /// All that waits in this queue.
    void offer(const OutQueue& queue) {
        queue.for_each([this](const ChunkRef& chunk, std::uint32_t /*from*/, std::uint32_t /*to*/) {
            // The room that wrote a shared chunk holds it, too, and lets go once nobody else does.
            const std::uint32_t others = chunk->kind() == ChunkKind::shared ? 1 : 0;
            const std::uint32_t count = ++offered_[chunk.get()];
            if (count + others == chunk->references() || (count == 1 && chunk->references() == 1)) {
                freed_ += chunk->capacity();
            }
        });
    }

    [[nodiscard]] bool satisfied() const { return freed_ >= needed_; }

    [[nodiscard]] std::uint64_t freed() const { return freed_; }

    /// The queue's part of the chunks it holds: each divided by the queues that hold it. So those
    /// who hear the same messages are not taken for the largest holders.
    [[nodiscard]] static std::uint64_t part_of(const OutQueue& queue) {
        std::uint64_t part = 0;
        queue.for_each([&](const ChunkRef& chunk, std::uint32_t /*from*/, std::uint32_t /*to*/) {
            const bool room_too = chunk->kind() == ChunkKind::shared && chunk->references() > 1;
            part += chunk->capacity() / (chunk->references() - (room_too ? 1 : 0));
        });
        return part;
    }

private:
    std::uint64_t needed_;
    std::uint64_t freed_ = 0;
    std::unordered_map<const Chunk*, std::uint32_t> offered_;
};

} // namespace roomd
