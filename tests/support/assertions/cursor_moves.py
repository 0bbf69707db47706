"""Who moved the cursor, under which epoch and from where to where, as the database itself saw it.

Rows alone do not show that whoever had been overtaken wrote once more, if what it wrote happened to be right. The database
knows its writers by the name of their connections, `paimon-NAME`.
"""

from collections.abc import Mapping, Set
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_INSTALL_TRIGGER: Final = (
    """CREATE TABLE public.cursor_moves (
           place bigint GENERATED ALWAYS AS IDENTITY, writer text, epoch bigint, number_before bigint, number bigint)""",
    """CREATE FUNCTION public.log_cursor_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
           INSERT INTO public.cursor_moves (writer, epoch, number_before, number)
           VALUES (current_setting('application_name'), new.epoch, old.number, new.number);
           RETURN NULL;
       END $$""",
    """CREATE TRIGGER log_cursor_move AFTER UPDATE OF number ON derived.cursor
           FOR EACH ROW EXECUTE FUNCTION public.log_cursor_move()""",
)


class CursorMove(NamedTuple):
    writer: str
    epoch: int
    number_before: int
    number: int


async def track_cursor_moves(owner: AsyncEngine) -> None:
    """From now on, in this database."""
    async with owner.begin() as connection:
        for statement in _INSTALL_TRIGGER:
            await connection.execute(text(statement))


async def cursor_moves(owner: AsyncEngine) -> list[CursorMove]:
    """All since the last time this was asked, in order."""
    taken = text("""
        WITH taken AS (DELETE FROM public.cursor_moves RETURNING *)
        SELECT writer, epoch, number_before, number FROM taken ORDER BY place
    """)
    async with owner.begin() as connection:
        return [CursorMove(*each) for each in await connection.execute(taken)]


def assert_moved_by_lease_holders(moves: list[CursorMove], epochs: Mapping[str, Set[int]]) -> None:
    """Forwards only, and each by someone who was given the epoch that the cursor had then; `epochs` by the writers' names."""
    for each in moves:
        assert each.number > each.number_before, f"the cursor went back: {each}"
        assert each.epoch in epochs[each.writer.removeprefix("paimon-")], f"one that was overtaken wrote: {each}, of {epochs}"
