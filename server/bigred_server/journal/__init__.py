"""The journal: a SQLAlchemy database that records what happened and what is wanted.

Every act on the fleet is recorded before it (the intent) and after it (the outcome). Functions take
an open connection, so that several can share one transaction; `Database` opens connections.
"""
