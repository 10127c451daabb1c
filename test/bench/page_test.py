#!/usr/bin/env python3
"""The page as a browser sees it: every chart drawn, nothing thrown, nothing asked of a network.

SAMPLE_PAGE names the program that writes the sample report. Without a browser the test is skipped (exit status 77).
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))

import deadlines  # noqa: E402, F401 (the path has to be known first; no test waits for ever)

BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
BROWSER = next((path for path in map(shutil.which, BROWSERS) if path), None)


class Dom(HTMLParser):
    """What of a page is looked at: the root's attributes, pictures, tables, and all text outside of scripts."""

    def __init__(self, text):
        super().__init__()
        self.root = {}
        self.pictures = []
        self.tables = 0
        self.sections = []
        self.text = []
        self.data = ''
        self._within = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == 'html':
            self.root = attributes
        elif tag == 'svg' and attributes.get('role') == 'img':
            self.pictures.append({'marks': 0, 'desc': '', 'numbers': ''})
        elif tag in ('path', 'rect', 'line') and self.pictures:
            self.pictures[-1]['marks'] += 1
            self.pictures[-1]['numbers'] += ' '.join(str(value) for value in attributes.values())
        elif tag == 'table':
            self.tables += 1
        elif tag == 'section':
            self.sections.append(attributes.get('id'))
        if tag in ('script', 'style', 'noscript', 'desc'):
            self._within.append((tag, attributes))

    def handle_endtag(self, tag):
        if self._within and self._within[-1][0] == tag:
            self._within.pop()

    def handle_data(self, text):
        tag, attributes = self._within[-1] if self._within else (None, {})
        if tag == 'desc':
            self.pictures[-1]['desc'] += text
        elif tag == 'script' and attributes.get('id') == 'data':
            self.data += text
        elif tag is None:
            self.text.append(text)


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='roombench-page-')
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        subprocess.run([os.environ['SAMPLE_PAGE'], cls.folder], check=True, stdout=subprocess.DEVNULL, timeout=60)
        cls.page = os.path.join(cls.folder, 'sample.html')
        cls.browse('--print-to-pdf=' + os.path.join(cls.folder, 'sample.pdf'))
        cls.dom = Dom(cls.browse('--dump-dom'))

    @classmethod
    def browse(cls, *options, width=1200):
        profile = tempfile.mkdtemp(dir=cls.folder)
        done = subprocess.run(
            [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             '--disable-background-networking', '--disable-component-update', '--disable-sync',
             '--host-resolver-rules=MAP * ~NOTFOUND', '--user-data-dir=' + profile, f'--window-size={width},1600',
             *options, 'file://' + cls.page],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=90)
        return done.stdout.decode()

    def test_nothing_was_thrown(self):
        self.assertNotIn('data-error', self.dom.root)

    def test_every_chart_is_drawn_and_told(self):
        # Six costs, one of memory, two of latency, three of growth, one of memory over time.
        self.assertEqual(self.dom.root.get('data-pictures'), '13')
        self.assertEqual(len(self.dom.pictures), 13)
        for picture in self.dom.pictures:
            self.assertGreater(picture['marks'], 2)
            self.assertRegex(picture['desc'], r'roomd.*\d')
            self.assertNotRegex(picture['numbers'], 'NaN|undefined|Infinity')

    def test_tables_stand_beside_the_charts(self):
        self.assertGreaterEqual(self.dom.tables, 13)
        text = ' '.join(self.dom.text)
        self.assertNotRegex(text, r'NaN|undefined|Infinity|\[object|null')
        for expected in ['10 of 11', 'Redis', 'not met', 'incomplete in 1 of 5 runs', 'roombench fanout', '99.9 %',
                         'AMD EPYC 7B13', 'The generator was the bottleneck']:
            self.assertIn(expected, text)

    def test_all_sections_are_there(self):
        self.assertEqual(self.dom.sections, ['glance', 'goals', 'cpu-per-delivery', 'memory-per-idle-connection', 'latency',
                                             'growth', 'memory-over-time', 'runs'])

    def test_the_page_carries_the_json(self):
        with open(os.path.join(self.folder, 'sample.json'), encoding='utf-8') as file:
            self.assertEqual(json.loads(self.dom.data), json.load(file))

    def test_a_phone_draws_as_many(self):
        narrow = Dom(self.browse('--dump-dom', width=500))
        self.assertNotIn('data-error', narrow.root)
        self.assertEqual(len(narrow.pictures), len(self.dom.pictures))

    def test_it_prints(self):
        with open(os.path.join(self.folder, 'sample.pdf'), 'rb') as file:
            document = file.read()
        self.assertTrue(document.startswith(b'%PDF'))
        self.assertGreater(len(re.findall(rb'/Type /Page\b', document)), 4)

    def test_a_mistake_would_be_seen(self):
        with open(self.page, encoding='utf-8') as file:
            text = file.read()
        broken = text.replace('build_page();\n', 'build_page(); missing();\n')
        self.assertNotEqual(broken, text)
        with open(self.page, 'w', encoding='utf-8') as file:
            file.write(broken)
        try:
            self.assertIn('missing', Dom(self.browse('--dump-dom')).root.get('data-error', ''))
        finally:
            with open(self.page, 'w', encoding='utf-8') as file:
                file.write(text)

    def test_the_picture_is_well_formed(self):
        root = xml.parse(os.path.join(self.folder, 'sample.svg')).getroot()
        self.assertEqual(root.tag, '{http://www.w3.org/2000/svg}svg')
        self.assertEqual(len(root.findall('{http://www.w3.org/2000/svg}rect')), 1 + 5 * 4)


if __name__ == '__main__':
    if BROWSER is None:
        print('SKIPPED: no browser here (' + ', '.join(BROWSERS) + '): apt-get install chromium')
        sys.exit(77)
    unittest.main(verbosity=2)
