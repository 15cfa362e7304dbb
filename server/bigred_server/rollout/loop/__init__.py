"""The reconciler of one app: it observes, asks the core to decide, and carries the actions out."""
