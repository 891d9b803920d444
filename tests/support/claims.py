"""Tables that say which tests hold up which demand: `row :: references`, one a line, in a docstring.

A reference is `file.Class.test` for a test of the real binaries, or 'words' in quotes for the name of a unit test, a test of
media or a scenario of the simulator. `row -- reason` is a demand that does not apply here.
"""

import importlib
import pathlib
import re

from support.media import ROOT


def rows(text):
    """[(name, references or None)] of a docstring's indented table lines."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    found = []
    for line in lines:
        if " :: " in line:
            found.append(tuple(line.split(" :: ", 1)))
        elif " -- " in line:
            found.append((line.split(" -- ", 1)[0], None))
    return found


def check_references(case, table):
    """Fails `case` for every reference that names no test."""
    sources = "\n".join(path.read_text(errors="replace") for part in ("unit", "sim", "media")
                        for path in pathlib.Path(ROOT / "tests" / part).rglob("*.cpp"))
    # Long names are wrapped into several literals.
    sources = re.sub(r'"\s*\n\s*"', "", sources)
    for name, references in table:
        for reference in re.findall(r"""'[^']+'|"[^"]+"|[\w.]+""", references or ""):
            with case.subTest(row=name, reference=reference):
                if reference[0] in "'\"":
                    case.assertIn(f'"{reference[1:-1]}"', sources)
                else:
                    module, owner, test = reference.split(".")
                    case.assertTrue(hasattr(getattr(importlib.import_module(f"integration.test_{module}"), owner), test))
