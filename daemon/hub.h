// Hub — rooms, names and members: what is said, who hears it, and in which order.
//
// Owned by the Server. A pure state machine: no descriptor, no log, and the clock is told to it.
// Speaks to members only through Recipient, so a test's fake of ten lines replays any history of
// commands.
//
// Order: what one member hears of a room comes in the order in which it happened. Messages wait in
// the rooms' open runs until hand_out(), room by room; whatever is for one member alone (a reply, a
// private message) first catches that member up in all its rooms, and nothing overtakes it.
//
// Invariants (check()): membership is symmetric; the nick table holds exactly the members' names;
// a room with an open run or an untold crowd is in its list; no room is over its limits.
#pragma once

#include "daemon/config.h"
#include "daemon/counters.h"
#include "daemon/holdings.h"
#include "daemon/memberships.h"
#include "daemon/name_table.h"
#include "daemon/room.h"
#include "protocol/command.h"
#include "protocol/event.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace roomd {

/// What was said before is sent in portions, as fast as the reader takes it; the reply comes when
/// it is through. Who joins has its seat from the beginning, held until then.
struct Replay {
    Key room;
    std::string asked;  // the room, as it was asked for
    std::uint64_t next; // id to send next
    std::uint64_t end; // first id not to send; UINT64_MAX: until it has caught up with what is live
    std::uint64_t first;
    std::string_view verb;                      // "join" or "history"
    std::optional<std::uint32_t> state_units{}; // Room::state_units when a member rejoined
};

/// Who is in a room, or which rooms there are: pages in portions, then the reply. Goes on by slot:
/// whoever is there from the beginning to the end is listed once.
struct Listing {
    std::string_view verb; // "who" or "rooms"
    Key room;              // whose members
    std::string asked;
    std::uint32_t next = 0; // slot
    std::uint64_t listed = 0;
    std::string page = {};
};

/// An answer that somebody else knows and that is too long for one portion.
class LongAnswer {
public:
    virtual ~LongAnswer() = default;
    LongAnswer() = default;
    LongAnswer(const LongAnswer&) = delete;
    LongAnswer& operator=(const LongAnswer&) = delete;
    LongAnswer(LongAnswer&&) = delete;
    LongAnswer& operator=(LongAnswer&&) = delete;
    /// Appends some `bytes_max` bytes in `dialect`, and adds to `units` (work.h) what it has done;
    /// false: that was the last of it. Until then it appends something.
    virtual bool write_more(std::string& out, Dialect dialect, std::uint32_t bytes_max,
                            std::uint64_t& units) = 0;
};

using Answer = std::variant<Replay, Listing, std::unique_ptr<LongAnswer>>;

/// What few members have: whom they do not want to hear, and who has heard them in private.
struct Personal {
    struct Ignored {
        std::string folded;
        Key member; // while that one is here, under whatever name; or none
    };

    std::vector<Ignored> ignored;
    std::array<Key, 8> contacts{}; // the last, a ring
    std::uint32_t next_contact = 0;
};

struct Member {
    Recipient* recipient;
    Name nick;
    Memberships rooms;
    Dialect dialect;
    ScriptPolicy scripts;
    bool echo = false;         // hears its own messages in event format
    bool ack = true;           // is told the ids of its own messages
    bool blocked = false;      // counted in blocked_readers of its `wait` rooms
    std::uint32_t spoke_s = 0; // when it has last said something, on the hub's clock; 0: never
    std::uint64_t owner = 0;   // to whom the rooms it makes count
    std::unique_ptr<Personal> personal = {};
};

/// Plain members hear their own messages, event members if they asked to, people never: they see
/// what they type.
[[nodiscard]] inline bool hears_itself(const Member& member) {
    return member.dialect.format == Format::plain ||
           (member.dialect.format == Format::event && member.echo);
}

/// For the NameTables: the names behind their keys.
[[nodiscard]] inline auto folded_name_of(const SlotMap<Member>& members) {
    return [&members](Key key) { return members.at(key).nick.folded(); };
}

[[nodiscard]] inline auto folded_name_of(const SlotMap<std::unique_ptr<Room>>& rooms) {
    return [&rooms](Key key) { return rooms.at(key)->name.folded(); };
}

struct SavedMember;
struct Snapshot;

class Hub {
public:
    /// `limits` and `counters` must outlive the hub; a reload may change the limits.
    Hub(const Limits& limits, Counters& counters, Arena& arena, HashKey hash_key);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    Hub(Hub&&) = delete;
    Hub& operator=(Hub&&) = delete;

    /// Once a tick, before anything else.
    void set_time(TimePoint now, WallTime wall);
    /// SERVER and VERSION of `welcome`; settings of rooms by name, applied to living rooms too.
    /// `always`: other rooms that can always be made, those of listeners.
    void configure(std::string server, std::string version, const std::vector<RoomSpec>& rooms,
                   const std::vector<std::string>& always = {});

    /// A new member called guest-N, in no room. `owner`: to whom the rooms it makes count (its
    /// source); 0: to itself.
    [[nodiscard]] Key enter(Recipient& recipient, Dialect dialect, ScriptPolicy scripts,
                            std::uint64_t owner = 0);
    /// Out of all rooms, with `reason` for those who stay. What it has not heard is delivered
    /// first. The key is dead.
    void leave(Key key, std::string_view reason);

    /// The greeting of a line connection.
    void greet(Key key);
    /// Into the listener's room, without being asked. Silently nowhere if that is not possible.
    void join_default(Key key, std::string_view room);

    /// Runs a command of the hub and replies. `harmless`: what check_text() said of the payload.
    void apply(Key key, const Text& command, bool harmless);
    void apply(Key key, const Say& command, bool harmless);
    void apply(Key key, const Me& command, bool harmless);
    void apply(Key key, const Hello& command);
    void apply(Key key, const SetFormat& command);
    void apply(Key key, const SetNick& command);
    void apply(Key key, const Join& command);
    void apply(Key key, const Leave& command);
    void apply(Key key, const Msg& command);
    void apply(Key key, const Topic& command);
    void apply(Key key, const Who& command);
    void apply(Key key, const Rooms& command);
    void apply(Key key, const History& command);
    void apply(Key key, const Ping& command);
    void apply(Key key, const Ignore& command);
    void apply(Key key, const Ignores& command);

    /// For what the session itself decides: encodes in the member's dialect and delivers, behind
    /// all it has to hear first.
    void reply(Key key, const Event& event);

    /// Said by somebody who is no member (UDP). The room is made if need be. False: not said
    /// (also while a room of slow policy `wait` waits for its readers: a datagram cannot).
    bool say_as_guest(std::string_view room, std::string_view nick, std::string_view text,
                      bool harmless);

    /// Begins an answer that goes on as replays and lists do, and sends the first of it.
    /// `later`: the first, too, only with continue_replay().
    void answer_at_length(Key key, std::unique_ptr<LongAnswer> answer, bool later = false);

    /// Sends some more of an answer that goes on: a replay, a list, or another; false when there is
    /// none left and commands may go on.
    bool continue_replay(Key key, std::uint32_t bytes_max);
    [[nodiscard]] bool replaying(Key key) const;

    /// Slow policy `wait`: whether this member's messages have to wait; if so it is resumed later.
    [[nodiscard]] bool must_wait(Key key, const Command& command) {
        return wait_rooms_ > 0 && waits_for_readers(key, command);
    }

    /// The member's queue is (no longer) over the soft limit.
    void set_blocked(Key key, bool blocked);
    /// In a room of slow policy `wait`: there it is waited for, so it loses nothing.
    [[nodiscard]] bool is_waited_for(Key key) const;

    /// Tick's end: every dirty room's open runs go to its members.
    void hand_out();
    /// After the flush: memory of runs that everybody has sent.
    void after_flush();

    [[nodiscard]] bool dirty() const { return !dirty_.empty(); }

    /// About once a second: crowd summaries, rooms long empty.
    void on_second();

    /// Bytes said since the last all_sent(), over all dialects.
    [[nodiscard]] std::uint64_t bytes_said() const { return bytes_said_; }

    /// Whoever was to hear what had been said has had a turn to be sent it.
    void all_sent() { bytes_said_ = 0; }

    /// Units of work (work.h) done since the last call.
    [[nodiscard]] std::uint64_t take_work() { return std::exchange(work_, 0); }

    /// Members that would hear this command's text.
    [[nodiscard]] std::size_t audience(Key key, const Command& command);

    /// About what a command costs, for whoever meters it; before it is run. O(its rooms).
    struct Cost {
        std::uint64_t fanout_bytes = 0; // what others would hear of it
        std::uint64_t answer_bytes = 0; // beyond a line
    };

    [[nodiscard]] Cost cost(Key key, const Command& command);

    [[nodiscard]] const Member* member(Key key) const { return members_.find(key); }

    [[nodiscard]] std::size_t member_count() const { return members_.size(); }

    [[nodiscard]] std::size_t room_count() const { return rooms_.size(); }

    [[nodiscard]] std::uint64_t history_bytes() const { return history_bytes_; }

    /// None, too, if there is no such room.
    [[nodiscard]] std::size_t members_of(std::string_view room);
    /// Messages in all histories. O(rooms).
    [[nodiscard]] std::uint64_t messages_kept() const;

    /// Whether it can be entered without being made.
    [[nodiscard]] bool has_room(std::string_view room) const;

    // hub_handover.cc: the way into another process. Nothing may be waiting to be handed out.

    /// Adds rooms and what is the hub's own to `snapshot`. Returns each room's number there, by
    /// its slot here.
    [[nodiscard]] std::vector<std::uint32_t> save_rooms(Snapshot& snapshot) const;
    /// `rooms`: what save_rooms() returned. The views are valid until the member changes.
    [[nodiscard]] SavedMember save_member(Key key, const std::vector<std::uint32_t>& rooms) const;
    /// Into an empty hub. Returns the rooms in the snapshot's order.
    [[nodiscard]] std::vector<Key> restore_rooms(const Snapshot& snapshot);
    /// Back under its name and in its rooms; nobody is told, for it has never been away.
    [[nodiscard]] Key restore_member(Recipient& recipient, Framing framing,
                                     const SavedMember& saved, const std::vector<Key>& rooms);

    /// Names of the member's rooms, joined by commas.
    [[nodiscard]] std::string room_names(Key key) const;
    void check() const;

private:
    struct Target { // the room a command means, or the reason why none
        Room* room = nullptr;
        Key key;
        std::size_t index = 0; // in Member::rooms, if seated
        bool seated = false;
        std::string_view asked = {}; // as the command spells it; not named: as it is shown
    };

    struct Speech {
        std::string_view text;
        bool action;
        bool harmless;
    };

    // hub.cc
    /// Who bears this folded name, or an empty key.
    [[nodiscard]] Key find_nick(std::string_view folded) const;
    [[nodiscard]] Key find_room(std::string_view folded) const;
    void reply_to(Member& member, const Event& event);
    void reply_error(Member& member, std::string_view verb, ErrorCode code, std::string_view text);
    void catch_up(Member& member);

    /// Who something comes from, and whether it is to hear it itself.
    struct Source {
        std::uint32_t slot = UINT32_MAX; // of the member; none
        bool hears = true;
    };

    void announce(Room& room, Key room_key, const Event& event, Source source,
                  std::uint64_t number);
    void mark_dirty(Room& room, Key room_key);
    [[nodiscard]] std::variant<Name, BadName> parse_name(std::string_view text, NameKind kind,
                                                         ScriptPolicy scripts);
    struct CostOf; // hub_cost.cc
    [[nodiscard]] Target find_target(const Member& member, std::string_view room);
    [[nodiscard]] Target current_target(const Member& member);
    /// The room named or the current one, replying with the error when there is none.
    [[nodiscard]] Target require(Member& member, std::string_view verb,
                                 const std::optional<std::string_view>& room, bool seated);
    /// The room, made if need be; nullptr: there are as many as there may be.
    [[nodiscard]] Room* make_room(const Name& name, std::uint64_t owner, Key& key);
    Room* add_room(const Name& name, std::uint64_t owner, Key& key);
    [[nodiscard]] bool is_kept(std::string_view folded) const;
    void note_history(const Room& room, Key key, std::uint64_t before);
    [[nodiscard]] bool waits_for_readers(Key key, const Command& command);
    [[nodiscard]] SlowPolicy slow_policy(std::string_view folded) const;
    void count_blocked();
    void hold_again(Key key, const Room& room, bool kept);
    [[nodiscard]] HistoryLimits history_limits(const Name& name) const;
    void forget_room(Key key);

    // hub_members.cc
    [[nodiscard]] Room* enter_room(Key key, Member& member, const Name& name, std::string_view verb,
                                   Key& room_key);
    void leave_room(Key key, Member& member, std::size_t index, std::string_view reason);
    void set_dialect(Key key, Member& member, Dialect dialect);
    [[nodiscard]] bool rename(Key key, Member& member, std::string_view nick,
                              std::string_view verb);
    void tell_renamed(Key key, Member& member, std::string_view old);
    void announce_renamed(Key key, Member& member, const Membership& membership,
                          std::string_view old);
    void tell_contacts(const Member& member, std::string_view old);
    [[nodiscard]] bool tells_crowd(const Member& member, Room& room, Key room_key);
    void set_seat(Key key, Key room, std::uint32_t seat);
    [[nodiscard]] static const Membership* membership_of(const Member& member, Key room);
    static void wake_producers(Room& room);

    [[nodiscard]] std::uint32_t seconds() const { return now_s_; }

    [[nodiscard]] static Personal& personal_of(Member& member);
    [[nodiscard]] static bool ignores(Member& reader, Key key, const Member& speaker);
    static void note_contact(Member& member, Key other);

    // hub_check.cc
    [[nodiscard]] std::size_t check_member(std::uint32_t slot) const;
    [[nodiscard]] std::size_t check_room(const Room& room) const;

    // hub_talk.cc
    void say(Key key, Member& member, const Target& target, const Speech& speech);
    std::uint64_t publish(Room& room, Key room_key, std::string_view nick, const Speech& speech,
                          Source source);

    // hub_replay.cc
    [[nodiscard]] std::optional<std::uint64_t>
    replay_begins(Member& member, const Room& room, const ReplayFrom& from, std::string_view verb);
    void start_answer(Key key, Answer answer);
    [[nodiscard]] bool go_on(Key key, Member& member, Replay& replay, std::uint32_t bytes_max);
    void finish_replay(Key key, Member& member);
    void tell_joined(Member& member, const Room& room, std::string_view asked);

    // hub_lists.cc
    [[nodiscard]] bool go_on(Member& member, Listing& list, std::uint32_t bytes_max);
    void list_item(Member& member, Listing& list, std::string_view item);
    [[nodiscard]] bool list_member(Member& member, Listing& list);
    [[nodiscard]] bool list_room(Member& member, Listing& list);
    void end_list(Member& member, Listing& list);

    const Limits* limits_;
    Counters* counters_;
    Arena* arena_;
    HashKey hash_key_;
    std::string server_ = "roomd";
    std::string version_;
    std::vector<RoomSpec> room_specs_;
    std::vector<std::string> always_; // folded: rooms of listeners
    SlotMap<Member> members_;
    SlotMap<std::unique_ptr<Room>> rooms_;
    NameTable nicks_;
    NameTable room_names_;
    Holdings holdings_;                                 // of rooms
    std::unordered_map<std::uint32_t, Answer> answers_; // by the member's slot: few have one
    std::vector<Key> dirty_;
    std::vector<Key> handed_out_; // rooms whose runs are to be released
    std::vector<Key> crowds_;
    TimePoint now_{};
    std::uint32_t now_s_ = 0; // the same, in whole seconds
    WallTime wall_ = 0;
    std::uint64_t last_epoch_ = 0;
    std::uint64_t guests_ = 0;
    std::uint64_t bytes_said_ = 0;
    std::uint64_t history_bytes_ = 0;
    std::uint64_t work_ = 0; // not taken yet
    std::size_t wait_rooms_ = 0;
    std::string scratch_;
    std::string portion_;             // of an answer that goes on
    std::vector<std::uint32_t> told_; // by member's slot: the rename it has heard of last
    std::uint32_t renames_ = 0;
};

} // namespace roomd
