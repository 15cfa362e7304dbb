"""The annotated reference with the values of one site; everything else is commented out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bigred_server.settings import toml
from bigred_server.settings.reference import AnnotatedTable, KeyPath, Reference
from bigred_server.settings.site import SiteSurvey, TomlValue, identifiers

# The names in the reference: of its two apps, and of a node of each kind.
_APP, _JENKINS_APP = "shop", "site"
_LOCAL, _REMOTE = "node1", "node2"


@dataclass(frozen=True)
class _Part:
    """A section of the reference, and the path of its table at the site.

    `is_spare`: the site has no such table; it is there as documentation.
    """

    section: AnnotatedTable
    path: KeyPath
    is_spare: bool = False


def tailored(reference: Reference, site: SiteSurvey) -> str:
    """Write the reference for a site; it can be loaded at once."""
    tables, edits = site.tables(), site.edits()
    intro = [f"Bigred's configuration for {toml.origin(site)}, with every key."]
    intro += [*reference.intro[1:], "Check what is marked EDIT."]
    blocks = [[f"# {line}" for line in intro]]
    explained: set[KeyPath] = set()
    for part in _parts(reference.sections, site):
        values = {} if part.is_spare else tables.get(part.path, {})
        if part.section.path not in explained:
            blocks.append(list(_annotated(part, values, {} if part.is_spare else edits)))
        elif values:  # the next node of a kind needs no explanation
            blocks.append([toml.header(part.path)])
            for key, value in values.items():
                blocks[-1] += _comment((), edits.get((*part.path, key)))
                blocks[-1].append(toml.line(key, value))
        explained.add(part.section.path)
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _parts(sections: Sequence[AnnotatedTable], site: SiteSurvey) -> Iterator[_Part]:
    names = {_APP: site.app, _JENKINS_APP: identifiers([site.app, _JENKINS_APP])[1]}
    nodes = [section for section in sections if section.path[2:3] == ("nodes",)]
    for section in sections:
        if section is nodes[0]:
            yield from _nodes(nodes, site)
        if section.path[0] != "apps":
            yield _Part(section, section.path)
        elif section not in nodes:
            yield _Part(section, ("apps", names[section.path[1]], *section.path[2:]))


def _nodes(sections: Sequence[AnnotatedTable], site: SiteSurvey) -> Iterator[_Part]:
    """Give the nodes of the site, and then, as documentation, the kind that it does not have."""
    kinds = {node: _REMOTE if at.host else _LOCAL for node, at in site.nodes.items()}
    first = next(iter(kinds))
    spare = [kind for kind in (_LOCAL, _REMOTE) if kind not in kinds.values()]
    known = [(node, kind, False) for node, kind in kinds.items()]
    for node, kind, is_spare in [*known, *((first, kind, True) for kind in spare)]:
        for section in sections:
            if section.path[3] == kind:
                path = ("apps", site.app, "nodes", node, *section.path[4:])
                yield _Part(section, path, is_spare)


def _annotated(
    part: _Part, values: Mapping[str, TomlValue], edits: Mapping[KeyPath, str]
) -> Iterator[str]:
    section = part.section
    # A table whose keys all have defaults does no harm; one without its required keys would.
    is_set = bool(values) or (section.is_set and not any(key.is_set for key in section.keys))
    yield from _comment(section.comment, edits.get(part.path))
    yield ("" if is_set else "#") + toml.header(part.path)
    for key in section.keys:
        yield from _comment(key.comment, edits.get((*part.path, key.name)))
        if key.name in values:
            yield toml.line(key.name, values[key.name])
        else:
            yield f"#{key.name} = {key.value}"


def _comment(lines: Iterable[str], edit: str | None) -> list[str]:
    return [f"# {line}" for line in (*lines, *([f"EDIT: {edit}"] if edit else []))]
