#include "client/admin_call.h"

#include "reactor/socket_address.h"
#include "reactor/sys.h"

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

namespace roomd {

namespace {

constexpr Duration busy_patience = std::chrono::seconds(10);
constexpr Duration busy_pause = std::chrono::milliseconds(20);

Fd connected(const std::string& path) {
    const SocketAddress address = unix_address(path);
    if (address.length == 0) {
        throw std::system_error(ENAMETOOLONG, std::generic_category());
    }
    const TimePoint begin = sys::monotonic_now();
    while (true) {
        try {
            return sys::connect_begin(address);
        } catch (const std::system_error& error) {
            // unix(7): where a TCP connection would wait in the backlog, this one is to try again.
            const bool busy = error.code().value() == EAGAIN;
            if (!busy || sys::monotonic_now() - begin >= busy_patience) {
                throw;
            }
            std::this_thread::sleep_for(busy_pause);
        }
    }
}

} // namespace

AdminCall::AdminCall(EventLoop& loop, const Interrupt& interrupt, const std::string& path)
    : loop_(&loop), interrupt_(&interrupt), fd_(connected(path)) {
    key_ = loop_->watch(fd_.get(), Interest::read_write, *this);
}

AdminCall::~AdminCall() {
    loop_->forget(key_, fd_.get());
}

// A command is shorter than any socket's buffer: what is not taken at once never will be.
void AdminCall::ask(std::string_view command) {
    std::string line = std::string(command) + "\n";
    const iovec piece{line.data(), line.size()};
    static_cast<void>(sys::write_some(fd_.get(), std::span(&piece, 1)));
}

AdminCall::Heard AdminCall::hear(std::string& line, std::optional<Duration> patience) {
    const TimePoint begin = sys::monotonic_now();
    while (true) {
        if (const std::size_t end = heard_.find('\n'); end != std::string::npos) {
            line = heard_.substr(0, end);
            heard_.erase(0, end + 1);
            return Heard::line;
        }
        if (ended_) {
            return Heard::ended;
        }
        if (interrupt_->signal() != 0) {
            return Heard::interrupted;
        }
        const Duration waited = sys::monotonic_now() - begin;
        if (patience && waited >= *patience) {
            return Heard::nothing;
        }
        loop_->tick(patience ? std::optional<Duration>(*patience - waited) : std::nullopt);
    }
}

void AdminCall::on_ready(Ready ready) {
    if (!has(ready, Ready::readable)) {
        return;
    }
    std::array<char, 16'384> bytes{};
    while (!ended_) {
        const iovec into{bytes.data(), bytes.size()};
        const IoResult result = sys::read_some(fd_.get(), std::span(&into, 1));
        if (result.status == IoStatus::would_block) {
            return;
        }
        ended_ = result.status != IoStatus::ok;
        heard_.append(bytes.data(), result.status == IoStatus::ok ? result.bytes : 0);
    }
}

} // namespace roomd
