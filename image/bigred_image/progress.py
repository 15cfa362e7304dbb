"""Lines that tell a person how far the build is."""

import sys
import time

_started = time.monotonic()


def say(sentence: str) -> None:
    """Print one line with the minutes since the start, at once."""
    minutes, seconds = divmod(int(time.monotonic() - _started), 60)
    sys.stdout.write(f"image {minutes:2}:{seconds:02}  {sentence}\n")
    sys.stdout.flush()
