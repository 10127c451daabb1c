#include "bench/loads.h"
#include "bench/meter.h"
#include "bench/swarm.h"
#include "bench/transcript.h"
#include "reactor/sys.h"

#include <algorithm>
#include <memory>
#include <vector>

// Publishers speak, members hear. Closed loop: a publisher has at most `window` messages on their
// way, to all members of its room (or, acknowledged, to the server). Open loop: message i is meant
// for a moment that was fixed beforehand; how late it left and how long it took are counted from
// that moment, so nothing is omitted because the sender waited.
namespace roomd::bench {

namespace {

class Fanout final : public Listening {
public:
    Fanout(const Server& server, const Scenario& scenario, const RunOptions& options,
           Result& result)
        : scenario_(scenario), result_(&result), meter_(server, scenario, options, result),
          swarm_(server, options, *this), rooms_(std::max(scenario.rooms, 1U)) {
        const auto rooms = static_cast<std::uint32_t>(std::max<std::size_t>(rooms_.size(), 1));
        for (std::uint32_t number = 0; number < rooms; ++number) {
            rooms_[number].transcript = std::make_unique<Transcript>(swarm_.wire());
            for (std::uint32_t member = 0; member < scenario.members; ++member) {
                swarm_.add(Role::member, number).seat = member;
            }
            rooms_[number].positions.resize(scenario.members);
        }
        for (std::uint32_t number = 0; number < scenario.stalled; ++number) {
            swarm_.add(Role::member, number % rooms).seat = stalled_seat;
        }
        for (std::uint32_t index = 0; index < scenario.publishers; ++index) {
            Peer& peer = swarm_.add(Role::publisher, index % rooms, acknowledged());
            peer.seat = index;
            publishers_.push_back({&peer, 0, 0});
            rooms_[peer.room].transcript->add_publisher(index);
        }
    }

    void run() {
        const TimePoint before = sys::monotonic_now();
        if (swarm_.until([&] { return swarm_.entered() == swarm_.size(); },
                         "all connections have entered")) {
            result_->connect_seconds =
                std::chrono::duration<double>(sys::monotonic_now() - before).count();
            result_->connections = swarm_.size();
            load();
        }
        result_->failure = swarm_.failure();
    }

    void on_entered(Peer& peer) override {
        if (peer.role == Role::member && peer.seat == stalled_seat) {
            peer.stream().pause_reading();
        }
    }

    std::size_t on_heard(Peer& peer, std::string_view bytes) override {
        return peer.role == Role::member ? hear(peer, bytes) : hear_as_publisher(peer, bytes);
    }

    void on_gone(Peer& peer) override {
        if (peer.role != Role::member || peer.seat != stalled_seat) {
            swarm_.fail("the server closed connection " + std::to_string(peer.number));
        }
    }

    void on_tick() override {
        settle();
        if (speaking_) {
            speak();
        }
    }

private:
    static constexpr std::uint32_t stalled_seat = UINT32_MAX;

    struct Room {
        std::unique_ptr<Transcript> transcript;
        std::vector<std::uint64_t> positions; // of each member
        bool touched = false;
    };

    struct Publisher {
        Peer* peer;
        std::uint64_t sent;
        std::uint64_t heard; // by all members, or acknowledged
    };

    [[nodiscard]] bool acknowledged() const {
        return scenario_.acknowledged || scenario_.members == 0;
    }

    void load() {
        meter_.begin(sys::monotonic_now());
        began_ = sys::monotonic_now() + std::chrono::milliseconds(1);
        speaking_ = true;
        while (swarm_.may_go_on("messages arrive") && meter_.phase() != Meter::Phase::over) {
            swarm_.tick(scenario_.rate > 0 ? Duration::zero() : Swarm::step);
            const TimePoint now = sys::monotonic_now();
            if (meter_.due(now)) {
                std::uint64_t messages = 0;
                for (const Publisher& publisher : publishers_) {
                    messages += publisher.heard;
                }
                static_cast<void>(meter_.at(now, deliveries(), messages, bytes_));
            }
        }
        speaking_ = false;
        if (swarm_.failure().empty()) {
            static_cast<void>(swarm_.until([&] { return complete(); }, "the last message arrives"));
            if (!complete()) {
                swarm_.fail(who_lacks());
            }
        }
    }

    std::size_t hear(Peer& peer, std::string_view bytes) {
        Room& room = rooms_[peer.room];
        std::uint64_t& position = room.positions[peer.seat];
        const std::uint64_t from = position;
        std::string_view answer;
        const std::size_t taken = room.transcript->hear(bytes, position, answer);
        if (!answer.empty()) {
            peer.stream().send(answer);
        }
        if (!room.transcript->failure().empty()) {
            swarm_.fail("connection " + std::to_string(peer.number) + ", room " +
                        Swarm::room_name(peer.room) + ": " + room.transcript->failure());
        }
        bytes_ += position - from;
        if (scenario_.rate > 0 && meter_.phase() == Meter::Phase::measuring) {
            record(*room.transcript, from, position);
        }
        if (!room.touched) {
            room.touched = true;
            touched_.push_back(peer.room);
        }
        return taken;
    }

    void record(const Transcript& transcript, std::uint64_t from, std::uint64_t to) {
        const TimePoint now = sys::monotonic_now();
        auto [message, end] = transcript.between(from, to);
        for (; message != end; ++message) {
            const TimePoint meant =
                intended(message->stamp.number * scenario_.publishers + message->stamp.publisher);
            if (meant >= meter_.measuring_since()) {
                result_->latency.record(
                    static_cast<std::uint64_t>(std::max<std::int64_t>((now - meant).count(), 0)));
            }
        }
    }

    std::size_t hear_as_publisher(Peer& peer, std::string_view bytes) {
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            const Heard heard = swarm_.wire().next(bytes.substr(taken));
            if (heard.kind == Heard::Kind::incomplete) {
                break;
            }
            if (heard.kind == Heard::Kind::refused) {
                swarm_.fail("publisher " + std::to_string(peer.seat) +
                            " was refused: " + std::string(heard.text));
            }
            publishers_[peer.seat].heard +=
                acknowledged() && heard.kind == Heard::Kind::acknowledged ? 1U : 0U;
            peer.stream().send(heard.answer);
            taken += heard.size;
        }
        return taken;
    }

    // What all members of a room have heard makes room in its publishers' windows.
    void settle() {
        for (const std::uint32_t number : touched_) {
            Room& room = rooms_[number];
            room.touched = false;
            const auto least = std::min_element(room.positions.begin(), room.positions.end());
            room.transcript->settle(*least, [&](const Transcript::Message& message) {
                publishers_[message.stamp.publisher].heard += acknowledged() ? 0U : 1U;
            });
        }
        touched_.clear();
    }

    void speak() {
        if (scenario_.rate > 0) {
            speak_on_time();
            return;
        }
        for (Publisher& publisher : publishers_) {
            while (publisher.sent - publisher.heard < scenario_.window) {
                say(publisher);
            }
        }
    }

    void speak_on_time() {
        const TimePoint now = sys::monotonic_now();
        for (TimePoint meant = intended(said_); meant <= now; meant = intended(++said_)) {
            say(publishers_[said_ % publishers_.size()]);
            if (meter_.phase() == Meter::Phase::measuring) {
                result_->lateness.record(static_cast<std::uint64_t>((now - meant).count()));
            }
        }
    }

    [[nodiscard]] TimePoint intended(std::uint64_t message) const {
        return began_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                            static_cast<double>(message) / scenario_.rate));
    }

    void say(Publisher& publisher) {
        if (publisher.peer->gone()) {
            return;
        }
        const auto index = static_cast<std::uint32_t>(&publisher - publishers_.data());
        text_.clear();
        write_text(text_, {index, publisher.sent++},
                   std::max<std::size_t>(scenario_.size, stamp_bytes));
        unit_.clear();
        swarm_.wire().publish(unit_, Swarm::room_name(publisher.peer->room), text_);
        publisher.peer->stream().send(unit_);
    }

    [[nodiscard]] std::uint64_t deliveries() const {
        std::uint64_t sum = 0;
        for (const Room& room : rooms_) {
            for (const std::uint64_t position : room.positions) {
                sum += room.transcript->count(position);
            }
        }
        return sum;
    }

    [[nodiscard]] bool complete() const {
        return std::all_of(publishers_.begin(), publishers_.end(), [](const Publisher& publisher) {
            return publisher.heard == publisher.sent;
        });
    }

    [[nodiscard]] std::string who_lacks() const {
        for (const Publisher& publisher : publishers_) {
            if (publisher.heard != publisher.sent) {
                return "publisher " + std::to_string(publisher.peer->seat) + " sent " +
                       std::to_string(publisher.sent) + " messages to " +
                       Swarm::room_name(publisher.peer->room) + ", of which " +
                       std::to_string(publisher.heard) + " reached all members";
            }
        }
        return "incomplete";
    }

    const Scenario& scenario_;
    Result* result_;
    Meter meter_;
    Swarm swarm_;
    std::vector<Room> rooms_;
    std::vector<Publisher> publishers_;
    std::vector<std::uint32_t> touched_;
    std::uint64_t bytes_ = 0;
    std::uint64_t said_ = 0; // open loop
    TimePoint began_{};
    bool speaking_ = false;
    std::string text_;
    std::string unit_;
};

} // namespace

void run_fanout(const Server& server, const Scenario& scenario, const RunOptions& options,
                Result& result) {
    Fanout(server, scenario, options, result).run();
}

} // namespace roomd::bench
