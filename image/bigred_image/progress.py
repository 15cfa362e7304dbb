"""Reports the progress of the build."""

import sys
import time

_started = time.monotonic()


def say(sentence: str) -> None:
    """Print one line with the time since the start, without buffering."""
    minutes, seconds = divmod(int(time.monotonic() - _started), 60)
    sys.stdout.write(f"image {minutes:2}:{seconds:02}  {sentence}\n")
    sys.stdout.flush()
