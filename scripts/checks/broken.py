"""The repository with one fault in memory, for the checks' own tests."""

import copy
import typing
import unittest

from .tree import Tree, kinds, pods

SOUND = Tree()


class Broken(Tree):
    """The repository with documents and texts that a test may change."""

    def __init__(self):
        super().__init__()
        self.files = SOUND.files
        self.kustomized = dict(SOUND.kustomized)
        self.builds = copy.deepcopy(SOUND.builds)
        self.monitoring = copy.deepcopy(SOUND.monitoring)
        self.texts = {}

    def text(self, path):
        return self.texts[path] if path in self.texts else super().text(path)

    def exists(self, path):
        return path in self.texts or super().exists(path)

    def replace(self, path, old, new):
        """Replaces the first occurrence of a text; fails when the file does not contain the text."""
        before = self.text(path)
        assert old in before, f"{path} has no {old!r}: the test must follow the file"
        self.texts[path] = before.replace(old, new, 1)

    def one(self, kind, name=None):
        """A document of the base or of the monitoring."""
        documents = [*self.builds["k8s"], *self.monitoring]
        return next(one for one in kinds(documents, kind) if name in (None, one["metadata"]["name"]))

    def pod(self, name="downscale"):
        """Template and first container of a Deployment of the base."""
        ((_, template),) = pods([self.one("Deployment", name)])
        return template, template["spec"]["containers"][0]

    def environment(self, name, value, of="downscale"):
        _, container = self.pod(of)
        container["env"] = [one for one in container.get("env", []) if one["name"] != name]
        container["env"].append({"name": name, **value})


class Complaints(unittest.TestCase):
    before: typing.ClassVar = {}

    def assertFound(self, check, change, *expected):
        """Fails unless `change` makes the check report a new problem that contains all `expected` texts."""
        tree = Broken()
        change(tree)
        if check not in self.before:
            self.before[check] = set(check(SOUND))
        new = set(check(tree)) - self.before[check]
        self.assertTrue(
            any(all(part in problem for part in expected) for problem in new), f"not found: {expected}; found: {new}"
        )
