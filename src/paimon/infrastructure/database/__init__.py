"""PostgreSQL: typed tables in two schemas, sessions, leases, migrations.

`derived` holds what can be rebuilt from logs and recorded observations, `ops` what people and this system decided.
No foreign key joins the two, because a replay swaps the first.
"""
