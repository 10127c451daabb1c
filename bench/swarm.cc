#include "bench/swarm.h"

#include "reactor/sys.h"

#include <cstring>
#include <system_error>
#include <utility>

namespace roomd::bench {

namespace {

SocketAddress address_of(const Endpoint& endpoint) {
    if (endpoint.transport == Transport::unix_stream) {
        return unix_address(endpoint.path);
    }
    return sys::resolve(endpoint.host, endpoint.port, false).at(0);
}

} // namespace

// --- Peer ---

void Peer::enter() {
    swarm_->scratch_.clear();
    const std::string room_name = Swarm::room_name(room);
    swarm_->wire().enter(swarm_->scratch_, {role, room_name, number, swarm_->acknowledged_});
    stream_->send(swarm_->scratch_);
    state_ = State::entering;
    ++swarm_->entering_;
    if (swarm_->scratch_.empty()) {
        state_ = State::entered;
        --swarm_->entering_;
        ++swarm_->entered_;
        swarm_->listening_->on_entered(*this);
    }
}

void Peer::on_input(Stream& stream) {
    swarm_->heard_at_ = swarm_->now();
    while (state_ == State::entering && stream.open()) {
        const Heard heard = swarm_->wire().next(stream.input().readable());
        if (heard.kind == Heard::Kind::incomplete) {
            return;
        }
        if (heard.kind == Heard::Kind::refused) {
            swarm_->fail("connection " + std::to_string(number) +
                         " was refused: " + std::string(heard.text));
        }
        stream.send(heard.answer);
        stream.input().consume(heard.size);
        if (heard.kind == Heard::Kind::entered) {
            state_ = State::entered;
            --swarm_->entering_;
            ++swarm_->entered_;
            swarm_->listening_->on_entered(*this);
        }
    }
    if (state_ == State::entered && stream.open() && stream.input().size() > 0) {
        const std::size_t taken = swarm_->listening_->on_heard(*this, stream.input().readable());
        if (stream.open()) {
            stream.input().consume(taken);
        }
    }
}

void Peer::on_end_of_input(Stream& stream) {
    stream.close_now(StreamEnd::finished);
}

void Peer::write_notice(Stream& /*stream*/, const std::vector<Lost>& /*lost*/,
                        std::string& /*out*/) {}

void Peer::on_flushed(Stream& /*stream*/) {}

void Peer::on_closed(Stream& /*stream*/, StreamEnd /*end*/) {
    const State before = std::exchange(state_, State::gone);
    swarm_->entering_ -= before == State::entering ? 1U : 0U;
    swarm_->entered_ -= before == State::entered ? 1U : 0U;
    if (!swarm_->closing_) {
        swarm_->listening_->on_gone(*this);
    }
}

// --- Swarm ---

Swarm::Swarm(const Server& server, const RunOptions& options, Listening& listening)
    : server_(&server), options_(&options), listening_(&listening),
      address_(address_of(server.endpoint)), flush_list_(loop_), host_{loop_, arena_, flush_list_},
      heard_at_(loop_.now()) {
    static_cast<void>(sys::raise_descriptor_limit());
    host_.read_bytes_per_tick_max = 1024 * 1024;
    loop_.at_tick_end(*this);
}

Swarm::~Swarm() {
    closing_ = true;
    for (Peer& peer : peers_) {
        if (peer.stream_) {
            peer.stream_->close_now();
        }
    }
}

Peer& Swarm::add(Role role, std::uint32_t room, bool acknowledged) {
    acknowledged_ = acknowledged_ || acknowledged;
    Peer& peer = peers_.emplace_back(*this, role, room, numbers_++);
    to_open_.push_back(&peer);
    return peer;
}

void Swarm::open_again(Peer& peer) {
    peer.number = numbers_++;
    to_open_.push_back(&peer);
}

void Swarm::open(Peer& peer) {
    try {
        Fd fd = sys::connect_begin(address_);
        sys::tune_stream(fd.get(), {60, 10, 3, 0});
        peer.stream_.reset();
        peer.stream_.emplace(host_, std::move(fd), peer);
        peer.enter();
    } catch (const std::system_error& error) {
        fail("connection " + std::to_string(peer.number) + ": " + error.what());
    }
}

void Swarm::open_some() {
    while (!to_open_.empty() && entering_ < entering_max && failure_.empty()) {
        Peer& peer = *to_open_.front();
        to_open_.pop_front();
        open(peer);
    }
}

bool Swarm::may_go_on(const char* what) {
    if (options_->interrupted != nullptr && *options_->interrupted != 0) {
        fail("interrupted");
    }
    const Duration silence = loop_.now() - heard_at_;
    if (what != nullptr && silence > std::chrono::duration<double>(options_->patience_seconds)) {
        fail(std::string("nothing was heard for too long while waiting until ") + what);
    }
    return failure_.empty();
}

void Swarm::fail(std::string why) {
    if (failure_.empty()) {
        failure_ = std::move(why);
    }
}

Activity Swarm::on_tick_end() {
    open_some();
    listening_->on_tick();
    const Activity activity = flush_list_.flush_all();
    return to_open_.empty() || entering_ >= entering_max ? activity : Activity::busy;
}

} // namespace roomd::bench
