"""The result of handling one event."""

from bigred_agent.machine.effects import Effects
from bigred_agent.machine.state import State

Transition = tuple[State, Effects]
"""The new state, and the effects to carry out in order."""
