"""The fleet of one app: all its nodes, behind all its HAProxies."""
