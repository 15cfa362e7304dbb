"""Modules that claim to be pure are pure, and each type name stands for one thing."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"bigred_agent": ROOT / "agent", "bigred_server": ROOT / "server"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package, folder in PACKAGES.items():
        for file in sorted((folder / package).rglob("*.py")):
            name = ".".join(file.relative_to(folder).with_suffix("").parts)
            yield name.removesuffix(".__init__"), ast.parse(file.read_text(encoding="utf-8"))


PURE = [
    name
    for name, tree in modules()
    if re.search(r"\bpure\b", ast.get_docstring(tree) or "", re.IGNORECASE)
]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True)


def effects() -> list[str]:
    """Name the effects that the rule about pure packages forbids."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    [rule] = [one for one in contracts if one["name"].startswith("A pure package")]
    forbidden: list[str] = rule["forbidden_modules"]
    return [name for name in forbidden if not name.startswith("bigred_")]


@pytest.mark.parametrize("module", PURE)
def test_a_module_that_claims_to_be_pure_is_under_the_rule(
    graph: grimp.ImportGraph, module: str
) -> None:
    for effect in effects():
        if effect in graph.modules:
            chain = graph.find_shortest_chain(module, effect, as_packages=True)
            assert chain is None, " -> ".join(chain or ())


def test_type_names_are_unique() -> None:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found[name.split(".")[0], node.name].append(name)
            elif (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and re.fullmatch(r"[A-Z][a-z]\w*", node.targets[0].id)
            ):
                found[name.split(".")[0], node.targets[0].id].append(name)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}
