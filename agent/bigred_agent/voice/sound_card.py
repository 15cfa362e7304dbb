"""Whether this machine has a sound card. pyttsx3 would never tell: it speaks into nothing."""

import subprocess

_DEADLINE_S = 5.0

NO_PLAYER = "aplay is not installed; install the package alsa-utils"
NO_CARD = (
    "there is no sound card; a Pi 5 or Zero has no jack and needs USB, HDMI or Bluetooth audio, "
    "and the agent's user must be in the group audio"
)


def complaint() -> str | None:
    """Give a sentence about what is missing for a sound to be heard; None when nothing is."""
    try:
        listed = subprocess.run(
            ["aplay", "-l"], capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except FileNotFoundError:
        return NO_PLAYER
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"aplay does not answer: {error}"
    return None if "card " in listed.stdout else NO_CARD
