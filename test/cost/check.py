#!/usr/bin/env python3
"""Instructions of the daemon per delivery, compared with a baseline: check.py BUILD_DIRECTORY [--renew] [SCRIPT...]

roomd-deliveries plays fixed scripts over the simulated kernel under valgrind's callgrind. What counts is all that
happens inside EventLoop::tick, less what happens inside the simulated kernel (roomd::sys, Poller, Log): the daemon with
its libraries, memory allocation and copies included. Beside it, calls into the kernel per delivery, which cost more
than instructions do and which no counter of instructions sees.

Both are the same from run to run, whatever else the machine does: no clock, no chance, no address and no feature of the
processor takes part. More than 5 % above the baseline fails; more than 5 % below asks for `make bench-baseline`.
Exit 0: within; 1: worse, or it could not be measured; 77: the baseline is another kind of processor's.
"""

import argparse
import concurrent.futures
import os
import pathlib
import platform
import re
import subprocess
import sys

BASELINE = pathlib.Path(__file__).with_name("baseline.txt")
TOLERANCE = 0.05
COUNTED = "roomd::cost::play_counted_rounds*"
ENTRANCE = "roomd::EventLoop::tick("
KERNEL = ("roomd::sys::", "roomd::Poller::", "roomd::Log::")

# memcpy and its like choose their instructions by the processor they find. All are told to find the same, the oldest.
SAME_PROCESSOR = "glibc.cpu.hwcaps=" + ",".join(
    "-" + feature
    for feature in "AVX AVX2 AVX512F AVX512VL AVX512BW AVX_Fast_Unaligned_Load BMI1 BMI2 ERMS FSRM LZCNT MOVBE "
    "POPCNT SSE4_1 SSE4_2 SSSE3 RTM Fast_Unaligned_Copy Fast_Copy_Backward Slow_BSF".split()
) + ":glibc.cpu.x86_non_temporal_threshold=0xc0000:glibc.cpu.x86_rep_movsb_threshold=0x10000000" + (
    ":glibc.cpu.x86_rep_stosb_threshold=0x10000000"
)


class Failure(Exception):
    """It could not be measured; the text says why."""


def daemon_instructions(lines):
    """Sums up a callgrind file (valgrind manual, "Callgrind Format Specification"): into the entrance, less into the kernel."""
    names = {}
    inside = taken_out = 0
    caller = callee = ""
    arc = False

    def name_of(text):
        number, _, name = text.partition(" ")
        return names.setdefault(number, name) if name else names[number]

    for line in lines:
        if line.startswith("fn="):
            caller = name_of(line[3:].rstrip("\n"))
        elif line.startswith("cfn="):
            callee = name_of(line[4:].rstrip("\n"))
        elif line.startswith("calls="):
            arc = True  # the next line has the cost of what was called
        elif arc:
            arc = False
            cost = int(line.split()[1])
            if callee.startswith(ENTRANCE):
                inside += cost
            elif callee.startswith(KERNEL) and not caller.startswith(KERNEL):
                taken_out += cost
    if inside == 0 or taken_out == 0:
        raise Failure(f"callgrind saw no {ENTRANCE}...) or nothing of {' '.join(KERNEL)}: were they renamed?")
    return inside - taken_out


def measure(build, script):
    """Instructions per delivery, and calls into the kernel per 1,000 of them."""
    folder = build / "bench-check"
    profile = folder / f"{script}.callgrind"
    profile.unlink(missing_ok=True)
    command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={profile}", f"--toggle-collect={COUNTED}"]
    environment = {"PATH": os.environ["PATH"], "GLIBC_TUNABLES": SAME_PROCESSOR, "LC_ALL": "C"}
    run = subprocess.run(
        command + ["./roomd-deliveries", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    words = run.stdout.split()
    if run.returncode != 0 or len(words) != 3 or not profile.exists():
        raise Failure(f"{script}: exit status {run.returncode}\n{run.stdout}{run.stderr}")
    deliveries, calls = int(words[1]), int(words[2])
    with profile.open(encoding="utf-8") as lines:
        return daemon_instructions(lines) / deliveries, 1000 * calls / deliveries


def measure_all(build, scripts, compiler):
    folder = build / "bench-check"
    folder.mkdir(exist_ok=True)
    # Debian 12's valgrind gives up over what clang 14 writes for debuggers; names alone do.
    strip = [] if compiler.startswith("gcc ") else ["--strip-debug"]
    subprocess.run(["objcopy", *strip, build / "roomd-deliveries", folder / "roomd-deliveries"], check=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(scripts, pool.map(lambda script: measure(build, script), scripts)))


def this_machine(build):
    """What figures depend on beside the sources, as it stands in the baseline."""
    about = subprocess.run([build / "roomd-deliveries", "--help"], capture_output=True, text=True, check=True)
    return {"compiler": about.stdout.splitlines()[0], "machine": platform.machine(), "libc": " ".join(platform.libc_ver())}


def scripts_of(build):
    about = subprocess.run([build / "roomd-deliveries", "--help"], capture_output=True, text=True, check=True)
    return about.stdout.splitlines()[-1].split()


def read_baseline(text):
    """(machine, figures by script) of a baseline's text."""
    machine, figures = {}, {}
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+): (.*)", line):
            machine[match[1]] = match[2]
        elif line and not line.startswith("#"):
            script, instructions, calls = line.split()
            figures[script] = float(instructions), float(calls)
    return machine, figures


def write_baseline(machine, figures):
    lines = [
        "# What a delivery costs the daemon: `make bench-check` compares with it, `make bench-baseline` writes it.",
        "# For scripts without members: what a message published costs. test/cost/check.py says how it is counted.",
        "",
        *(f"{key}: {value}" for key, value in machine.items()),
        "",
        f"# {'script':<20} {'instructions':>12} {'kernel calls per 1,000':>24}",
        *(f"{script:<22} {instructions:>12.4f} {calls:>24.4f}" for script, (instructions, calls) in figures.items()),
    ]
    return "\n".join(lines) + "\n"


def judge(figures, baseline):
    """(table, worse, better): the rows to print, and in words what is out of bounds either way."""
    table, worse, better = [], [], []
    for script, measured in figures.items():
        if script not in baseline:
            worse.append(f"{script} has no baseline: make bench-baseline")
            continue
        row = f"{script:<20}"
        for now, then, unit, width in zip(measured, baseline[script], ("instructions", "calls"), (12, 14)):
            change = now / then - 1
            row += f" {now:>{width}.4f} {then:>12.4f} {100 * change:>+7.2f} %"
            if change > TOLERANCE:
                worse.append(f"{script}: {unit} {100 * change:+.2f} %")
            elif change < -TOLERANCE:
                better.append(f"{script}: {unit} {100 * change:+.2f} %")
        table.append(row)
    worse += [f"{script} is in the baseline and was not measured" for script in baseline if script not in figures]
    return table, worse, better


def warn_of_differences(machine, expected):
    for key, value in machine.items():
        if value != expected.get(key):
            print(f"\n*** ANOTHER {key.upper()} THAN THE BASELINE'S: {value}, not {expected.get(key)}.")
            print("*** What differs below may be the tools' doing. It is judged all the same.")


def check(build, renew, chosen):
    machine, scripts = this_machine(build), chosen or scripts_of(build)
    expected, baseline = read_baseline(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else ({}, {})
    if not renew and machine["machine"] != expected.get("machine", machine["machine"]):
        print(f"The baseline is of {expected['machine']}; this is {machine['machine']}: not comparable.")
        return 77
    figures = measure_all(build, scripts, machine["compiler"])
    if chosen:
        baseline = {script: figure for script, figure in baseline.items() if script in chosen}
    table, worse, better = judge(figures, baseline)
    warn_of_differences(machine, expected)
    columns = f"{'baseline':>12} {'change':>9}"
    print(f"\n{'':<20} {'instructions':>12} {'':>22} {'calls into the':>14}")
    print(f"{'':<20} {'per delivery':>12} {columns} {'kernel/1,000':>14} {columns}")
    print("\n".join(table))
    if renew:
        BASELINE.write_text(write_baseline(machine, figures), encoding="utf-8")
        print(f"\n{BASELINE.name} is renewed: commit it with what changed it.")
        return 0
    for text in better if machine == expected else ():
        print(f"better: {text}. Keep it: make bench-baseline")
    for text in worse:
        print(f"WORSE: {text}")
    if worse:
        print(f"Where it goes: callgrind_annotate --inclusive=yes {build}/bench-check/SCRIPT.callgrind")
    return 1 if worse else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("scripts", nargs="*", help="these only, not all")
    parser.add_argument("--renew", action="store_true", help="write the baseline")
    arguments = parser.parse_args()
    if arguments.renew and arguments.scripts:
        parser.error("a baseline is of all scripts")
    try:
        return check(arguments.build.resolve(), arguments.renew, arguments.scripts)
    except (Failure, FileNotFoundError) as failure:
        print(f"It could not be measured: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
