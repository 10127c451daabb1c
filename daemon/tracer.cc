#include "daemon/tracer.h"

#include "daemon/hub.h"
#include "protocol/event.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>

namespace roomd {

namespace {

constexpr std::size_t shown_bytes_max = 256;
constexpr std::size_t pending_max = 4096; // lines of one tick

std::string who(const Hub& hub, std::uint32_t connection, Key key) {
    const Member* const member = hub.member(key);
    std::string text = "#" + std::to_string(connection);
    if (member != nullptr) {
        text.append(" ").append(member->nick.text());
    }
    return text;
}

std::string hex(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "[";
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text += text.size() > 1 ? " " : "";
        text += digits[value >> 4U];
        text += digits[value & 15U];
    }
    return text + "]";
}

std::uint32_t frame_length(std::string_view raw) {
    std::uint32_t length = 0;
    for (std::size_t index = 0; index < frame_header_bytes; ++index) {
        length = (length << 8U) | static_cast<unsigned char>(raw[index]);
    }
    return length;
}

// How many of the bytes of `raw` are its first payload, header or line end included.
std::size_t payload_size(Framing framing, std::string_view raw) {
    if (framing == Framing::frame) {
        return raw.size() < frame_header_bytes
                   ? raw.size()
                   : std::min<std::size_t>(raw.size(), frame_header_bytes + frame_length(raw));
    }
    const std::size_t end = raw.find('\n');
    return end == std::string_view::npos ? raw.size() : end + 1;
}

} // namespace

void Tracer::set(Key member, bool on) {
    std::erase(members_, member);
    if (on) {
        members_.push_back(member);
    }
}

bool Tracer::traces(Key member) const {
    return std::find(members_.begin(), members_.end(), member) != members_.end();
}

void Tracer::arrived(std::uint32_t connection, Key member, std::size_t bytes, std::size_t waiting) {
    if (bytes == 0) {
        return; // the same bytes are looked at once more
    }
    std::string line =
        who(*hub_, connection, member) + " > read " + std::to_string(bytes) + " bytes";
    if (waiting > 0) {
        line += ", behind " + std::to_string(waiting) + " that were waiting";
    }
    keep(std::move(line));
}

void Tracer::received(std::uint32_t connection, Key member, Framing framing, std::string_view raw) {
    payload(" > ", connection, member, framing, raw);
}

void Tracer::sent(std::uint32_t connection, Key member, Framing framing, std::string_view raw) {
    while (!raw.empty()) {
        const std::size_t size = payload_size(framing, raw);
        payload(" < ", connection, member, framing, raw.substr(0, size));
        raw.remove_prefix(size);
    }
}

void Tracer::payload(std::string_view arrow, std::uint32_t connection, Key member, Framing framing,
                     std::string_view raw) {
    std::string line = who(*hub_, connection, member).append(arrow);
    if (framing == Framing::frame && raw.size() >= frame_header_bytes) {
        line += "frame " + hex(raw.substr(0, frame_header_bytes));
        raw.remove_prefix(frame_header_bytes);
    } else {
        const std::size_t text =
            raw.find_last_not_of("\r\n") + 1; // npos + 1 is 0: all of it is line end
        line += "line " + hex(raw.substr(text));
        raw = raw.substr(0, text);
    }
    line += " " + std::to_string(raw.size()) + " bytes " + quoted(raw, shown_bytes_max);
    keep(std::move(line));
}

void Tracer::keep(std::string line) {
    if (pending_.size() < pending_max) {
        pending_.push_back(std::move(line));
    } else {
        ++dropped_;
    }
}

bool Tracer::write_pending() {
    if (pending_.empty()) {
        return false;
    }
    if (dropped_ > 0) {
        pending_.push_back(std::to_string(std::exchange(dropped_, 0)) + " lines were not shown");
    }
    writing_ = true;
    for (const Key key : members_) {
        const Member* const member = hub_->member(key);
        if (member == nullptr || member->recipient->congested()) {
            continue; // a tracer that does not read must not make the daemon remember for it
        }
        for (const std::string& line : pending_) {
            hub_->reply(key, DebugLine{"trace", line});
        }
    }
    writing_ = false;
    pending_.clear();
    return true;
}

} // namespace roomd
