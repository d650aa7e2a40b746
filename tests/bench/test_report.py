#!/usr/bin/env python3
"""What judges and reports measurements. No program is measured here."""
import contextlib
import copy
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))

from bench import main, measure, report, soak, syslog_ng  # noqa: E402
from bench.figures import timing  # noqa: E402

RUN = {"when": "2026-01-02 03:04 UTC", "mode": "default", "commit": "abc", "processors": "2 × x", "memory_gib": 4,
       "kernel": "6"}


def figure_results():
    figure = measure.Figure("one", "what", "items/s", "peer", measure.Target(0.5))
    row = {**measure.judge(figure, measure.Samples([10, 12, 11], [20, 20, 24])), "run": RUN}
    return {"figures": [row], "sweeps": [], "soak": None}


def curve(*points):
    return [{"x": x, "rate": rate, "cost_us": cost} for x, rate, cost in points]


class Timing(unittest.TestCase):
    def test_equal_times_tell_nothing_apart(self):
        self.assertEqual(timing.told_apart([1, 2, 3], [3, 2, 1]), 0.5)

    def test_a_cut_may_lie_anywhere_and_either_side_may_be_the_slower(self):
        self.assertEqual(timing.told_apart([1, 2, 3], [4, 5, 6]), 1)
        self.assertEqual(timing.told_apart([4, 5, 6], [1, 2, 3]), 1)
        self.assertEqual(timing.told_apart([1, 1, 9, 9], [5, 5, 5, 9]), 0.75)

    def test_events_differ_in_the_user_alone(self):
        for with_object in (False, True):
            sizes = {len(timing.event(7, user, 1000, with_object)) for user in ("u-0", "v-0")}
            self.assertEqual(len(sizes), 1)
            self.assertAlmostEqual(sizes.pop(), 1000, delta=60)


class Judging(unittest.TestCase):
    def test_a_ratio_is_compared_with_the_target(self):
        row = figure_results()["figures"][0]
        self.assertEqual((row["value"], row["baseline_value"], row["ratio"], row["met"]), (11, 20, 0.55, True))
        self.assertAlmostEqual(row["spread_percent"], 100 / 11)

    def test_a_value_without_a_baseline_is_compared_itself(self):
        figure = measure.Figure("memory", "what", "MiB", target=measure.Target(40, at_most=True))
        self.assertTrue(measure.judge(figure, measure.Samples([40]))["met"])
        self.assertFalse(measure.judge(figure, measure.Samples([41]))["met"])

    def test_what_the_run_says_of_the_target_counts(self):
        row = measure.judge(measure.Figure("small", "what", "ms"), measure.Samples([9], target=measure.Target(8, True)))
        self.assertFalse(row["met"])

    def test_linear_growth_is_told_from_worse(self):
        self.assertTrue(measure.judge_growth(curve((1, 100, 5), (10, 100, 5), (100, 10, 50)))["linear"])
        self.assertFalse(measure.judge_growth(curve((1, 100, 5), (10, 1, 500)))["linear"])
        # Step by step each is within the noise; together they are not.
        self.assertFalse(measure.judge_growth(curve((1, 9, 1), (2, 9, 2.4), (4, 9, 5.8), (8, 9, 14)))["linear"])

    def test_a_bend_is_where_the_rate_has_fallen(self):
        judged = measure.judge_growth(curve((0, 100, 5), (10, 120, 5), (100, 85, 6), (1000, 80, 20)))
        self.assertEqual(judged["bend"], 1000)
        self.assertEqual((judged["steepest"]["from"], judged["steepest"]["to"]), (100, 1000))
        self.assertIsNone(measure.judge_growth(curve((1, 50, 5), (2, 100, 5)))["bend"])


class Soaking(unittest.TestCase):
    @staticmethod
    def samples(**growing):
        """An hour of samples; what is named grows by so much over it."""
        flat = {"resident_mib": 50, "descriptors": 40, "wal_mb": 16, "objects_mb": 1, "waiting": 10, "latency_50_ms": 1,
                "latency_99_ms": 4, "cpu_us": 10, "db_mb": 100}
        return [{"minute": i / 2, "delivered": i * 1000,
                 **{key: value + (i % 3) * 0.1 + growing.get(key, 0) * i / 120 for key, value in flat.items()}}
                for i in range(121)]

    def verdicts(self, **growing):
        return {row["name"]: row["flat"] for row in soak.judge(self.samples(**growing))}

    def test_noise_is_flat(self):
        self.assertEqual(set(self.verdicts().values()), {True, None})

    def test_a_leak_is_seen(self):
        self.assertIs(self.verdicts(resident_mib=10)["resident memory"], False)
        self.assertIs(self.verdicts(descriptors=12)["open descriptors"], False)
        self.assertIs(self.verdicts(latency_99_ms=20)["latency, 99 %"], False)

    def test_an_outlier_is_no_growth(self):
        samples = self.samples()
        samples[-1]["resident_mib"] = 500
        self.assertTrue(next(row for row in soak.judge(samples) if row["name"] == "resident memory")["flat"])

    def test_the_database_is_bounded_per_item(self):
        name = "store.db: records and remembered events"
        self.assertIsNone(self.verdicts(db_mb=20)[name])
        self.assertIs(self.verdicts(db_mb=60)[name], False)

    def test_what_must_arrive_is_counted(self):
        self.assertEqual(soak.multiples(1, 10, 10), 1)
        self.assertEqual(soak.multiples(10, 1, 10), 1)
        self.assertEqual(soak.multiples(11, 9, 10), 0)
        self.assertEqual(soak.multiples(7, 1000, 510), sum(i % 510 == 0 for i in range(7, 1007)))

    def test_percentiles_of_a_histogram(self):
        buckets = [(0.001, 50.0), (0.01, 99.0), (float("inf"), 100.0)]
        self.assertAlmostEqual(soak.percentile(buckets, 0.5), 0.001)
        self.assertAlmostEqual(soak.percentile(buckets, 0.99), 0.01)
        self.assertAlmostEqual(soak.percentile(buckets, 1.0), 0.01)
        self.assertIsNone(soak.percentile([(0.1, 0.0)], 0.5))


class Reporting(unittest.TestCase):
    document = "".join(f"text\n<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in report.BLOCKS)

    def test_blocks_are_made_from_the_results(self):
        text = report.with_blocks(self.document, figure_results())
        self.assertIn("| one | 11.0 items/s | 20.0 ±10 % | 0.55 | ≥ 0.5 met | ±9 % |", text)
        self.assertNotIn("old", text)
        self.assertEqual(report.with_blocks(text, figure_results()), text)
        changed = figure_results()
        changed["figures"][0]["value"] = 12
        self.assertNotEqual(report.with_blocks(text, changed), text)

    def test_a_document_without_a_place_is_refused(self):
        with self.assertRaises(measure.BenchError):
            report.with_blocks("<!-- figures -->", figure_results())

    def test_new_results_take_the_places_of_old_ones(self):
        kept, new = figure_results(), copy.deepcopy(figure_results())
        new["figures"][0]["value"] = 99
        new["figures"].append({**new["figures"][0], "figure": "zero"})
        report.merge(kept, new, {"figures": ["zero", "one"], "sweeps": []})
        self.assertEqual([(row["figure"], row["value"]) for row in kept["figures"]], [("zero", 99), ("one", 99)])

    def test_numbers_have_as_many_digits_as_they_are_worth(self):
        self.assertEqual([report.number(value) for value in (None, 0.0123, 4.567, 45.67, 456.7, 45678.9, 1234567.0)],
                         ["–", "0.01", "4.57", "45.7", "457", "45,680", "1,235,000"])

    def test_sweeps_say_how_they_grow(self):
        points = curve((1, 100, 5), (10, 50, 70))
        sweep = {"sweep": "s", "title": "title", "x": "things", "item": "item", "command": "c", "run": RUN,
                 "curves": [{"label": "label", "points": points, **measure.judge_growth(points)}]}
        text = report.sweeps_block({"sweeps": [sweep]})
        self.assertIn("**grows worse than linearly**", text)
        self.assertIn("at 10 it is less than 0.7 of the best before", text)

    def test_the_document_agrees_with_the_results(self):
        self.assertEqual(report.disagreements(), [])


class Declaring(unittest.TestCase):
    def test_names_are_unique(self):
        names = main.ORDER["figures"] + main.ORDER["sweeps"]
        self.assertEqual(len(names), len(set(names)))

    def test_quick_results_stay_out_of_documents(self):
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            main.options(["--quick", "--docs"])

    def test_syslog_ng_is_given_what_the_event_says(self):
        person = "<identifiers><identifier>u-0</identifier><identifier>447700000000</identifier></identifiers>"
        document = ('<?xml version="1.0"?>\n<HI1Message><ActionRequest><Identifier>11-22</Identifier>'
                    f"<ObjectIdentifier>11-22</ObjectIdentifier><d:LIID>LIID-0000000</d:LIID>{person}"
                    "<identifier>r-1</identifier><untyped>u-0</untyped>"
                    "<internationalE164>447700000000</internationalE164><untyped>r-1</untyped>"
                    "<timestamp>t</timestamp><eventId>1</eventId><service>s</service>"
                    "<eventType>e</eventType><time>t</time><received>t</received><conversation><id>c-0</id>"
                    "<kind>direct</kind></conversation><text>words</text><name>status</name><value>sent</value>"
                    "<name>device_id</name><value>d</value></ActionRequest></HI1Message>")
        before, action, after = syslog_ng.template(document)
        self.assertEqual((before, after), ('<?xml version="1.0"?><HI1Message>', "</HI1Message>"))
        self.assertIn("<Identifier>${.e.id}</Identifier><ObjectIdentifier>${.e.id}</ObjectIdentifier>", action)
        self.assertIn("<text>${.e.content.text}</text>", action)
        self.assertNotIn("u-0", action)
        with self.assertRaises(measure.BenchError):
            syslog_ng.template(document.replace("<text>words</text>", ""))


if __name__ == "__main__":
    unittest.main()
