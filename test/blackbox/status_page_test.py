"""The status page as a browser sees it: charts that fill, nothing thrown, nothing asked of anybody but roomd.

The browser is given a proxy for every address, this machine's too, which writes down all that is asked for and passes on
only what is asked of roomd. Without a browser the test is skipped (exit status 77).
"""

import http.client
import http.server
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from html.parser import HTMLParser

from metrics_test import ON, get, metrics_address
from roomd_harness import DaemonTest

BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
# Where the browser itself calls home, whatever it shows.
BROWSERS_OWN = re.compile(r"https?://([\w-]+\.)*(google|googleapis)\.com[:/]")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Dom(HTMLParser):
    """The root's attributes; figures with their title, text and pictures; tiles; tables; the state."""

    def __init__(self, text):
        super().__init__()
        self.root, self.figures, self.tables, self.tiles = {}, [], [], {}
        self.state = self.version = ""
        self._open = []
        self._tile = ""
        self.feed(text)

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        if tag == "html":
            self.root = attributes
        elif tag == "figure":
            self.figures.append({"points": int(attributes.get("data-points", 0)), "title": "", "desc": "", "paths": [],
                                 "text": "", "labelled": False})
        elif self._within("figure"):
            figure = self.figures[-1]
            if tag == "svg" and attributes.get("role") == "img":
                figure["labelled"] = bool(attributes.get("aria-labelledby"))
            elif tag == "path" and not self._within("ul"):
                figure["paths"].append(attributes.get("d", ""))
        elif tag == "table":
            self.tables.append({"label": attributes.get("aria-labelledby"), "text": ""})
        if tag not in VOID:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def _within(self, tag, **wanted):
        return any(name == tag and all(attributes.get(key) == value for key, value in wanted.items())
                   for name, attributes in self._open)

    def handle_data(self, data):
        if self._within("script") or self._within("style"):
            return
        if self._within("figure"):
            place = "title" if self._within("h2") else "desc" if self._within("desc") else "text"
            self.figures[-1][place] += data + ("" if place == "title" else " ")
        elif self._within("table"):
            self.tables[-1]["text"] += data + " "
        elif self._within("b"):
            self._tile = data
        elif self._within("div", **{"class": "tile"}):
            self.tiles[data] = self._tile
        elif self._within("p", id="state"):
            self.state += data
        elif self._within("span", id="version"):
            self.version += data


class Watch(http.server.BaseHTTPRequestHandler):
    """A proxy: `server.roomd` is the only host that exists, `server.change` is done to the page on its way."""

    def do_GET(self):
        self.server.asked.append(self.path)
        host = "http://{}:{}".format(*self.server.roomd)
        if not self.path.startswith(host + "/"):
            self.send_error(502)
            return
        upstream = http.client.HTTPConnection(*self.server.roomd, timeout=20)
        try:
            upstream.request("GET", self.path[len(host):])
            answer = upstream.getresponse()
            body = answer.read()
        except OSError:  # roomd is gone
            self.send_error(502)
            return
        if self.path == host + "/":
            body = self.server.change(body.decode()).encode()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Content-Length", "Connection", "Date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        upstream.close()

    def do_CONNECT(self):
        self.server.asked.append("https://" + self.path)
        self.send_error(502)

    def log_message(self, *_):
        pass


class StatusPageTest(DaemonTest):
    options = ON

    def setUp(self):
        self.daemon = self.start()
        self.address = metrics_address(self.daemon)
        self.people = [self.event(self.daemon, f"p{number}", join="lobby") for number in range(3)]
        self.chatter = threading.Thread(target=self._chat)
        self.over = threading.Event()
        self.chatter.start()
        self.addCleanup(self._hush)

    def _chat(self):
        while not self.over.wait(0.01):
            self.people[0].ask("/say lobby hello", "ok say")

    def _hush(self):
        self.over.set()
        self.chatter.join()

    def browse(self, *options, width=1200, change=lambda page: page, budget_ms=9000):
        """(Dom, everything asked for) after four polls or so. The page's clock runs ahead of ours while nothing is loading."""
        watch = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Watch)
        watch.daemon_threads = True
        watch.roomd, watch.asked, watch.change = self.address, [], change
        thread = threading.Thread(target=watch.serve_forever, daemon=True)
        thread.start()
        profile = tempfile.mkdtemp(prefix="roomd-page-")
        try:
            done = subprocess.run(
                [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
                 "--disable-default-apps", "--no-default-browser-check", f"--virtual-time-budget={budget_ms}",
                 f"--proxy-server=http://127.0.0.1:{watch.server_address[1]}", "--proxy-bypass-list=<-loopback>",
                 "--user-data-dir=" + profile, f"--window-size={width},1400", *options, "--dump-dom",
                 "http://{}:{}/".format(*self.address)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=90)
        finally:
            watch.shutdown()
            thread.join()
            watch.server_close()
            shutil.rmtree(profile, ignore_errors=True)
        return Dom(done.stdout.decode()), watch.asked

    def browse_while_they_talk(self, **options):
        """The page's clock runs ahead of ours: between two polls there may have been no time to say anything."""
        for _ in range(10):
            dom, _ = self.browse(**options)
            if re.search("[1-9]", dom.tiles.get("messages in", "")):
                break
        return dom

    def test_every_chart_has_data_after_two_polls(self):
        for width in (1200, 500):
            dom = self.browse_while_they_talk(width=width)
            with self.subTest(width=width):
                self.assertNotIn("data-error", dom.root)
                self.assertGreaterEqual(int(dom.root["data-polls"]), 2)
                self.assertEqual(dom.state, "serving")
                self.assertRegex(dom.version, r"\d+\.\d+")
                self.assertEqual(len(dom.figures), 9)
                for figure in dom.figures:
                    self.assertGreater(figure["points"], 0, figure["title"])
                    self.assertTrue(figure["labelled"] and figure["title"], figure)
                    self.assertRegex(figure["desc"], r"\d", figure["title"])
                    self.assertTrue(any("L" in path for path in figure["paths"]), figure)
                    text = figure["text"] + figure["desc"] + "".join(figure["paths"])
                    self.assertNotRegex(text, r"NaN|undefined|Infinity|null|\[object")
                self.assertEqual(dom.tiles["connections"], "3")
                self.assertRegex(dom.tiles["messages in"], r"[1-9].*/s")
                self.assertRegex(dom.tables[0]["text"], r"frame 0 0 3 0")

    def test_nothing_is_asked_of_anybody_else(self):
        dom, asked = self.browse()
        self.assertNotIn("data-error", dom.root)
        here = "http://{}:{}".format(*self.address)
        self.assertNotIn(b"google", get(self.address, "/")[2])  # so what is asked of them is not for the page
        strange = [url for url in asked if not BROWSERS_OWN.match(url)]
        self.assertEqual(set(strange), {here + "/", here + "/metrics"})

    def test_what_is_slipped_into_the_page_is_neither_run_nor_loaded(self):
        other = "http://192.0.2.1/"
        slipped = (f'<img src="{other}a.png"><script src="{other}b.js"></script><link rel="stylesheet" href="{other}c.css">'
                   f'<script>document.documentElement.dataset.error = "ran";</script><iframe src="{other}d"></iframe>')
        dom, asked = self.browse(change=lambda page: page.replace("<main>", slipped + "<main>"))
        self.assertFalse([url for url in asked if "192.0.2.1" in url])
        self.assertNotIn("data-error", dom.root)
        self.assertGreaterEqual(int(dom.root["data-polls"]), 2)

    def test_a_mistake_would_be_seen(self):
        dom, _ = self.browse(change=lambda page: page.replace("\npoll();\n", "\npoll();\nmissing();\n"))
        self.assertIn("missing", dom.root.get("data-error", ""))
        dom, _ = self.browse(change=lambda page: re.sub(r"<script nonce=\"\w+\">", "<script nonce=\"other\">", page))
        self.assertNotIn("data-polls", dom.root)

    def test_when_roomd_goes_the_page_says_so(self):
        def stop(page):
            self._hush()
            for person in self.people:
                person.close()
            self.daemon.close()
            return page

        dom, _ = self.browse(change=stop)
        self.assertEqual(dom.state, "no answer")
        self.assertNotIn("data-error", dom.root)

    def test_each_answer_has_a_nonce_of_its_own(self):
        policies = {get(self.address, "/")[1]["content-security-policy"] for _ in range(5)}
        self.assertEqual(len(policies), 5)


if __name__ == "__main__":
    if BROWSER is None:
        print("SKIPPED: no browser here: apt-get install chromium")
        sys.exit(77)
    unittest.main(verbosity=2)
