"""Every file of a report: one for each format, and one for each language where the format has words."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import Final

from paimon.domain.report.document import Edition, Report
from paimon.infrastructure.reports.csv_file import csv_file
from paimon.infrastructure.reports.json_file import json_file
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.pdf_file import pdf_file
from paimon.infrastructure.reports.xlsx_file import xlsx_file


class FileFormat(StrEnum):
    """Format of a file."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


Renderer = Callable[[Report, Edition], bytes]

RENDERERS: Final[dict[tuple[FileFormat, Language | None], Renderer]] = {
    (FileFormat.JSON, None): json_file,
    (FileFormat.CSV, None): csv_file,
    **{(FileFormat.XLSX, language): partial(xlsx_file, language=language) for language in Language},
    **{(FileFormat.PDF, language): partial(pdf_file, language=language) for language in Language},
}


_NO_EDITION: Final = Edition(0)


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file and its SHA-256. `language` is None where the format has no words."""

    format: FileFormat
    language: Language | None
    content: bytes

    @property
    def sha256(self) -> str:
        """Return the hash as 64 hexadecimal digits."""
        return sha256(self.content).hexdigest()


def render_statement(report: Report, file_format: FileFormat, language: Language) -> RenderedFile:
    """Return one file of a report that has no versions; `language` counts where the format has words."""
    of_file = None if (file_format, None) in RENDERERS else language
    return RenderedFile(file_format, of_file, RENDERERS[file_format, of_file](report, Edition(1)))


def data_hash(report: Report) -> bytes:
    """Return the SHA-256 of a report's data alone: equal for all versions of the same data."""
    return sha256(json_file(report, _NO_EDITION)).digest()


def render(report: Report, edition: Edition) -> tuple[RenderedFile, ...]:
    """Return every file. Equal reports give equal bytes, in every process, time zone and locale."""
    return tuple(
        RenderedFile(file_format, language, renderer(report, edition))
        for (file_format, language), renderer in RENDERERS.items()
    )
