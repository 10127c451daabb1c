// What every member of a hub must hear, worked out by a model that knows no runs, chunks or seats,
// and compared with what it does hear over random histories of commands.
#include "daemon/hub.h"
#include "test/daemon/hub_world.h"
#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace roomd {

namespace {

std::string folded(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char byte) {
        return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
    });
    return lower;
}

std::string base36(std::uint64_t number) {
    std::array<char, 16> digits{};
    auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 36).ptr;
    return {digits.data(), end};
}

std::vector<std::string> sorted_words(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    std::sort(words.begin(), words.end());
    return words;
}

enum class Match { exact, beginning, words };

struct Item {
    std::string text;
    Match match = Match::exact;

    [[nodiscard]] bool fits(const std::string& heard) const {
        switch (match) {
        case Match::exact:
            return heard == text;
        case Match::beginning:
            return heard.compare(0, text.size(), text) == 0;
        case Match::words:
            return sorted_words(heard) == sorted_words(text);
        }
        return false;
    }
};

/// What one member has to hear, in this order: of each room its events in their order, then what is
/// for it alone. Between rooms the order is free, nothing overtakes what is for one alone.
struct Segment {
    std::map<int, std::deque<Item>> of_rooms;
    std::multiset<std::string> renames; // they name no room, so whose they are cannot be told
    std::deque<Item> alone;
};

struct Said {
    WallTime time_ms;
    std::string nick;
    std::string text;
    bool action;
};

struct ModelRoom {
    int id;
    std::string name;
    std::string epoch;
    std::string topic;
    std::vector<Said> said; // all of it; said[0] has id 1
    std::uint64_t first;    // oldest kept
    std::set<int> members;
    TimePoint empty_since;
    std::uint64_t joined = 0;
    std::uint64_t left = 0;
    std::uint64_t owner = 0;
    std::uint64_t emptied = 0; // in the order of emptying
    int renames_told = 0;
    bool names_changed = false;

    [[nodiscard]] std::uint64_t next() const { return said.size() + 1; }
};

struct ModelReplay {
    int room;
    std::string name;
    std::uint64_t next;
    std::uint64_t end;
    std::uint64_t first;
    bool join;
    bool rejoin;
    bool missed_state = false;
};

struct ModelMember {
    Person person;
    std::string nick;
    std::vector<int> rooms; // in the order joined
    Dialect dialect;
    bool echo = false;
    bool ack = true;
    std::optional<ModelReplay> replay;
    std::deque<Segment> due;
    std::optional<TimePoint> spoke = {};
    std::vector<int> contacts = {}; // a ring
    std::size_t next_contact = 0;

    /// Its seat there is held while it is told what was said before.
    [[nodiscard]] bool held_in(int room) const {
        return replay && replay->join && replay->room == room;
    }

    [[nodiscard]] bool hears_itself() const {
        return dialect.format == Format::plain || (dialect.format == Format::event && echo);
    }
};

class Story {
public:
    explicit Story(std::uint64_t seed) : random_(seed) {
        Limits& limits = world_.limits;
        limits.reply_bytes_max = static_cast<std::uint32_t>(random_.between(40, 600));
        limits.history_messages_max = static_cast<std::uint32_t>(random_.skewed(1, 100));
        limits.presence_members_max = static_cast<std::uint32_t>(random_.between(2, 40));
        limits.rooms_per_member_max = static_cast<std::uint32_t>(random_.between(1, 6));
        limits.members_per_room_max = static_cast<std::uint32_t>(random_.between(2, 30));
        limits.rooms_max = static_cast<std::uint32_t>(random_.between(2, 6));
        world_.reconfigure({});
        members_max_ = random_.between(2, 30);
        rooms_used_ = random_.between(1, 5);
    }

    void run(int steps) {
        for (int step = 0; step < steps; ++step) {
            one_step();
            world_.hub.check();
            listen();
        }
        hand_out();
        while (!members_.empty()) {
            leave(members_.begin()->first);
        }
        world_.tick();
        CHECK(world_.arena.chunks_alive() == 0);
    }

    [[nodiscard]] std::uint64_t checked() const { return checked_; }

private:
    // --- what is to be heard ---

    static std::string payload(Dialect dialect, const Event& event) {
        std::string bytes;
        encode(bytes, dialect, event);
        const std::vector<std::string> payloads = payloads_of(dialect.framing, bytes);
        return payloads.empty() ? "" : payloads.front();
    }

    static void expect_alone(ModelMember& member, const Event& event, Match match = Match::exact) {
        std::string bytes;
        encode(bytes, member.dialect, event);
        for (std::string& text : payloads_of(member.dialect.framing, bytes)) {
            last_segment(member).alone.push_back({std::move(text), match});
        }
        if (!bytes.empty()) {
            member.due.emplace_back();
        }
    }

    static void expect_error(ModelMember& member, std::string_view verb, ErrorCode code) {
        expect_alone(member, ErrorReply{verb, code, ""}, Match::beginning);
        if (member.dialect.format == Format::human) { // only the words, which are not the model's
            member.due[member.due.size() - 2].alone.back().text = "! ";
        }
    }

    static Segment& last_segment(ModelMember& member) {
        if (member.due.empty()) {
            member.due.emplace_back();
        }
        return member.due.back();
    }

    /// An event of a room, for everybody in it but `except`.
    void announce(ModelRoom& room, const Event& event, int except) {
        for (const int id : room.members) {
            ModelMember& member = members_.at(id);
            if (member.held_in(room.id)) {
                member.replay->missed_state |= !std::holds_alternative<SaidEvent>(event);
                continue;
            }
            const std::string text = id == except ? "" : payload(member.dialect, event);
            if (!text.empty()) {
                last_segment(member).of_rooms[room.id].push_back({text});
            }
        }
    }

    /// A new name, for those in this room who have not heard of it in another.
    void announce_renamed(int id, ModelRoom& room, const NickEvent& event, std::set<int>& told) {
        for (const int other : room.members) {
            ModelMember& member = members_.at(other);
            if (member.held_in(room.id)) {
                member.replay->missed_state = true;
            } else if (told.insert(other).second && (other != id || member.hears_itself())) {
                if (const std::string text = payload(member.dialect, event); !text.empty()) {
                    last_segment(member).renames.insert(text);
                }
            }
        }
    }

    bool tells_crowd(const ModelMember& member, ModelRoom& room) {
        using std::chrono::duration_cast;
        using std::chrono::seconds;
        if (!member.spoke || duration_cast<seconds>(world_.now.time_since_epoch()) -
                                     duration_cast<seconds>(member.spoke->time_since_epoch()) >
                                 seconds(600)) {
            return false;
        }
        if (room.renames_told < 10) {
            ++room.renames_told;
        } else {
            room.names_changed = true;
        }
        return !room.names_changed;
    }

    void tell_contacts(int id, const NickEvent& event, const std::set<int>& told) {
        for (const int other : members_.at(id).contacts) {
            const auto found = members_.find(other);
            if (other != id && found != members_.end() && !told.contains(other) &&
                !found->second.person.ear->is_congested) {
                expect_alone(found->second, event);
            }
        }
    }

    static void note_contact(ModelMember& member, int other) {
        std::vector<int>& contacts = member.contacts;
        if (std::find(contacts.begin(), contacts.end(), other) != contacts.end()) {
            return;
        }
        if (contacts.size() < 8) {
            contacts.push_back(other);
            ++member.next_contact;
        } else {
            contacts.at(member.next_contact++ % 8) = other;
        }
    }

    /// The one who did it hears it only if it hears itself.
    void announce_of(int id, ModelRoom& room, const Event& event) {
        announce(room, event, members_.at(id).hears_itself() ? -1 : id);
    }

    void listen() {
        for (auto& [id, member] : members_) {
            for (const std::string& heard : member.person.take()) {
                hear(member, heard);
            }
        }
    }

    void hear(ModelMember& member, const std::string& heard) {
        ++checked_;
        while (true) {
            INFO("heard: ", heard);
            REQUIRE_FALSE(member.due.empty());
            Segment& segment = member.due.front();
            for (auto& [room, items] : segment.of_rooms) {
                if (!items.empty() && items.front().fits(heard)) {
                    items.pop_front();
                    return;
                }
            }
            if (const auto found = segment.renames.find(heard); found != segment.renames.end()) {
                segment.renames.erase(found);
                return;
            }
            REQUIRE(segment.renames.empty());
            for (const auto& of_room : segment.of_rooms) { // INFO captures, clang 14 no bindings
                const auto& items = of_room.second;
                INFO("by ", member.nick, " of room ", of_room.first,
                     "; before it was due: ", items.empty() ? "" : items.front().text);
                REQUIRE(items.empty());
            }
            if (!segment.alone.empty()) {
                INFO("due: ", segment.alone.front().text);
                REQUIRE(segment.alone.front().fits(heard));
                segment.alone.pop_front();
                return;
            }
            member.due.pop_front();
        }
    }

    static void check_nothing_due(const ModelMember& member) {
        for (const Segment& segment : member.due) {
            for (const auto& of_room : segment.of_rooms) {
                const auto& items = of_room.second;
                INFO("never heard: ", items.empty() ? "" : items.front().text);
                REQUIRE(items.empty());
            }
            REQUIRE(segment.renames.empty());
            INFO("never heard: ", segment.alone.empty() ? "" : segment.alone.front().text);
            REQUIRE(segment.alone.empty());
        }
    }

    // --- what happens ---

    void one_step() {
        const std::uint64_t dice = random_.below(100);
        if (members_.empty() || (dice < 4 && members_.size() < members_max_)) {
            enter();
        } else if (dice < 6) {
            listen();
            leave(any_member());
        } else if (dice < 18) {
            hand_out();
        } else if (dice < 20) {
            second();
        } else if (dice < 22) {
            guest_says();
        } else {
            const int id = any_member();
            if (members_.at(id).replay) {
                go_on_replaying(id, random_.between(1, 800));
            } else {
                command(id, random_.below(100));
            }
        }
    }

    void command(int id, std::uint64_t dice) {
        if (dice < 40) {
            say(id);
        } else if (dice < 60) {
            join(id);
        } else if (dice < 66) {
            leave_room(id);
        } else if (dice < 71) {
            rename(id);
        } else if (dice < 76) {
            set_format(id);
        } else if (dice < 81) {
            hello(id);
        } else if (dice < 86) {
            message(id);
        } else if (dice < 90) {
            topic(id);
        } else if (dice < 92) {
            who(id);
        } else if (dice < 94) {
            rooms(id);
        } else if (dice < 97) {
            history(id);
        } else {
            world_.hub.apply(key(id), Ping{"token"});
            expect_alone(members_.at(id), PingReply{"token"});
        }
    }

    void hand_out() {
        world_.tick(std::chrono::milliseconds(random_.below(50)));
        listen();
        for (auto& [id, member] : members_) {
            check_nothing_due(member);
            member.due.clear();
            if (random_.one_in(4)) {
                member.person.ear->let_go();
            }
            member.person.ear->slow = random_.one_in(3);
            member.person.ear->is_congested = random_.one_in(10);
        }
    }

    void second() {
        hand_out();
        world_.tick(random_.one_in(3) ? std::chrono::seconds(70) : std::chrono::seconds(1));
        world_.hub.on_second();
        for (auto it = rooms_.begin(); it != rooms_.end();) {
            ModelRoom& room = it->second;
            if (room.joined + room.left > 0) {
                announce(room, CrowdEvent{room.name, room.joined, room.left, room.members.size()},
                         -1);
                room.joined = 0;
                room.left = 0;
            }
            room.renames_told = 0;
            if (std::exchange(room.names_changed, false)) {
                announce(room, StaleEvent{room.name}, -1);
            }
            const bool idle = world_.now - room.empty_since >= std::chrono::seconds(60);
            it = room.members.empty() && idle ? rooms_.erase(it) : std::next(it);
        }
        CHECK(world_.hub.room_count() == rooms_.size());
    }

    void enter() {
        const Dialect dialect = Dialect::at(random_.below(Dialect::count));
        ModelMember member{
            world_.enter(dialect.framing, dialect.format), {}, {}, dialect, {}, {}, {}, {}};
        member.ack = true;
        do {
            member.nick = "guest-" + std::to_string(++guests_);
        } while (holder_of(member.nick) >= 0);
        members_.emplace(++ids_, std::move(member));
        CHECK(world_.hub.member_count() == members_.size());
    }

    void leave(int id) {
        ModelMember& member = members_.at(id);
        world_.hub.leave(member.person.key, "quit");
        for (const std::string& heard : member.person.take()) {
            hear(member, heard);
        }
        check_nothing_due(member);
        while (!member.rooms.empty()) {
            out_of(id, member.rooms.back(), "quit");
        }
        member.person.ear->let_go();
        members_.erase(id);
    }

    void out_of(int id, int room_id, std::string_view reason) {
        ModelMember& member = members_.at(id);
        ModelRoom& room = rooms_.at(room_id);
        room.members.erase(id);
        std::erase(member.rooms, room_id);
        if (room.members.empty()) {
            room.empty_since = world_.now;
            room.emptied = ++emptied_;
        } else if (room.members.size() >= world_.limits.presence_members_max) {
            ++room.left;
        } else {
            announce(room, PartEvent{room.name, member.nick, reason}, -1);
        }
    }

    // The room as the hub would make or find it; the reply if it cannot be entered.
    ModelRoom* into(int id, const std::string& name) {
        ModelMember& member = members_.at(id);
        if (member.rooms.size() >= world_.limits.rooms_per_member_max) {
            expect_error(member, "join", ErrorCode::too_many_rooms);
            return nullptr;
        }
        ModelRoom* const room =
            make_room(name, (std::uint64_t{1} << 62U) | member.person.key.packed());
        if (room == nullptr) {
            expect_error(member, "join", ErrorCode::too_many_rooms);
            return nullptr;
        }
        if (room->members.size() >= world_.limits.members_per_room_max) {
            expect_error(member, "join", ErrorCode::full);
            return nullptr;
        }
        if (room->members.size() >= world_.limits.presence_members_max) {
            ++room->joined;
        } else {
            announce(*room, JoinEvent{room->name, member.nick}, -1);
        }
        room->members.insert(id);
        member.rooms.push_back(room->id);
        return room;
    }

    // Of those who hold most rooms, and an empty one, the oldest empty one.
    std::map<int, ModelRoom>::iterator room_to_forget() {
        std::map<std::uint64_t, std::size_t> held;
        for (const auto& of_room : rooms_) {
            ++held[of_room.second.owner];
        }
        auto chosen = rooms_.end();
        for (auto it = rooms_.begin(); it != rooms_.end(); ++it) {
            const ModelRoom& room = it->second;
            if (!room.members.empty()) {
                continue;
            }
            if (chosen == rooms_.end()) {
                chosen = it;
                continue;
            }
            const ModelRoom& best = chosen->second;
            const std::size_t more = held.at(room.owner);
            const std::size_t most = held.at(best.owner);
            if (more != most ? more > most
                             : (room.owner != best.owner ? room.owner < best.owner
                                                         : room.emptied < best.emptied)) {
                chosen = it;
            }
        }
        return chosen;
    }

    ModelRoom* make_room(const std::string& name, std::uint64_t owner) {
        if (ModelRoom* const room = find_room(name); room != nullptr) {
            return room;
        }
        if (rooms_.size() >= world_.limits.rooms_max) {
            const auto ended = room_to_forget();
            if (ended == rooms_.end()) {
                return nullptr;
            }
            rooms_.erase(ended);
        }
        epoch_ = std::max(epoch_ + 1, world_.wall);
        ModelRoom room{++ids_, folded(name), base36(epoch_), {}, {}, 1, {}, world_.now};
        room.owner = owner;
        room.emptied = ++emptied_;
        return &rooms_.emplace(ids_, room).first->second;
    }

    void expect_joined(int id, const ModelRoom& room, const std::string& asked) {
        expect_alone(members_.at(id), JoinReply{asked, room.epoch, room.first, room.next(),
                                                room.members.size(), room.topic});
    }

    void join(int id) {
        const std::string name = any_room_name();
        ModelMember& member = members_.at(id);
        ModelRoom* room = find_room(name);
        const std::string epoch = room == nullptr || random_.one_in(8) ? "other" : room->epoch;
        Join command{name, {}};
        const std::uint64_t number = random_.below(room == nullptr ? 5 : room->next() + 1);
        if (random_.one_in(3)) {
            command.from = Since{epoch, number};
        } else if (random_.one_in(2)) {
            command.from = Last{number};
        }
        const bool seated = room != nullptr && room->members.contains(id);
        if (seated) {
            std::erase(member.rooms, room->id);
            member.rooms.push_back(room->id);
        }
        const bool replays = room != nullptr && command.from.index() != 0;
        world_.hub.apply(member.person.key, command);
        ModelReplay replay{0, name, 0, 0, 0, true, seated};
        if (replays && !place(id, *room, command.from, replay)) {
            return;
        }
        room = seated ? room : into(id, name);
        if (room != nullptr && replays) {
            replay.room = room->id;
            member.replay = replay;
            hear_portion(id);
        } else if (room != nullptr) {
            expect_joined(id, *room, name);
        }
    }

    void history(int id) {
        ModelMember& member = members_.at(id);
        if (member.rooms.empty()) {
            world_.hub.apply(member.person.key, History{{}, {}});
            expect_error(member, "history", ErrorCode::not_in_room);
            return;
        }
        ModelRoom& room = rooms_.at(member.rooms.back());
        ReplayFrom from;
        if (random_.one_in(2)) {
            from = Last{random_.below(room.next() + 3)};
        } else if (random_.one_in(2)) {
            from = Since{room.epoch, random_.below(room.next() + 2)};
        }
        world_.hub.apply(member.person.key, History{{}, from});
        ModelReplay replay{room.id, room.name, 0, 0, 0, false, false};
        if (place(id, room, from, replay)) { // the hub has sent the first portion
            member.replay = replay;
            hear_portion(id);
        }
    }

    // Where the replay begins and ends; false: it is refused.
    bool place(int id, const ModelRoom& room, const ReplayFrom& from, ModelReplay& replay) {
        ModelMember& member = members_.at(id);
        replay.first = 1;
        if (const Since* const since = std::get_if<Since>(&from); since != nullptr) {
            if (since->epoch == room.epoch && since->id >= room.next()) {
                expect_error(member, replay.join ? "join" : "history", ErrorCode::bad_command);
                return false;
            }
            replay.first = since->epoch == room.epoch ? since->id + 1 : 1;
        } else {
            const Last* const last = std::get_if<Last>(&from);
            const std::uint64_t count = last != nullptr ? last->count : 100;
            replay.first = std::max(room.first, count >= room.next() ? 1 : room.next() - count);
        }
        replay.next = replay.first;
        replay.end = room.next();
        return true;
    }

    void go_on_replaying(int id, std::uint64_t bytes) {
        const bool more = world_.hub.continue_replay(key(id), static_cast<std::uint32_t>(bytes));
        CHECK(more == world_.hub.replaying(key(id)));
        hear_portion(id);
    }

    // A portion has been delivered. Nobody knows how much it is, but it goes on exactly where the
    // last one ended, and if it was the last one it is complete.
    void hear_portion(int id) {
        ModelMember& member = members_.at(id);
        ModelReplay& replay = *member.replay;
        const auto found = rooms_.find(replay.room);
        const bool finished = !world_.hub.replaying(member.person.key);
        if (found == rooms_.end()) {
            CHECK(finished);
            finish_replay(id);
            return;
        }
        ModelRoom& room = found->second;
        room.empty_since = world_.now;
        if (replay.join) {
            replay.end = room.next();
        }
        std::deque<Item>& alone = last_segment(member).alone;
        std::vector<std::uint64_t> reaches; // the id that comes next, behind each item
        std::uint64_t next = replay.next;
        if (next < std::min(room.first, replay.end)) {
            const std::uint64_t kept = std::min(room.first, replay.end);
            const std::string gap = payload(member.dialect, GapEvent{room.name, next, kept - 1});
            next = kept;
            if (!gap.empty()) {
                alone.push_back({gap});
                reaches.push_back(next);
            } else {
                replay.next = next;
            }
        }
        for (; next < replay.end; ++next) {
            alone.push_back({payload(member.dialect, old(room, next))});
            reaches.push_back(next + 1);
        }
        const std::size_t segments = member.due.size();
        member.due.emplace_back();
        if (finished) {
            replay.next = replay.end;
            finish_replay(id);
            return;
        }
        const std::size_t before = alone.size();
        listen();
        REQUIRE(member.due.size() <= segments + 1);
        Segment& rest =
            member.due.size() == segments + 1 ? member.due[segments - 1] : member.due[0];
        const std::size_t heard = before - rest.alone.size();
        REQUIRE(heard > 0); // each portion is a step forward
        replay.next = reaches.at(heard - 1);
        rest.alone.clear();
    }

    static SaidEvent old(const ModelRoom& room, std::uint64_t id) {
        const Said& said = room.said.at(id - 1);
        SaidEvent event{room.name, id, said.time_ms, said.nick, said.text};
        event.action = said.action;
        event.replayed = true;
        return event;
    }

    void finish_replay(int id) {
        const ModelReplay replay = *members_.at(id).replay;
        members_.at(id).replay.reset();
        if (!replay.join) {
            expect_alone(members_.at(id), HistoryReply{replay.name, replay.first, replay.next - 1});
            return;
        }
        const ModelRoom& room = rooms_.at(replay.room);
        if (replay.rejoin && replay.missed_state) {
            expect_alone(members_.at(id), StaleEvent{room.name});
        }
        expect_joined(id, room, replay.name);
    }

    void say(int id) {
        ModelMember& member = members_.at(id);
        const bool action = random_.one_in(5);
        const std::string text = any_text();
        const bool named = !action && random_.one_in(2);
        const std::string name = named ? any_room_name() : "";
        if (named) {
            world_.hub.apply(member.person.key, Say{name, text}, true);
        } else if (action) {
            world_.hub.apply(member.person.key, Me{text}, true);
        } else {
            world_.hub.apply(member.person.key, Text{text}, true);
        }
        const std::string_view verb = action ? "me" : "say";
        ModelRoom* const room = meant(member, named, name);
        if (room == nullptr || !room->members.contains(id)) {
            const bool unknown = named && room == nullptr;
            expect_error(member, verb, unknown ? ErrorCode::no_room : ErrorCode::not_in_room);
            return;
        }
        member.spoke = world_.now;
        const std::uint64_t number =
            publish(*room, member.nick, text, action, member.hears_itself() ? -1 : id);
        if (member.ack && member.dialect.format == Format::event) {
            expect_alone(member, SayReply{verb, named ? name : room->name, number});
        }
    }

    std::uint64_t publish(ModelRoom& room, const std::string& nick, const std::string& text,
                          bool action, int except) {
        const std::uint64_t number = room.next();
        room.said.push_back({world_.wall, nick, text, action});
        SaidEvent event{room.name, number, world_.wall, nick, text};
        event.action = action;
        announce(room, event, except);
        const std::uint64_t kept = world_.limits.history_messages_max;
        room.first = std::max(room.first, room.next() > kept ? room.next() - kept : 1);
        return number;
    }

    void guest_says() {
        const std::string name = any_room_name();
        const std::string text = any_text();
        const bool said = world_.hub.say_as_guest(name, "127.0.0.1:5", text, true);
        ModelRoom* const room = make_room(name, 0);
        CHECK(said == (room != nullptr));
        if (room != nullptr) {
            room->empty_since = world_.now;
            room->emptied = ++emptied_;
            publish(*room, "127.0.0.1:5", text, false, -1);
        }
    }

    void leave_room(int id) {
        ModelMember& member = members_.at(id);
        const bool named = random_.one_in(2);
        const std::string name = any_room_name();
        Leave command;
        if (named) {
            command.room = name;
        }
        world_.hub.apply(member.person.key, command);
        const ModelRoom* const room = meant(member, named, name);
        if (room == nullptr || !room->members.contains(id)) {
            const bool unknown = named && room == nullptr;
            expect_error(member, "leave", unknown ? ErrorCode::no_room : ErrorCode::not_in_room);
            return;
        }
        out_of(id, room->id, "left");
        expect_alone(member, LeaveReply{named ? name : room->name});
    }

    bool take_nick(int id, const std::string& nick, std::string_view verb) {
        ModelMember& member = members_.at(id);
        const int holder = holder_of(nick);
        if (holder >= 0 && holder != id) {
            expect_error(member, verb, ErrorCode::name_taken);
            return false;
        }
        if (nick != member.nick) {
            const std::string old = std::exchange(member.nick, nick);
            std::set<int> told;
            for (const int room_id : member.rooms) {
                ModelRoom& room = rooms_.at(room_id);
                if (room.members.size() <= world_.limits.presence_members_max ||
                    tells_crowd(member, room)) {
                    announce_renamed(id, room, {old, nick}, told);
                }
            }
            tell_contacts(id, {old, nick}, told);
        }
        return true;
    }

    void rename(int id) {
        const std::string nick = any_nick();
        world_.hub.apply(key(id), SetNick{nick});
        if (take_nick(id, nick, "nick")) {
            expect_alone(members_.at(id), NickReply{nick});
        }
    }

    void set_format(int id) {
        ModelMember& member = members_.at(id);
        const auto format = static_cast<Format>(random_.below(3));
        world_.hub.apply(member.person.key, SetFormat{format});
        member.dialect.format = format;
        expect_alone(member, FormatReply{format});
    }

    void hello(int id) {
        ModelMember& member = members_.at(id);
        Hello command{protocol_version, {}, {}, {}};
        const std::string nick = any_nick();
        if (random_.one_in(2)) {
            command.nick = nick;
        }
        if (random_.one_in(2)) {
            command.echo = random_.one_in(2);
        }
        if (random_.one_in(2)) {
            command.ack = random_.one_in(2);
        }
        world_.hub.apply(member.person.key, command);
        const Format before = std::exchange(member.dialect.format, Format::event);
        if (command.nick && !take_nick(id, nick, "hello")) {
            member.dialect.format = before;
            return;
        }
        member.echo = command.echo.value_or(member.echo);
        member.ack = command.ack.value_or(member.ack);
        expect_alone(member, WelcomeReply{"roomd", "1.0", member.nick});
    }

    void message(int id) {
        ModelMember& member = members_.at(id);
        const std::string nick = random_.one_in(4) ? any_nick() : members_.at(any_member()).nick;
        const std::string text = any_text();
        world_.hub.apply(member.person.key, Msg{nick, text});
        const int holder = holder_of(nick);
        if (holder < 0) {
            expect_error(member, "msg", ErrorCode::no_nick);
            return;
        }
        ModelMember& target = members_.at(holder);
        if (target.person.ear->is_congested) {
            expect_error(member, "msg", ErrorCode::slow);
            return;
        }
        expect_alone(target, DirectEvent{world_.wall, member.nick, text});
        note_contact(member, holder);
        note_contact(target, id);
        if (member.ack) {
            expect_alone(member, MsgReply{target.nick});
        }
    }

    void topic(int id) {
        ModelMember& member = members_.at(id);
        const std::string name = any_room_name();
        ModelRoom* const room = find_room(name);
        if (random_.one_in(2)) {
            world_.hub.apply(member.person.key, Topic{name, {}});
            if (room == nullptr) {
                expect_error(member, "topic", ErrorCode::no_room);
            } else {
                expect_alone(member, TopicReply{name, room->topic, false});
            }
            return;
        }
        const std::string text = any_text().substr(0, 1000);
        world_.hub.apply(member.person.key, Topic{name, text});
        if (room == nullptr || !room->members.contains(id)) {
            expect_error(member, "topic",
                         room == nullptr ? ErrorCode::no_room : ErrorCode::not_in_room);
            return;
        }
        room->topic = text;
        announce_of(id, *room, TopicEvent{room->name, member.nick, text});
        expect_alone(member, TopicReply{name, text, true});
    }

    void who(int id) {
        const std::string name = any_room_name();
        const ModelRoom* const room = find_room(name);
        world_.hub.apply(key(id), Who{name});
        if (room == nullptr) {
            expect_error(members_.at(id), "who", ErrorCode::no_room);
            return;
        }
        std::string names;
        for (const int member : room->members) {
            names += (names.empty() ? "" : " ") + members_.at(member).nick;
        }
        expect_alone(members_.at(id), WhoReply{name, room->members.size(), names, true},
                     Match::words);
    }

    void rooms(int id) {
        world_.hub.apply(key(id), Rooms{});
        std::string list;
        std::uint64_t count = 0;
        for (const auto& [room_id, room] : rooms_) {
            if (!room.members.empty()) {
                ++count;
                list += (list.empty() ? "" : " ") + room.name + ":" +
                        std::to_string(room.members.size());
            }
        }
        expect_alone(members_.at(id), RoomsReply{count, list, true}, Match::words);
    }

    // --- chance, and finding things ---

    [[nodiscard]] Key key(int id) const { return members_.at(id).person.key; }

    int any_member() {
        return std::next(members_.begin(),
                         static_cast<std::ptrdiff_t>(random_.below(members_.size())))
            ->first;
    }

    std::string any_room_name() {
        const std::string digit = std::to_string(random_.below(rooms_used_));
        return (random_.one_in(6) ? "ROOM" : "room") + digit;
    }

    std::string any_nick() {
        static constexpr std::array<std::string_view, 6> nicks{"ann", "Ann", "bob",
                                                               "BOB", "eve", "guest-"};
        const std::string nick(random_.pick(nicks));
        return nick + std::to_string(random_.below(nick == "guest-" ? 40 : 4));
    }

    std::string any_text() {
        const std::string unique = "m" + std::to_string(++texts_) + ".";
        return unique +
               std::string(random_.one_in(60) ? random_.below(70'000) : random_.below(60), 'x');
    }

    ModelRoom* find_room(std::string_view name) {
        for (auto& [id, room] : rooms_) {
            if (folded(room.name) == folded(name)) {
                return &room;
            }
        }
        return nullptr;
    }

    ModelRoom* meant(const ModelMember& member, bool named, const std::string& name) {
        if (named) {
            return find_room(name);
        }
        return member.rooms.empty() ? nullptr : &rooms_.at(member.rooms.back());
    }

    int holder_of(std::string_view nick) {
        for (const auto& [id, member] : members_) {
            if (folded(member.nick) == folded(nick)) {
                return id;
            }
        }
        return -1;
    }

    sim::Random random_;
    HubWorld world_;
    std::map<int, ModelMember> members_; // before the world they listen to
    std::map<int, ModelRoom> rooms_;
    std::uint64_t members_max_ = 0;
    std::uint64_t rooms_used_ = 0;
    std::uint64_t guests_ = 0;
    std::uint64_t texts_ = 0;
    std::uint64_t epoch_ = 0;
    std::uint64_t emptied_ = 0;
    std::uint64_t checked_ = 0;
    int ids_ = 0;
};

} // namespace

TEST_CASE("Hub: every member hears what it must, once, in order, and nothing else") {
    std::uint64_t checked = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        Story story(seed);
        story.run(1000);
        checked += story.checked();
    }
    CHECK(checked > 100'000);
}

} // namespace roomd
