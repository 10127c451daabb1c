#include "daemon/config_sources.h"
#include "protocol/text.h"
#include "reactor/arguments.h"

#include <CLI/CLI.hpp>

#include <deque>
#include <utility>

namespace roomd {

namespace {

constexpr std::size_t shown_bytes_max = 80;

/// The texts of each setting's flag; a deque, because CLI11 keeps addresses.
using Texts = std::deque<std::vector<std::string>>;

void add_settings(CLI::App& app, Texts& texts) {
    for (const Setting& setting : settings()) {
        std::vector<std::string>& into = texts.emplace_back();
        std::string names = flag_of(setting);
        if (setting.name == "listen") {
            names.insert(0, "-l,");
        }
        switch (kind_of(setting)) {
        case Kind::flag:
            app.add_flag(names, into)->take_last();
            break;
        case Kind::list:
            app.add_option(names, into)->expected(1)->take_all()->allow_extra_args(false);
            break;
        case Kind::number:
        case Kind::text:
            app.add_option(names, into)->expected(1)->take_last()->allow_extra_args(false);
            break;
        }
    }
}

std::string unknown_argument(const std::string& argument) {
    if (!argument.starts_with('-')) {
        return quoted(argument, shown_bytes_max) +
               " is an argument, and roomd takes only options; for an address write --listen";
    }
    std::vector<std::string> known = {"--config",       "--help",         "--version",
                                      "--check-config", "--print-config", "--print-example"};
    for (const Setting& setting : settings()) {
        known.push_back(flag_of(setting));
    }
    const std::string name = argument.substr(0, argument.find('='));
    return "unknown option " + quoted(name, shown_bytes_max) + did_you_mean(name, known);
}

void collect(const Texts& texts, CommandLine& result) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (!texts[i].empty()) {
            const std::string flag = flag_of(settings()[i]);
            result.given.push_back(Given{i, texts[i], flag, "flag " + flag});
        }
    }
}

} // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
    CommandLine result;
    if (argc < 1) {
        return result;
    }
    if (result.error = empty_value(argc, argv); !result.error.empty()) {
        return result;
    }
    CLI::App app;
    app.set_help_flag("");
    app.allow_extras();
    Texts texts;
    std::string config_path;
    add_settings(app, texts);
    auto* const config = app.add_option("-c,--config", config_path)->take_last();
    app.add_flag("-h,--help", result.help);
    app.add_flag("-V,--version", result.version);
    app.add_flag("--check-config", result.check_config);
    app.add_flag("--print-config", result.print_config);
    app.add_option("--probe-state", result.probe_state); // for roomd itself, so not in --help
    app.add_option("--probe-word", result.probe_word);
    app.add_option("--resolve", result.resolve)->expected(1)->take_all();
    app.add_flag("--print-example", result.print_example);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Error& error) { // CLI11 has no other way to say so
        result.error = error.what();
        return result;
    }
    if (const std::vector<std::string> extras = app.remaining(); !extras.empty()) {
        result.error = unknown_argument(extras.front());
        return result;
    }
    if (!config->empty()) {
        result.config_path = config_path;
    }
    collect(texts, result);
    return result;
}

} // namespace roomd
