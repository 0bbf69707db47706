"""The API's documentation as a page: Swagger UI as a package ships it, served by us, so that it works offline."""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

_PAGE: Final = files(__package__)
_SWAGGER_UI: Final = files("fastapi_offline") / "static"

_FILES: Final = {
    "index.html": (_PAGE, "text/html; charset=utf-8"),
    "start.js": (_PAGE, "text/javascript; charset=utf-8"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript; charset=utf-8"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css; charset=utf-8"),
    "favicon.png": (_SWAGGER_UI, "image/png"),
}
_HEADERS: Final = {
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


@router.get("/api/docs")
async def page() -> Response:
    return _file("index.html")


@router.get("/api/docs/{name}")
async def file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404)
    return _file(name)


def _file(name: str) -> Response:
    folder, media_type = _FILES[name]
    return Response(folder.joinpath(name).read_bytes(), media_type=media_type, headers=_HEADERS)
