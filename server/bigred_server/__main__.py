"""The `bigred` command as a program: its script and `python -m bigred_server` run this."""

import os
import sys

from bigred_server.cli import main

# These run for long, and are to end in the usual way.
_LASTING = frozenset({"demo", "server"})


def program() -> None:
    """Run the command, and end at once when it has ended.

    Python would first take apart all that was loaded, which takes a tenth of the time of a verb.
    By then a verb has closed what it opened; nothing else is left to be done but to write out what
    it printed.
    """
    try:
        main()
        status: str | int | None = 0
    except SystemExit as ended:
        status = ended.code
    if isinstance(status, int) and _LASTING.isdisjoint(sys.argv[1:2]):
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:  # it is None where the caller has closed it
                    stream.flush()
        except OSError:
            pass  # nobody reads any more; Python reports that itself
        else:
            os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    program()
