"""The reporter: turns what is heard over the broker into lines, each piece of news once."""

from collections.abc import Callable
from dataclasses import dataclass

from bigred_broker.messages import AppEvent, AppState, BoxState, Reply
from bigred_server.demo.subscriber import Received


@dataclass
class Reporter:
    """Gives its lines to `say`."""

    say: Callable[[str], None]
    _light: str = ""
    _spoken: int = 0

    def hear(self, heard: Received) -> None:
        """Tell what was heard, if it is news."""
        match heard:
            case BoxState(lights=lights, voice=voice):
                if lights.pattern != self._light:
                    self._light = lights.pattern
                    self.say(f"box light: {lights.pattern.replace('_', ' ')}")
                if voice.count > self._spoken:
                    self._spoken = voice.count
                    self.say(f'box says: "{voice.said}"')
            case Reply(answer=answer, reason=reason):
                self.say(f"server answers: {answer}" + (f", {reason}" if reason else ""))
            case AppEvent(node=node, text=text):
                self.say(f"{node}: {text}" if node else text)
            case AppState():
                return
