"""The shipped settings drain a burst in time, follow a day, do not thrash, and leave tasks enough hand-overs."""

import os
import pathlib
import unittest

from scaling import settings, summary, tables

K8S = pathlib.Path(os.environ.get("SCALING_K8S", settings.ROOT / "k8s"))
HANDOVERS = 100  # HANDOVER_LIMIT in worker/src/tally.rs: a handover uses up no attempt
BURST_HOURS = 2


def faults_in_burst(f):
    """The problems of a replay of the burst."""
    if f.drain > 1.25 * f.least_drain + 120:
        yield f"drained after {f.drain:.0f} s; {f.least_drain:.0f} s are possible"
    if f.drain > BURST_HOURS * 3600:
        yield f"drained after {f.drain / 3600:.1f} hours"
    if f.reversals > 1:
        yield f"up, down and up again: {f.reversals} reversals"
    if f.wasted_minutes * 60 > 0.02 * f.work:
        yield f"{f.wasted_minutes:.0f} pod-minutes lost to handovers"
    if f.most_attempts > HANDOVERS:
        yield "a task was handed over too often"


def faults_in_day(f):
    if f.reversals > 12 * 24:
        yield f"thrashing: {f.reversals} reversals a day"
    if f.wasted_minutes * 60 > 0.02 * f.work:
        yield f"{f.wasted_minutes:.0f} pod-minutes lost to handovers"
    if f.wait_p95 > 120:
        yield f"95 % of the tasks wait up to {f.wait_p95:.0f} s"
    if f.most_attempts > HANDOVERS:
        yield "a task was handed over too often"


class Shipped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shipped = settings.shipped(K8S)

    def faults(self, scenario, judge, change=None, **options):
        """The faults by stage, for the stages that have faults."""
        done = scenario(self.shipped, change, **options)
        found = {stage: list(judge(f)) for stage, (_, _, f) in done.items()}
        return {stage: faults for stage, faults in found.items() if faults}

    def test_the_burst(self):
        self.assertEqual(self.faults(summary.burst, faults_in_burst), {})

    def test_the_day(self):
        self.assertEqual(self.faults(summary.day, faults_in_day), {})

    def test_another_seed(self):
        self.assertEqual(self.faults(summary.burst, faults_in_burst, seed=7), {})

    def test_broken_settings_are_noticed(self):
        """The checks above can fail: each of these settings violates one check."""
        slow = settings.rules({"policies": [{"type": "Pods", "value": 1, "periodSeconds": 600}]}, 0, [])
        for judge, scenario, change, stage in [
            (faults_in_burst, summary.burst, {"up": slow}, "scale"),
            (faults_in_burst, summary.burst, {"most": 3}, "scale"),
            (faults_in_burst, summary.burst, {"target": 100}, "scale"),
            (faults_in_day, summary.day, {"window": 0}, "scale"),
            (faults_in_day, summary.day, {"drain": 5, "window": 0}, "subtitle"),
            (faults_in_day, summary.day, {"target": 10}, "scale"),
        ]:
            with self.subTest(change):
                found = self.faults(scenario, judge, lambda s, change=change: s.but(**change))
                self.assertIn(stage, found)

    def test_both_ways_say_the_same(self):
        """KEDA's objects and the HPAs of the overlay without KEDA, which have no fallback."""
        alone = settings.adapter(K8S)
        self.assertEqual(alone, {stage: s.but(fallback=None) for stage, s in self.shipped.items()})
        done = summary.burst(alone, lambda s: s.but(delay=45))
        self.assertEqual({stage: list(faults_in_burst(f)) for stage, (_, _, f) in done.items()},
                         {stage: [] for stage in done})  # fmt: skip

    @unittest.skipIf(K8S != settings.ROOT / "k8s", "the document describes other manifests")
    def test_the_document_says_what_is(self):
        document = tables.DOC.read_text()
        self.assertEqual(document, tables.written(document, self.shipped), "run `make scaling` and commit the document")

    def test_lanes_of_every_stage_are_watched(self):
        for stage, s in self.shipped.items():
            with self.subTest(stage):
                queues = {*settings.LANES, settings.PARTS} if stage == "scale" else set(settings.LANES)
                self.assertEqual({lane for lanes, _ in s.targets for lane in lanes}, queues)


if __name__ == "__main__":
    unittest.main()
