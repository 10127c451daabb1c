// DatagramQueue — datagrams that were read and not said yet, source by source.
//
// Owned by a DatagramListener. The kernel has one queue for all senders, so a flood fills it for
// everybody. Here each source has its own, of bounded size, and they are served by turns: a source
// that floods loses its own datagrams, and another's single one waits for one of each at most.
//
// Invariants: what waits of a source and of all is within the limits below (one datagram of any
// size always fits into an empty queue); a source is in `turns_` once while something of it waits.
#pragma once

#include "daemon/source_hash.h"

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace roomd {

struct Datagram {
    SocketAddress sender;
    std::string payload;
};

class DatagramQueue {
public:
    static constexpr std::size_t source_bytes_max = 256UL * 1024;
    static constexpr std::size_t source_datagrams_max = 1'024;
    static constexpr std::size_t bytes_max = 1024UL * 1024;
    static constexpr std::size_t datagrams_max = 4'096;

    explicit DatagramQueue(HashKey key) : sources_(0, SourceHash{key}) {}

    /// False: its source, or all of them, have as much waiting as they may; it is lost. O(1).
    [[nodiscard]] bool push(const SourceKey& source, const SocketAddress& sender,
                            std::string_view payload);
    /// The next: one of each source by turns, each source's in their order. O(1).
    [[nodiscard]] std::optional<Datagram> pop();

    [[nodiscard]] bool empty() const { return turns_.empty(); }

    [[nodiscard]] std::size_t size() const { return count_; }

private:
    struct Waiting {
        std::list<Datagram> datagrams;
        std::size_t bytes = 0;
    };

    std::unordered_map<SourceKey, Waiting, SourceHash> sources_;
    std::list<SourceKey> turns_;
    std::size_t bytes_ = 0;
    std::size_t count_ = 0;
};

} // namespace roomd
