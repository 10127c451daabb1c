#!/usr/bin/env python3
"""The judge of `make bench-check`: what it adds up from a callgrind file, and what it lets pass."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

import check  # noqa: E402 (the path has to be known first)
import deadlines  # noqa: E402, F401 (no test waits for ever)

PROFILE = """\
version: 1
events: Ir

fl=(1) test/cost/deliveries.cc
fn=(1) roomd::cost::play_counted_rounds(Stage&)
10 7
cfn=(2) roomd::EventLoop::tick(std::optional<Duration>)
calls=2 40
+3 1000
cfn=(3) roomd::sim::World::link_send(unsigned int)
calls=1 9
* 5000

fn=(2)
40 50
cfn=(4) roomd::Poller::wait(std::optional<Duration>)
calls=2 1
* 300
cfn=(5) roomd::Stream::flush()
calls=2 8
-2 650

fn=(5)
8 610
cfn=(6) roomd::sys::write_some(int)
calls=2 1
+1 40

fn=(4)
1 260
cfn=(7) roomd::sys::monotonic_now()
calls=1 1
* 40

fn=(6)
1 40

fn=(7)
1 40
"""


class CheckTest(unittest.TestCase):
    def test_the_daemon_is_the_tick_less_the_kernel_which_may_call_itself(self):
        self.assertEqual(check.daemon_instructions(PROFILE.splitlines()), 1000 - 300 - 40)

    def test_a_profile_without_ticks_is_no_good_news(self):
        for gone in ("EventLoop::tick", "roomd::sys::"):
            renamed = PROFILE.replace(gone, "renamed").replace("roomd::Poller::", "renamed")
            with self.assertRaises(check.Failure):
                check.daemon_instructions(renamed.splitlines())

    def test_five_percent_is_the_border_both_ways_and_for_both_figures(self):
        def judged(instructions, calls):
            _, worse, better = check.judge({"s": (instructions, calls)}, {"s": (100.0, 10.0)})
            return len(worse), len(better)

        self.assertEqual(judged(104.9, 9.6), (0, 0))
        self.assertEqual(judged(105.1, 10.0), (1, 0))
        self.assertEqual(judged(100.0, 10.6), (1, 0))
        self.assertEqual(judged(94.9, 10.0), (0, 1))
        self.assertEqual(judged(80.0, 11.0), (1, 1))

    def test_no_script_is_left_out_on_either_side(self):
        _, worse, _ = check.judge({"new": (1.0, 1.0)}, {"old": (1.0, 1.0)})
        self.assertEqual(len(worse), 2)

    def test_a_baseline_reads_back_as_it_was_written(self):
        machine = {"compiler": "gcc 12.2.0 -O2", "machine": "x86_64"}
        figures = {"fanout": (4.5366, 1.9629), "rooms": (254.1989, 162.75)}
        self.assertEqual(check.read_baseline(check.write_baseline(machine, figures)), (machine, figures))

    def test_the_baseline_of_the_tree_can_be_read(self):
        machine, figures = check.read_baseline(check.BASELINE.read_text(encoding="utf-8"))
        self.assertIn("compiler", machine)
        self.assertGreaterEqual(len(figures), 5)


if __name__ == "__main__":
    unittest.main()
