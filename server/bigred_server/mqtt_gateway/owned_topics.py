"""The retained topics of the apps, which only the server that leads an app may publish."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bigred_broker import homeassistant
from bigred_broker.link import Link
from bigred_broker.messages import AppState, BoxInfo, MessageError, encode
from bigred_broker.messages.brief import brief, changes_of
from bigred_broker.topics import Topics
from bigred_server.journal.leadership import Leadership
from bigred_server.settings import BoxSettings


@dataclass
class OwnedTopics:
    """What this server retains on the broker, or would if it led the app.

    `infos`: what each configured box has said about itself.
    """

    topics: Topics
    boxes: Mapping[str, BoxSettings]
    leads: Mapping[str, Leadership]
    infos: dict[str, BoxInfo] = field(default_factory=dict)
    # The app of each topic, and the token under which we last published for an app.
    _apps: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, int] = field(default_factory=dict)
    # The state of each app that we retained last, and under which token.
    _states: dict[str, tuple[AppState, int]] = field(default_factory=dict)
    # The topics about apps: few, while there is an announcement of each box.
    _reported: dict[str, None] = field(default_factory=dict)

    def app_of(self, topic: str) -> str:
        """Return the app of a topic that this server has retained. Raise KeyError for others."""
        return self._apps[topic]

    def leads_app(self, app: str) -> bool:
        """Return whether this server leads an app."""
        return self.leads[app].left_s() > 0

    def may_publish(self, topic: str) -> bool:
        """Return whether what we retain is the truth: another server may have led meanwhile."""
        app = self._apps[topic]
        return self.leads_app(app) and self._tokens.get(app) == self.leads[app].token

    def to_repeat(self, *, everything: bool) -> Collection[str]:
        """List what to publish again; only if `everything`, also what Home Assistant reads."""
        wanted = self._apps if everything else self._reported
        return [topic for topic in wanted if self.may_publish(topic)]

    def keep_state(self, link: Link, state: AppState) -> None:
        """Retain the state of an app, if this server leads it."""
        if not self.leads_app(state.app):
            return
        token = self.leads[state.app].token
        before, under = self._states.get(state.app, (None, -1))
        if state is before and token == under:
            return
        self._states[state.app] = state, token
        self._claim(link, state.app)
        topic = self.topics.app(state.app, "state")
        try:
            payload = encode(brief(state))
        except MessageError:
            # Hundreds of nodes do not fit into one message; publish the state without them.
            payload = encode(brief(state.model_copy(update={"nodes": ()})))
        self._retain(link, state.app, topic, payload)
        changes = self.topics.app(state.app, "changes")
        self._retain(link, state.app, changes, encode(changes_of(state)))

    def announce(self, link: Link, box: str) -> None:
        """Announce a configured box to Home Assistant, if this server leads its app."""
        app = self.boxes[box].app
        if self.leads_app(app):
            self._claim(link, app)
            topic, payload = homeassistant.discovery(self.topics, box, [app], self.infos[box])
            self._apps[topic] = app
            link.keep_later(topic, payload)

    def _claim(self, link: Link, app: str) -> None:
        """Publish everything again under a new token: another server may have led meanwhile."""
        token = self.leads[app].token
        if self._tokens.get(app) == token:
            return
        self._tokens[app] = token
        for topic in [topic for topic, owner in self._apps.items() if owner == app]:
            link.forget(topic)
        for box in [box for box in self.infos if self.boxes[box].app == app]:
            self.announce(link, box)

    def _retain(self, link: Link, app: str, topic: str, payload: bytes) -> None:
        self._apps[topic] = app
        self._reported[topic] = None
        link.keep(topic, payload)
