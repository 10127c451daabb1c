// AdminConnection — one who commands the daemon: lines in, answers out.
//
// Owned by the Admin, buried by it in the second after it has closed. Runs one command after the
// other; while it waits for a drain to end it runs nothing and is told how many are left. What it
// has not read of its answers keeps its next command waiting, so its queue is bounded.
#pragma once

#include "daemon/admin.h"
#include "daemon/admin_command.h"
#include "reactor/stream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace roomd {

class AdminConnection final : public StreamOwner {
public:
    /// Throws std::system_error when the poller takes no more.
    AdminConnection(Admin& admin, Fd fd, std::uint32_t user);

    /// Once a second: progress to who waits, a goodbye to who has been silent for `idle_max`.
    void on_second(Duration idle_max);

    /// If it waits for that: the answer. Writes what the kernel takes, at once, since this process
    /// may be about to become another.
    void on_verdict(Request request, const Verdict& verdict);

    /// If it waits for the end of a drain: that has come. Writes what the kernel takes, at once.
    void finish();

    [[nodiscard]] bool closed() const { return stream_.closed(); }

    /// Both ways are shut at the other end: nobody will read an answer. Asks the kernel.
    [[nodiscard]] bool peer_has_gone() const;
    /// Runs what that one has sent, and closes.
    void leave();

    // StreamOwner
    void on_input(Stream& stream) override;
    void on_end_of_input(Stream& stream) override;
    void write_notice(Stream& stream, const std::vector<Lost>& lost, std::string& out) override;
    void on_flushed(Stream& stream) override;
    void on_closed(Stream& stream, StreamEnd end) override;

private:
    [[nodiscard]] bool may_go_on() const;
    void take(std::string_view line);
    [[nodiscard]] Verdict run(const AdminCommand& command);
    void answer(const Verdict& verdict, std::string_view word);
    void end(std::string_view last);
    void tell_left();

    Admin* admin_;
    Stream stream_;
    std::uint32_t user_;
    TimePoint heard_at_;
    std::size_t told_left_ = SIZE_MAX;
    bool waiting_ = false; // for the end of a drain
    std::optional<Request> awaited_;
};

} // namespace roomd
