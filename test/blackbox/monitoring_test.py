"""The dashboard and the alert rules name only what /metrics gives, with the labels it gives; promtool judges the rules."""

import json
import re
import shutil
import subprocess
import unittest

from metrics_test import ON, get, metrics_address, scrape
from roomd_harness import TOP, DaemonTest, needs

FOLDER = TOP / "systemd" / "monitoring"
ALERTS = FOLDER / "roomd-alerts.yml"
DASHBOARD = FOLDER / "roomd-dashboard.json"
PROMTOOL = shutil.which("promtool")

NAMES = re.compile(r"\b(?:roomd|process)_\w+")
LABELS = re.compile(r"\b(?:by|without) \(([^)]*)\)|\{\{ ?(?:\$labels\.)?(\w+) ?\}\}|\{([^{}]*)\}")
OF_PROMETHEUS = {"job", "instance", "le"}


def rules():
    """[(name, expression, the whole entry)]; the file is plain enough to be read without a YAML library."""
    entries = re.split(r"\n      - alert: ", ALERTS.read_text())[1:]
    return [(entry.split("\n", 1)[0], re.search(r"\n        expr: (.*)\n", entry).group(1), entry) for entry in entries]


def texts(node):
    """Every string in JSON."""
    if isinstance(node, dict):
        node = node.values()
    elif not isinstance(node, list):
        return [node] if isinstance(node, str) else []
    return [text for child in node for text in texts(child)]


def labels_in(expression):
    for grouped, legend, matchers in LABELS.findall(expression):
        yield from (word.strip() for word in grouped.split(",") if word.strip())
        yield from (match.group(1) for match in re.finditer(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        if legend:
            yield legend


class MonitoringTest(DaemonTest):
    options = ON

    def known(self):
        families = scrape(metrics_address(self.start()))
        names = {name + suffix for name, family in families.items() for suffix, _ in family.samples}
        labels = {label for family in families.values() for _, pairs in family.samples for label, _ in pairs}
        return names, labels | OF_PROMETHEUS

    def test_alerts_name_what_there_is(self):
        names, labels = self.known()
        found = rules()
        self.assertGreaterEqual(len(found), 10)
        self.assertEqual(len({name for name, _, _ in found}), len(found))
        for name, expression, entry in found:
            with self.subTest(name):
                used = NAMES.findall(expression)
                self.assertTrue(used or expression.startswith("up{"))
                self.assertLessEqual(set(used), names)
                self.assertLessEqual(set(NAMES.findall(entry)), names)
                self.assertLessEqual(set(labels_in(expression)) | set(re.findall(r"\$labels\.(\w+)", entry)), labels)
                self.assertIn("\n          severity: ", entry)
                self.assertIn("\n          summary: ", entry)
                self.assertIn("\n          action: ", entry)

    def test_the_dashboard_names_what_there_is(self):
        names, labels = self.known()
        dashboard = json.loads(DASHBOARD.read_text())
        used = {name for text in texts(dashboard) for name in NAMES.findall(text)}
        self.assertLessEqual(used, names)
        self.assertGreater(len(used), 20)
        panels = dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            with self.subTest(panel["title"]):
                self.assertTrue(panel["targets"])
                for target in panel["targets"]:
                    self.assertIn('instance=~"$instance"', target["expr"])
                    self.assertEqual(target["expr"].count("("), target["expr"].count(")"))
                    self.assertLessEqual(set(labels_in(target["expr"])) | set(labels_in(target["legendFormat"])), labels)
                place = panel["gridPos"]
                cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
                self.assertFalse(cells & taken, "lies upon another")
                self.assertLessEqual(place["x"] + place["w"], 24)
                taken |= cells

    def test_whatever_roomd_counts_is_shown_or_watched(self):
        names, _ = self.known()
        shown = ALERTS.read_text() + DASHBOARD.read_text()
        hidden = {name for name in names if name.startswith("roomd_")} - set(NAMES.findall(shown))
        # Half of a histogram, what others are made of, and what is for looking into one thing.
        self.assertEqual({name for name in hidden if not name.endswith(("_count", "_sum"))},
                         {"roomd_history_bytes_max", "roomd_memory_bytes_max", "roomd_members",
                          "roomd_commands_refused_total",
                          "roomd_payloads_received_total", "roomd_datagrams_dropped_total",
                          "roomd_state_dropped_total"})

    @needs("promtool", "prometheus")
    def test_promtool_accepts_rules_and_expressions(self):
        done = subprocess.run([PROMTOOL, "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(rules())} rules found", done.stdout)
        # A dashboard's expressions become rules, so that the same parser sees them.
        expressions = [target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
                       for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
        file = self.scratch() / "dashboard.yml"
        file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": [
            {"record": f"dashboard:panel{number}", "expr": expression} for number, expression in enumerate(expressions)]}]}))
        done = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    @needs("promtool", "prometheus")
    def test_alerts_go_off_when_they_should_and_not_before(self):
        scenario = {
            "rule_files": [str(ALERTS)],
            "evaluation_interval": "1m",
            "tests": [{
                "interval": "1m",
                "input_series": [
                    {"series": 'up{job="roomd",instance="a"}', "values": "1x9 0x20"},
                    {"series": 'roomd_ready{job="roomd",instance="a"}', "values": "1x9 0 1x19"},
                    {"series": 'roomd_connections{job="roomd",instance="a",framing="frame",format="event"}', "values": "90x29"},
                    {"series": 'roomd_connections{job="roomd",instance="a",framing="line",format="human"}', "values": "0x9 5x19"},
                    {"series": 'roomd_connections_max{job="roomd",instance="a"}', "values": "100x29"},
                    {"series": 'roomd_pinned_bytes{job="roomd",instance="a"}', "values": "70x29"},
                    {"series": 'roomd_pinned_bytes_max{job="roomd",instance="a"}', "values": "100x29"},
                ],
                "alert_rule_test": [
                    {"eval_time": "9m", "alertname": "RoomdDown"},
                    self.expected("12m", "RoomdDown", "a", 'roomd at a does not answer'),
                    {"eval_time": "14m", "alertname": "RoomdNotReady"},
                    {"eval_time": "9m", "alertname": "RoomdNearlyFull"},
                    self.expected("16m", "RoomdNearlyFull", "a", "roomd at a has 95% of the connections it may have"),
                    {"eval_time": "29m", "alertname": "RoomdQueuesFill"},
                ],
            }],
        }
        file = self.scratch() / "scenario.yml"
        file.write_text(json.dumps(scenario))
        done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @staticmethod
    def expected(time, name, instance, summary):
        action = next(re.search(r'\n          action: "(.*)"', entry).group(1) for rule, _, entry in rules() if rule == name)
        return {"eval_time": time, "alertname": name, "exp_alerts": [{
            "exp_labels": {"severity": "page", "job": "roomd", "instance": instance},
            "exp_annotations": {"summary": summary, "action": action}}]}

    def test_the_scrape_of_the_readme_is_one_that_is_answered(self):
        target = re.search(r'targets: \["([^"]+)"\]', (FOLDER / "README.md").read_text()).group(1)
        address = metrics_address(self.start())
        self.assertEqual(get(address, "/metrics", fields=f"Host: {target}\r\n")[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
