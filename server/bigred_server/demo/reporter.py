"""Reports messages from the broker as lines of text, each change once."""

from dataclasses import dataclass

from bigred_broker.messages import AppEvent, AppState, BoxState, Reply
from bigred_server.demo.demo_site import Say
from bigred_server.demo.subscriber import Received


@dataclass
class Reporter:
    """Passes its lines to `say`.

    With `hear`, that gets the box's words alone, and its light is not reported: it is shown.
    """

    say: Say
    hear: Say | None = None
    _light: str = ""
    _spoken: int = 0

    def report(self, message: Received) -> None:
        """Report a message if it contains something new."""
        match message:
            case BoxState(lights=lights, voice=voice):
                if lights.pattern != self._light:
                    self._light = lights.pattern
                    if self.hear is None:
                        self.say(f"box light: {lights.pattern.replace('_', ' ')}")
                if voice.count > self._spoken:
                    self._spoken = voice.count
                    self._quote(voice.said)
            case Reply(answer=answer, reason=reason):
                self.say(f"server answers: {answer}" + (f", {reason}" if reason else ""))
            case AppEvent(node=node, text=text):
                self.say(f"{node}: {text}" if node else text)
            case AppState():
                return

    def _quote(self, said: str) -> None:
        if self.hear is None:
            self.say(f'box says: "{said}"')
        else:
            self.hear(said)
