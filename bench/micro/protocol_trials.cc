// What shaping bytes costs: decoders, the parser of commands, formats, names.
#include "bench/micro/trial.h"
#include "protocol/command.h"
#include "protocol/decoder.h"
#include "protocol/event.h"
#include "protocol/name.h"
#include "protocol/text.h"

#include <string>
#include <string_view>
#include <variant>

namespace roomd::bench::micro {

namespace {

constexpr std::size_t payloads_per_buffer = 256;
constexpr std::uint64_t noon_ms = 1'700'000'000'000;

/// Every payload of a buffer, as one that is read in one piece.
void decode(Trial& trial, Framing framing, std::size_t size) {
    const DecoderLimits limits;
    const std::string text(size, 'x');
    std::string bytes;
    for (std::size_t count = 0; count < payloads_per_buffer; ++count) {
        encode_payload(bytes, framing, text);
    }
    Decoder decoder(framing, limits);
    std::size_t found = 0;
    std::size_t buffers = 0;
    trial.run(payloads_per_buffer, [&] {
        std::string_view rest = bytes;
        while (!rest.empty()) {
            const Step step = decoder.next(rest);
            const auto* const payload = std::get_if<Payload>(&step);
            if (payload == nullptr) {
                break;
            }
            ++found;
            rest.remove_prefix(payload->consumed);
        }
        ++buffers;
    });
    if (found != buffers * payloads_per_buffer) {
        trial.fail("the decoder did not find every payload");
    }
}

void parse(Trial& trial, std::string_view payload, bool good) {
    bool as_meant = true;
    trial.run([&] {
        const auto parsed = parse_command(payload);
        as_meant = as_meant && std::holds_alternative<Command>(parsed) == good;
        keep(parsed);
    });
    if (!as_meant) {
        trial.fail("the command was not taken for what it is");
    }
}

void check(Trial& trial, std::string_view unit, std::size_t size) {
    std::string text;
    while (text.size() < size) {
        text += unit;
    }
    bool valid = true;
    trial.run([&] { valid = valid && check_text(text).valid; });
    if (!valid) {
        trial.fail("the text was not taken for valid");
    }
}

void write_said(Trial& trial, Dialect dialect, std::size_t size) {
    const std::string text(size, 'x');
    SaidEvent said{"lobby", 4'711, noon_ms, "ann", text};
    said.harmless = true;
    const Event event = said;
    std::string out;
    trial.run([&] {
        out.clear();
        encode(out, dialect, event);
        keep(out);
    });
    if (out.find(text) == std::string::npos) {
        trial.fail("the text is not in what was written");
    }
}

void parse_name(Trial& trial, std::string_view text) {
    bool good = true;
    trial.run([&] {
        const auto name = Name::parse(text, NameKind::nick, ScriptPolicy::any);
        good = good && std::holds_alternative<Name>(name);
        keep(name);
    });
    if (!good) {
        trial.fail("the name was refused");
    }
}

void add_encoders(Trials& trials) {
    trials.add("encode/plain in frames, 64 B", [](Trial& trial) {
        write_said(trial, {Framing::frame, Format::plain}, 64);
    });
    trials.add("encode/event in frames, 64 B", [](Trial& trial) {
        write_said(trial, {Framing::frame, Format::event}, 64);
    });
    trials.add("encode/human in frames, 64 B", [](Trial& trial) {
        write_said(trial, {Framing::frame, Format::human}, 64);
    });
    trials.add("encode/plain in lines, 64 B", [](Trial& trial) {
        write_said(trial, {Framing::line, Format::plain}, 64);
    });
    trials.add("encode/event in lines, 64 B", [](Trial& trial) {
        write_said(trial, {Framing::line, Format::event}, 64);
    });
    trials.add("encode/human in lines, 64 B", [](Trial& trial) {
        write_said(trial, {Framing::line, Format::human}, 64);
    });
    trials.add("encode/event in frames, 4 KiB", [](Trial& trial) {
        write_said(trial, {Framing::frame, Format::event}, 4'096);
    });
}

} // namespace

void add_protocol(Trials& trials) {
    trials.add("decode/frame, 64 B", [](Trial& trial) { decode(trial, Framing::frame, 64); });
    trials.add("decode/frame, 4 KiB", [](Trial& trial) { decode(trial, Framing::frame, 4'096); });
    trials.add("decode/line, 64 B", [](Trial& trial) { decode(trial, Framing::line, 64); });
    trials.add("decode/line, 1 KiB", [](Trial& trial) { decode(trial, Framing::line, 1'024); });
    trials.add("check text/ASCII, 64 B", [](Trial& trial) { check(trial, "x", 64); });
    trials.add("check text/ASCII, 4 KiB", [](Trial& trial) { check(trial, "x", 4'096); });
    trials.add("check text/Greek, 64 B", [](Trial& trial) { check(trial, "\u03BB", 64); });
    trials.add("parse/text", [](Trial& trial) { parse(trial, "hello everybody", true); });
    trials.add("parse/say", [](Trial& trial) { parse(trial, "/say ops hello everybody", true); });
    trials.add("parse/join since",
               [](Trial& trial) { parse(trial, "/join ops since=e17:4711", true); });
    trials.add("parse/no such command", [](Trial& trial) { parse(trial, "/fly ops", false); });
    add_encoders(trials);
    trials.add("name/ASCII", [](Trial& trial) { parse_name(trial, "member-4711"); });
    trials.add("name/folded ASCII", [](Trial& trial) { parse_name(trial, "Member-4711"); });
    trials.add("name/accents", [](Trial& trial) { parse_name(trial, "J\u00F6rg-\u00C9mile"); });
}

} // namespace roomd::bench::micro
