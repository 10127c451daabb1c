#include "daemon/tracer.h"

#include "daemon/hub.h"
#include "protocol/event.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>

namespace roomd {

namespace {

constexpr std::size_t shown_bytes_max = 256;

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

// Verbs whose words may be seen. Of others, known later or mistyped, only the verb is shown: what
// follows may be a password, and of /msg it is nobody's but its reader's.
constexpr std::array<std::string_view, 17> public_verbs{
    "say",   "me",      "topic", "join",  "leave", "nick", "hello", "format", "who",
    "rooms", "history", "ping",  "stats", "help",  "quit", "trace", "conns"};

// How much of a payload may be shown; the rest is private.
std::size_t public_size(std::string_view payload) {
    if (!payload.starts_with('/') || payload.starts_with("//")) {
        return payload.size(); // said in a room
    }
    const std::size_t end = std::min(payload.find(' '), payload.size());
    const std::string_view verb = payload.substr(1, end - 1);
    const bool shown =
        std::find(public_verbs.begin(), public_verbs.end(), verb) != public_verbs.end();
    constexpr std::size_t verb_bytes_max = 16;
    return shown ? payload.size() : std::min(end, verb_bytes_max);
}

} // namespace

bool Tracer::add(Key member) {
    if (!traces(member)) {
        if (watches_.size() >= tracers_max) {
            return false;
        }
        watches_.push_back({member});
    }
    ready_ = true;
    return true;
}

void Tracer::forget(Key member) {
    std::erase_if(watches_, [member](const Watch& watch) { return watch.member == member; });
    if (watches_.empty()) {
        ready_ = false;
        broadcast_ = {};
        pending_.clear();
        pending_bytes_ = 0;
        dropped_ = 0;
    }
}

bool Tracer::traces(Key member) const {
    return std::any_of(watches_.begin(), watches_.end(),
                       [member](const Watch& watch) { return watch.member == member; });
}

void Tracer::arrived(std::uint32_t connection, Key member, std::size_t bytes, std::size_t waiting) {
    if (bytes == 0) {
        return; // the same bytes are looked at once more
    }
    finish_broadcast();
    if (full()) {
        return;
    }
    std::string line =
        who(*hub_, connection, member) + " > read " + std::to_string(bytes) + " bytes";
    if (waiting > 0) {
        line += ", behind " + std::to_string(waiting) + " that were waiting";
    }
    keep(std::move(line));
}

void Tracer::received(std::uint32_t connection, Key member, Framing framing, std::string_view raw) {
    finish_broadcast();
    if (!full()) {
        payload(who(*hub_, connection, member), " > ", framing, raw, Shown::by_verb);
    }
}

void Tracer::sent(std::uint32_t connection, Key member, Framing framing, std::string_view raw) {
    finish_broadcast();
    payloads(who(*hub_, connection, member), framing, raw, Shown::all);
}

void Tracer::sent_privately(std::uint32_t connection, Key member, Framing framing,
                            std::string_view raw) {
    finish_broadcast();
    payloads(who(*hub_, connection, member), framing, raw, Shown::sizes);
}

void Tracer::sent_to_all(const Hearer& hearer, const ChunkRef& chunk, std::uint32_t from,
                         std::uint32_t to) {
    if (broadcast_.chunk && broadcast_.chunk.get() == chunk.get() && broadcast_.from == from &&
        broadcast_.to == to) {
        ++broadcast_.others;
        return;
    }
    finish_broadcast();
    broadcast_ = {chunk, from, to, hearer.connection, hearer.member, hearer.framing, 0};
}

void Tracer::finish_broadcast() {
    if (!broadcast_.chunk) {
        return;
    }
    const Broadcast done = std::exchange(broadcast_, {});
    std::string hearers = who(*hub_, done.connection, done.member);
    if (done.others > 0) {
        hearers += " and " + std::to_string(done.others) + " more";
    }
    payloads(hearers, done.framing, done.chunk->view(done.from, done.to), Shown::all);
}

void Tracer::payloads(const std::string& who, Framing framing, std::string_view raw, Shown shown) {
    while (!raw.empty()) {
        const std::size_t size = payload_size(framing, raw);
        if (!full()) {
            payload(who, " < ", framing, raw.substr(0, size), shown);
        }
        raw.remove_prefix(size);
    }
}

void Tracer::payload(const std::string& who, std::string_view arrow, Framing framing,
                     std::string_view raw, Shown shown) {
    std::string line = who;
    line.append(arrow);
    if (framing == Framing::frame && raw.size() >= frame_header_bytes) {
        line += "frame " + hex(raw.substr(0, frame_header_bytes));
        raw.remove_prefix(frame_header_bytes);
    } else {
        const std::size_t text =
            raw.find_last_not_of("\r\n") + 1; // npos + 1 is 0: all of it is line end
        line += "line " + hex(raw.substr(text));
        raw = raw.substr(0, text);
    }
    line += " " + std::to_string(raw.size()) + " bytes";
    std::size_t visible = raw.size();
    if (shown != Shown::all) {
        visible = shown == Shown::sizes ? 0 : public_size(raw);
    }
    if (visible > 0 || raw.empty()) {
        line += " " + quoted(raw.substr(0, visible), shown_bytes_max);
    }
    if (visible < raw.size()) {
        line += visible > 0 ? " and what is private" : ", private";
    }
    keep(std::move(line));
}

// Of a line that there is no room for: it is counted, and not made.
bool Tracer::full() {
    const bool full = pending_bytes_ >= tick_bytes_max;
    dropped_ += full ? 1 : 0;
    return full;
}

void Tracer::keep(std::string line) {
    pending_bytes_ += line.size();
    pending_.push_back(std::move(line));
}

// A tracer that does not read must not make the daemon remember for it.
bool Tracer::can_take(Key key) const {
    const Member* const member = hub_->member(key);
    return member != nullptr && member->recipient->unsent_bytes() < unsent_bytes_max;
}

bool Tracer::write_pending() {
    if (watches_.empty()) {
        return false;
    }
    finish_broadcast();
    if (dropped_ > 0) {
        keep(std::to_string(std::exchange(dropped_, 0)) +
             " lines were not shown: too many at once");
    }
    const bool had_lines = !pending_.empty();
    writing_ = true;
    ready_ = false;
    for (Watch& watch : watches_) {
        if (can_take(watch.member)) {
            ready_ = true;
            write_to(watch);
        } else {
            watch.missed += pending_.size();
        }
    }
    for (Watch& watch : watches_) {
        watch.unread = watch.unread || !ready_;
    }
    writing_ = false;
    pending_.clear();
    pending_bytes_ = 0;
    return ready_ && had_lines;
}

void Tracer::write_to(Watch& watch) {
    if (watch.missed > 0 || watch.unread) {
        hub_->reply(watch.member,
                    DebugLine{"trace", std::to_string(watch.missed) + " lines" +
                                           (watch.unread ? ", and all since then," : "") +
                                           " were not shown: you did not read"});
        watch.missed = 0;
        watch.unread = false;
    }
    for (const std::string& line : pending_) {
        hub_->reply(watch.member, DebugLine{"trace", line});
    }
}

} // namespace roomd
