#include "daemon/admin_command.h"

#include "daemon/config_values.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace roomd {

namespace {

using Verb = AdminCommand::Verb;

constexpr std::size_t shown_bytes_max = 40;
constexpr std::array<std::pair<Verb, std::string_view>, 6> verbs = {{{Verb::help, "help"},
                                                                     {Verb::status, "status"},
                                                                     {Verb::reload, "reload"},
                                                                     {Verb::upgrade, "upgrade"},
                                                                     {Verb::drain, "drain"},
                                                                     {Verb::lockdown, "lockdown"}}};

std::vector<std::string_view> words_of(std::string_view line) {
    constexpr std::string_view blanks = " \t\r";
    std::vector<std::string_view> words;
    while (true) {
        line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
        if (line.empty()) {
            return words;
        }
        const std::size_t end = std::min(line.find_first_of(blanks), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

std::optional<Verb> find_verb(std::string_view word) {
    const auto* const found = std::find_if(verbs.begin(), verbs.end(),
                                           [&](const auto& entry) { return entry.second == word; });
    return found == verbs.end() ? std::nullopt : std::optional(found->first);
}

std::string unknown(std::string_view word) {
    std::vector<std::string> known;
    known.reserve(verbs.size());
    for (const auto& [verb, name] : verbs) {
        known.emplace_back(name);
    }
    return quoted(word, shown_bytes_max) + " is no command" + did_you_mean(word, known) +
           "; `help` shows them";
}

std::variant<AdminCommand, std::string> parse_drain(std::string_view time) {
    const std::optional<std::uint64_t> ms = parse_number(time, Unit::milliseconds);
    if (!ms || *ms > drain_over_ms_max) {
        return quoted(time, shown_bytes_max) +
               " is not how long a drain may take: write 10s or 500ms, at most 1h";
    }
    return AdminCommand{Verb::drain, false, std::chrono::milliseconds(*ms)};
}

} // namespace

std::string_view word_of(Verb verb) {
    return verbs.at(static_cast<std::size_t>(verb)).second;
}

std::variant<AdminCommand, std::string> parse_admin_command(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty()) {
        return "an empty line is no command; `help` shows them";
    }
    const std::optional<Verb> verb = find_verb(words.front());
    if (!verb) {
        return unknown(words.front());
    }
    if (*verb == Verb::lockdown) {
        const bool on = words.size() == 2 && words[1] == "on";
        const bool off = words.size() == 2 && words[1] == "off";
        if (!on && !off) {
            return "write `lockdown on` or `lockdown off`";
        }
        return AdminCommand{*verb, on, {}};
    }
    if (*verb == Verb::drain && words.size() == 2) {
        return parse_drain(words[1]);
    }
    if (words.size() > 1) {
        return quoted(words[1], shown_bytes_max) + " is one word too many for `" +
               std::string(word_of(*verb)) + "`";
    }
    AdminCommand command;
    command.verb = *verb;
    return command;
}

std::string_view admin_help() {
    return "status            what this roomd is doing, a line `name value` each\n"
           "reload            read the configuration again, all or nothing\n"
           "upgrade           another program in the place of this one, connections and all\n"
           "drain [TIME]      everybody is told to leave within TIME (10s), then it ends\n"
           "lockdown on|off   nobody new from other machines, no new rooms by those who are here\n"
           "help              this\n";
}

} // namespace roomd
