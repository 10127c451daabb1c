#include "daemon/handover.h"
#include "daemon/snapshot_format.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

// What goes along.
namespace roomd {

InheritedSockets copies_of(const InheritedSockets& sockets) {
    InheritedSockets copies;
    for (const auto& [name, fd] : sockets) {
        const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (copy >= 0) {
            copies.emplace_back(name, Fd(copy));
        }
    }
    return copies;
}

// The sockets of the service manager that the server does not listen on, behind those it does.
std::vector<int> Handover::add_given(Snapshot& snapshot) const {
    std::vector<int> descriptors;
    const std::size_t own = snapshot.listeners.size();
    for (const auto& [name, fd] : server_.given()) {
        const std::string_view wanted = name;
        const auto served = [&](const SavedListener& one) { return one.name == wanted; };
        if (std::none_of(snapshot.listeners.data(), snapshot.listeners.data() + own, served)) {
            snapshot.listeners.push_back({{}, {}, name, false, false});
            descriptors.push_back(fd.get());
        }
    }
    return descriptors;
}

namespace {

/// Thrown through the encoder, which has no other end: nobody is to wait for the rest of a state
/// that cannot be written.
struct NotWritten {};

Fd sealed(const Snapshot& snapshot, std::string& why) {
    SealedMemory memory;
    try {
        encode_snapshot(snapshot, [&memory](std::uint64_t at, std::string_view bytes) {
            if (!memory.write(at, bytes)) {
                throw NotWritten();
            }
        });
    } catch (const NotWritten&) { // seal() says why
    }
    return memory.seal(why);
}

} // namespace

// What the child is shown: all that it would be given, and the one address that is free when it
// comes although nobody hands it over.
Fd Handover::question(std::string& why) const {
    Snapshot snapshot = server_.save();
    static_cast<void>(add_given(snapshot));
    std::string commanded;
    if (const std::optional<Endpoint>& admin = server_.config().admin; admin) {
        commanded = asked_by("--admin", to_string(*admin));
        snapshot.listeners.push_back({commanded, {}, {}, false, false});
    }
    return sealed(snapshot, why);
}

bool Handover::pack(ParcelEnds& parcel, std::string& why) {
    Snapshot snapshot = server_.save();
    std::vector<int> descriptors = server_.descriptors();
    const std::vector<int> given = add_given(snapshot);
    descriptors.insert(descriptors.end(), given.begin(), given.end());
    const Fd state = sealed(snapshot, why);
    if (!state) {
        return false;
    }
    std::optional<ParcelEnds> packed =
        pack_parcel(state, descriptors, farewells_of(snapshot, descriptors.size()), why);
    if (packed) {
        parcel = std::move(*packed);
    }
    return packed.has_value();
}

} // namespace roomd
