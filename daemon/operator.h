// Operator — what whoever runs the daemon may ask of it, and what it answers: signals come here,
// and so does everything else that commands it.
//
// Owned by main; borrows server, log and supervisor, which outlive it. Each request has a Verdict:
// whether it was done, and the lines that say what was done or why not. Signals cannot hear a
// verdict, so what matters of it is in the log too. Decides nothing about connections: that is the
// server's.
#pragma once

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/name_lookup.h"
#include "daemon/server.h"
#include "daemon/supervisor.h"
#include "reactor/signals.h"
#include "reactor/time.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace roomd {

struct Verdict {
    bool ok = false;
    std::vector<std::string> lines; // for people, one sentence each, without a line feed
    bool pending = false;           // what became of it comes later, by on_verdict()
};

/// What takes longer than the call that asks for it.
enum class Request : std::uint8_t { reload, upgrade };

/// Hears what became of requests whose verdict was pending: once for all that were.
class VerdictListener {
public:
    virtual void on_verdict(Request request, const Verdict& verdict) = 0;

protected:
    ~VerdictListener() = default;
};

/// Another program in the place of this one, connections and all.
class Upgrade {
public:
    /// Begins it; what follows happens at a tick's end. False: nothing has changed, and `why` is
    /// one sentence with the way out.
    virtual bool begin(std::string& why) = 0;
    /// The same, but the next program is started by the service manager, when this one has ended.
    virtual bool leave(std::string& why) = 0;

protected:
    ~Upgrade() = default;
};

class Operator final : public SignalOwner, public NameLookupOwner {
public:
    /// `arguments` are those the program was started with: a reload reads them again.
    /// The server's configuration is what the daemon was started with.
    Operator(std::span<char*> arguments, Server& server, Log& log, Supervisor& supervisor);

    /// Without one every upgrade is refused. `upgrade` is borrowed.
    void set_upgrade(Upgrade& upgrade) { upgrade_ = &upgrade; }

    /// `listener` is borrowed; nullptr: nobody waits for verdicts any more.
    void set_verdict_listener(VerdictListener* listener) { listener_ = listener; }

    /// Without one a reload resolves names itself, and blocks. `lookup` is borrowed.
    void set_name_lookup(NameLookup& lookup) { lookup_ = &lookup; }

    /// Reads the configuration again and takes it over, all or nothing. Pending while names are
    /// resolved; asked meanwhile, it is done once more behind that. The supervisor is told that it
    /// begins and that it is over, unless it has not heard yet that the daemon is ready. The lines
    /// say what was applied and what needs a restart, or file, line and reason of the refusal.
    [[nodiscard]] Verdict reload();

    /// `name value` a line: what the daemon is and does now. O(connections).
    [[nodiscard]] Verdict status() const;

    /// A goodbye to everybody, then the end; asked a second time, the end at once.
    [[nodiscard]] Verdict stop();

    /// Pending once it has begun; upgrade_ended() follows, or this process ends.
    [[nodiscard]] Verdict upgrade();
    void upgrade_ended(const Verdict& verdict);

    /// This process is about to become another: a reload that waits for names is not to be.
    void abandon_reload();

    /// Everybody is told to leave within `over`, each at a moment of their own; then it ends.
    [[nodiscard]] Verdict drain(Duration over);

    /// Nobody new from other machines, and no new rooms by those of them who are here.
    [[nodiscard]] Verdict lockdown(bool on);

    /// Connections that are still there.
    [[nodiscard]] std::size_t connections_left() const { return server_.session_count(); }

    [[nodiscard]] bool stopping() const { return server_.stopping(); }

    void on_signal(int signal) override;
    void on_names(const ResolvedNames& names) override;

    /// Nobody is left who could stop a daemon that runs in the foreground: it stops.
    void on_hangup() override;

    /// What a configuration that was read warned of, a line each.
    static void log_warnings(Log& log, const ConfigResult& loaded);

private:
    void log_stats();
    void terminate();
    [[nodiscard]] Verdict take_over(const ConfigResult& loaded, const ResolvedNames* names);

    std::span<char*> arguments_;
    Server& server_;
    Log& log_;
    Supervisor& supervisor_;
    Upgrade* upgrade_ = nullptr;
    NameLookup* lookup_ = nullptr;
    VerdictListener* listener_ = nullptr;
    std::optional<ConfigResult> loaded_; // while its names are resolved
    bool reload_again_ = false;
    Config started_;       // what needs a restart is compared with it
    TimePoint started_at_; // monotonic
    WallTime started_wall_;
    bool leaving_ = false; // SIGTERM was taken for a restart
};

} // namespace roomd
