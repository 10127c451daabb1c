#include "test/proofs/continuity/crowd.h"

#include "reactor/sys.h"

#include <algorithm>

namespace roomd::continuity {

namespace {

constexpr std::size_t entering_max = 256;
constexpr Duration first_wait = std::chrono::milliseconds(50);
constexpr unsigned waits_doubled_max = 4; // 0.8 s

SocketAddress address_of(const Endpoint& endpoint) {
    if (endpoint.transport == Transport::unix_stream) {
        return unix_address(endpoint.path);
    }
    return sys::resolve(endpoint.host, endpoint.port, false).at(0);
}

/// Four fifths are in one room, the others in two or three.
std::size_t rooms_of_one(sim::Random& random) {
    const std::uint64_t lot = random.below(100);
    return lot < 80 ? 1 : lot < 95 ? 2 : 3;
}

Duty duty_by_lot(sim::Random& random, const Options& options) {
    const std::uint64_t lot = random.below(1000);
    if (lot < options.speakers_permille) {
        return Duty::speaker;
    }
    if (lot < options.speakers_permille + options.dribblers_permille) {
        return Duty::dribbler;
    }
    const std::uint32_t before = options.speakers_permille + options.dribblers_permille;
    return lot < before + options.sluggards_permille ? Duty::sluggard : Duty::listener;
}

} // namespace

Crowd::Crowd(const Options& options, Findings& findings, Ticking& ticking)
    : options_(&options), findings_(&findings), ticking_(&ticking),
      flush_list_(loop_), host_{loop_, arena_, flush_list_}, random_(options.seed),
      began_(loop_.now()) {
    static_cast<void>(sys::raise_descriptor_limit());
    for (const Endpoint& endpoint : options.endpoints) {
        addresses_.push_back(address_of(endpoint));
    }
    host_.read_bytes_per_tick_max = 256 * 1024;
    loop_.at_tick_end(*this);
    rooms_.resize(options.rooms);
    for (std::uint32_t number = 0; number < options.rooms; ++number) {
        rooms_[number].number = number;
    }
    deal();
}

Crowd::~Crowd() {
    closing_ = true;
    for (Member& member : members_) {
        if (!member.away()) {
            member.stream().close_now();
        }
    }
}

/// The first members are one auditor a room, who hear ids; the rest go round the six dialects, the
/// doors and the rooms.
void Crowd::deal() {
    for (std::uint32_t number = 0; number < options_->connections; ++number) {
        Part part;
        part.number = number;
        part.door = static_cast<std::uint32_t>((number / Dialect::count) % addresses_.size());
        part.dialect = Dialect::at(number % Dialect::count);
        part.rooms.push_back(number % options_->rooms);
        if (number < options_->rooms) {
            part.dialect.format = Format::event;
            part.duty = Duty::auditor;
        } else {
            part.duty = duty_by_lot(random_, *options_);
            part.named = random_.below(100) < 60;
            const std::size_t wanted = rooms_of_one(random_);
            for (std::size_t more = 1; more < wanted; ++more) {
                part.rooms.push_back(static_cast<std::uint32_t>(random_.below(options_->rooms)));
            }
            std::ranges::sort(part.rooms);
            part.rooms.erase(std::unique(part.rooms.begin(), part.rooms.end()), part.rooms.end());
        }
        if (part.dialect.format == Format::event) {
            part.echo = random_.below(3) == 0;
            part.ack = !part.echo || random_.below(2) == 0; // one of the two tells it its ids
        }
        away_.push_back(&members_.emplace_back(*this, std::move(part)));
    }
}

void Crowd::fault(const Member& member, const Fault& fault) {
    findings_->add(us(loop_.now()), member.describe(), fault);
}

void Crowd::entered(Member& /*member*/) {
    --entering_;
    ++present_;
    ++tally_.entered;
}

void Crowd::try_later(Member& member) {
    const Duration wait = first_wait * (1U << std::min(member.tries++, waits_doubled_max));
    const auto chance =
        static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(wait.count())));
    member.next_try = loop_.now() + wait / 2 + Duration(chance / 2);
    away_.push_back(&member);
}

void Crowd::left(Member& member, bool was_present, const std::string& how) {
    present_ -= was_present ? 1U : 0U;
    entering_ -= was_present ? 0U : 1U;
    if (closing_) {
        return;
    }
    if (was_present) {
        ++tally_.lost;
        Window& window = windows_.now();
        window.lost_at = window.lost++ == 0 ? sys::monotonic_now() : window.lost_at;
    }
    if (options_->crash) {
        try_later(member);
    } else {
        fault(member, {FaultKind::lost, how});
    }
}

void Crowd::not_connected(Member& member, int error) {
    if (options_->crash) {
        try_later(member);
    }
    fault(member, {FaultKind::refused, sys::error_text(error)});
}

void Crowd::delivered(Member& member, const Stamp& stamp, TimePoint at) {
    ++tally_.deliveries;
    if (stamp.timely && member.part.duty != Duty::sluggard) {
        const std::uint64_t now_us = us(at);
        windows_.record(member.window, member.worst_us, stamp.intended_us,
                        now_us > stamp.intended_us ? now_us - stamp.intended_us : 0);
    }
}

void Crowd::open_some() {
    const std::size_t before = away_.size();
    for (std::size_t index = 0; index < before && entering_ < entering_max; ++index) {
        Member& member = *away_[index];
        if (member.next_try <= loop_.now()) {
            away_[index] = nullptr;
            ++entering_;
            member.open();
            entering_ -= member.away() ? 1U : 0U;
        }
    }
    std::erase(away_, nullptr);
}

Activity Crowd::on_tick_end() {
    if (gathering_ && !away_.empty()) {
        open_some();
    }
    ticking_->on_tick(loop_.now());
    return flush_list_.flush_all();
}

} // namespace roomd::continuity
