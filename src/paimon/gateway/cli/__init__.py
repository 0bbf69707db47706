"""The command line of the product: its processes, its database, and what an operator needs at a terminal.

Every module that holds a command has a Typer `app`; `main.py` names them. A command ends with exit code

    0  it did what it should, and found nothing wrong
    1  it found something that an operator must look at: a difference, an unexplained change, a reverting call
    2  it could not do its work; one sentence on stderr says why, and what would be right
"""
