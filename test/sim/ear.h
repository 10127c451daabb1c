// Ear — what one connection of one client hears, compared with what it must hear.
//
// One per connection and format, made new at each dial; lent the ledger. Takes whole payloads (the
// client has undone the framing) and fails the world on the first thing that is wrong. Parses by
// itself: nothing of protocol/ is used, so that a mistake there is not made twice.
#pragma once

#include "test/sim/ledger.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::sim {

/// A command under way, and what its reply has to be.
struct Expectation {
    std::string verb;
    std::uint32_t token = nobody; // say, me, msg
    std::string room;             // empty: the current one
    std::string ping;
    bool bad = false;     // has to be refused
    bool replays = false; // since= or last= was given, or it is /history
    bool has_since = false;
    std::string since_epoch;
    std::uint64_t since_id = 0;
};

struct Hearer {
    std::uint32_t number;
    std::size_t connection; // of this client: what an earlier one said may be heard by a later one
    bool limited;           // rates apply: anything may be refused as too fast
    std::string name;       // for messages
    bool visible;           // line framing shows control characters
};

class Ear {
public:
    Ear(World& world, Ledger& ledger, Hearer hearer)
        : world_(&world), ledger_(&ledger), hearer_(std::move(hearer)) {}

    virtual ~Ear() = default;
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    Ear(Ear&&) = delete;
    Ear& operator=(Ear&&) = delete;

    virtual void expect(const Expectation& expectation) = 0;
    virtual void hear(std::string_view payload) = 0;
    /// Nothing is under way any more and this client has read everything: is it complete?
    virtual void check_settled() = 0;

    /// The connection is over: is what was heard right, as far as it goes?
    virtual void check_order() {}

    /// Commands without their reply.
    [[nodiscard]] virtual std::size_t waiting() const = 0;

    /// The code of the goodbye; empty: none yet.
    [[nodiscard]] const std::string& goodbye() const { return goodbye_; }

protected:
    void fail(const std::string& what) { world_->fail(hearer_.name + ": " + what); }

    World* world_;
    Ledger* ledger_;
    Hearer hearer_;
    std::string goodbye_;
};

/// Takes words off the front of a payload.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) {}

    [[nodiscard]] std::string_view next();
    [[nodiscard]] std::uint64_t number();

    /// What is left, without the space before it.
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

class EventEar final : public Ear {
public:
    /// A client's place in a room, as far as its replies told.
    struct Seat {
        bool in = false;
        std::string epoch;      // empty: not known
        std::uint64_t next = 0; // 0: not known
    };

    EventEar(World& world, Ledger& ledger, Hearer hearer, bool echo,
             const std::string& default_room);

    void expect(const Expectation& expectation) override { pending_.push_back(expectation); }

    void hear(std::string_view payload) override;
    void check_settled() override;

    [[nodiscard]] std::size_t waiting() const override { return pending_.size(); }

    /// The connection is lost; replies under way will not be heard.
    void abandon();

    [[nodiscard]] const std::map<std::string, Seat>& seats() const { return seats_; }

private:
    struct Replay {
        std::uint64_t first = 0; // 0: nothing yet
        std::uint64_t next = 0;
        std::vector<std::pair<std::uint64_t, std::uint32_t>> heard; // id, token
    };

    void hear_greeting(std::string_view payload);
    void hear_said(Words words, bool action);
    void hear_old(Words words, bool action);
    void hear_gap(Words words);
    void hear_ok(Words words);
    void hear_err(Words words);
    void hear_bye(Words words);
    void hear_direct(Words words);
    void hear_presence(std::string_view verb, Words words);
    void ok_said(const Expectation& front, Words words);
    void ok_join(const Expectation& front, Words words);
    void ok_leave(const Expectation& front, Words words);
    void ok_history(const Expectation& front, Words words);
    void check_replay_of_join(const Expectation& front, const std::string& epoch,
                              std::uint64_t next);
    void place_replayed(const std::string& room, const std::string& epoch);
    /// `id` has to be what comes next.
    void advance(const std::string& room, Seat& seat, std::uint64_t id);
    /// Whether a gap tells of what a replay no longer has, not of what was lost live.
    [[nodiscard]] bool gap_of_replay(const Seat& seat, std::uint64_t first,
                                     std::uint64_t last) const;
    [[nodiscard]] bool replaying(const std::string& room) const;
    [[nodiscard]] const Expectation* front(std::string_view verb);

    std::deque<Expectation> pending_;
    std::map<std::string, Seat> seats_;
    std::vector<std::string> order_; // rooms in the order joined; the last is the current one
    Replay replay_;
    std::string nick_;
    bool echo_;
    bool welcomed_ = false;
};

/// Plain and human formats: no ids, so the order is compared with the ledger's once it is known.
class WordsEar final : public Ear {
public:
    WordsEar(World& world, Ledger& ledger, Hearer hearer, bool human)
        : Ear(world, ledger, std::move(hearer)), human_(human) {}

    void expect(const Expectation& expectation) override;
    void hear(std::string_view payload) override;
    void check_settled() override;
    void check_order() override;

    [[nodiscard]] std::size_t waiting() const override {
        return hearer_.limited ? 0 : pings_.size();
    }

private:
    struct Item {
        std::uint32_t token = nobody; // nobody: a mark
        std::string room;             // of a mark
        std::uint64_t skipped = 0;    // 0: the membership began anew
    };

    struct Track {
        std::string epoch;
        std::uint64_t last = 0; // 0: begins anew
        std::uint64_t skipped = 0;
        bool loose = false; // something without a known place came between
    };

    void hear_human(std::string_view payload);
    void hear_notice(std::string_view notice);
    void pong(std::string_view token);
    void step(Track& track, const Place& place);
    [[nodiscard]] std::map<std::string, Track> walk();

    std::deque<std::string> pings_;
    std::vector<Item> items_;
    bool human_;
};

} // namespace roomd::sim
