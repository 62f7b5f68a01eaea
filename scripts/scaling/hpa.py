"""The Kubernetes HorizontalPodAutoscaler for external metrics, as documented, and KEDA's scaling between 0 and 1.

Sources: https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/ ("Algorithm details",
"Configurable scaling behavior") and https://keda.sh/docs/latest/reference/scaledobject-spec/. Times are seconds.
"""

import math

from scaling.settings import PARTS

TOLERANCE = 0.1  # --horizontal-pod-autoscaler-tolerance
SYNC = 15  # --horizontal-pod-autoscaler-sync-period


def by_ratio(current, metric, target, tolerance=TOLERANCE):
    """desiredReplicas = ceil[currentReplicas * ( currentMetricValue / desiredMetricValue )]"""
    ratio = metric / target
    return current if abs(1 - ratio) <= tolerance else math.ceil(current * ratio)


def by_average(current, total, target, tolerance=TOLERANCE):
    """The same for a target of type AverageValue. The metric is the total divided by the replicas, which cancel out."""
    if abs(1 - total / (target * current)) <= tolerance:
        return current
    return math.ceil(total / target)


def largest(current, metrics, tolerance=TOLERANCE):
    """The largest count of several metrics (total, target). A missing metric prevents a scale-down."""
    counts = [by_average(current, total, target, tolerance) for total, target in metrics if total is not None]
    if not counts or (len(counts) < len(metrics) and max(counts) < current):
        return current
    return max(counts)


class Hpa:
    """One autoscaler and its history. `up` and `down` are the two halves of `behavior`, see settings.Rules."""

    def __init__(self, least, most, up, down):
        # For a minimum of 0, KEDA creates an HPA with 1 and does the last step itself.
        self.least, self.most, self.up, self.down = max(1, least), most, up, down
        self.recommended, self.changes = [], []  # (time, replicas), (time, difference)

    def step(self, now, current, metrics):
        """Returns the new number of replicas; called once in each sync period."""
        if current == 0:
            return 0  # "Implicit maintenance-mode deactivation"
        if not self.least <= current <= self.most:
            new = min(max(current, self.least), self.most)
        else:
            new = self.limited(now, current, self.stabilized(now, current, largest(current, metrics)))
        if new != current:
            self.changes.append((now, new - current))
        return new

    def stabilized(self, now, current, wanted):
        """Limits a rise to the lowest recommendation of the up window, a fall to the highest of the down window."""
        self.recommended.append((now, wanted))
        window = max(self.up.window, self.down.window)
        self.recommended = [(at, count) for at, count in self.recommended if at > now - window] or [(now, wanted)]
        lowest = min([wanted, *(count for at, count in self.recommended if at > now - self.up.window)])
        highest = max([wanted, *(count for at, count in self.recommended if at > now - self.down.window)])
        return min(max(current, lowest), highest)

    def limited(self, now, current, wanted):
        """Limits a change by the policies of its direction, and by the minimum and maximum."""
        if wanted > current:
            allowed = max(current, self.allowed(now, current, self.up, 1))
            return min(wanted, self.most, allowed)
        if wanted < current:
            allowed = min(current, self.allowed(now, current, self.down, -1))
            return max(wanted, self.least, allowed)
        return current

    def allowed(self, now, current, rules, sign):
        if rules.select == "Disabled":
            return current
        bounds = []
        for policy in rules.policies:
            changed = sum(change for at, change in self.changes if at > now - policy.period)
            start = current - changed  # Replicas at the start of the policy's period.
            if policy.type == "Pods":
                bounds.append(start + sign * policy.value)
            else:
                share = start * (1 + sign * policy.value / 100)
                # Rounded so that both directions change by at least the percentage.
                bounds.append(math.ceil(share) if sign > 0 else int(share))
        most_change = (max if sign > 0 else min) if rules.select == "Max" else (min if sign > 0 else max)
        return most_change(bounds)


class Keda:
    """KEDA's own part: from 0 to 1 and back, and the fallback while the metric cannot be read."""

    def __init__(self, settings):
        self.settings, self.failures, self.active_at = settings, 0, -math.inf

    def poll(self, now, lag, current):
        """Returns the replicas that KEDA sets, or the present number; called every pollingInterval."""
        if lag is None:
            return current
        if lag > self.settings.activation:
            self.active_at = now
            return max(1, self.settings.least) if current == 0 else current
        if self.settings.least == 0 and now - self.active_at > self.settings.cooldown:
            return 0
        return current

    def metrics(self, lags, current):
        """A (total, target) for each metric of the HPA; `lags` by lane, or None while the broker does not answer."""
        targets = self.settings.targets
        if lags is None:
            self.failures += 1
            fallback = self.settings.fallback
            if fallback and self.failures > fallback["failureThreshold"]:
                return [(self.fallen_back(fallback, current) * target, target) for _, target in targets]
            return [(None, target) for _, target in targets]
        self.failures = 0
        counts = {**lags, PARTS: lags.get(PARTS, 0) * self.settings.offered}
        return [(sum(counts[lane] for lane in lanes), target) for lanes, target in targets]

    @staticmethod
    def fallen_back(fallback, current):
        count = fallback["replicas"]
        kinds = {"currentReplicas": current, "currentReplicasIfHigher": max(current, count),
                 "currentReplicasIfLower": min(current, count)}  # fmt: skip
        return kinds.get(fallback.get("behavior", "static"), count)
