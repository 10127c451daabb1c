// saved_chunks — what waits in queues, on its way into another process: each chunk once, however
// many queues hold windows of it.
#pragma once

#include "daemon/snapshot.h"
#include "reactor/arena.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace roomd {

/// Collects the chunks of a snapshot. Their bytes stay where they are: views.
class ChunkCollector {
public:
    explicit ChunkCollector(Snapshot& into) : out_(&into) {}

    /// The chunk's number in the snapshot.
    [[nodiscard]] std::uint32_t number_of(const ChunkRef& chunk);

private:
    [[nodiscard]] std::uint32_t number_of(const LabelRef& label);

    Snapshot* out_;
    std::unordered_map<const Chunk*, std::uint32_t> chunks_;
    std::unordered_map<const Label*, std::uint32_t> labels_;
};

/// The chunks of a snapshot, copied into `arena`, in its order.
[[nodiscard]] std::vector<ChunkRef> restore_chunks(const Snapshot& snapshot, Arena& arena);

} // namespace roomd
