"""A ready release becomes live: observe, decide, act, and look again.

`decide` is pure and is the whole of the thinking; `fleet` holds every effect on HAProxy and the
nodes; `controller` is the main loop, one task an app. The loop never remembers what it did to a
node: it looks, so a crash, a reload, a person's hand or a lost answer need no special case.
"""
