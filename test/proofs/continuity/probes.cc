#include "test/proofs/continuity/probes.h"

#include "reactor/sys.h"
#include "test/proofs/continuity/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <system_error>

#include <sys/uio.h>

namespace roomd::continuity {

namespace {

constexpr std::string_view hello{"\0\0\0\x08/hello 1", 12};
constexpr Duration fast = std::chrono::milliseconds(4);
constexpr Duration crash_takes = std::chrono::milliseconds(500); // until the kernel is through

} // namespace

Probe::Probe(EventLoop& loop, const SocketAddress& address, std::uint32_t its_door)
    : begun(sys::monotonic_now()), door(its_door), loop_(&loop) {
    try {
        fd_ = sys::connect_begin(address);
        key_ = loop.watch(fd_.get(), Interest::read_write, *this);
    } catch (const std::system_error& error) {
        end(State::refused, error.code().value());
    }
}

Probe::~Probe() {
    if (fd_) {
        loop_->forget(key_, fd_.get());
    }
}

void Probe::on_ready(Ready ready) {
    if (state_ == State::connecting) {
        if (const int error = sys::connect_error(fd_.get()); error != 0) {
            end(error == ECONNREFUSED ? State::refused : State::broken, error);
        } else if (sys::peer_address(fd_.get()).length != 0) {
            ask();
        }
    }
    if (state_ == State::asked && has(ready, Ready::readable)) {
        listen();
    }
}

void Probe::ask() {
    std::string bytes(hello);
    const iovec piece{bytes.data(), bytes.size()};
    const IoResult result = sys::write_some(fd_.get(), std::span(&piece, 1));
    if (result.status == IoStatus::ok && result.bytes == bytes.size()) {
        state_ = State::asked;
    } else {
        end(State::broken, result.error);
    }
}

void Probe::listen() {
    while (state_ == State::asked) {
        std::array<char, 512> block{};
        const iovec piece{block.data(), block.size()};
        const IoResult result = sys::read_some(fd_.get(), std::span(&piece, 1));
        if (result.status == IoStatus::would_block) {
            return;
        }
        if (result.status != IoStatus::ok) {
            end(State::broken, result.error);
            return;
        }
        heard_.append(block.data(), result.bytes);
        if (heard_.find("welcome 1 ") != std::string::npos) {
            end(State::welcomed, 0);
        }
    }
}

void Probe::end(State state, int error) {
    state_ = state;
    error_ = error;
    ended = sys::monotonic_now();
}

void Probes::fault(const Probe& probe, FaultKind kind, const std::string& text) {
    findings_->add(crowd_->us(probe.begun), "connect to " + crowd_->door_name(probe.door),
                   {kind, text});
}

void Probes::judge(const Probe& probe) {
    if (probe.state() == Probe::State::welcomed) {
        welcome_us_.record(crowd_->us(probe.ended) - crowd_->us(probe.begun));
        if (crashing_ && !back_ && probe.begun >= crashed_ && crowd_->windows().now().lost > 0) {
            back_ = probe.ended;
        }
        return;
    }
    if (probe.state() == Probe::State::refused) {
        fault(probe, FaultKind::refused, sys::error_text(probe.error()));
    } else if (crashing_ && probe.begun < crashed_ + crash_takes) {
        ++cut_;
    } else {
        fault(probe, FaultKind::unanswered,
              probe.error() == 0 ? "ended without a word" : sys::error_text(probe.error()));
    }
}

void Probes::step(TimePoint now) {
    const Options& options = crowd_->options();
    const Duration patience =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.patience_s));
    for (std::unique_ptr<Probe>& probe : probes_) {
        if (probe->over()) {
            judge(*probe);
            probe.reset();
        } else if (now - probe->begun > patience) {
            fault(*probe, FaultKind::unanswered, "not welcomed in time");
            probe.reset();
        }
    }
    std::erase(probes_, nullptr);
    if (options.probes_per_second > 0 && now >= next_) {
        const Duration usual = Duration(std::chrono::seconds(1)) / options.probes_per_second;
        next_ = now + (crashing_ && !back_ ? std::min(fast, usual) : usual);
        const auto door = static_cast<std::uint32_t>(begun_++ % options.doors.size());
        probes_.push_back(std::make_unique<Probe>(crowd_->loop(), crowd_->address(door), door));
    }
}

void Probes::daemon_crashed(TimePoint now) {
    crashing_ = true;
    crashed_ = now;
    back_.reset();
    next_ = now;
}

} // namespace roomd::continuity
