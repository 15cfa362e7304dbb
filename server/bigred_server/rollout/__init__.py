"""A ready release becomes live: observe, decide, act, and observe again.

`core` decides, from plain values alone; `loop` observes and acts, one task per app. The loop never
remembers what it did to a node: it looks again. So a crash, a reload, a manual change or a lost
answer needs no special case.
"""
