#include "test/sim/chat_client.h"

#include <utility>

namespace roomd::sim {

ChatClient::ChatClient(World& world, Ledger& ledger, Random random, Role role, std::uint32_t number)
    : Caller(world), ledger_(&ledger), random_(random), role_(std::move(role)), number_(number),
      name_("client " + std::to_string(number)), connections_left_(role_.connections) {
    set_pace(role_.pace);
}

bool ChatClient::suspect() const {
    return suspect_ || role_.may_be_refused;
}

void ChatClient::on_turn() {
    if (settling_ || stopping_) {
        return;
    }
    if (connected()) {
        talk();
    } else if (connections_left_ > 0) {
        --connections_left_;
        connect();
    }
}

void ChatClient::connect() {
    quit_ = false;
    resting_ = false;
    suspect_ = false;
    buffer_.clear();
    buffer_head_ = 0;
    turns_left_ = role_.turns;
    const Hearer hearer{number_, connections_left_, role_.may_be_limited, name_, !role_.frames};
    if (role_.manner == Manner::event) {
        auto ear =
            std::make_unique<EventEar>(world(), *ledger_, hearer, role_.echo, role_.default_room);
        event_ear_ = ear.get();
        ear_ = std::move(ear);
    } else {
        event_ear_ = nullptr;
        ear_ = std::make_unique<WordsEar>(world(), *ledger_, hearer, role_.manner == Manner::human);
    }
    dial(role_.address, role_.from);
    last_link_ = link();
    world().say(name_ + " dials: link " + std::to_string(last_link_));
    keep_steady();
    greet();
    next_turn(static_cast<Instant>(random_.skewed(1, 1'000)) * millisecond);
}

// Slow, but it never stops: the kernel says that there is room when a third of its buffer is free,
// which is long after `stalled_ms_max`, and until then takes nothing. Very small buffers are left
// alone: the world would take days to come to rest.
void ChatClient::keep_steady() {
    constexpr std::size_t buffer_least = 8'192;
    constexpr Instant pause = 250 * millisecond;
    const std::size_t buffer = world().link(last_link_).out.capacity;
    steady_ = role_.steady != 0 && buffer >= buffer_least;
    if (steady_) {
        const auto looks = static_cast<std::size_t>(role_.steady / pause);
        set_pace({buffer / 3 / looks + 1, pause});
    }
}

void ChatClient::talk() {
    if (resting_ || half_closed() || quit_) {
        return;
    }
    if (turns_left_ == 0) {
        finish();
        return;
    }
    --turns_left_;
    for (std::uint64_t count = random_.skewed(1, role_.burst_max); count > 0; --count) {
        do_something();
    }
    if (random_.permille(role_.stalls)) {
        suspect_ = true;
        const bool for_ever = random_.one_in(4);
        stall(for_ever ? 0 : static_cast<Instant>(random_.skewed(1, 60'000)) * millisecond);
    }
    next_turn(
        static_cast<Instant>(random_.below(static_cast<std::uint64_t>(role_.turn_pause_max)) + 1));
}

void ChatClient::finish() {
    done_at_ = world().now();
    switch (random_.below(6)) {
    case 0:
        last_line_ = !role_.frames && random_.one_in(2);
        if (last_line_) {
            ask_something();
            last_line_ = false;
        }
        half_close();
        break;
    case 1: {
        Expectation expectation;
        expectation.verb = "quit";
        submit("/quit so long", expectation);
        quit_ = true;
        break;
    }
    case 2:
        hang_up();
        lose_ear();
        break;
    case 3:
        break_off();
        lose_ear();
        break;
    default:
        resting_ = true;
        break;
    }
    if (connections_left_ > 0) {
        next_turn(static_cast<Instant>(random_.skewed(1, 5'000)) * millisecond);
    }
}

void ChatClient::lose_ear() {
    if (!ear_) {
        return;
    }
    if (event_ear_ != nullptr) {
        event_ear_->abandon();
        for (const auto& [room, seat] : event_ear_->seats()) {
            if (seat.in && !seat.epoch.empty() && seat.next > 1) {
                resume_[room] = {seat.epoch, seat.next - 1};
            }
        }
    }
    event_ear_ = nullptr;
    ears_.push_back(std::move(ear_));
}

bool ChatClient::cut_payload(std::string_view& payload) {
    const std::string_view rest = std::string_view(buffer_).substr(buffer_head_);
    if (role_.frames) {
        if (rest.size() < 4) {
            return false;
        }
        std::size_t length = 0;
        for (std::size_t index = 0; index < 4; ++index) {
            length = length << 8U | static_cast<unsigned char>(rest[index]);
        }
        if (rest.size() < 4 + length) {
            return false;
        }
        payload = rest.substr(4, length);
        buffer_head_ += 4 + length;
        return true;
    }
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
        return false;
    }
    payload = rest.substr(0, end);
    buffer_head_ += end + 1;
    return true;
}

void ChatClient::on_bytes(std::string_view bytes) {
    buffer_.append(bytes);
    std::string_view payload;
    while (world().failure().empty() && ear_ && cut_payload(payload)) {
        ear_->hear(payload);
    }
    if (buffer_head_ == buffer_.size()) {
        buffer_.clear();
        buffer_head_ = 0;
    } else if (buffer_head_ > 65'536) {
        buffer_.erase(0, buffer_head_);
        buffer_head_ = 0;
    }
}

void ChatClient::on_hangup(Hangup how) {
    const Link& link = world().link(last_link_);
    const bool told = ear_ && !ear_->goodbye().empty();
    // Who never got as far as the daemon has nothing to complain of.
    const bool unheard =
        how == Hangup::refused || link.lost_early ||
        (link.shut_at >= 0 && (link.read_when_shut == 0 || (stopping_ && link.out.entered == 0)));
    // Who said itself that it wants no more is waited for as long as it takes anything.
    const bool too_slow = (stopping_ || (!steady_ && (half_closed() || quit_))) &&
                          world().now() - done_at_ > role_.patience;
    if (ear_ && ear_->goodbye() == "slow" && steady_ && !suspect()) {
        world().fail(name_ + ": was closed as slow, and takes some bytes four times a second");
    }
    if (ear_ && !told && !unheard && !too_slow && !suspect()) {
        if (how == Hangup::reset) {
            world().fail(name_ + ": was reset, and reads all the time");
        } else if (!half_closed() && !quit_) {
            world().fail(name_ + ": was closed without a goodbye");
        } else if (ear_->waiting() != 0) {
            world().fail(name_ + ": asked for no more and was closed without " +
                         std::to_string(ear_->waiting()) + " of its answers");
        } else if (buffer_head_ != buffer_.size()) {
            world().fail(name_ + ": the last payload is cut");
        }
    }
    lose_ear();
    if (connections_left_ > 0 && !settling_ && !stopping_) {
        next_turn(static_cast<Instant>(random_.skewed(1, 5'000)) * millisecond);
    }
}

void ChatClient::settle() {
    settling_ = true;
    if (steady_) { // the world waits for what is on its way, not for days
        steady_ = false;
        set_pace({});
    }
}

void ChatClient::expect_stop() {
    if (!half_closed() && !quit_) {
        done_at_ = world().now();
    }
    stopping_ = true;
}

void ChatClient::check_settled() {
    if (connected() && !stalled() && ear_) {
        ear_->check_settled();
    } else if (event_ear_ != nullptr) {
        event_ear_->abandon();
    }
    for (const std::unique_ptr<Ear>& ear : ears_) {
        ear->check_order();
    }
}

void ChatClient::check_over() {
    if (connected() && !stalled() && !suspect()) {
        world().fail(name_ + ": the daemon has ended, and its connection still stands");
    }
}

} // namespace roomd::sim
