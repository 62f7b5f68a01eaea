"""The formula gives the results of the worked examples in the Kubernetes documentation."""

import unittest
from fractions import Fraction
from types import SimpleNamespace

from scaling import hpa
from scaling.settings import behavior

POLICIES = [{"type": "Pods", "value": 4, "periodSeconds": 60}, {"type": "Percent", "value": 10, "periodSeconds": 60}]


def steps(hpa_, current, metrics, syncs):
    """Replicas after each sync."""
    seen = []
    for number in range(syncs):
        current = hpa_.step(number * hpa.SYNC, current, metrics)
        seen.append(current)
    return seen


def made(least=1, most=100, **given):
    return hpa.Hpa(least, most, *behavior(given))


class Formula(unittest.TestCase):
    def test_worked_examples(self):
        # "if the current metric value is 200m, and the desired value is 100m, the number of replicas will be doubled"
        self.assertEqual(hpa.by_ratio(3, 200, 100), 6)
        # "If the current value is instead 50m, you'll halve the number of replicas"
        self.assertEqual(hpa.by_ratio(6, 50, 100), 3)
        # "skips any scaling action if the ratio is sufficiently close to 1.0 (... 0.1 by default)"
        self.assertEqual([hpa.by_ratio(10, metric, 100) for metric in (91, 109, 89, 111)], [10, 10, 9, 12])

    def test_average_value_is_the_same_formula(self):
        for current in range(1, 30):
            for total in range(60):
                total = Fraction(total)
                self.assertEqual(hpa.by_average(current, total, 2), hpa.by_ratio(current, total / current, 2))

    def test_several_metrics(self):
        self.assertEqual(hpa.largest(4, [(3, 1), (8, 1)]), 8)
        self.assertEqual(hpa.largest(4, [(None, 1), (2, 1)]), 4)  # "scaling is skipped"
        self.assertEqual(hpa.largest(4, [(None, 1), (9, 1)]), 9)  # "still capable of scaling up"
        self.assertEqual(hpa.largest(4, [(None, 1)]), 4)


class Behavior(unittest.TestCase):
    def test_default_rates(self):
        """4 pods or 100 % every 15 s, the larger of the two."""
        self.assertEqual(steps(made(), 1, [(80, 1)], 6), [5, 10, 20, 40, 80, 80])

    def test_scale_down_of_80(self):
        """From 80 to 10: 8 in the first minute, 7.2 "rounded up to 8" in the next, and 4 a minute below 40."""
        down = {"stabilizationWindowSeconds": 0, "policies": POLICIES}
        seen = steps(made(scaleDown=down), 80, [(10, 1)], 4 * 16)
        self.assertEqual(seen[::4], [72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10, 10, 10])

    def test_min_and_disabled(self):
        down = {"stabilizationWindowSeconds": 0, "policies": POLICIES, "selectPolicy": "Min"}
        self.assertEqual(steps(made(scaleDown=down), 80, [(10, 1)], 5), [76, 76, 76, 76, 72])
        down = {"stabilizationWindowSeconds": 0, "selectPolicy": "Disabled"}
        self.assertEqual(steps(made(scaleDown=down), 80, [(10, 1)], 5), [80] * 5)

    def test_stabilization_takes_the_highest_of_five_minutes(self):
        autoscaler = made()
        self.assertEqual(autoscaler.step(0, 20, [(20, 1)]), 20)
        self.assertEqual([autoscaler.step(at, 20, [(2, 1)]) for at in range(15, 300, 15)], [20] * 19)
        self.assertEqual(autoscaler.step(300, 20, [(2, 1)]), 2)

    def test_scale_up_window_takes_the_lowest(self):
        autoscaler = made(scaleUp={"stabilizationWindowSeconds": 60})
        autoscaler.step(0, 2, [(2, 1)])
        self.assertEqual([autoscaler.step(at, 2, [(6, 1)]) for at in (15, 30, 45, 60)], [2, 2, 2, 6])

    def test_bounds(self):
        self.assertEqual(made(least=2, most=6).step(0, 4, [(50, 1)]), 6)
        self.assertEqual(made(least=2, most=6).step(0, 9, [(50, 1)]), 6)
        self.assertEqual(made(least=2, most=6).step(0, 1, [(0, 1)]), 2)
        self.assertEqual(made(least=0).step(0, 0, [(50, 1)]), 0)


class Keda(unittest.TestCase):
    def setUp(self):
        self.settings = SimpleNamespace(least=0, activation=0, cooldown=300, offered=0.5,
                                        targets=((("interactive",), 2),),
                                        fallback={"failureThreshold": 3, "replicas": 6})  # fmt: skip

    def test_from_zero_and_back(self):
        keda = hpa.Keda(self.settings)
        self.assertEqual([keda.poll(0, 0, 0), keda.poll(30, 1, 0), keda.poll(60, 0, 1)], [0, 1, 1])
        self.assertEqual([keda.poll(330, 0, 1), keda.poll(331, 0, 1)], [1, 0])

    def test_fallback_after_the_threshold(self):
        keda = hpa.Keda(self.settings)
        seen = [keda.metrics(None, 9) for _ in range(4)]
        self.assertEqual(seen, [[(None, 2)]] * 3 + [[(12, 2)]])  # "target metric value * fallback replicas"
        self.assertEqual(keda.metrics({"interactive": 5, "batch": 7}, 9), [(5, 2)])
        self.settings.targets = ((("interactive", "parts"), 2),)
        self.assertEqual(keda.metrics({"interactive": 5, "batch": 7, "parts": 8}, 9), [(5 + 8 / 2, 2)])
        self.settings.targets = ((("interactive",), 2),)
        self.settings.fallback["behavior"] = "currentReplicasIfHigher"
        self.assertEqual([keda.metrics(None, 9) for _ in range(4)][-1], [(18, 2)])


if __name__ == "__main__":
    unittest.main()
