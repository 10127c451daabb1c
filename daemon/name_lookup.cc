#include "daemon/name_lookup.h"

#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <exception>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr Duration lookup_time_max = std::chrono::seconds(15); // two attempts of resolv.conf(5)
constexpr std::size_t said_bytes_max = 65'536;

std::string host_of(const SocketAddress& address) {
    const std::string text = to_string(address); // HOST:0
    std::string host = text.substr(0, text.rfind(':'));
    std::erase_if(host, [](char byte) { return byte == '[' || byte == ']'; });
    return host;
}

} // namespace

NameLookup::NameLookup(EventLoop& loop, std::string program)
    : loop_(loop), program_(std::move(program)) {}

NameLookup::~NameLookup() {
    abandon();
}

bool NameLookup::begin(std::vector<std::string> names, NameLookupOwner& owner, std::string& why) {
    assert(!pending());
    std::vector<std::string> words{program_};
    words.reserve(names.size() + 1);
    for (const std::string& name : names) {
        words.push_back("--resolve=" + name);
    }
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    try {
        auto [read_end, write_end] = sys::make_pipe();
        posix_spawn_file_actions_t files{};
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&files, write_end.get(), STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        const int error =
            ::posix_spawn(&child_, program_.c_str(), &files, nullptr, argv.data(),
                          const_cast<char* const*>(sys::environment())); // NOLINT: only read
        posix_spawn_file_actions_destroy(&files);
        if (error != 0) {
            child_ = -1;
            why = "no child can be made to resolve names: " + sys::error_text(error);
            return false;
        }
        answer_ = std::move(read_end);
        key_ = loop_.watch(answer_.get(), Interest::read, *this);
    } catch (const std::system_error& error) { // no descriptor is left
        abandon();
        why = std::string("no child can be made to resolve names: ") + error.what();
        return false;
    }
    owner_ = &owner;
    names_ = std::move(names);
    said_.clear();
    patience_ = loop_.after(lookup_time_max, *this);
    return true;
}

void NameLookup::on_ready(Ready /*ready*/) {
    std::array<char, 1024> bytes{};
    while (said_.size() < said_bytes_max) {
        const iovec piece{bytes.data(), bytes.size()};
        const IoResult result = sys::read_some(answer_.get(), std::span(&piece, 1));
        if (result.status == IoStatus::would_block) {
            return;
        }
        if (result.status != IoStatus::ok) {
            break;
        }
        said_.append(bytes.data(), result.bytes);
    }
    finish("nothing is known of it");
}

void NameLookup::on_timer(TimerKey /*key*/) {
    patience_ = {};
    finish("no name server has answered in time");
}

void NameLookup::finish(std::string_view missing) {
    NameLookupOwner* const owner = std::exchange(owner_, nullptr);
    const ResolvedNames resolved = parse_names(said_, names_, missing);
    abandon();
    owner->on_names(resolved);
}

void NameLookup::abandon() {
    if (key_) {
        loop_.forget(key_, answer_.get());
        key_ = {};
    }
    answer_.reset();
    loop_.cancel(patience_);
    patience_ = {};
    if (child_ > 0) { // it has said all, or too little for too long
        sys::end_child(child_, false);
        child_ = -1;
    }
}

std::string resolve_names(const std::vector<std::string>& names) {
    std::string said;
    for (const std::string& name : names) {
        try {
            for (const SocketAddress& address : sys::resolve(name, 0, false)) {
                said.append(name).append(" ").append(host_of(address)).append("\n");
            }
        } catch (const std::exception& error) {
            said.append(name).append(" ! ").append(error.what()).append("\n");
        }
    }
    return said;
}

ResolvedNames parse_names(std::string_view said, const std::vector<std::string>& names,
                          std::string_view missing) {
    ResolvedNames resolved;
    for (const std::string& name : names) {
        ResolvedName& meaning = resolved[name];
        std::string_view rest = said;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
            constexpr std::string_view failure = "! ";
            if (!line.starts_with(name + " ")) {
                continue;
            }
            const std::string_view what = line.substr(name.size() + 1);
            if (what.starts_with(failure)) {
                meaning.error = what.substr(failure.size());
            } else {
                meaning.addresses.emplace_back(what);
            }
        }
        if (meaning.addresses.empty() && meaning.error.empty()) {
            meaning.error = "cannot resolve \"" + name + "\": " + std::string(missing);
        }
    }
    return resolved;
}

} // namespace roomd
