"""The `bigred` command, for `python -m bigred_server`."""

from bigred_server.cli import main

main()
