// NameLookup — asks what names mean, in a child, so that the loop never waits for a name server.
//
// Owned by main; borrows the loop. The child is this very program with `--resolve NAME`; it says
//
//     NAME ADDRESS        for each address, a number
//     NAME ! WHY          if it has none
//
// and ends. One question at a time. A child that takes too long is ended, and names that were not
// answered have that for an error: on_names() is called once for each begin(), unless abandon() is.
#pragma once

#include "daemon/listen_sockets.h"
#include "reactor/event_loop.h"
#include "reactor/fd.h"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace roomd {

class NameLookupOwner {
public:
    /// All names of the question are in `names`. May begin another.
    virtual void on_names(const ResolvedNames& names) = 0;

protected:
    ~NameLookupOwner() = default;
};

class NameLookup final : public Watcher, public Timed {
public:
    /// `program`: what to execute; a path.
    NameLookup(EventLoop& loop, std::string program);
    ~NameLookup();
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;
    NameLookup(NameLookup&&) = delete;
    NameLookup& operator=(NameLookup&&) = delete;

    /// False, and `why` set: no child can be made. Not while pending().
    [[nodiscard]] bool begin(std::vector<std::string> names, NameLookupOwner& owner,
                             std::string& why);

    [[nodiscard]] bool pending() const { return child_ > 0; }

    /// Nobody hears of it any more.
    void abandon();

    void on_ready(Ready ready) override;
    void on_timer(TimerKey key) override;

private:
    void finish(std::string_view missing);

    EventLoop& loop_;
    std::string program_;
    NameLookupOwner* owner_ = nullptr;
    std::vector<std::string> names_;
    std::string said_;
    pid_t child_ = -1;
    Fd answer_;
    Key key_;
    TimerKey patience_;
};

/// What the child says. Blocks.
[[nodiscard]] std::string resolve_names(const std::vector<std::string>& names);

/// What it has said, for each of `names`; `missing` is the error of those it has not mentioned.
[[nodiscard]] ResolvedNames
parse_names(std::string_view said, const std::vector<std::string>& names, std::string_view missing);

} // namespace roomd
