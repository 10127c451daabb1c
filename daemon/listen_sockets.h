// listen_sockets — from the words for an address to sockets that listen there.
//
// Free functions without state: used for rooms and for operators alike, so that the same addresses
// are refused to both, and a Unix socket's file is treated with the same care. Knows no session and
// watches nothing; what is not taken from the result closes with it.
#pragma once

#include "reactor/endpoint.h"
#include "reactor/fd.h"
#include "reactor/listener.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

/// What a name means: numbers, or why it means nothing.
struct ResolvedName {
    std::vector<std::string> addresses;
    std::string error;
};

/// By host, as an Endpoint has it.
using ResolvedNames = std::map<std::string, ResolvedName, std::less<>>;

/// Sockets that the service manager handed over, by name; taken out when used.
using InheritedSockets = std::vector<std::pair<std::string, Fd>>;

/// A socket that another process has listened with, to go on as it is.
struct HandedSocket {
    std::string uri;     // as asked_by() has it
    std::string address; // where it is bound
    bool datagram = false;
    Fd fd;
    Fd lock; // of a Unix socket's file
};

using HandedSockets = std::vector<HandedSocket>;

/// A socket that this process listens with already.
struct OwnSocket {
    std::string uri;     // what has opened it
    std::string address; // where it is bound
    bool datagram = false;
    bool leaving = false; // nobody wants it any more, so whoever asks for its address gets it
    int fd = -1;          // borrowed
};

struct ListenRules {
    std::string_view option;       // what gives the address, for messages: "--listen"
    int backlog = 0;               // connections the kernel holds until they are taken
    bool public_allowed = false;   // addresses that another machine can reach
    bool only_local = false;       // not even then
    InheritedSockets* inherited{}; // for fd:NAME
    HandedSockets* handed{};       // instead of binding anew
    const ResolvedNames* names{};  // what names mean; none: they are resolved here, which may block
    std::span<const OwnSocket> own{};
    std::vector<std::string>* notes{}; // what is not as the words say, and no reason to refuse
};

struct ListenSocket {
    Fd fd;
    std::string address; // host:port or path, with the real port where 0 was asked for
    UnixFile file;       // of a Unix socket that is ours
    bool datagram = false;
};

/// What a socket is for, to be found again by another process: where any port would do, rooms and
/// operators may have asked for the same.
[[nodiscard]] std::string asked_by(std::string_view option, const std::string& uri);

/// Bound, and listening unless it is UDP. Several where a host has several addresses, or a socket
/// unit several sockets of one name; an address that it has twice is one. A name listens where it
/// can: an address that this machine does not have is noted, unless it has none of them. None where
/// this process listens already: that is noted too. Throws std::system_error or std::runtime_error
/// (no such host) with a message that names `uri` and the way out; then nothing is bound. May block
/// on a name that is not in `names`.
[[nodiscard]] std::vector<ListenSocket>
open_listen_sockets(const Endpoint& endpoint, const std::string& uri, const ListenRules& rules);

/// Throws what open_listen_sockets() would throw in a process that is given the sockets of
/// `rules.inherited` and `rules.handed`, whose descriptors are not looked at here. An address that
/// is not among them is bound for a moment.
void rehearse_listen_sockets(const Endpoint& endpoint, const std::string& uri,
                             const ListenRules& rules);

} // namespace roomd
