"""A JVM's resource usage, parsed from an answer of the Manager's JMX proxy: pure.

One query of java.lang:* returns all of it, in blocks of "name: value" that start with their name.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bigred_server.errors import NodeError
from bigred_server.judge.look import Span

_BEAN = re.compile(r"Name: java\.lang:(?P<keys>.+)")
_USED = re.compile(r"used=(\d+)")
_MOST = re.compile(r"max=(-?\d+)")
# The pools of objects that survived collections; a collector without generations has one pool.
_OLD = ("Tenured Gen", "PS Old Gen", "G1 Old Gen", "ZHeap", "ZGC Old Generation", "Shenandoah")


@dataclass(frozen=True)
class Vitals:
    """A JVM at one moment; the fields are as in Span. `at`: seconds of UTC by the node's clock."""

    at: float
    started_at: float
    cpu_s: float
    gc_s: float
    heap: int
    heap_full: int | None
    heap_max: int
    threads: int


def read(lines: Iterable[str]) -> Vitals:
    """Parse the answer. Raise NodeError if it does not describe a JVM."""
    beans = _beans(lines)
    try:
        runtime = beans["type=Runtime"]
        started_at = int(runtime["StartTime"]) / 1000
        old = next(pool for name, pool in beans.items() if "MemoryPool" in name and _is_old(name))
        collectors = [bean for name, bean in beans.items() if "type=GarbageCollector" in name]
        return Vitals(
            at=started_at + int(runtime["Uptime"]) / 1000,
            started_at=started_at,
            cpu_s=int(beans["type=OperatingSystem"]["ProcessCpuTime"]) / 1e9,
            gc_s=sum(int(bean["CollectionTime"]) for bean in collectors) / 1000,
            heap=_number(_USED, old["Usage"]),
            heap_full=_number(_USED, old.get("CollectionUsage", "")) or None,
            heap_max=_number(_MOST, beans["type=Memory"]["HeapMemoryUsage"]),
            threads=int(beans["type=Threading"]["ThreadCount"]),
        )
    except (KeyError, ValueError, StopIteration) as error:
        raise NodeError(
            f"the JMX proxy's answer can't be read: {type(error).__name__} {error}; "
            "is this Tomcat's Manager?"
        ) from error


def span(node: str, before: Vitals, after: Vitals, requests: int) -> Span | None:
    """Return the usage between two moments; None after a restart or if no time has passed."""
    span_s = after.at - before.at
    if before.started_at != after.started_at or span_s <= 0:
        return None
    return Span(
        node=node,
        age_s=after.at - after.started_at,
        span_s=span_s,
        requests=requests,
        cpu_s=after.cpu_s - before.cpu_s,
        gc_s=after.gc_s - before.gc_s,
        heap=after.heap,
        heap_full=after.heap_full,
        heap_max=after.heap_max,
        threads=after.threads,
    )


def _beans(lines: Iterable[str]) -> Mapping[str, dict[str, str]]:
    beans: dict[str, dict[str, str]] = {}
    bean: dict[str, str] = {}
    for line in lines:
        if found := _BEAN.match(line):
            bean = beans.setdefault(found["keys"].strip(), {})
            continue
        name, _, value = line.partition(": ")
        bean.setdefault(name.strip(), value)
    return beans


def _is_old(name: str) -> bool:
    return any(old in name for old in _OLD)


def _number(pattern: "re.Pattern[str]", text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0
