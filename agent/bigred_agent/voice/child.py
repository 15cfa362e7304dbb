"""Speaks through pyttsx3, in a separate process because it may hang or crash.

Started by pyttsx3_engine.py. It reads one JSON string per line from standard input and writes one
JSON object per line. One engine, one thread, one `say` per `runAndWait`, then a wait for
`finished-utterance`: anything else makes pyttsx3 2.99 drop sentences, repeat them, hang or crash
(pyttsx3 #402, #419, #126; measured). `say` while espeak's own thread still runs an earlier command
makes pyttsx3 cancel the new sentence, which is then silent (measured): its `runAndWait` stops
whatever is playing before it begins. Never import this from the agent itself.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from queue import SimpleQueue
from typing import TextIO

from bigred_agent.voice.engine import Sound

_POLL_S = 0.005


def main() -> None:
    """Answer until standard input ends. `argv`: voice, rate, volume and our temporary folder."""
    answers = _own_stdout()
    sound = Sound(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    try:
        _speak_all(answers, sound)
    except (RuntimeError, ImportError, OSError, ValueError) as error:
        _answer(answers, "failed", str(error))
        sys.exit(1)


def _speak_all(answers: TextIO, sound: Sound) -> None:
    import pyttsx3
    from pyttsx3.drivers.espeak import EspeakDriver

    texts: SimpleQueue[str] = SimpleQueue()
    engine = pyttsx3.init("espeak")
    finished = threading.Event()
    engine.connect("finished-utterance", lambda name, completed: finished.set())
    # The engine's own `setProperty` would wait until the first sentence and disturb it.
    EspeakDriver.setProperty("voice", sound.voice)
    EspeakDriver.setProperty("rate", sound.rate)
    EspeakDriver.setProperty("volume", sound.volume)
    _wait_for_espeak()
    threading.Thread(target=_read, args=(texts,), daemon=True).start()
    _answer(answers, "ready")
    while True:
        finished.clear()
        engine.say(texts.get())
        engine.runAndWait()
        finished.wait()
        _wait_for_espeak()
        _answer(answers, "done")


def _wait_for_espeak() -> None:
    """Wait until espeak's own thread has done all its commands; the agent limits the time."""
    from pyttsx3.drivers import _espeak

    while _espeak.IsPlaying():
        time.sleep(_POLL_S)


def _read(texts: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        texts.put(json.loads(line))
    # The agent is gone and can't remove the folder it created for us.
    shutil.rmtree(sys.argv[4], ignore_errors=True)
    # The main thread may hang in a C library, or wait for an aplay that hangs: only SIGKILL ends
    # them. The agent starts this process as the leader of its own process group.
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _own_stdout() -> TextIO:
    """Reserve standard output for answers: pyttsx3 and aplay print to descriptor 1 at will."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, word: str, text: str = "") -> None:
    answers.write(json.dumps({"answer": word, "text": text}) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
