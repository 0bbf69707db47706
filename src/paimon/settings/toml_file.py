"""Read a TOML file that a setting names, as a checked value."""

import tomllib
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from paimon.settings.base import SettingsError

FILE_BYTES_MAX: Final = 1_000_000

_Content = TypeVar("_Content", bound=BaseModel)


def read_toml_file(path: Path, content: type[_Content], *, title: str, variable: str) -> _Content:
    """Read a file; `title` is what errors call it, and `variable` the setting that names it.

    Raises:
        SettingsError: names what is wrong, but repeats no value.
    """
    try:
        with path.open("rb") as file:
            found = file.read(FILE_BYTES_MAX + 1)
        if len(found) > FILE_BYTES_MAX:
            raise SettingsError(f"the {title} {path} have more than {FILE_BYTES_MAX} bytes")
        return content.model_validate(tomllib.loads(found.decode()))
    except OSError as error:
        raise SettingsError(f"the {title} {path} cannot be read: {error.strerror} ({variable})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the {title} {path} are no TOML: {error}") from error
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        lines = [f"  {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in problems]
        raise SettingsError(f"the {title} {path} are wrong:\n" + "\n".join(lines)) from error
