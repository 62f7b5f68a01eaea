"""Replays arrivals through queues, pods and the autoscaler as a sequence of events. The same seed gives the same run.

Not modelled: the delays of the broker and the pull (milliseconds, or up to a second for the batch lane of idle
workers), the start of nodes, and failures of tasks.
"""

import collections
import dataclasses
import heapq
import itertools
import random

from scaling import hpa
from scaling.settings import LANES

BATCH_TURN = 5  # worker/src/lanes.rs: every fifth pull begins with the batch lane
# Assumed seconds from the request of a replica to its first pull: scheduling, pulling the image, loading the model.
START = (10, 40)


@dataclasses.dataclass(eq=False)
class Pod:
    born: float
    ready: bool = False
    stopping: bool = False
    turn: int = 0
    running: dict = dataclasses.field(default_factory=dict)  # id of a task -> (task, time of its start)


@dataclasses.dataclass
class Outcome:
    """The result of a replay. `series`: (time, depth, running tasks, replicas, pods that start, work or drain)."""

    series: list
    tasks: list
    pod_seconds: float = 0.0
    wasted: float = 0.0
    handovers: int = 0
    started: int = 0


class Replay:
    def __init__(self, settings, tasks, seed=1, start=START, outages=(), until=0):
        self.settings, self.tasks, self.start, self.outages, self.until = settings, tasks, start, outages, until
        self.chance = random.Random(seed)
        self.keda = hpa.Keda(settings)
        self.hpa = hpa.Hpa(settings.least, settings.most, settings.up, settings.down)
        self.queues = {lane: collections.deque() for lane in LANES}
        self.pods, self.left, self.events, self.order = [], len(tasks), [], itertools.count()
        self.history = collections.deque()  # Values of the metric, back to the age at which the autoscaler sees them
        self.outcome = Outcome([], tasks)

    def at(self, time, what, *args):
        heapq.heappush(self.events, (time, next(self.order), what, args))

    def run(self):
        for _ in range(self.settings.least):
            self.add(0, ready=True)
        for task in self.tasks:
            self.at(task.arrival, self.arrive, task)
        self.at(0, self.sync)
        self.at(self.settings.polling / 2, self.poll)
        while self.events:
            self.now, _, what, args = heapq.heappop(self.events)
            what(*args)
            if not self.left and self.now >= self.until and self.settled():
                break
        for pod in self.pods:
            self.outcome.pod_seconds += self.now - pod.born
        return self.outcome

    def settled(self):
        return len(self.pods) == self.replicas() <= self.settings.least

    def replicas(self):
        return sum(not pod.stopping for pod in self.pods)

    # Tasks

    def arrive(self, task):
        self.queues[task.lane].append(task)
        self.feed()

    def feed(self):
        """Pods with a free slot pull, in random order."""
        free = [pod for pod in self.pods if self.may_pull(pod)]
        while free and any(self.queues.values()):
            pod = self.chance.choice(free)
            self.begin(pod, self.pull(pod))
            free = [pod for pod in free if self.may_pull(pod)]

    def may_pull(self, pod):
        return pod.ready and not pod.stopping and len(pod.running) < self.settings.slots

    def pull(self, pod):
        pod.turn = (pod.turn + 1) % BATCH_TURN
        order = LANES if pod.turn else LANES[::-1]
        return next(self.queues[lane] for lane in order if self.queues[lane]).popleft()

    def begin(self, pod, task):
        task.attempts += 1
        # The slots of a pod share its processors.
        task.service = task.cpu * self.settings.slots / self.settings.cpus + task.other
        pod.running[id(task)] = (task, self.now)
        self.at(self.now + task.service, self.finish, pod, task, task.attempts)

    def finish(self, pod, task, attempt):
        if task.attempts != attempt or id(task) not in pod.running:
            return  # The task was handed over before its end.
        del pod.running[id(task)]
        task.finished = self.now
        self.left -= 1
        if pod.stopping and not pod.running:
            self.remove(pod)
        self.feed()

    # Pods

    def add(self, now, ready=False):
        pod = Pod(now, ready)
        self.pods.append(pod)
        if not ready:
            self.at(now + self.chance.uniform(*self.start), self.become_ready, pod)

    def become_ready(self, pod):
        pod.ready = True
        self.feed()

    def remove(self, pod):
        if pod in self.pods:
            self.pods.remove(pod)
            self.outcome.pod_seconds += self.now - pod.born

    def scale(self, count):
        present = [pod for pod in self.pods if not pod.stopping]
        for _ in range(count - len(present)):
            self.add(self.now)
            self.outcome.started += 1
        # The ReplicaSet removes pods that are not ready first. It does not know which others are busy.
        self.chance.shuffle(present)
        present.sort(key=lambda pod: pod.ready)
        for pod in present[: max(0, len(present) - count)]:
            self.stop(pod)

    def stop(self, pod):
        """SIGTERM: the pod pulls no more tasks, and running tasks may end within the drain."""
        pod.stopping = True
        if not pod.running:
            self.remove(pod)
        else:
            self.at(self.now + self.settings.drain, self.hand_over, pod)

    def hand_over(self, pod):
        """The drain has expired: its tasks return to the front of the queue and start again."""
        for task, started in pod.running.values():
            self.outcome.wasted += self.now - started
            self.outcome.handovers += 1
            task.service = 0
            self.queues[task.lane].appendleft(task)
        pod.running = {}
        self.remove(pod)
        self.feed()

    # Autoscaling

    def lags(self):
        """num_pending + num_ack_pending of each lane; None while the broker does not answer."""
        if any(begin <= self.now < end for begin, end in self.outages):
            return None
        lags = {lane: len(queue) for lane, queue in self.queues.items()}
        for pod in self.pods:
            for task, _ in pod.running.values():
                lags[task.lane] += 1
        return lags

    def sync(self):
        current = self.replicas()
        # KEDA's metrics server queries the broker at every request of the HPA, which requests no metric at 0 replicas.
        self.history.append((self.now, self.lags()))
        while len(self.history) > 1 and self.history[1][0] <= self.now - self.settings.delay:
            self.history.popleft()
        metrics = self.keda.metrics(self.history[0][1], current) if current else []
        self.scale(self.hpa.step(self.now, current, metrics))
        running = sum(len(pod.running) for pod in self.pods)
        depth = sum(map(len, self.queues.values())) + running
        self.outcome.series.append((self.now, depth, running, self.replicas(), len(self.pods)))
        self.at(self.now + hpa.SYNC, self.sync)

    def poll(self):
        lags = self.lags()
        total = None if lags is None else sum(lags.values())
        count = self.keda.poll(self.now, total, self.replicas())
        if count != self.replicas():
            self.scale(count)
        self.at(self.now + self.settings.polling, self.poll)
