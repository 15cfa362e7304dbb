"""HAProxy's tables, read row by row."""

from bigred_server.haproxy import tables

STAT = (
    '# pxname,svname,status,last_chk,addr,\nshop,n1,UP,"a, ""b""",10.0.0.1:80,\nshop,BACKEND,UP\n'
)
STATES = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_admin_state\n3 shop 1 n1 10.0.0.1 8\n3 shop\n"
)


def test_a_row_is_found_by_backend_and_server() -> None:
    table = tables.stat_table(STAT)
    assert table.row("shop", "n1")["last_chk"] == 'a, "b"'
    assert table.column("addr")["shop", "n1"] == "10.0.0.1:80"
    assert list(table.cells) == [("shop", "n1"), ("shop", "BACKEND")]


def test_cells_that_a_row_lacks_are_empty() -> None:
    table = tables.stat_table(STAT)
    assert table.row("shop", "BACKEND")["addr"] == ""
    assert table.column("addr")["shop", "BACKEND"] == ""
    assert not table.column("no such")


def test_rows_are_those_that_are_read_all_at_once() -> None:
    table = tables.stat_table(STAT)
    for row in tables.stat(STAT):
        assert table.row(row["pxname"], row["svname"]) == row


def test_a_server_without_a_state_is_left_out() -> None:
    table = tables.state_table(STATES)
    assert table.row("shop", "n1")["srv_admin_state"] == "8"
    assert not table.has("shop", "")
    assert not tables.state_table("1\n").cells
