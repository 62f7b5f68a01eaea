"""Each check of the source code finds the fault in a crate, a folder or a text that was broken on purpose."""

import pathlib
import tempfile
import unittest

from .source import citations, deny, javascript, layers, prose, python, ruff, rust, script, typos, vendored, words
from .tree import ROOT, Tree


class Small(Tree):
    """A tree in memory, with these files alone."""

    def __init__(self, texts=()):
        super().__init__("/nowhere")
        self.texts = dict(texts)
        self.files = sorted(self.texts)

    def text(self, path):
        return self.texts[path]


def crate(files):
    """The edges between the files of a crate `a`, without the folder."""
    tree = Small({f"a/src/{name}": text for name, text in files.items()})
    found = rust.crates(tree, "a").edges()
    return {(start.removeprefix("a/src/"), end.removeprefix("a/src/")) for start, end in found}


def package(name, *normal, dev=()):
    kinds = [*((one, None) for one in normal), *((one, "dev") for one in dev)]
    return {"name": name, "dependencies": [{"name": one, "kind": kind} for one, kind in kinds]}


class Citations(unittest.TestCase):
    def test_names(self):
        sources = {"a/src/b.rs": 'fn one_two_three_four() {}\nconst FIELD: &str = "at_so_many_words";'}
        sound = "`a/src/b.rs`, `a/src/`, `one_two_three_four`, `at_so_many_words`, `other/x.rs`, `image/png`"
        self.assertEqual(list(citations.check(Small({**sources, "README.md": sound}))), [])
        broken = Small({**sources, "docs/x.md": "`a/src/c.rs` `a/tests/` `one_two_three_five`"})
        self.assertEqual(
            list(citations.check(broken)),
            [
                "docs/x.md: a/src/c.rs: no such file or folder",
                "docs/x.md: a/tests/: no such file or folder",
                "docs/x.md: one_two_three_five: no such test or function",
            ],
        )


class Vendored(unittest.TestCase):
    def test_changed(self):
        path = "web/vendor/tus.min.js"

        class Changed(Tree):
            def data(self, name):
                return super().data(name) + (b";" if name == path else b"")

        self.assertEqual(list(vendored.check(Tree())), [])
        (problem,) = vendored.check(Changed())
        self.assertIn(f"{path}: its SHA-256 ", problem)


class Layers(unittest.TestCase):
    def test_edges(self):
        sound = [package("vidp-contract"), package("vidp-api", "vidp-contract", "axum"), package("vidp-engines")]
        self.assertEqual(list(layers.edges(sound)), [])
        cases = [
            (package("vidp-contract", "vidp-api"), "depends on vidp-api, which is the top layer"),
            (
                package("vidp-engines", "vidp-contract"),
                "vidp-engines: depends on vidp-contract; it may depend on no other",
            ),
            (package("vidp", dev=["vidp-api"]), "vidp: depends on vidp-api, which is the top layer"),
            (package("vidp-new"), "vidp-new: the crate has no layer"),
        ]
        for broken, expected in cases:
            others = [one for one in sound if one["name"] != broken["name"]]
            self.assertIn(expected, "\n".join(layers.edges([*others, broken])))
        self.assertEqual(list(layers.edges([*sound, package("vidp", dev=["vidp-contract", "vidp-common"])])), [])

    def test_drivers(self):
        cases = [
            ("vidp-api", "mongodb", "only vidp-faults, vidp-record may"),
            ("vidp-api", "async-nats", "only vidp-common"),
            ("vidp-worker", "aws-sdk-s3", "only vidp-common may"),
            ("vidp-pipeline", "utoipa", "this layer must not know"),
            ("vidp-record", "reqwest", "this layer must not know"),
        ]
        for name, driver, expected in cases:
            self.assertIn(expected, "\n".join(layers.drivers([package(name, driver)])))
            self.assertEqual(list(layers.drivers([package(name, dev=[driver])])), [])
        self.assertEqual(
            list(layers.drivers([package("vidp-record", "mongodb"), package("vidp-common", "aws-sdk-s3")])), []
        )

    def test_circles(self):
        """A circle over three files, and one between a module and its child."""
        graph = {("a", "b"): {"x"}, ("b", "c"): {"y"}, ("c", "a"): {"z"}, ("c", "d"): {"w"}, ("e", "d"): {"v"}}
        self.assertEqual(layers.circles(graph), [{"a", "b", "c"}])
        self.assertEqual(layers.loop({"a", "b", "c"}, graph), ["a", "b", "c", "a"])
        self.assertEqual(layers.circles({("a", "b"): {"x"}, ("b", "c"): {"y"}, ("a", "c"): {"z"}}), [])

    def test_folders_and_files(self):
        names = [f"a/src/f{number}.rs" for number in range(layers.SIDE_BY_SIDE + 1)]
        long = "\n" * (layers.LINES + 1)
        tree = Small({**dict.fromkeys(names, "\n"), "b/src/long.rs": long, "b/src/plan/tests.rs": long})
        self.assertEqual(len(list(layers.folders(tree))), 1)
        self.assertEqual(list(layers.long_files(tree)), ["b/src/long.rs: 401 lines; at most 400 outside tests"])
        tree.files.remove(names[0])
        self.assertEqual(list(layers.folders(tree)), [])


class Imports(unittest.TestCase):
    """Edges of a Rust crate: each case has its files, and the edges that they make."""

    def check(self, expected, **files):
        named = {name.replace("__", "/") + ".rs": text for name, text in files.items()}
        self.assertEqual(crate(named), set(expected))

    def test_declarations_and_re_exports_are_no_edges(self):
        self.check([], lib="mod a;\npub use a::A;\n", a="pub struct A;")
        self.check([("lib.rs", "a.rs")], lib="mod a;\npub use a::A;\npub fn f(_: A) {}\n", a="pub struct A;")
        self.check([("lib.rs", "a.rs")], lib="mod a;\nuse a::A;\n", a="pub struct A;")

    def test_a_child_that_uses_its_parent(self):
        self.check(
            [("a.rs", "a/b.rs"), ("a/b.rs", "a.rs")],
            lib="mod a;",
            a="mod b;\npub struct A;\nfn f() { b::g() }\n",
            a__b="use super::A;\npub fn g() {}\n",
        )

    def test_re_exports_lead_to_the_definition(self):
        self.check(
            [("c.rs", "a/b.rs")],
            lib="mod a;\nmod c;",
            a="mod b;\npub use b::*;\npub struct A;",
            a__b="pub struct B;",
            c="use crate::{a::{self, B as Other}};\nfn f(_: a::B, _: Other) {}",
        )

    def test_paths_without_use(self):
        self.check(
            [("a.rs", "c.rs"), ("c.rs", "a.rs")],
            lib="mod a;\nmod c;",
            a='#[serde(with = "crate::c")]\nfn f() { crate::c::g() }',
            c="pub fn g() { super::a::f() }",
        )

    def test_texts_comments_and_tests_are_no_edges(self):
        self.check(
            [],
            lib="mod a;\nmod c;",
            a='// crate::c::g()\n/// [`crate::c::g`]\nfn f() -> &\'static str { "{ use crate::c::g;" }\n'
            "#[cfg(test)]\nmod tests {\n use crate::c::g;\n fn t() { if true { g() } }\n}\n"
            "#[cfg(test)]\nuse crate::c::g;\n",
            c="pub fn g() {}",
            c__tests="use crate::a::f;",
        )

    def test_macros_and_inline_modules(self):
        self.check(
            [("a.rs", "m.rs"), ("a.rs", "c.rs")],
            lib="#[macro_use]\nmod m;\nmod a;\nmod c;",
            m="#[macro_export]\nmacro_rules! once { () => {} }",
            a="fn f() { crate::once!() }\nmod inner {\n    use super::super::c::C;\n}\n",
            c="pub struct C;",
        )

    def test_a_program_beside_a_library(self):
        self.check([], lib="pub fn f() {}", main="fn main() { a::f() }")

    def test_python_and_javascript(self):
        tree = Small(
            {
                "s/run.py": "import other\nfrom pack import one\nimport json\n",
                "s/other.py": "import run\n",
                "s/pack/__init__.py": "",
                "s/pack/one.py": "from .two import x\n",
                "s/pack/two.py": "x = 1\n",
                "js/a.js": "import { b } from './text/b.js';\nimport x from 'elsewhere';\n",
                "js/text/b.js": "export { a } from '../a.js';\n",
            }
        )
        found = python.edges(tree, "s")
        for edge in (("s/run.py", "s/other.py"), ("s/run.py", "s/pack/one.py"), ("s/pack/one.py", "s/pack/two.py")):
            self.assertIn(edge, found)
        self.assertEqual(layers.circles(found), [{"s/run.py", "s/other.py"}])
        self.assertEqual(layers.circles(script.edges(tree, "js")), [{"js/a.js", "js/text/b.js"}])


class Words(unittest.TestCase):
    def hits(self, path, text):
        return [word for _, word in words.measure(path, text)[1]]

    def test_hits(self):
        cases = [
            ("a.rs", '/// Counts what nobody\n/// is told.\nlet a = "nobody";', ["nobody", "told"]),
            ("a.rs", "//! What it is.\n", ["What … (opens a sentence)"]),
            ("a.rs", "// None of\n// them is here. Whose job this is.", ["of them", "Whose … (opens a sentence)"]),
            ("a.rs", "// Where a claim expires, the job is due.\n// Who may?\n", []),
            ("a.rs", "/// Returns `nobody`.\n/// ```\n/// somebody()\n/// ```\n", []),
            ("a.rs", "let a = 'a'; let b: &'a str = r#\"// nobody\"#; // anew", ["anew"]),
            ("a.py", '"""Nobody."""\na = "nobody"  # whoever\n', ["Nobody", "whoever"]),
            ("a.yaml", "a: 'x # nobody'  # such a\nb: \"# told\"\n", ["such a"]),
            ("a.js", "const a = '// nobody'; // goes on\n/* anew */", ["goes on", "anew"]),
            (
                "a.md",
                "# A\n\nNobody `nobody`\n\n```\nnobody\n```\n| Of a | b |\n",
                ["Nobody", "Of … (opens a sentence)"],
            ),
            ("Makefile", "a: b ## Start anew\n", ["anew"]),
        ]
        for path, text, expected in cases:
            self.assertEqual(self.hits(path, text), expected, text)

    def test_the_limit_holds_and_follows(self):
        tree = Small({"a.md": "one two nobody four five six seven eight nine ten"})
        self.assertIn("100.00 riddling words", "\n".join(words.check(tree, limit=99.9)))
        self.assertIn("a.md:1 nobody", list(words.check(tree, limit=99.9)))
        self.assertEqual(list(words.check(tree, limit=100.2)), [])
        self.assertIn("lower LIMIT", "\n".join(words.check(tree, limit=100.5)))

    def test_lines(self):
        (block,) = prose.blocks("a.rs", "\nfn f() {}\n    /// One.\n    /// Two.\n")
        self.assertEqual([number for number, _ in block], [3, 4])


class Tools(unittest.TestCase):
    """The real tools complain about files that are wrong on purpose, with the repository's own settings."""

    def found(self, check, config, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {config: (ROOT / config).read_text(), **files}.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return "\n".join(check(Tree(folder)))

    def test_typos(self):
        self.assertIn("a.rs:1: mispel", self.found(typos.check, "typos.toml", {"a.rs": "// mispel" + "led\n"}))
        self.assertEqual(self.found(typos.check, "typos.toml", {"a.rs": "// receive\n"}), "")

    def test_ruff(self):
        found = self.found(ruff.check, "ruff.toml", {"a.py": "import os\n", "b.py": "a = [1,2]\n"})
        self.assertIn("F401", found)
        self.assertIn("b.py: run `.engines/tools/ruff format b.py`", found)
        self.assertEqual(self.found(ruff.check, "ruff.toml", {"a.py": "a = [1, 2]\n"}), "")

    def test_javascript(self):
        """A file that is not formatted, and one with an unused variable."""
        sound = "export const a = 1;\n"
        found = self.found(javascript.check, "web/biome.json", {"web/js/a.js": "export const a=1;\n"})
        self.assertIn("web/js/a.js:1: ", found)
        found = self.found(javascript.check, "web/biome.json", {"web/js/a.js": f"{sound}const b = 2;\n"})
        self.assertIn("noUnusedVariables", found)
        self.assertEqual(self.found(javascript.check, "web/biome.json", {"web/js/a.js": sound}), "")

    def test_deny(self):
        """A crate that is not among the wrappers, and a licence that is not in the list."""
        manifest = '[package]\nname = "{}"\nversion = "0.1.0"\nlicense = "{}"\n[lib]\npath = "lib.rs"\n'
        locked = '[[package]]\nname = "{}"\nversion = "0.1.0"\n'
        files = {
            "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["user", "driver"]\n',
            "Cargo.lock": f"version = 4\n{locked.format('mongodb')}{locked.format('user')}dependencies = ['mongodb']\n",
            "user/Cargo.toml": manifest.format("user", "MIT") + '[dependencies]\nmongodb = { path = "../driver" }\n',
            "user/lib.rs": "",
            "driver/Cargo.toml": manifest.format("mongodb", "GPL-3.0-only"),
            "driver/lib.rs": "",
        }
        found = self.found(deny.check, "deny.toml", files)
        self.assertIn("'user = 0.1.0' of banned crate 'mongodb = 0.1.0' was not marked as a wrapper", found)
        self.assertIn("GPL-3.0-only", found)
