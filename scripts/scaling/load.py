"""The uploads that are replayed, and the duration of each task, drawn from measurements."""

import dataclasses
import json
import math
import pathlib
import random

TIMES = pathlib.Path(__file__).with_name("service_times.json")
STAGES = ("detect", "scale", "subtitle")
# worker-scale/src/config.rs and parts/cut.rs: seconds of a part, and the least number of parts.
PART_SECONDS, LEAST_PARTS = ((600, 10), (3600, 20), (math.inf, 30)), 3
BATCH_SHARE = 0.2
# Lengths of users' videos, an assumption: lognormal, cut at 30 s and 20 min; the mean is 4 minutes.
MEDIAN_SECONDS, SIGMA, SHORTEST, LONGEST = 180, 0.8, 30, 1200


@dataclasses.dataclass
class Task:
    arrival: float
    lane: str
    cpu: float  # Seconds of one processor, if the threads shared the processors of the pod perfectly.
    other: float  # Seconds of transfers from and to the store.
    parts: int = 1  # A task in one part is done again from its start after a hand-over.
    attempts: int = 0
    finished: float = 0.0
    service: float = 0.0  # Seconds of work of all parts.
    held: float = 0.0  # Seconds in which a pod had the task; in one part, only of the attempt that succeeded.

    @property
    def wait(self):
        """The time from arrival to end in which no pod had the task, or had it in vain."""
        return self.finished - self.arrival - self.held


def measured(path=TIMES):
    """The measured tasks by stage, and the number of processors of that machine."""
    document = json.loads(path.read_text())
    tasks = {stage: [task for task in document["tasks"] if task["stage"] == stage] for stage in STAGES}
    return tasks, document["machine"]["cores"]


def fit(tasks):
    """Least squares of CPU seconds over minutes of video: (seconds a task, seconds a minute)."""
    points = [(task["media_seconds"] / 60, task["cpu_seconds"]) for task in tasks]
    x, y = (sum(values) / len(points) for values in zip(*points))
    slope = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    # The cost of detection does not grow with the length, and noise would make its slope negative.
    slope = min(max(slope, 0), y / x)
    return y - slope * x, slope


class Costs:
    """Draws the cost of a task of one stage.

    It uses CPU seconds, because wall-clock seconds depend on the other programs of the machine.
    """

    def __init__(self, tasks, cores):
        self.fixed, self.slope = fit(tasks)
        # The ratio of each measured task to the line. Contents differ (picture, speech), and draws have that spread.
        self.spread = [task["cpu_seconds"] / self.line(task["media_seconds"]) for task in tasks]
        # Threads wait for each other. The share of the processors that they used: the best measurement, which other
        # programs disturbed least.
        self.shared = min(1, max(task["cpu_seconds"] / task["timings"]["process"] / cores for task in tasks))
        self.io = [(task["timings"]["fetch"] + task["timings"]["store"]) / task["media_seconds"] for task in tasks]

    def line(self, seconds):
        return self.fixed + self.slope * seconds / 60

    def seconds(self, length, cpus):
        """Seconds of a task with ordinary content, including the transfers."""
        return self.line(length) / self.shared / cpus + sum(self.io) / len(self.io) * length

    def draw(self, seconds, chance):
        cpu = self.line(seconds) * chance.choice(self.spread) / self.shared
        return cpu, seconds * chance.choice(self.io)


def costs():
    tasks, cores = measured()
    return {stage: Costs(tasks[stage], cores) for stage in STAGES}


def parts(seconds):
    """The number of parts in which a video of this length is encoded."""
    each = next(length for limit, length in PART_SECONDS if seconds < limit)
    count = int(seconds // each)
    return count if count >= LEAST_PARTS else 1


def uploads(arrivals, seed, in_parts=True):
    """Tasks by stage for uploads at these times; `subtitle` tasks arrive when `detect` ends, see `after`.

    `in_parts=False` gives `scale` one part for each task.
    """
    chance = random.Random(seed)
    cost, made = costs(), {stage: [] for stage in STAGES}
    for arrival in arrivals:
        seconds = length(chance)
        lane = "batch" if chance.random() < BATCH_SHARE else "interactive"
        for stage in STAGES:
            count = parts(seconds) if stage == "scale" and in_parts else 1
            made[stage].append(Task(arrival, lane, *cost[stage].draw(seconds, chance), count))
    return made


def after(tasks, first):
    """The tasks of a stage that waits for another stage: each arrives when the other task finishes."""
    for task, earlier in zip(tasks, first):
        task.arrival = earlier.finished
    return sorted(tasks, key=lambda task: task.arrival)


def burst(count, seconds, seed):
    """Random times of `count` uploads within `seconds`."""
    chance = random.Random(seed)
    return sorted(chance.uniform(0, seconds) for _ in range(count))


def day(count, seed, peaks=((10, 1.5), (20, 2.0)), base=0.25):
    """Random times of `count` uploads in a day: a constant base, and two peaks (hour, width in hours)."""
    chance, times = random.Random(seed), []
    for _ in range(count):
        if chance.random() < base:
            times.append(chance.uniform(0, 86400))
        else:
            hour, width = chance.choice(peaks)
            times.append(chance.gauss(hour, width) * 3600 % 86400)
    return sorted(times)


def mean_seconds(draws=100_000):
    """The mean of the lengths that `uploads` draws."""
    chance = random.Random(1)
    return sum(length(chance) for _ in range(draws)) / draws


def length(chance):
    return min(max(chance.lognormvariate(math.log(MEDIAN_SECONDS), SIGMA), SHORTEST), LONGEST)
