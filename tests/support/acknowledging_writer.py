"""Write answers to a journal, and print the number of each as soon as it is acknowledged.

    python -m tests.support.acknowledging_writer JOURNAL FIRST

Several tasks write at once, as the tasks of a server do. It goes on until it is killed.
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from bigred_server.journal import armings
from bigred_server.journal.database import Database

_TASKS = 4


async def main(journal: Path, first: int) -> None:
    """Write until killed."""
    db, numbers = await Database.open(journal), itertools.count(first)

    async def write() -> None:
        while True:
            number = next(numbers)
            async with db.write() as connection:
                await armings.remember(connection, f"box-{number}", "lid", "{}", float(number))
            # Not print(): what a buffer holds would be lost with the process.
            os.write(1, f"{number}\n".encode())

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_TASKS):
            tasks.create_task(write())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
