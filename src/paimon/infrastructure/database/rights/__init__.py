"""Rights in the database: a role for each process, what each may do with each table, and what no role may change.

roles      the roles and their names on the server
table      the one table: role × table × privileges
evidence   rows that no role may change or remove, kept by triggers
policies   which rows a role may add, where a right on the table is too wide
apply      grants exactly these rights; `paimon db upgrade` and `paimon db grant-roles` call it
check      lists every difference between a database and the table; each process checks its own role at its start
"""
