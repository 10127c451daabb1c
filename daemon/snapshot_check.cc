#include "daemon/sip_hash.h"
#include "daemon/snapshot_parts.h"
#include "protocol/name.h"
#include "protocol/text.h"
#include "reactor/sys.h"

#include <algorithm>
#include <span>
#include <unordered_set>
#include <variant>

// What a snapshot may say: everything that restoring takes for granted is looked at here.
namespace roomd {

namespace {

constexpr std::size_t epoch_bytes_max = 16;

// What is counted goes on being counted: nobody comes near these, and nothing overflows.
constexpr std::uint64_t next_id_max = INT64_MAX;
constexpr std::uint32_t crowd_max = INT32_MAX;
constexpr std::size_t input_bytes_max = 4 * std::size_t{frame_bytes_ceiling};

/// Folded; empty if it is no name.
std::string folded(std::string_view text, NameKind kind) {
    const auto parsed = Name::parse(text, kind, ScriptPolicy::any);
    const Name* const name = std::get_if<Name>(&parsed);
    return name == nullptr || name->text() != text ? std::string() : std::string(name->folded());
}

// On a wire it stands between spaces, as it is.
bool is_word(std::string_view text) {
    const TextCheck check = check_text(text);
    return !text.empty() && check.valid && check.harmless &&
           text.find_first_of(" \t\n") == std::string_view::npos;
}

bool is_epoch(std::string_view text) {
    return !text.empty() && text.size() <= epoch_bytes_max &&
           text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz") == std::string_view::npos;
}

bool check_lost(const Snapshot& snapshot, const SavedChunk& chunk) {
    for (const SavedLost& lost : chunk.lost) {
        if (lost.label >= snapshot.labels.size() || lost.first > lost.last) {
            return false;
        }
    }
    return chunk.bytes.empty() && chunk.marks.empty();
}

bool check_chunk(const Snapshot& snapshot, const SavedChunk& chunk) {
    if (chunk.label != no_index && chunk.label >= snapshot.labels.size()) {
        return false;
    }
    if (chunk.kind == ChunkKind::notice) {
        return check_lost(snapshot, chunk);
    }
    if (chunk.bytes.empty() || chunk.bytes.size() > UINT32_MAX / 2 || !chunk.lost.empty()) {
        return false;
    }
    if (chunk.kind == ChunkKind::own || chunk.kind == ChunkKind::direct) {
        return chunk.marks.empty();
    }
    std::uint32_t end = 0;
    for (const SavedMark& mark : chunk.marks) {
        if (mark.end <= end) {
            return false;
        }
        end = mark.end;
    }
    return chunk.kind == ChunkKind::shared && chunk.label != no_index && end == chunk.bytes.size();
}

bool check_room(const SavedRoom& room) {
    if (!is_epoch(room.epoch) || !check_text(room.topic).valid || room.next_id == 0 ||
        room.next_id > next_id_max || room.history.size() >= room.next_id ||
        room.crowd_joined > crowd_max || room.crowd_left > crowd_max) {
        return false;
    }
    return std::all_of(room.history.begin(), room.history.end(), [](const HistoryEntry& said) {
        return is_word(said.nick); // the text was looked at when it was read
    });
}

bool check_replay(const Snapshot& snapshot, const SavedMember& member) {
    const SavedReplay& replay = *member.replay;
    if (replay.room >= snapshot.rooms.size() || replay.first == 0 || replay.first > replay.next) {
        return false;
    }
    const std::uint64_t said_until = snapshot.rooms[replay.room].next_id;
    // One that has no end goes on until it has caught up. Its seat is held until then; an earlier
    // version has not taken it yet.
    if (replay.end == UINT64_MAX) {
        return replay.join && replay.next <= said_until;
    }
    return replay.next <= replay.end && replay.end <= said_until;
}

bool speaks_events(Framing framing) {
    return framing == Framing::frame || framing == Framing::line;
}

bool check_member(const Snapshot& snapshot, const SavedSession& session) {
    const SavedMember& member = *session.member;
    if (session.ending || !session.begun || member.format > Format::event ||
        !speaks_events(session.decoder.framing)) {
        return false;
    }
    std::vector<std::uint32_t> rooms = member.rooms;
    std::sort(rooms.begin(), rooms.end());
    const bool twice = std::adjacent_find(rooms.begin(), rooms.end()) != rooms.end();
    if (twice || (!rooms.empty() && rooms.back() >= snapshot.rooms.size())) {
        return false;
    }
    const bool good = std::all_of(member.ignored.begin(), member.ignored.end(),
                                  [](auto name) { return !folded(name, NameKind::nick).empty(); });
    const bool listed = member.list.empty() || member.list == "rooms" || member.list == "conns" ||
                        (member.list == "who" && is_word(member.list_room));
    return good && listed && (!member.replay || check_replay(snapshot, member));
}

// A queue is cut where units end, but for the one of which a part is sent; what is one reader's own
// waits to its end.
bool ends_well(const SavedChunk& chunk, const SavedWindow& window) {
    if (chunk.kind == ChunkKind::notice) {
        return window.from == 0 && window.to == 0;
    }
    if (window.from >= window.to) {
        return false;
    }
    return chunk.kind == ChunkKind::own || chunk.kind == ChunkKind::direct
               ? window.to == chunk.bytes.size()
               : std::binary_search(chunk.marks.begin(), chunk.marks.end(), SavedMark{window.to, 0},
                                    [](const SavedMark& one, const SavedMark& other) {
                                        return one.end < other.end;
                                    });
}

bool check_output(const Snapshot& snapshot, const SavedSession& session) {
    std::uint64_t waiting = 0;
    for (const SavedWindow& window : session.output) {
        if (window.chunk >= snapshot.chunks.size()) {
            return false;
        }
        const SavedChunk& chunk = snapshot.chunks[window.chunk];
        const bool notice = chunk.kind == ChunkKind::notice;
        if (!ends_well(chunk, window) || (notice && !speaks_events(session.decoder.framing))) {
            return false;
        }
        waiting += window.to - std::uint64_t{window.from};
    }
    return waiting <= UINT32_MAX / 2;
}

bool check_session(const Snapshot& snapshot, const SavedSession& session) {
    const DecoderLimits limits;
    Decoder decoder(Framing::automatic, limits);
    const bool open = session.stream.phase == StreamPhase::open;
    // Who is leaving has left its rooms; everybody else is a member from its first payload on.
    const bool fits = session.ending ? !open && !session.member
                                     : open && session.begun == session.member.has_value();
    // To whom nothing can be written nothing waits, and no goodbye.
    if (session.stream.write_failed && (!open || !session.output.empty())) {
        return false;
    }
    if (!fits || session.last_format > Format::event ||
        session.stream.phase > StreamPhase::lingering ||
        session.stream.input.size() > input_bytes_max ||
        !decoder.restore(session.decoder, session.stream.input.size())) {
        return false;
    }
    if (!check_output(snapshot, session) || (session.parked && !session.member)) {
        return false;
    }
    return !session.member || check_member(snapshot, session);
}

/// Names were chosen by clients. Under a hash that they know, 15,000 of them in one bucket made the
/// pause of a restart four times as long.
class Names {
public:
    Names() : names_(0, Hash{random_key()}) {}

    /// False: it is no name (empty), or it is there already.
    [[nodiscard]] bool add(std::string name) {
        return !name.empty() && names_.insert(std::move(name)).second;
    }

private:
    struct Hash {
        HashKey key;

        std::size_t operator()(const std::string& name) const {
            return static_cast<std::size_t>(sip_hash(key, name));
        }
    };

    static HashKey random_key() {
        HashKey key{};
        sys::random_bytes(std::as_writable_bytes(std::span(key)));
        return key;
    }

    std::unordered_set<std::string, Hash> names_;
};

/// Notes whose chunks wait in its queue. False: one that can only be in one queue, and once, is
/// there already.
bool take_chunks(const Snapshot& snapshot, const SavedSession& session, std::vector<bool>& taken) {
    for (const SavedWindow& window : session.output) {
        if (snapshot.chunks[window.chunk].kind != ChunkKind::shared) {
            if (taken[window.chunk]) {
                return false;
            }
            taken[window.chunk] = true;
        }
    }
    return true;
}

/// How many of `items` come before the first that `good` refuses; all of them, if none.
template <typename Items, typename Good>
std::size_t first_bad(const Items& items, Good&& good) {
    return static_cast<std::size_t>(std::find_if_not(items.begin(), items.end(), good) -
                                    items.begin());
}

} // namespace

bool check_snapshot(const Snapshot& snapshot, std::string& error) {
    const auto refuse = [&error](std::string_view what, std::size_t number) {
        error = "the state is damaged: " + std::string(what) + " " + std::to_string(number) +
                " cannot be";
        return false;
    };
    Names rooms;
    Names nicks;
    std::size_t bad = first_bad(snapshot.labels, [](std::string_view label) {
        return !folded(label, NameKind::room).empty();
    });
    if (bad != snapshot.labels.size()) {
        return refuse("label", bad);
    }
    bad = first_bad(snapshot.chunks,
                    [&](const SavedChunk& chunk) { return check_chunk(snapshot, chunk); });
    if (bad != snapshot.chunks.size()) {
        return refuse("chunk", bad);
    }
    bad = first_bad(snapshot.rooms, [&](const SavedRoom& room) {
        return check_room(room) && rooms.add(folded(room.name, NameKind::room));
    });
    if (bad != snapshot.rooms.size()) {
        return refuse("room", bad);
    }
    std::vector<bool> taken(snapshot.chunks.size());
    bad = first_bad(snapshot.sessions, [&](const SavedSession& session) {
        return check_session(snapshot, session) && take_chunks(snapshot, session, taken) &&
               (!session.member || nicks.add(folded(session.member->nick, NameKind::nick)));
    });
    return bad == snapshot.sessions.size() || refuse("connection", bad);
}

} // namespace roomd
