#include "daemon/handover.h"
#include "daemon/snapshot_format.h"

#include <algorithm>
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

bool Handover::pack(ParcelEnds& parcel, std::string& why) {
    Snapshot snapshot = server_.save();
    std::vector<int> descriptors = server_.descriptors();
    const std::size_t own = snapshot.listeners.size();
    for (const auto& [name, fd] : given_) {
        const std::string_view wanted = name;
        const auto served = [&](const SavedListener& one) { return one.name == wanted; };
        if (std::none_of(snapshot.listeners.data(), snapshot.listeners.data() + own, served)) {
            snapshot.listeners.push_back({{}, {}, name, false, false});
            descriptors.push_back(fd.get());
        }
    }
    const Fd state = make_sealed_memory(encode_snapshot(snapshot), why);
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
