"""The whole table: every command in every phase, for every state of the nodes."""

from itertools import product

import pytest
from tests.support.views import (
    CHECKING,
    CLOSED,
    NEW,
    ON_NEW,
    ON_OLD,
    STOPPED,
    deployment,
    kinds,
    view,
)

from bigred_broker.messages import Phase
from bigred_server.model.command import Command, refusal
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.observation import NodeLook

HOLD, CONTINUE, ROLLBACK, ABORT = Command
HELD, NOT_HELD = "it is already on hold", "it is not on hold"
BACK = "it is being rolled back, which can't be stopped: it brings every node to safety"
ENDED = "it has ended"

# The effect of a command: the phase that it leads to, or the sentence that refuses it.
TABLE: dict[Phase, dict[Command, Phase | str]] = {
    Phase.PREPARING: {
        HOLD: Phase.HOLDING,
        CONTINUE: NOT_HELD,
        ROLLBACK: Phase.ABORTED,
        ABORT: Phase.ABORTED,
    },
    Phase.CANARY: {
        HOLD: Phase.HOLDING,
        CONTINUE: NOT_HELD,
        ROLLBACK: Phase.ROLLING_BACK,
        ABORT: Phase.ROLLING_BACK,
    },
    Phase.ROLLING: {
        HOLD: Phase.HOLDING,
        CONTINUE: NOT_HELD,
        ROLLBACK: Phase.ROLLING_BACK,
        ABORT: Phase.ROLLING_BACK,
    },
    Phase.BAKING: {
        HOLD: Phase.HOLDING,
        CONTINUE: NOT_HELD,
        ROLLBACK: Phase.ROLLING_BACK,
        ABORT: Phase.ROLLING_BACK,
    },
    Phase.HOLDING: {
        HOLD: HELD,
        CONTINUE: Phase.ROLLING,
        ROLLBACK: Phase.ROLLING_BACK,
        ABORT: Phase.ROLLING_BACK,
    },
    Phase.ROLLING_BACK: dict.fromkeys(Command, BACK),
    Phase.SUCCEEDED: dict.fromkeys(Command, ENDED),
    Phase.ROLLED_BACK: dict.fromkeys(Command, ENDED),
    Phase.ABORTED: dict.fromkeys(Command, ENDED),
    Phase.FAILED: dict.fromkeys(Command, ENDED),
}
SECOND_NODES = {
    "not taken": ON_OLD,
    "closed": CLOSED,
    "stopped": STOPPED,
    "checking": CHECKING,
    "done": ON_NEW,
}


def test_the_table_names_every_command_in_every_phase() -> None:
    assert set(TABLE) == set(Phase)
    assert all(set(row) == set(Command) for row in TABLE.values())


@pytest.mark.parametrize(("phase", "command"), list(product(Phase, Command)))
def test_a_command_is_refused_with_a_sentence_or_accepted(phase: Phase, command: Command) -> None:
    wanted = TABLE[phase][command]
    assert refusal(phase, None, command) == ("" if isinstance(wanted, Phase) else wanted)


@pytest.mark.parametrize("second", SECOND_NODES.values(), ids=SECOND_NODES)
@pytest.mark.parametrize(
    ("phase", "command"),
    [(p, c) for p, row in TABLE.items() for c, to in row.items() if isinstance(to, Phase)],
)
def test_a_command_takes_effect_in_the_next_step(
    phase: Phase, command: Command, second: NodeLook
) -> None:
    in_scope = () if phase is Phase.PREPARING else ("a", "b", "c")
    asked = deployment(phase, in_scope, command=command)
    found = decide(view(asked, a=ON_NEW, b=second, c=ON_OLD))
    assert found.phase is TABLE[phase][command]
    assert found.blames_build is (command is ROLLBACK and found.phase is Phase.ROLLING_BACK)
    assert not found.actions


@pytest.mark.parametrize(
    ("pending", "command", "refused"),
    [
        (HOLD, HOLD, HELD),
        (HOLD, CONTINUE, ""),
        (HOLD, ROLLBACK, ""),
        (HOLD, ABORT, ""),
        (ROLLBACK, HOLD, BACK),
        (ROLLBACK, CONTINUE, BACK),
        (ROLLBACK, ROLLBACK, BACK),
        (ROLLBACK, ABORT, BACK),
        (ABORT, HOLD, BACK),
        (ABORT, CONTINUE, BACK),
        (ABORT, ROLLBACK, BACK),
        (ABORT, ABORT, BACK),
    ],
)
def test_a_command_is_judged_as_if_the_previous_one_had_taken_effect(
    pending: Command, command: Command, refused: str
) -> None:
    assert refusal(Phase.ROLLING, pending, command) == refused


def test_a_pending_continue_can_be_held_again() -> None:
    assert refusal(Phase.HOLDING, CONTINUE, HOLD) == ""
    assert refusal(Phase.HOLDING, CONTINUE, CONTINUE) == NOT_HELD


@pytest.mark.parametrize("second", SECOND_NODES.values(), ids=SECOND_NODES)
def test_while_held_the_node_being_updated_is_finished_and_no_other_starts(
    second: NodeLook,
) -> None:
    held = deployment(Phase.HOLDING)
    found = decide(view(held, waited_s=31.0, a=ON_NEW, b=second, c=ON_OLD))
    assert found.phase is Phase.HOLDING
    assert set(kinds(found)) <= {"b"}
    assert bool(found.actions) is (second in (CLOSED, STOPPED))


def test_a_deployment_held_before_its_first_node_starts_from_the_beginning() -> None:
    held = deployment(Phase.HOLDING, (), command=CONTINUE)
    assert decide(view(held, a=ON_OLD, b=ON_OLD)).phase is Phase.PREPARING
    held = deployment(Phase.HOLDING, (), command=ABORT)
    assert decide(view(held, a=ON_OLD, b=ON_OLD)).phase is Phase.ABORTED


def test_a_deployment_held_at_its_canary_continues_with_it() -> None:
    held = deployment(Phase.HOLDING, command=CONTINUE)
    assert decide(view(held, a=ON_OLD, b=ON_OLD, c=ON_OLD)).phase is Phase.CANARY


def test_a_repair_is_stopped_only_while_its_node_is_not_being_updated() -> None:
    repair = deployment(Phase.ROLLING, ("a",), None, ABORT, mends="a")
    assert decide(view(repair, a=ON_OLD, b=ON_NEW)).phase is Phase.ABORTED
    found = decide(view(repair, a=STOPPED, b=ON_NEW))
    assert (found.phase, found.actions) == (Phase.ROLLING, ())
    assert found.finding.startswith("abort: the node being repaired is finished first")
    assert NEW.digest
