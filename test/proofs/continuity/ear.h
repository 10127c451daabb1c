// Ear — what one connection hears of one room, held against the room's minutes.
//
// Owned by a Member; borrows the Room. Who hears ids (event format) must hear each once and
// without a hole, and writes the minutes. Who hears texts only must hear the same texts in the same
// order; what is heard before the minutes know it waits until they do. After a crash those have no
// place to resume from, and are held to each speaker's order alone.
//
// Invariant: everything before next() has been accounted for: heard, acknowledged as one's own, or
// told to be gone.
#pragma once

#include "test/proofs/continuity/books.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace roomd::continuity {

class Ear {
public:
    enum class Manner : std::uint8_t {
        ids,   // texts with their ids
        texts, // no ids
        loose  // no ids, and the daemon may crash
    };

    /// `own`: what this connection says itself, which it does not hear; Entry::nobody if it hears
    /// everything or says nothing.
    Ear(Room& room, Manner manner, std::uint32_t own) : room_(&room), manner_(manner), own_(own) {}

    /// It enters, or enters again. Texts only: from here on everything is heard.
    void enter();
    /// `ok join`, after what was replayed.
    [[nodiscard]] Verdict joined(std::string_view epoch, std::uint64_t first, std::uint64_t next);
    /// `old`; judged by the reply that ends the replay.
    void replayed(std::uint64_t id, const Entry& entry);
    /// `ok history`.
    [[nodiscard]] Verdict shown(std::uint64_t first, std::uint64_t last);
    /// `gap`. A replay may have one, of what is not kept any more; the live room may not.
    [[nodiscard]] Verdict skipped(std::uint64_t first, std::uint64_t last, bool replaying);
    [[nodiscard]] Verdict heard(std::uint64_t id, const Entry& entry);
    [[nodiscard]] Verdict heard(const Entry& entry);
    /// Its own message has this id. `heard_too`: it hears itself as well.
    [[nodiscard]] Verdict said(std::uint64_t id, const Entry& entry, bool heard_too);
    /// At the end: nothing may be missing. May be asked again and again.
    [[nodiscard]] Verdict finish();

    [[nodiscard]] Room& room() const { return *room_; }

    /// `EPOCH:ID` of the last it knows; empty: it was never in.
    [[nodiscard]] std::string since() const;

private:
    struct Old {
        std::uint64_t first;
        std::uint64_t last;
        Entry entry; // nobody: a gap
    };

    [[nodiscard]] Minutes& minutes() const { return room_->minutes[epoch_]; }

    [[nodiscard]] std::string here(std::uint64_t id) const;
    [[nodiscard]] Verdict take(std::uint64_t id);
    [[nodiscard]] Verdict compare();
    [[nodiscard]] Verdict differs(const Entry& heard);
    [[nodiscard]] Verdict heard_loosely(const Entry& entry);
    [[nodiscard]] Verdict judge_replay(std::uint64_t first, std::uint64_t next);
    void skip_own();

    Room* room_;
    Manner manner_;
    std::uint32_t own_;
    bool inside_ = false;
    std::size_t epoch_ = 0;
    std::uint64_t next_ = 0;
    std::deque<Entry> waiting_;                             // texts: heard, not compared yet
    std::vector<Old> replay_;                               // ids: replayed, not judged yet
    std::unordered_map<std::uint32_t, std::uint32_t> last_; // loose: of each speaker
};

} // namespace roomd::continuity
