#include "daemon/hub.h"
#include "daemon/work.h"

#include <algorithm>
#include <array>

// Whom a member does not want to hear, and who has heard it in private.
namespace roomd {

namespace {
constexpr std::size_t ignored_max = 100;
} // namespace

Personal& Hub::personal_of(Member& member) {
    if (member.personal == nullptr) {
        member.personal = std::make_unique<Personal>();
    }
    return *member.personal;
}

// The last few, each once.
void Hub::note_contact(Member& member, Key other) {
    Personal& personal = personal_of(member);
    if (std::ranges::find(personal.contacts, other) == personal.contacts.end()) {
        personal.contacts.at(personal.next_contact++ % personal.contacts.size()) = other;
    }
}

// By its name, and under whatever name it takes as long as it is here.
bool Hub::ignores(Member& reader, Key key, const Member& speaker) {
    if (reader.personal == nullptr || &reader == &speaker) {
        return false;
    }
    for (Personal::Ignored& ignored : reader.personal->ignored) {
        if (ignored.member == key) {
            return true;
        }
        if (ignored.folded == speaker.nick.folded()) {
            ignored.member = key;
            return true;
        }
    }
    return false;
}

void Hub::apply(Key key, const Ignore& command) {
    Member& member = members_.at(key);
    work_ += work::command;
    const auto parsed = parse_name(command.nick, NameKind::nick, ScriptPolicy::any);
    if (const BadName* const bad = std::get_if<BadName>(&parsed); bad != nullptr) {
        reply_error(member, "ignore", ErrorCode::bad_name, bad->why);
        return;
    }
    const std::string_view folded = std::get<Name>(parsed).folded();
    const Key other = find_nick(folded);
    std::vector<Personal::Ignored>& list = personal_of(member).ignored;
    work_ += list.size() * work::list_item;
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& ignored) {
        return ignored.folded == folded || (other && ignored.member == other);
    });
    if (!command.on) {
        if (found != list.end()) {
            list.erase(found);
        }
    } else if (found == list.end()) {
        if (list.size() >= ignored_max) {
            reply_error(member, "ignore", ErrorCode::full,
                        "you ignore as many as you may; /ignore NICK off for one of them first");
            return;
        }
        list.push_back({std::string(folded), other});
    }
    reply_to(member, IgnoreReply{command.nick, command.on});
}

// Who is here is listed by the name that it has now.
void Hub::apply(Key key, const Ignores& /*command*/) {
    Member& member = members_.at(key);
    work_ += work::command;
    std::string names;
    std::uint64_t count = 0;
    if (member.personal != nullptr) {
        for (const Personal::Ignored& ignored : member.personal->ignored) {
            const Member* const other = members_.find(ignored.member);
            names += names.empty() ? "" : " ";
            names += other != nullptr ? other->nick.text() : std::string_view(ignored.folded);
            ++count;
            work_ += work::list_item;
        }
    }
    reply_to(member, IgnoresReply{count, names});
}

} // namespace roomd
