#include "daemon/datagram_listener.h"

#include "protocol/text.h"
#include "reactor/sys.h"

#include <algorithm>

namespace roomd {

namespace {

constexpr std::size_t datagram_bytes_max = 65'536; // more than UDP can carry
constexpr int datagrams_per_tick_max = 512;

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
    : spec_(&spec), host_(host), buffer_(datagram_bytes_max), fd_(std::move(fd)) {
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
    for (int budget = datagrams_per_tick_max; budget > 0; --budget) {
        if (host_.hub.bytes_said() > host_.limits.said_bytes_per_tick_max) {
            break; // they wait in the kernel, which drops what it cannot hold
        }
        SocketAddress sender;
        const IoResult result = sys::receive_datagram(fd_.get(), buffer_, sender);
        if (result.status == IoStatus::would_block) {
            return;
        }
        if (result.status != IoStatus::ok) {
            continue; // an ICMP error of an earlier datagram; the socket goes on
        }
        ++host_.counters.datagrams;
        const auto* const text =
            reinterpret_cast<const char*>(buffer_.data()); // NOLINT: bytes as text
        if (muted_ || !say(without_line_end({text, result.bytes}), sender)) {
            ++host_.counters.datagrams_dropped;
        }
    }
    host_.loop.again(key_, Ready::readable);
}

bool DatagramListener::say(std::string_view payload, const SocketAddress& sender) {
    const TextCheck check = check_text(payload);
    if (payload.empty() || payload.size() > host_.limits.wire.frame_bytes_max || !check.valid) {
        return false;
    }
    const std::variant<Command, BadCommand> parsed = parse_command(payload);
    const Command* const command = std::get_if<Command>(&parsed);
    const Text* const text = command == nullptr ? nullptr : std::get_if<Text>(command);
    return text != nullptr &&
           host_.hub.say_as_guest(spec_->room, name_of(sender), text->text, check.harmless);
}

} // namespace roomd
