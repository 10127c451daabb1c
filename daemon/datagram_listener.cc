#include "daemon/datagram_listener.h"

#include "protocol/text.h"
#include "reactor/sys.h"

#include <algorithm>

namespace roomd {

namespace {

constexpr std::size_t datagram_bytes_max = 65'536; // more than UDP can carry
// Each costs a system call to read, and what it is worth to say: together about a millisecond.
constexpr int read_per_tick_max = 256;
constexpr int said_per_tick_max = 256;

// Of reading one: a system call, and a look at its source.
constexpr std::uint64_t read_units = 100;

// A datagram is said by its address: `127.0.0.1:5000`, `[2001:db8::1]:5000`. No nick may hold a
// colon, so no member can be taken for a datagram, nor a datagram for a member.
std::string name_of(const SocketAddress& address) {
    return to_string(address);
}

std::string_view without_line_end(std::string_view payload) {
    if (payload.ends_with('\n')) { // `echo hi | nc -u` sends one
        payload.remove_suffix(payload.ends_with("\r\n") ? 2 : 1);
    }
    return payload;
}

} // namespace

DatagramListener::DatagramListener(Fd fd, const ListenerSpec& spec, const DatagramHost& host)
    : spec_(&spec), host_(host), buffer_(datagram_bytes_max), queue_(host.hash_key),
      fd_(std::move(fd)) {
    key_ = host_.loop.watch(fd_.get(), Interest::read, *this);
}

DatagramListener::~DatagramListener() {
    if (fd_) {
        host_.loop.forget(key_, fd_.get());
    }
}

Fd DatagramListener::release() {
    host_.loop.forget(key_, fd_.get());
    return std::move(fd_);
}

void DatagramListener::on_ready(Ready /*ready*/) {
    host_.hub.set_time(host_.loop.now(), sys::wall_now());
    bool more = true;
    for (int budget = read_per_tick_max; more && budget > 0; --budget) {
        SocketAddress sender;
        const IoResult result = sys::receive_datagram(fd_.get(), buffer_, sender);
        more = result.status != IoStatus::would_block;
        if (result.status != IoStatus::ok) {
            continue; // an ICMP error of an earlier datagram; the socket goes on
        }
        ++host_.counters.datagrams;
        host_.budget.spend(read_units);
        const auto* const text =
            reinterpret_cast<const char*>(buffer_.data()); // NOLINT: bytes as text
        take(without_line_end({text, result.bytes}), sender);
    }
    for (int budget = said_per_tick_max; budget > 0; --budget) {
        if (host_.hub.bytes_said() > host_.limits.said_bytes_per_tick_max || !host_.budget.left()) {
            break; // they wait here, and behind that in the kernel, until it has been sent on
        }
        const std::optional<Datagram> next = queue_.pop();
        if (!next) {
            break;
        }
        say(*next);
        host_.budget.spend(host_.hub.take_work());
    }
    if (more || !queue_.empty()) {
        host_.loop.again(key_, Ready::readable);
    }
}

// One that has come. Whatever it is, it has a price.
void DatagramListener::take(std::string_view payload, const SocketAddress& sender) {
    const SourceKey source = source_of(sender);
    const bool message = !payload.empty() && payload.size() <= host_.limits.wire.frame_bytes_max;
    if (muted_) {
        ++host_.counters.datagrams_dropped;
    } else if (limits_hold(*spec_, !is_local(sender)) &&
               over_rate(message, payload.size(), source)) {
        ++host_.counters.datagrams_dropped;
        ++host_.counters.datagrams_limited;
    } else if (!message) {
        ++host_.counters.datagrams_dropped;
        ++host_.counters.datagrams_invalid;
    } else if (!queue_.push(source, sender, payload)) {
        ++host_.counters.datagrams_dropped;
        ++host_.counters.datagrams_limited;
        host_.counters.hit(Limit::said_bytes_per_tick_max);
    }
}

bool DatagramListener::over_rate(bool message, std::size_t bytes, const SourceKey& source) {
    Charge charge = charge_of_refused;
    if (message) {
        charge = charge_of(Text{}, bytes * host_.hub.members_of(spec_->room), 0);
    }
    const std::optional<Limit> met =
        host_.sources.take_datagram(source, host_.limits, charge, host_.loop.now());
    if (met) {
        host_.counters.hit(*met);
    }
    return met.has_value();
}

void DatagramListener::say(const Datagram& datagram) {
    const TextCheck check = check_text(datagram.payload);
    const std::variant<Command, BadCommand> parsed =
        check.valid ? parse_command(datagram.payload) : BadCommand{};
    const Command* const command = std::get_if<Command>(&parsed);
    const Text* const text = command == nullptr ? nullptr : std::get_if<Text>(command);
    if (text == nullptr) {
        ++host_.counters.datagrams_dropped;
        ++host_.counters.datagrams_invalid;
    } else if (!host_.hub.say_as_guest(spec_->room, name_of(datagram.sender), text->text,
                                       check.harmless)) {
        ++host_.counters.datagrams_dropped; // no room for it, or readers that are waited for
    }
}

} // namespace roomd
