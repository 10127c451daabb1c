// Minutes — what was said in one room, by id, as its members tell: who heard an id must have heard
// what its speaker was told is that id, and every id must be somebody's.
//
// Owned by a mixed load, one for each room; shared by its people. Knows no sockets. Keeps the last
// tens of thousands of ids: who lags further behind is held against its numbers only.
//
// Invariants: ids are kept without a hole from first_ on; the last one claimed is never forgotten.
#pragma once

#include "bench/transcript.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace roomd::bench {

class Minutes {
public:
    /// Somebody is told that it hears this room from `next` on. Another epoch than before: the
    /// room's ids begin anew.
    void open(std::string_view epoch, std::uint64_t next);

    /// A member heard this. Returns what is wrong with it, empty if nothing is. Amortised O(1).
    [[nodiscard]] std::string heard(std::uint64_t id, Stamp stamp);

    /// Its speaker was told that this became `id`. As heard().
    [[nodiscard]] std::string claimed(std::uint64_t id, Stamp stamp);

    /// The greatest id that was claimed; 0: none.
    [[nodiscard]] std::uint64_t last() const { return last_; }

    /// How often the ids have begun anew.
    [[nodiscard]] std::uint64_t epochs() const { return epochs_; }

    /// The first id that was heard and that nobody claimed; 0: none. O(ids kept).
    [[nodiscard]] std::uint64_t unclaimed() const;

private:
    static constexpr std::size_t kept_max = std::size_t{1} << 16;

    struct Line {
        Stamp stamp{};
        bool known = false;
        bool claimed = false;
    };

    [[nodiscard]] std::string write(std::uint64_t id, Stamp stamp, bool claim);
    void forget();

    std::string epoch_;
    std::uint64_t epochs_ = 0;
    std::uint64_t first_ = 1; // id of lines_[0]
    std::uint64_t last_ = 0;
    std::deque<Line> lines_;
};

} // namespace roomd::bench
