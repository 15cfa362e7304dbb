"""Every message survives encoding; everything else is a MessageError and nothing worse."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_broker.link import Link
from bigred_broker.messages import (
    MAX_BYTES,
    OUTCOMES,
    AppChanges,
    AppEvent,
    AppState,
    Beacon,
    BoxEvent,
    BoxInfo,
    BoxState,
    ChangeNote,
    EventType,
    JudgementNote,
    Lid,
    LightState,
    Message,
    MessageError,
    NodeNote,
    NodeState,
    Phase,
    ReleaseNote,
    Reply,
    ServerClock,
    SetConfig,
    SetIdentify,
    SetLight,
    SetSay,
    Status,
    VoiceState,
    decode,
    decode_status,
    encode,
)
from bigred_broker.messages.base import Part
from bigred_broker.messages.brief import SMALL_BYTES, brief, changes_of
from bigred_broker.settings import BrokerSettings

# --- valid messages ------------------------------------------------------------------------------

ids = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
texts = st.text(max_size=40)
counts = st.integers(0, 2**53 - 1)
amounts = st.floats(0, 1e300, allow_nan=False)


def either(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


releases = st.fixed_dictionaries(
    {"digest": st.from_regex(r"[0-9a-f]{64}", fullmatch=True), "version": texts},
    optional={"author": texts, "message": texts},
)
nodes = st.fixed_dictionaries(
    {"name": ids, "state": st.sampled_from(NodeState)}, optional={"release": texts}
)
clocks = st.builds(ServerClock, run=ids, at_ms=amounts)
events = st.builds(
    BoxEvent,
    event_type=st.sampled_from(EventType),
    id=ids,
    seq=counts,
    boot=ids,
    age_ms=amounts,
    arming=st.none() | ids,
    clocks=st.lists(clocks, max_size=4).map(tuple),
    answer_within_ms=st.floats(0, 30_000),
)
states = st.builds(
    BoxState,
    lid=st.sampled_from(Lid),
    button_connected=st.booleans(),
    lights=st.builds(
        LightState, healthy=st.booleans(), pattern=texts, progress=st.floats(0, 1, width=64)
    ),
    voice=st.builds(VoiceState, healthy=st.booleans(), engine=texts, said=texts, count=counts),
)
infos = st.builds(
    BoxInfo,
    agent=texts,
    python=texts,
    model=texts,
    button=texts,
    language=texts,
    capabilities=st.lists(texts, max_size=4).map(tuple),
)
# Messages with many optional parts, as plain data, the way another program would send them.
replies = st.fixed_dictionaries(
    {"id": ids, "answer": st.sampled_from(["armed", "accepted", "refused"])},
    optional={
        "app": either(ids),
        "release": either(releases),
        "nodes": counts,
        "arming": either(ids),
        "expires_in_s": amounts,
        "deployment": either(ids),
        "countdown_s": amounts,
        "code": either(st.sampled_from(["expired", "used", "running"])),
        "reason": texts,
    },
).map(Reply.model_validate)
judgements = st.fixed_dictionaries(
    {"verdict": texts},
    optional={
        "cause": texts,
        "reason": texts,
        "evidence": amounts,
        "absolute": amounts,
        "requests": counts,
        "failed": counts,
        "requests_old": counts,
        "failed_old": counts,
    },
)
app_states = st.fixed_dictionaries(
    {"app": ids},
    optional={
        "phase": either(st.sampled_from(Phase)),
        "deployment": either(ids),
        "release": either(releases),
        "live": either(releases),
        "candidate": either(releases),
        "progress": either(st.fixed_dictionaries({"done": counts, "total": counts})),
        "nodes": st.lists(nodes, max_size=4),
        "who": texts,
        "since": texts,
        "reason": texts,
        "verdict": either(texts),
        "judgement": either(judgements),
    },
).map(AppState.model_validate)
app_changes = st.fixed_dictionaries(
    {"app": ids},
    optional={
        "version": texts,
        "changes": st.lists(st.fixed_dictionaries({"commit": texts, "author": texts}), max_size=4),
        "changed": counts,
    },
).map(AppChanges.model_validate)
app_events = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["phase", "node", "act", "verdict"]), "app": ids, "at": texts},
    optional={
        "deployment": either(ids),
        "phase": either(st.sampled_from(Phase)),
        "node": either(ids),
        "text": texts,
        "judgement": either(judgements),
    },
).map(AppEvent.model_validate)
asked = st.one_of(
    st.builds(SetSay, text=texts),
    st.builds(SetLight, pattern=ids),
    st.builds(SetIdentify),
    st.builds(SetConfig, pack=st.none() | ids, muted=st.none() | st.booleans()),
)
beacons = st.builds(Beacon, clock=clocks)
messages: st.SearchStrategy[Message] = st.one_of(
    events, states, infos, replies, app_states, app_changes, app_events, asked, beacons
)

KINDS: list[type[Message]] = [
    BoxInfo,
    BoxState,
    BoxEvent,
    Reply,
    AppState,
    AppChanges,
    AppEvent,
    SetSay,
    SetLight,
    SetIdentify,
    SetConfig,
    Beacon,
]

PRESS = {"v": 1, "event_type": "press", "id": "e1", "seq": 1, "boot": "b1", "age_ms": 3.5}
STATE = {
    "lid": "open",
    "button_connected": True,
    "lights": {"healthy": True},
    "voice": {"healthy": True},
}


def raw(**changes: object) -> bytes:
    return json.dumps(PRESS | changes).encode()


# --- invalid messages ----------------------------------------------------------------------------


def test_the_strategies_cover_every_kind_of_message() -> None:
    assert set(KINDS) == set(Message.__subclasses__())


def test_once_a_link_is_made_no_message_waits_for_its_schema() -> None:
    LightState.__pydantic_complete__ = Beacon.__pydantic_complete__ = False
    Link(BrokerSettings(), "red", "bigred/box/red/status")
    kinds = (*Part.__subclasses__(), *Message.__subclasses__())
    assert {kind.__name__ for kind in kinds} > {"LightState", "ReleaseNote", "Beacon", "Reply"}
    assert [kind for kind in kinds if not kind.__pydantic_complete__] == []


@given(messages)
def test_every_message_survives_the_wire(message: Message) -> None:
    data = encode(message)
    assert decode(type(message), data) == message
    assert json.loads(data)["v"] == 1


@given(messages, st.dictionaries(texts.map("x-{}".format), st.booleans() | texts, max_size=3))
def test_unknown_keys_are_ignored(message: Message, more: dict[str, object]) -> None:
    data = json.dumps(json.loads(encode(message)) | more).encode()
    assert decode(type(message), data) == message


def test_unknown_keys_are_ignored_inside_as_well() -> None:
    state = json.loads(json.dumps(STATE))
    state["lights"]["brightness"] = 7
    assert decode(BoxState, json.dumps(state).encode()).lights == LightState(healthy=True)


@pytest.mark.parametrize("v", [0, 2, -1, 1.5, "1", None, [1], {}])
def test_an_unknown_v_is_refused(v: object) -> None:
    with pytest.raises(MessageError, match=r"not a valid BoxEvent: v:"):
        decode(BoxEvent, raw(v=v))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("age_ms", "3.5"),
        ("age_ms", True),
        ("age_ms", -1),
        ("seq", "1"),
        ("seq", 1.5),
        ("seq", -1),
        ("seq", 2**53),
        ("seq", 10**4000),
        ("event_type", "PRESS"),
        ("event_type", 1),
        ("id", ""),
        ("id", "e1\n"),
        ("id", "E1"),
        ("id", 1),
        ("boot", None),
        ("arming", "x" * 33),
    ],
)
def test_an_invalid_value_is_refused_and_named(key: str, value: object) -> None:
    with pytest.raises(MessageError, match=f"not a valid BoxEvent: {key}:"):
        decode(BoxEvent, raw(**{key: value}))


@pytest.mark.parametrize("text", ["yes", "true", 1, 0, None])
def test_only_true_and_false_are_booleans(text: object) -> None:
    with pytest.raises(MessageError, match="button_connected"):
        decode(BoxState, json.dumps(STATE | {"button_connected": text}).encode())


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_value_that_is_not_a_number_is_refused(number: bytes) -> None:
    with pytest.raises(MessageError):
        decode(BoxEvent, raw().replace(b"3.5", number))
    reply = b'{"id":"a","answer":"armed","expires_in_s":' + number + b"}"
    with pytest.raises(MessageError):
        decode(Reply, reply)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b"1",
        b'"press"',
        b"online",
        b"{'v': 1}",
        b'{"v": 1,}',
        b"\xff\xfe",
        b'{"v":1,"id":"\xff"}',
        b'{"id":"\\ud800"}',
        b"[" * 10_000,
        b'{"lights":' * 1000,
        b"\x00" * 100,
        b"\xef\xbb\xbf{}",
    ],
)
@pytest.mark.parametrize("kind", [BoxEvent, BoxState, AppState, Reply])
def test_an_invalid_message_is_a_message_error(kind: type[Message], data: bytes) -> None:
    with pytest.raises(MessageError, match=f"not a valid {kind.__name__}: "):
        decode(kind, data)


@given(st.sampled_from(KINDS), st.binary())
def test_random_bytes_give_a_message_error_and_nothing_else(
    kind: type[Message], data: bytes
) -> None:
    try:
        decode(kind, data)
    except MessageError:
        return
    assert isinstance(json.loads(data), dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.sampled_from(KINDS).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            st.dictionaries(st.sampled_from(sorted(kind.model_fields)), json_values),
        )
    )
)
def test_random_values_under_known_keys_give_a_message_error_and_nothing_else(
    case: tuple[type[Message], dict[str, object]],
) -> None:
    kind, values = case
    try:
        message = decode(kind, json.dumps(values).encode())
    except MessageError:
        return
    assert decode(kind, encode(message)) == message


def test_the_error_does_not_contain_the_whole_message() -> None:
    with pytest.raises(MessageError) as caught:
        decode(BoxEvent, raw(id="X" * 10_000))
    assert len(str(caught.value)) < 200


def test_a_message_over_the_limit_is_neither_encoded_nor_decoded() -> None:
    notes = [NodeNote(name=f"n{i}", state=NodeState.DOWN, release="r" * 400) for i in range(40)]
    with pytest.raises(MessageError, match=f"limit of {MAX_BYTES}"):
        encode(AppState(app="shop", nodes=tuple(notes)))
    fits = raw() + b" " * (MAX_BYTES - len(raw()))
    assert decode(BoxEvent, fits).id == "e1"
    with pytest.raises(MessageError, match=f"limit of {MAX_BYTES}"):
        decode(BoxEvent, fits + b" ")


def test_the_outcomes_are_the_four_last_phases() -> None:
    assert [phase for phase in Phase if phase.is_outcome] == list(Phase)[-4:]
    assert frozenset(list(Phase)[-4:]) == OUTCOMES


@pytest.mark.parametrize("status", Status)
def test_a_status_is_a_bare_word(status: Status) -> None:
    assert decode_status(status.value.encode()) is status


@given(st.binary())
def test_every_other_status_is_a_message_error(data: bytes) -> None:
    if data in (b"online", b"offline"):
        return
    with pytest.raises(MessageError, match="not a status"):
        decode_status(data)


@pytest.mark.parametrize("data", [b"", b"Online", b"online\n", b'"online"', b"\xff", b"x" * 9999])
def test_an_almost_valid_status_is_a_message_error(data: bytes) -> None:
    with pytest.raises(MessageError, match="not a status") as caught:
        decode_status(data)
    assert len(str(caught.value)) < 200


# --- small messages ------------------------------------------------------------------------------


@given(app_states)
def test_a_small_state_never_has_a_list_of_changes_and_keeps_what_it_is_about(
    state: AppState,
) -> None:
    small = brief(state)
    assert len(encode(small)) < SMALL_BYTES or state.nodes
    for before, after in ((state.candidate, small.candidate), (state.live, small.live)):
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            assert after.changes == ()
            assert (after.digest, after.changed) == (before.digest, before.changed)
    assert (small.phase, small.nodes, small.progress) == (
        state.phase,
        state.nodes,
        state.progress,
    )


def test_the_longest_texts_of_people_fit_into_a_small_state() -> None:
    long = ReleaseNote(
        digest="0" * 64,
        version="\U0001f680" * 500,
        author="\U0001f680" * 500,
        message="\U0001f680" * 500,
        authors=("\U0001f680" * 80,) * 3,
        changes=(ChangeNote(commit="c" * 40, author="a" * 80, message="m" * 80),) * 500,
        changed=500,
    )
    texts = {"who": "w" * 500, "reason": "r" * 500}
    nodes = tuple(NodeNote(name=f"node{at}", state=NodeState.SERVING) for at in range(4))
    judged = JudgementNote(verdict="pass", reason="\U0001f680" * 500)
    state = AppState(
        app="shop", candidate=long, live=long, release=long, nodes=nodes, judgement=judged, **texts
    )
    assert len(encode(brief(state))) < SMALL_BYTES
    assert len(changes_of(state).changes) == 500
    assert changes_of(AppState(app="shop")) == AppChanges(app="shop")
