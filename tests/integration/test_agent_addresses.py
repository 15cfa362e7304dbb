"""The addresses that the card's status names are those of this machine."""

import shutil
from ipaddress import ip_address
from pathlib import Path

import pytest

from bigred_agent.card import status


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs the program ip, of iproute2")
def test_each_address_is_named_with_its_interface() -> None:
    named = status.addresses()
    for one in filter(None, named.split(", ")):
        interface, address = one.split()
        assert Path("/sys/class/net", interface).exists()
        assert not ip_address(address).is_loopback
