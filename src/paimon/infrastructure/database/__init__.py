"""PostgreSQL: typed tables in two schemas, sessions, leases, migrations.

The schema `derived` holds what can be rebuilt from logs and observations; `ops` holds what operators and this system decided.
No foreign key joins the two schemas, because a replay swaps `derived`.
"""
