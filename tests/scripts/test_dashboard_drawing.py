#!/usr/bin/env python3
"""The picture of a dashboard."""
import json
import math
import pathlib
import sys
import unittest
import xml.etree.ElementTree as ElementTree

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "scripts"))

import dashboard_drawing as drawing  # noqa: E402


def texts(picture):
    return [element.text for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]


class Picture(unittest.TestCase):
    def setUp(self):
        self.dashboard = json.loads((SOURCE / "packaging" / "grafana" / "operations.json").read_text(encoding="utf-8"))
        self.panels = [panel for panel in self.dashboard["panels"] if panel["type"] != "row"]

    def draw(self, answers):
        return drawing.draw(self.dashboard, answers, (100, 160), "a test")

    def test_every_panel_is_drawn_or_named_as_missing(self):
        points = [(100, 0), (130, 7), (160, 3)]
        everything = texts(self.draw({panel["id"]: [("one", points), ("two", points)] for panel in self.panels}))
        for panel in self.panels:
            self.assertTrue([each for each in everything if each and each.rstrip("…") in panel["title"]], panel["title"])
        nothing = " ".join(filter(None, texts(self.draw({}))))
        self.assertIn("Without data in this run: ", nothing)
        for panel in self.panels:
            self.assertTrue(panel["type"] == "stat" or panel["title"] in nothing, panel["title"])

    def test_names_cannot_become_markup(self):
        panel = next(panel for panel in self.panels if panel["type"] == "timeseries")
        picture = self.draw({panel["id"]: [('<script>"&', [(100, 1), (160, 2)])]})
        self.assertIn('<script>"&', texts(picture))
        self.assertNotIn("<script", picture)

    def test_odd_numbers(self):
        panel = next(panel for panel in self.panels if panel["type"] == "timeseries")
        for values in ([0], [math.nan], [math.inf, 1], [-1, 0], [1e-300], [1e300], [5, math.nan, 7]):
            ElementTree.fromstring(self.draw({panel["id"]: [("one", list(zip(range(100, 160), values)))]}))

    def test_numbers_have_their_units(self):
        for value, unit, said in ((0.5, "percentunit", "50 %"), (90, "s", "90 s"), (7200, "s", "2 h"), (3.2e8, "s", "3704 d"),
                                  (0.02, "s", "20 ms"), (0, "s", "0 s"), (2048, "bytes", "2 KiB"), (1500, "short", "1.5 k"),
                                  (3, "eps", "3 events/s"), (7, "", "7")):
            self.assertEqual(said, drawing.number(value, unit))


if __name__ == "__main__":
    unittest.main(verbosity=2)
