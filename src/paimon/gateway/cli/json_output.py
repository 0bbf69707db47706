"""`--json`: what a command shows, as one JSON document on stdout, in the shapes of the REST API."""

from typing import Annotated, Any

import orjson
import typer

from paimon.gateway.rest.schema import ApiModel

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, in the shape of the REST API.")]


def print_json(document: Any) -> None:
    """Print a JSON document, indented for people. Programs do not mind."""
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def json_of(view: ApiModel) -> dict[str, Any]:
    """Return the view as REST responds with it."""
    return view.model_dump(mode="json", by_alias=True)
