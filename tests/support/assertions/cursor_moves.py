"""The cursor's moves as the database logged them: the writer, its epoch, and the block before and after.

The rows alone do not show that a superseded listener wrote once more, if what it wrote happened to be right. The database
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
    """Log every move of the cursor in this database from now on."""
    async with owner.begin() as connection:
        for statement in _INSTALL_TRIGGER:
            await connection.execute(text(statement))


async def cursor_moves(owner: AsyncEngine) -> list[CursorMove]:
    """Return and delete the logged moves, in order."""
    statement = text("""
        WITH taken AS (DELETE FROM public.cursor_moves RETURNING *)
        SELECT writer, epoch, number_before, number FROM taken ORDER BY place
    """)
    async with owner.begin() as connection:
        return [CursorMove(*row) for row in await connection.execute(statement)]


def assert_moved_by_lease_holders(moves: list[CursorMove], epochs: Mapping[str, Set[int]]) -> None:
    """Check that every move goes forwards, by a writer that held the cursor's epoch. `epochs` are by the writers' names."""
    for move in moves:
        assert move.number > move.number_before, f"the cursor went back: {move}"
        assert move.epoch in epochs[move.writer.removeprefix("paimon-")], f"a superseded listener wrote: {move}, of {epochs}"
