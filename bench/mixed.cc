#include "bench/loads.h"
#include "bench/meter.h"
#include "bench/mixed_minutes.h"
#include "bench/mixed_person.h"
#include "bench/mixed_script.h"
#include "bench/swarm.h"
#include "bench/wires.h"
#include "protocol/decoder.h"
#include "reactor/sys.h"

#include <algorithm>
#include <deque>
#include <type_traits>
#include <variant>
#include <vector>

// People speak, join, leave, take other names and whisper, in a pseudo-random order that is the
// same in every run. Closed loop: `window` commands of all together are unanswered. Open loop:
// command i is meant for a moment that was fixed beforehand, as in fanout.
namespace roomd::bench {

namespace {

/// Says hello and no more: rooms are entered under the eyes of the load.
class HelloWire final : public Wire {
public:
    void enter(std::string& out, const Part& part) const override {
        encode_payload(out, Framing::frame, "/hello 1 nick=" + first_nick(part.number));
        encode_payload(out, Framing::frame, "/ping in");
    }

    void publish(std::string& out, std::string_view room, std::string_view text) const override {
        events_->publish(out, room, text);
    }

    [[nodiscard]] Heard next(std::string_view input) const override { return events_->next(input); }

private:
    const Wire* events_ = &roomd_wire(Dialect::event);
};

Server with_wire(Server server, const Wire& wire) {
    server.wire = &wire;
    return server;
}

class Mixed final : public Listening {
public:
    Mixed(const Server& server, const Scenario& scenario, const RunOptions& options, Result& result)
        : scenario_(scenario), result_(&result), server_(with_wire(server, wire_)),
          meter_(server_, scenario, options, result), swarm_(server_, options, *this),
          rooms_(scenario.rooms), script_(scenario.rooms, people_) {
        const std::uint32_t people = scenario.rooms * scenario.members;
        for (std::uint32_t number = 0; number < people; ++number) {
            swarm_.add(Role::member, number % scenario.rooms);
            people_.emplace_back(number, rooms_, scenario.size);
            decoders_.emplace_back(Framing::frame, decoder_limits_);
        }
    }

    void run() {
        const TimePoint before = sys::monotonic_now();
        if (swarm_.until([&] { return swarm_.entered() == swarm_.size() && unanswered_ == 0; },
                         "everybody is in a room")) {
            result_->connect_seconds =
                std::chrono::duration<double>(sys::monotonic_now() - before).count();
            result_->connections = swarm_.size();
            load();
            finish();
        }
        result_->failure = swarm_.failure();
    }

    void on_entered(Peer& peer) override {
        Person& person = people_[peer.number];
        unit_.clear();
        person.join(unit_, peer.room);
        send(person);
    }

    std::size_t on_heard(Peer& peer, std::string_view bytes) override {
        std::size_t taken = 0;
        Decoder& decoder = decoders_[peer.number];
        for (bool more = true; more;) {
            const auto visitor = [&](const auto& step) {
                using T = std::decay_t<decltype(step)>;
                if constexpr (std::is_same_v<T, NeedMore> || std::is_same_v<T, Cut>) {
                    more = false; // a Cut is only in what a client sends
                } else {
                    taken += step.consumed;
                }
                if constexpr (std::is_same_v<T, Payload>) {
                    hear(people_[peer.number], step.text);
                } else if constexpr (std::is_same_v<T, Violation>) {
                    more = false;
                    swarm_.fail(first_nick(peer.number) + " hears what is no frame");
                }
            };
            std::visit(visitor, decoder.next(bytes.substr(taken)));
        }
        bytes_ += taken;
        return taken;
    }

    void on_gone(Peer& peer) override {
        swarm_.fail("the server closed connection " + std::to_string(peer.number));
    }

    void on_tick() override {
        if (!speaking_) {
            return;
        }
        if (scenario_.rate > 0) {
            act_on_time();
            return;
        }
        while (unanswered_ < scenario_.window && swarm_.failure().empty()) {
            act();
        }
    }

private:
    void load() {
        meter_.begin(sys::monotonic_now());
        began_ = sys::monotonic_now() + std::chrono::milliseconds(1);
        speaking_ = true;
        while (swarm_.may_go_on("commands are answered") && meter_.phase() != Meter::Phase::over) {
            swarm_.tick(scenario_.rate > 0 ? Duration::zero() : Swarm::step);
            static_cast<void>(meter_.at(sys::monotonic_now(), deliveries_, said_, bytes_));
        }
        speaking_ = false;
    }

    // Whoever has the answer to a command has heard all that was said before it. So when all have
    // answers to a command that came after everything else, nothing is under way any more, and what
    // is missing now is lost.
    void finish() {
        const auto answered = [&] { return unanswered_ == 0; };
        if (!swarm_.failure().empty() || !swarm_.until(answered, "all commands are answered")) {
            return;
        }
        for (Person& person : people_) {
            unit_.clear();
            person.ping(unit_);
            send(person);
        }
        if (!swarm_.until(answered, "all have heard everything")) {
            return;
        }
        for (const Person& person : people_) {
            if (const std::string lacks = person.lacks(); !lacks.empty()) {
                swarm_.fail(lacks);
            }
        }
        for (std::uint32_t room = 0; room < rooms_.size(); ++room) {
            if (const std::uint64_t id = rooms_[room].unclaimed(); id != 0) {
                swarm_.fail(Swarm::room_name(room) + ' ' + std::to_string(id) +
                            " was acknowledged to nobody");
            }
        }
    }

    void hear(Person& person, std::string_view payload) {
        const Person::News news = person.hear(payload);
        if (!person.failure().empty()) {
            swarm_.fail(person.failure());
        }
        switch (news.kind) {
        case Person::News::Kind::message:
            ++deliveries_;
            record(news.stamp);
            break;
        case Person::News::Kind::said:
            ++said_;
            --unanswered_;
            break;
        case Person::News::Kind::answered:
            --unanswered_;
            break;
        case Person::News::Kind::whisper:
        case Person::News::Kind::nothing:
            break;
        }
    }

    void record(Stamp stamp) {
        if (scenario_.rate <= 0 || meter_.phase() != Meter::Phase::measuring) {
            return;
        }
        const TimePoint meant = intended(stamp.number);
        if (meant >= meter_.measuring_since()) {
            const Duration took = sys::monotonic_now() - meant;
            result_->latency.record(
                static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
        }
    }

    [[nodiscard]] TimePoint intended(std::uint64_t command) const {
        return began_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                            static_cast<double>(command) / scenario_.rate));
    }

    void act_on_time() {
        const TimePoint now = sys::monotonic_now();
        for (TimePoint meant = intended(acted_); meant <= now && swarm_.failure().empty();
             meant = intended(acted_)) {
            act();
            if (meter_.phase() == Meter::Phase::measuring) {
                result_->lateness.record(static_cast<std::uint64_t>((now - meant).count()));
            }
        }
    }

    void act() {
        unit_.clear();
        send(script_.act(unit_, acted_++));
    }

    /// What it has just been made to ask.
    void send(const Person& person) {
        ++unanswered_;
        Peer& peer = swarm_.peers()[person.number()];
        if (!peer.gone()) {
            peer.stream().send(unit_);
        }
    }

    const Scenario& scenario_;
    Result* result_;
    HelloWire wire_;
    Server server_;
    Meter meter_;
    Swarm swarm_;
    std::vector<Minutes> rooms_;
    std::deque<Person> people_;
    DecoderLimits decoder_limits_;
    std::deque<Decoder> decoders_;
    Script script_;
    std::uint64_t acted_ = 0;
    std::uint64_t unanswered_ = 0;
    std::uint64_t said_ = 0;
    std::uint64_t deliveries_ = 0;
    std::uint64_t bytes_ = 0;
    TimePoint began_{};
    bool speaking_ = false;
    std::string unit_;
};

/// Why it cannot be; empty if it can.
std::string impossible(const Scenario& scenario, std::uint64_t people) {
    constexpr std::uint64_t people_max = 99'999; // their numbers stand in the texts, in five digits
    if (scenario.dialect != Dialect::event) {
        return "people of a mixed load read events: --format event";
    }
    if (people == 0 || people > people_max) {
        return "a mixed load has 1 to 99,999 people";
    }
    return {};
}

} // namespace

void run_mixed(const Server& server, const Scenario& scenario, const RunOptions& options,
               Result& result) {
    result.failure = impossible(scenario, std::uint64_t{scenario.rooms} * scenario.members);
    if (result.failure.empty()) {
        Mixed(server, scenario, options, result).run();
    }
}

} // namespace roomd::bench
