"""The journal: what happened and what is wanted, in one SQLAlchemy database.

Every act on the fleet is written here before (intent) and after (outcome). Functions take an open
connection, so that several of them make one transaction; `Database` opens them.
"""
