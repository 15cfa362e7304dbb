"""Pins on gpiod: gpiozero's own devices on a fake kernel that is as strict as the real one."""

import grp
import queue
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import gpiod
import gpiozero
import pytest
from gpiod.line import Bias, Direction, Edge
from gpiozero.pins import local

from bigred_agent.pins import board, header
from bigred_agent.pins.errors import BusyError, ForbiddenError, NoHeaderError, NoLineError
from bigred_agent.pins.factory import GpiodFactory
from bigred_agent.testing.fake_kernel import FakeChip, FakeKernel
from bigred_agent.testing.fake_line import FakeLine

DEADLINE_S = 5.0


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def pins(kernel: FakeKernel) -> Iterator[GpiodFactory]:
    factory = GpiodFactory(kernel=kernel)
    yield factory
    factory.close()


# --- outputs -------------------------------------------------------------------------------------


def test_an_led_is_switched_and_shows_its_consumer(kernel: FakeKernel, pins: GpiodFactory) -> None:
    with gpiozero.LED(17, pin_factory=pins) as led:
        assert not kernel.line(17).level
        led.on()
        assert kernel.line(17).level
        assert led.is_lit
        assert kernel.line(17).consumer == "bigred"
        led.toggle()
        assert not kernel.line(17).level


def test_a_closed_led_is_dark_and_free(kernel: FakeKernel, pins: GpiodFactory) -> None:
    led = gpiozero.LED(17, pin_factory=pins)
    led.on()
    led.close()
    line = kernel.line(17)
    assert (line.settings.direction, line.settings.bias) == (Direction.INPUT, Bias.DISABLED)
    assert line.consumer is None
    with gpiozero.LED(17, pin_factory=pins) as again:
        again.on()
        assert line.level


def test_a_common_anode_led_never_blinks_at_the_start(
    kernel: FakeKernel, pins: GpiodFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[bool] = []
    configure = FakeLine.configure

    def noted(line: FakeLine, settings: gpiod.LineSettings) -> None:
        configure(line, settings)
        levels.append(line.level)

    monkeypatch.setattr(FakeLine, "configure", noted)
    with gpiozero.LED(17, active_high=False, pin_factory=pins):
        assert levels == [True]


def test_pwm_is_refused(pins: GpiodFactory) -> None:
    with pytest.raises(gpiozero.PinPWMUnsupported):
        gpiozero.PWMLED(17, pin_factory=pins)


def test_an_input_can_t_be_set(pins: GpiodFactory) -> None:
    with pytest.raises(gpiozero.PinSetInput):
        pins.pin(17).state = 1


@pytest.mark.parametrize(
    ("attribute", "value", "error"),
    [
        ("function", "alt5", gpiozero.PinInvalidFunction),
        ("pull", "sideways", gpiozero.PinInvalidPull),
        ("edges", "sharp", gpiozero.PinInvalidEdges),
        ("bounce", -1, gpiozero.PinInvalidBounce),
    ],
)
def test_invalid_settings_raise_gpiozero_s_errors(
    pins: GpiodFactory, attribute: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        setattr(pins.pin(17), attribute, value)


# --- inputs --------------------------------------------------------------------------------------


def test_a_button_is_pulled_up_and_pressed(kernel: FakeKernel, pins: GpiodFactory) -> None:
    with gpiozero.Button(4, pin_factory=pins) as button:
        line = kernel.line(4)
        assert line.settings.bias is Bias.PULL_UP
        assert line.settings.edge_detection is Edge.BOTH
        assert not button.is_pressed
        line.drive(False)
        assert button.wait_for_press(DEADLINE_S)
        line.drive(True)
        assert button.wait_for_release(DEADLINE_S)
    assert (line.consumer, line.settings.edge_detection) == (None, Edge.NONE)


def test_edges_come_in_order_and_only_those_requested(
    kernel: FakeKernel, pins: GpiodFactory
) -> None:
    seen: queue.Queue[tuple[float, int]] = queue.Queue()

    def note(ticks: float, state: int) -> None:
        seen.put((ticks, state))

    pin = pins.pin(4)
    pin.input_with_pull("down")
    pin.when_changed = note
    before = pins.ticks()
    kernel.line(4).drive(True)
    kernel.line(4).drive(False)
    (first, rose), (second, fell) = (seen.get(timeout=DEADLINE_S) for _ in range(2))
    assert (rose, fell) == (1, 0)
    assert before <= first <= second <= pins.ticks()
    pin.edges = "falling"
    kernel.line(4).drive(True)
    kernel.line(4).drive(False)
    assert seen.get(timeout=DEADLINE_S)[1] == 0
    assert seen.empty()
    pin.close()


def test_a_callback_may_close_its_own_button_and_a_failing_one_stops_no_other(
    kernel: FakeKernel, pins: GpiodFactory
) -> None:
    reported: queue.Queue[str] = queue.Queue()
    first = gpiozero.Button(4, pin_factory=pins)
    second = gpiozero.Button(18, pin_factory=pins)

    def fail() -> None:
        reported.put("failed")
        raise ValueError

    def leave() -> None:
        second.close()
        reported.put("left")

    first.when_pressed, second.when_pressed = fail, leave
    kernel.line(4).drive(False)
    assert reported.get(timeout=DEADLINE_S) == "failed"
    kernel.line(18).drive(False)
    assert reported.get(timeout=DEADLINE_S) == "left"
    assert second.closed
    first.close()


def test_a_line_that_can_no_longer_be_read_is_dropped(
    kernel: FakeKernel, pins: GpiodFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FakeLine.read
    gone: queue.Queue[None] = queue.Queue()

    def unplugged(line: FakeLine) -> list[gpiod.EdgeEvent]:
        if line is not kernel.line(4):
            return read(line)
        gone.put(None)
        raise OSError(19, "No such device")

    monkeypatch.setattr(FakeLine, "read", unplugged)
    with (
        gpiozero.Button(4, pin_factory=pins),
        gpiozero.Button(18, pin_factory=pins) as other,
    ):
        kernel.line(4).drive(False)
        gone.get(timeout=DEADLINE_S)
        kernel.line(18).drive(False)
        assert other.wait_for_press(DEADLINE_S)
        assert gone.empty()


def test_bouncing_is_left_to_the_kernel(kernel: FakeKernel, pins: GpiodFactory) -> None:
    with gpiozero.Button(4, bounce_time=0.05, pin_factory=pins):
        assert kernel.line(4).settings.debounce_period.total_seconds() == pytest.approx(0.05)


def test_a_pin_with_a_resistor_keeps_its_pull(pins: GpiodFactory) -> None:
    with pytest.raises(gpiozero.PinFixedPull):
        pins.pin(2).pull = "down"
    pins.pin(2).pull = "up"
    assert pins.pin(2).pull == "up"


def test_an_output_has_neither_pull_nor_edges(pins: GpiodFactory) -> None:
    pin = pins.pin(17)
    pin.function = "output"
    with pytest.raises(gpiozero.PinFixedPull):
        pin.pull = "up"
    with pytest.raises(gpiozero.PinEdgeDetectUnsupported):
        pin.when_changed = print
    pin.close()


def test_reading_a_pin_s_settings_changes_nothing(kernel: FakeKernel, pins: GpiodFactory) -> None:
    kernel.line(17).configure(gpiod.LineSettings(direction=Direction.OUTPUT))
    kernel.line(17).level = True
    assert (pins.pin(17).function, pins.pin(17).state) == ("output", True)
    assert kernel.line(17).settings.direction is Direction.OUTPUT


# --- the chip ------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", sorted(header.PI_LABELS))
def test_the_header_is_found_by_its_label_wherever_it_is(label: str) -> None:
    others = [FakeChip(f"gpiochip{at}", "gpio-brcmstb@107d508500") for at in (0, 10, 13)]
    kernel = FakeKernel(*others, FakeChip("gpiochip4", label))
    factory = GpiodFactory(kernel=kernel)
    assert str(factory) == f"gpiod on /dev/gpiochip4 [{label}]"
    assert [chip.openings for chip in others] == [0, 0, 0]
    factory.close()
    assert kernel.open(Path("/dev/gpiochip4")).openings == 1  # ours: the factory's is closed


def test_another_chip_is_only_used_when_it_is_named() -> None:
    lines = [FakeLine(f"GPIO{at}") for at in range(28)]
    kernel = FakeKernel(FakeChip("gpiochip0", "INTC1055:00", lines))
    with pytest.raises(NoHeaderError, match=r"found: /dev/gpiochip0 \[INTC1055:00\]"):
        GpiodFactory(kernel=kernel)
    for name in ("INTC1055:00", "gpiochip0", "/dev/gpiochip0"):
        GpiodFactory(name, kernel=kernel).close()
    with pytest.raises(NoHeaderError, match=r"no GPIO chip 'sim' .*; correct \[lights\] chip"):
        GpiodFactory("sim", kernel=kernel)


def test_named_lines_are_found_by_name() -> None:
    lines = [FakeLine(), FakeLine("LED"), FakeLine("GPIO17")]
    kernel = FakeKernel(FakeChip("gpiochip0", "sim", lines))
    factory = GpiodFactory("sim", kernel=kernel)
    with gpiozero.LED(17, pin_factory=factory) as led:
        led.on()
        assert kernel.line(2).level
    with pytest.raises(NoLineError, match="/dev/gpiochip0 has no line for GPIO2;"):
        factory.pin(2)
    factory.close()


def test_unnamed_lines_are_found_by_number() -> None:
    kernel = FakeKernel(FakeChip("gpiochip0", "sim", [FakeLine() for _ in range(18)]))
    factory = GpiodFactory("sim", kernel=kernel)
    with gpiozero.LED(17, pin_factory=factory) as led:
        led.on()
        assert kernel.line(17).level
    with pytest.raises(NoLineError):
        factory.pin(18)
    factory.close()


def test_a_machine_without_chips_is_reported_with_a_sentence() -> None:
    kernel = FakeKernel()
    kernel.chips = list[Path]  # type: ignore[method-assign]
    with pytest.raises(NoHeaderError, match="no GPIO chip; set"):
        GpiodFactory(kernel=kernel)


@pytest.mark.parametrize(
    ("group", "fix"), [("gpio", "add the user to the group gpio"), (None, "udev rule: SUBSYSTEM")]
)
def test_a_forbidden_chip_is_reported_with_the_required_group(group: str | None, fix: str) -> None:
    kernel = FakeKernel(FakeChip(is_forbidden=True, group=group))
    with pytest.raises(ForbiddenError, match=re.escape("may not open /dev/gpiochip0")) as refusal:
        GpiodFactory(kernel=kernel)
    assert fix in str(refusal.value)


@pytest.mark.parametrize(
    ("holder", "sentence"),
    [
        ("led0", "GPIO17 is in use by 'led0'; free it"),
        ("", "GPIO17 is in use by 'the kernel'; free it"),
        ("bigred", "GPIO17 is in use by another bigred-agent; stop it first"),
    ],
)
def test_a_busy_line_is_reported_with_its_consumer(
    kernel: FakeKernel, pins: GpiodFactory, holder: str, sentence: str
) -> None:
    kernel.line(17).request(holder, gpiod.LineSettings())
    with pytest.raises(BusyError, match=sentence):
        gpiozero.LED(17, pin_factory=pins)
    kernel.line(17).release()


# --- the board -----------------------------------------------------------------------------------


def _no_revision() -> int:
    raise gpiozero.PinUnknownPi("unable to locate Pi revision")


def _zero() -> int:
    return 0


def _text() -> int:
    return int("rev A", base=16)


@pytest.mark.parametrize("revision", [_no_revision, _zero, _text])
def test_a_board_without_a_revision_has_forty_pins_and_no_name(
    monkeypatch: pytest.MonkeyPatch, revision: Callable[[], int]
) -> None:
    monkeypatch.setattr(board, "get_pi_revision", revision)
    info = board.board_info()
    assert info.model == "unknown"
    assert info.to_gpio("J8:11") == "GPIO17"
    assert all(list(info.find_pin(f"GPIO{number}")) for number in range(28))


def test_a_known_board_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "get_pi_revision", lambda: 0xC04170)
    assert board.board_info().model == "5B"


def test_the_real_kernel_lists_opens_and_names_the_group(tmp_path: Path) -> None:
    from bigred_agent.pins.kernel import RealKernel

    kernel = RealKernel()
    assert kernel.chips() == sorted({path.resolve() for path in Path("/dev").glob("gpiochip*")})
    plain = tmp_path / "gpiochip0"
    plain.touch(0o600)
    assert kernel.group(plain) is None
    with pytest.raises(OSError, match=r"."):
        kernel.open(plain)
    plain.chmod(0o660)
    group = plain.stat().st_gid
    assert kernel.group(plain) == (grp.getgrgid(group).gr_name if group else None)


def test_the_local_pins_of_gpiozero_are_shared(pins: GpiodFactory) -> None:
    # gpiozero keeps the pins of all local factories in one place, so that no two share a pin.
    assert pins.pins is local.LocalPiFactory.pins
