#!/usr/bin/env python3
"""Manual pages and completions, from what the programs themselves say with --help and --print-example.

manual.py page TEMPLATE PROGRAM         the page, with @OPTIONS@ and others filled in
manual.py bash|zsh|fish PROGRAM         the completion for that shell

Run by the build, so that no option can be forgotten. Standard library only, as the build has no other Python.
"""
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

# What an option may be followed by, where the help says it in prose.
WORDS = {
    "--log-level": ["debug", "info", "warning", "error"],
    "--log-format": ["text", "json"],
    "--format": ["plain", "event", "human"],
    "--compare": ["redis", "nats", "mosquitto", "floor"],
    "--system": ["roomd", "redis", "nats", "mosquitto"],
    "--series": ["members", "size", "rooms"],
}


@dataclass
class Option:
    long: str
    short: str = ""
    value: str = ""  # what it is followed by; empty: nothing
    text: str = ""
    default: str = ""
    section: str = ""


@dataclass
class Help:
    options: list = field(default_factory=list)
    commands: list = field(default_factory=list)  # (name, text)
    tail: str = ""  # behind the last option or command: prose and examples


OPTION = re.compile(r"^  (?:(-\w),\s?)?(--[a-z][a-z0-9-]*)(\S*)(.*)$")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def taken_apart(match, section):
    """An option from its first line; `text` may be empty, then it follows on the next."""
    short, long, glued, rest = match.groups()
    value, text = "", ""
    # CLI11 adds what goes with what: "--connect URI Excludes: --spawn", "--spawn Excludes: --connect start a roomd"
    rest = re.sub(r"^(| \S+) (?:Excludes|Needs): \S+", r"\1 ", rest)
    gap = re.search(r"(?:^|\S)( {2,})(\S.*)$", rest)
    crowded = re.match(r"^ ([A-Z]+) ([a-z].*)$", rest)  # no room before the column of texts: one space
    if rest.startswith("  "):
        text = rest.strip()
    elif crowded:
        value, text = crowded.groups()
    elif gap:
        value, text = rest[: gap.start(1)].strip(), gap.group(2)
    else:
        value = rest.strip()
    # CLI11 adds what it checks: "UINT:UINT in [1 - 10]=1", "FORMAT ..."
    value = re.sub(r"\s*\.\.\.$", "", value)
    default = ""
    if "=" in value:
        value, default = value.split("=", 1)
        default = default.strip("[]")
    bounds = re.search(r":\w+ in \[(\S+) - (\S+)\]", value)
    value = value.split(":", 1)[0].strip()
    if bounds:
        text_bounds = f"{bounds.group(1)} to {bounds.group(2)}"
        default = f"{default}; {text_bounds}" if default else text_bounds
    if glued.startswith("{"):
        value = ""
    return Option(long, short or "", value, text, default, section)


def help_of(program, *command):
    result, section, last, tail = Help(), "", None, []
    for line in output_of(program, *command, "--help").splitlines():
        match = OPTION.match(line)
        subcommand = re.match(r"^  ([a-z][a-z-]*) {2,}(\S.*)$", line) if section == "Subcommands" else None
        heading = re.match(r"^([A-Z][\w ]*).*:$", line)
        if match:
            last = taken_apart(match, section)
            result.options.append(last)
            tail = []
        elif subcommand:
            result.commands.append(subcommand.groups())
            tail, last = [], None
        elif last and re.match(r"^ {20,}\S", line) and not tail:
            last.text = f"{last.text} {line.strip()}".strip()
        else:
            if heading:
                section = heading.group(1).strip()
            tail.append(line)
    result.tail = "\n".join(tail).strip("\n")
    for option in result.options:
        shown = re.search(r" \[([^\[\]]*)\]$", option.text)
        if shown and not option.default:
            option.default, option.text = shown.group(1), option.text[: shown.start()]
        if not option.text:
            option.text = {"--help": "show this help and stop", "--version": "show the version and stop"}.get(option.long, "")
        option.text = {"Print this help message and exit": "show help and stop",
                       "Display program version information and exit": "show the version and stop"}.get(option.text, option.text)
    return result


# ---- manual pages ----------------------------------------------------------------------------------------------------


def roff(text):
    """Text as roff shows it: every byte itself, and no line a command."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace("`", "\\(ga").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"(?m)^([.])", r"\\&\1", text)


def option_entry(option):
    names = ", ".join(f"\\fB{roff(name)}\\fR" for name in (option.short, option.long) if name)
    value = f" \\fI{roff(option.value)}\\fR" if option.value else ""
    default = f" [{roff(option.default)}]" if option.default else ""
    return f".TP\n{names}{value}\n{roff(option.text)}{default}\n"


def key_entries(program):
    """Of roomd.toml: each key with its comments."""
    result, comments, head = [], [], True
    for line in output_of(program, "--print-example").splitlines():
        key = re.match(r"^#?([a-z_]+) = (.*)$", line)
        table = re.match(r"^#?(\[+[a-z]+\]+)$", line)
        if head:
            head = bool(line)
        elif key:
            result.append(f".TP\n\\fB{roff(key.group(1))}\\fR = {roff(key.group(2))}\n" +
                          ".br\n".join(roff(comment) + "\n" for comment in comments))
            comments = []
        elif table:
            result.append(f".SS {roff(table.group(1))}\n" + "".join(roff(comment) + "\n" for comment in comments))
            comments = []
        elif line.startswith("# "):
            comments.append(line[2:])
        elif line:
            raise SystemExit(f"--print-example has a line that is neither comment nor key: {line}")
    return "".join(result)


def verbatim(text):
    return ".nf\n" + roff(text) + "\n.fi\n"


def command_sections(program, commands):
    """Each subcommand with what only it has, and what all have once."""
    helps = {name: help_of(program, name) for name, _ in commands}
    common = [option for option in helps[commands[0][0]].options
              if all(option in other.options for other in helps.values())]
    result = ".SS For every subcommand\n" + "".join(option_entry(option) for option in common)
    for name, text in commands:
        result += f".SS {roff(name)}\n{roff(text[0].upper() + text[1:])}.\n"
        result += "".join(option_entry(option) for option in helps[name].options if option not in common)
    return result


def page(template, program):
    help_ = help_of(program)
    groups = {
        "@VERSION@": output_of(program, "--version").split()[-1],
        "@OPTIONS@": "".join(option_entry(o) for o in help_.options if o.section not in ("Limits",)),
        "@LIMITS@": "".join(option_entry(o) for o in help_.options if o.section == "Limits"),
        "@TAIL@": verbatim(help_.tail),
    }
    text = Path(template).read_text(encoding="utf-8")
    if "@KEYS@" in text:
        groups["@KEYS@"] = key_entries(program)
    if "@COMMANDS@" in text:
        groups["@COMMANDS@"] = command_sections(program, help_.commands)
    for word, replacement in groups.items():
        text = text.replace(word + "\n", replacement).replace(word, replacement)
    return text


# ---- completions -----------------------------------------------------------------------------------------------------


def scopes(program):
    """(subcommand or "", options) and the subcommands themselves."""
    top = help_of(program)
    return [("", top.options)] + [(name, help_of(program, name).options) for name, _ in top.commands], top.commands


def values_of(option):
    if option.long in WORDS:
        return WORDS[option.long]
    return {"FILE": "file", "DIR": "directory"}.get(option.value, [])


def bash(program):
    name = Path(program).name
    function = f"_{name}_completion"
    parts, commands = scopes(program)
    words = {command: " ".join(sorted({o.long for o in options} | {o.short for o in options if o.short}))
             for command, options in parts}
    every = {option.long: option for _, options in parts for option in options}
    lines = [f"# bash completion for {name}; written by the build from its --help", f"{function}() {{",
             '    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= candidate',
             "    COMPREPLY=()"]
    if commands:
        names = " ".join(command for command, _ in commands)
        lines += ['    for candidate in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do',
                  f"        [[ \" {names} \" == *\" $candidate \"* ]] && command=$candidate && break", "    done"]
    lines.append('    case $before in')
    for long, option in sorted(every.items()):
        values, names = values_of(option), "|".join(n for n in (option.short, long) if n)
        if values == "file":
            action = 'COMPREPLY=($(compgen -f -- "$word")); compopt -o filenames 2>/dev/null'
        elif values == "directory":
            action = 'COMPREPLY=($(compgen -d -- "$word")); compopt -o filenames 2>/dev/null'
        elif values:
            action = f'COMPREPLY=($(compgen -W "{" ".join(values)}" -- "$word"))'
        elif option.value:
            action = ":"
        else:
            continue
        lines.append(f"    {names}) {action}; return ;;")
    lines += ["    esac", "    case $command in"]
    for command, text in words.items():
        if command:
            lines.append(f'    {command}) COMPREPLY=($(compgen -W "{text}" -- "$word")) ;;')
    top = words[""] + ("".join(" " + command for command, _ in commands) if commands else "")
    lines += [f'    *) COMPREPLY=($(compgen -W "{top}" -- "$word")) ;;', "    esac", "}",
              f"complete -F {function} {name}", ""]
    return "\n".join(lines)


def zsh_option(option):
    text = option.text.replace("\\", "").replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", "\\:")
    values = values_of(option)
    action = ""
    if option.value:
        kind = {"file": "_files", "directory": "_files -/"}.get(values) if isinstance(values, str) else None
        action = f":{option.value.lower()}:" + (kind or (f"({' '.join(values)})" if values else ""))
    return [f"'{name}[{text}]{action}'" for name in (option.short, option.long) if name]


def zsh(program):
    name = Path(program).name
    parts, commands = scopes(program)
    lines = [f"#compdef {name}", f"# zsh completion for {name}; written by the build from its --help", ""]

    def arguments(options, *more):
        specs = [spec for option in options for spec in zsh_option(option)] + list(more)
        return " \\\n        ".join(specs)

    if not commands:
        lines.append(f"_arguments -s \\\n        {arguments(parts[0][1])}")
    else:
        lines += ["local state line", "_arguments -C \\\n        " +
                  arguments(parts[0][1], "'1:subcommand:(" + " ".join(c for c, _ in commands) + ")'", "'*::argument:->rest'"),
                  "case $line[1] in"]
        for command, options in parts[1:]:
            lines.append(f"{command}) _arguments \\\n        {arguments(options)} ;;")
        lines.append("esac")
    return "\n".join(lines) + "\n"


def fish(program):
    name = Path(program).name
    parts, commands = scopes(program)
    quote = lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    lines = [f"# fish completion for {name}; written by the build from its --help", f"complete -c {name} -f"]
    for command, text in commands:
        lines.append(f"complete -c {name} -n __fish_use_subcommand -a {command} -d {quote(text)}")
    for command, options in parts:
        condition = f" -n {quote('__fish_seen_subcommand_from ' + command)}" if command else \
            (" -n __fish_use_subcommand" if commands else "")
        for option in options:
            values = values_of(option)
            value = ""
            if option.value:
                value = " -r -F" if isinstance(values, str) else " -x" + (f" -a {quote(' '.join(values))}" if values else "")
            short = f" -s {option.short[1:]}" if option.short else ""
            lines.append(f"complete -c {name}{condition}{short} -l {option.long[2:]}{value} -d {quote(option.text)}")
    return "\n".join(lines) + "\n"


def main(arguments):
    what, *rest = arguments
    if what == "page":
        text = page(*rest)
    else:
        text = {"bash": bash, "zsh": zsh, "fish": fish}[what](*rest)
    sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
