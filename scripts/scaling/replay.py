"""Replays arrivals through queues, pods and the autoscaler as a sequence of events. The same seed gives the same run.

A film in parts is made by the pod that has its task and by idle pods, and loses one part at a hand-over.

Not modelled: the delays of the broker and the pull (milliseconds, or up to a second for the batch lane of idle
workers), the start of nodes, failures of tasks, and the time to plan and join a film.
"""

import collections
import dataclasses
import heapq
import itertools
import random

from scaling import hpa
from scaling.settings import LANES, PARTS

# worker/src/lanes.rs: the order of the queues, and those of the first and second of five pulls
TURNS, ORDER = 5, ("interactive", PARTS, "batch")
ORDERS = {0: ("batch", "interactive", PARTS), 1: (PARTS, "interactive", "batch")}
OFFERED = (16, 128)  # worker-scale/src/parts/board.rs: a quarter of a film's parts is offered, within these bounds
# Assumed seconds from the request of a replica to its first pull: scheduling, pulling the image, loading the model.
START = (10, 40)
NOTICE = 30  # Seconds before a spot machine is taken away, as most providers give


@dataclasses.dataclass(eq=False)
class Pod:
    born: float
    ready: bool = False
    stopping: bool = False
    turn: int = 0
    running: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(eq=False)
class Film:
    """A task that has begun. `lead` is the work of the pod that has it, if one has."""

    task: object
    left: int  # Parts that no pod makes or has made.
    seconds: float  # The time for a part.
    made: int = 0
    lead: object = None


@dataclasses.dataclass(eq=False)
class Work:
    """The work of a slot: the task of a film, one part after another, or one part of a film that another pod has."""

    film: Film
    is_lead: bool = False
    since: float = 0.0
    pod: object = None
    turn: int = 0
    began: object = None  # The time at which the part began; None while it waits for other pods.


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
    def __init__(self, settings, tasks, seed=1, start=START, outages=(), until=0, spot=None):
        """`spot`: seconds after which a pod is taken away on average, with a notice of NOTICE seconds."""
        self.settings, self.tasks, self.start, self.outages, self.until = settings, tasks, start, outages, until
        self.spot = spot
        self.chance = random.Random(seed)
        self.keda = hpa.Keda(settings)
        self.hpa = hpa.Hpa(settings.least, settings.most, settings.up, settings.down)
        self.queues = {lane: collections.deque() for lane in LANES}
        self.pods, self.left, self.events, self.order = [], len(tasks), [], itertools.count()
        self.films, self.unled = [], []  # Films that a pod has, in their order; films that wait for one again
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
        while free and (any(self.queues.values()) or self.offers()):
            pod = self.chance.choice(free)
            self.pull(pod)
            free = [pod for pod in free if self.may_pull(pod)]

    def may_pull(self, pod):
        return pod.ready and not pod.stopping and len(pod.running) < self.settings.slots

    def pull(self, pod):
        pod.turn = (pod.turn + 1) % TURNS
        for source in ORDERS.get(pod.turn, ORDER):
            if source == PARTS and self.offers():
                self.work(pod, Work(next(film for film in self.films if film.left)))
                return
            if source != PARTS and self.queues[source]:
                self.begin(pod, self.queues[source].popleft())
                return

    def offers(self):
        return sum(min(film.left, max(OFFERED[0], min(film.task.parts // 4, OFFERED[1]))) for film in self.films)

    def begin(self, pod, task):
        task.attempts += 1
        film = next((film for film in self.unled if film.task is task), None)
        if film:
            self.unled.remove(film)
        else:
            # The slots of a pod share its processors.
            seconds = task.cpu * self.settings.slots / self.settings.cpus + task.other
            film = Film(task, task.parts, seconds / task.parts)
        film.lead = Work(film, is_lead=True, since=self.now)
        self.films.append(film)
        if film.made == task.parts:
            self.finish(film, pod)
        else:
            self.work(pod, film.lead)

    def work(self, pod, work):
        """Makes the next part of the film; the worker of the task waits for those of others when none is left."""
        if work not in pod.running:
            pod.running.append(work)
        work.pod, work.turn, work.began = pod, work.turn + 1, None
        if work.film.left:
            work.film.left -= 1
            work.began = self.now
            self.at(self.now + work.film.seconds, self.made, work, work.turn)

    def made(self, work, turn):
        film, pod = work.film, work.pod
        if work.turn != turn or work not in pod.running:
            return  # The part was handed over before its end.
        film.made += 1
        film.task.service += film.seconds
        if film.made == film.task.parts and film.lead:
            self.finish(film, film.lead.pod)
        elif work.is_lead:
            self.work(pod, work)
        if not work.is_lead:
            self.leave(pod, work)
        self.feed()

    def finish(self, film, pod):
        film.task.finished = self.now
        film.task.held += self.now - film.lead.since
        self.left -= 1
        self.films.remove(film)
        self.leave(pod, film.lead)

    def leave(self, pod, work):
        if work in pod.running:
            pod.running.remove(work)
        if pod.stopping and not pod.running:
            self.remove(pod)

    # Pods

    def add(self, now, ready=False):
        pod = Pod(now, ready)
        self.pods.append(pod)
        if self.spot:
            self.at(now + self.chance.expovariate(1 / self.spot), self.take_away, pod)
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
            self.stop(pod, self.settings.drain)

    def take_away(self, pod):
        """The machine of the pod goes, and the ReplicaSet starts another pod at once."""
        if pod in self.pods and not pod.stopping:
            self.stop(pod, min(self.settings.drain, NOTICE))
            self.add(self.now)

    def stop(self, pod, drain):
        """SIGTERM: the pod pulls no more tasks, and running tasks may end within the drain."""
        pod.stopping = True
        if not pod.running:
            self.remove(pod)
        else:
            self.at(self.now + drain, self.hand_over, pod)

    def hand_over(self, pod):
        """The drain has expired: its tasks return to the front of the queue, and the parts in work start again."""
        if pod not in self.pods:
            return
        for work in pod.running:
            film, task = work.film, work.film.task
            self.outcome.handovers += 1
            if work.began is not None:
                self.outcome.wasted += self.now - work.began
                film.left += 1
            if work.is_lead:
                # Finished parts are saved.
                task.held += (self.now - work.since) if film.made else 0
                film.lead = None
                self.films.remove(film)
                self.unled.append(film)
                self.queues[task.lane].appendleft(task)
            elif film.lead and film.lead.began is None:
                self.work(film.lead.pod, film.lead)
        pod.running = []
        self.remove(pod)
        self.feed()

    # Autoscaling

    def lags(self):
        """num_pending + num_ack_pending of each queue; None while the broker does not answer."""
        if any(begin <= self.now < end for begin, end in self.outages):
            return None
        lags = {lane: len(queue) for lane, queue in self.queues.items()}
        lags[PARTS] = self.offers()
        for pod in self.pods:
            for work in pod.running:
                lags[work.film.task.lane if work.is_lead else PARTS] += 1
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
        total = None if lags is None else sum(lags.values())  # In KEDA a trigger activates by its own value.
        count = self.keda.poll(self.now, total, self.replicas())
        if count != self.replicas():
            self.scale(count)
        self.at(self.now + self.settings.polling, self.poll)
