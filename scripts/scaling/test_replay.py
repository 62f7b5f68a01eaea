"""The replay loses no task, repeats one only after a handover, and is determined by its seed."""

import unittest

from scaling.load import Task
from scaling.replay import Replay
from scaling.settings import Settings, behavior


def settings(**changes):
    up, down = behavior({"scaleDown": {"stabilizationWindowSeconds": 0}})
    some = Settings("scale", 1, 10, ((("interactive", "batch"), 1),), up, down, 30, 300, 0, None, 1, 20, 2)
    return some.but(**changes)


def tasks(count=100, cpu=120, every=5):
    """Tasks of three lengths, so that pods end at different times."""
    return [Task(n * every, "batch" if n % 5 == 0 else "interactive", cpu / (1 + n % 3), 0) for n in range(count)]


class Runs(unittest.TestCase):
    def test_every_task_ends_once(self):
        done = Replay(settings(), tasks()).run()
        self.assertTrue(all(task.finished >= task.arrival + task.service - 1e-6 for task in done.tasks))
        self.assertEqual(sum(task.attempts - 1 for task in done.tasks), done.handovers)
        self.assertGreater(done.handovers, 0)
        work = sum(task.service for task in done.tasks) + done.wasted
        self.assertLessEqual(work, done.pod_seconds)

    def test_the_seed_decides(self):
        runs = [Replay(settings(), tasks(), seed=seed).run() for seed in (1, 1, 2)]
        self.assertEqual(runs[0].series, runs[1].series)
        self.assertNotEqual([task.finished for task in runs[0].tasks], [task.finished for task in runs[2].tasks])

    def test_a_drain_longer_than_the_work_wastes_nothing(self):
        done = Replay(settings(drain=600), tasks()).run()
        self.assertEqual((done.handovers, done.wasted), (0, 0))

    def test_a_film_in_parts_is_made_by_idle_pods(self):
        film, alone = Task(0, "interactive", 2000, 0, parts=100), Task(0, "interactive", 2000, 0)
        least = settings(targets=((("interactive", "batch", "parts"), 1),), drain=600)
        shared, one = (Replay(least, [task]).run() for task in (film, alone))
        self.assertAlmostEqual(film.service, alone.service)
        self.assertEqual(shared.wasted, 0)
        # Ten pods at most, which start one after another.
        self.assertLess(film.finished, alone.finished / 5)
        self.assertEqual(max(row[3] for row in one.series), 1)

    def test_a_film_in_parts_loses_one_part_at_a_handover(self):
        films = [Task(n * 5, "interactive", 120, 0, parts=12) for n in range(100)]
        done = Replay(settings(drain=0), films).run()
        self.assertGreater(done.handovers, 3)
        self.assertLessEqual(done.wasted, done.handovers * 5)
        self.assertTrue(all(abs(film.service - 60) < 1e-6 for film in films))
        self.assertTrue(all(film.finished - film.arrival >= film.held - 1e-6 for film in films))
        whole = Replay(settings(drain=0), [Task(film.arrival, film.lane, 120, 0) for film in films]).run()
        self.assertGreater(whole.wasted / whole.handovers, 15)

    def test_every_part_is_made_once_on_spot_machines(self):
        films = [Task(n * 60, "batch", 2000, 0, parts=20) for n in range(20)]
        queues = ((("interactive", "batch", "parts"), 1),)
        done = Replay(settings(targets=queues, offered=0.5), films, spot=300).run()
        self.assertGreater(done.handovers, 10)
        self.assertTrue(all(abs(film.service - 1000) < 1e-6 and film.finished for film in films))

    def test_slots_share_the_processors(self):
        one, two = (Replay(settings(slots=slots, drain=600), tasks(1)).run().tasks[0].service for slots in (1, 2))
        self.assertEqual((one, two), (60, 120))

    def test_every_fifth_pull_is_the_batch_lanes(self):
        waiting = [Task(0, "interactive", 2, 0) for _ in range(16)] + [Task(0, "batch", 2, 0) for _ in range(4)]
        done = Replay(settings(most=1), waiting).run()
        order = sorted(done.tasks, key=lambda task: task.finished)
        self.assertEqual([n for n, task in enumerate(order) if task.lane == "batch"], [4, 9, 14, 19])

    def test_zero_until_something_comes(self):
        replay = Replay(settings(least=0), [Task(1000, "interactive", 20, 0)])
        done = replay.run()
        self.assertEqual([row[3] for row in done.series if row[0] <= 1000], [0] * 67)
        self.assertEqual((replay.pods, done.started), ([], 1))
        # Polled within 30 s, a pod within 40 s, the work of 10 s.
        self.assertLess(done.tasks[0].finished, 1000 + 30 + 40 + 10 + 1)


if __name__ == "__main__":
    unittest.main()
