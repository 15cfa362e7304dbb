"""The demo site with everything that runs on it; each step of its start is reported."""

import contextlib
from collections.abc import Iterator

from bigred_server.demo.demo_site import DemoSite, Say, set_up
from bigred_server.demo.load import Load, shopping
from bigred_server.demo.options import DemoOptions

START_STEPS = 5
"""How many steps both report together."""


@contextlib.contextmanager
def running_site(nodes: int, site: DemoOptions, say: Say) -> Iterator[DemoSite]:
    """Run a demo site with server and box until the block ends."""
    with set_up(nodes, say, site) as demo_site, contextlib.ExitStack() as stack:
        say("starting the deploy server")
        stack.enter_context(demo_site.server())
        say("starting the box")
        stack.enter_context(demo_site.box())
        yield demo_site


@contextlib.contextmanager
def customers(demo_site: DemoSite, rate: float, say: Say) -> Iterator[Load]:
    """Send `rate` requests per second to the shop until the block ends."""
    say(f"sending {rate:g} requests per second to {demo_site.url}/")
    with shopping(demo_site.folder, demo_site.url, rate) as load:
        yield load
