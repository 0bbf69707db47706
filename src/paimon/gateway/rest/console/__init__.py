"""The console: the page that operators use, built from `web/` and served by the API itself.

    /console/               the page, and the same page for every path of its own that is no file
    /console/static/…       scripts and styles; their names have a hash of their content, so a browser keeps them for good
    /console/demo/…         the demo's wallet and the keys of the demo's accounts, on the demo's chain only

The files are read once, when the application is created. Nothing is compressed while serving.
"""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from paimon.gateway.rest.console.files import BUILT, ConsoleFiles, StaticFile
from paimon.settings import Settings

_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_KEPT_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASKED_EACH_TIME: Final = "no-cache"
_NOT_BUILT: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Paimon Prime Fund</title><h1>The console was not built</h1>"
    "<p>The API works. Run <code>make console</code> and start the API again, or install a wheel, which carries the console."
    "<p><a href=/api/docs>The API's documentation</a></html>"
)
_DEMO_PAGE: Final = "demo.html"
_DEMO_ACCOUNTS: Final = "demo/accounts.json"
_PAGE: Final = "index.html"


def console_router(settings: Settings, *, folder: Path = BUILT) -> APIRouter:
    """Make the console's routes. Without built files they say so with 503."""
    router = APIRouter(include_in_schema=False)
    files = ConsoleFiles.read(folder)
    demo_accounts = settings.console.demo_accounts
    accounts = None if demo_accounts is None else StaticFile.of(_DEMO_ACCOUNTS, demo_accounts.read_bytes())

    @router.get("/")
    async def start() -> Response:
        return RedirectResponse("/console/", status_code=307, headers={"Cache-Control": _ASKED_EACH_TIME})

    @router.get("/console")
    async def without_slash() -> Response:
        return RedirectResponse("/console/", status_code=307, headers={"Cache-Control": _ASKED_EACH_TIME})

    @router.get("/console/{path:path}")
    async def console(path: str, request: Request) -> Response:
        if not files.built:
            return Response(_NOT_BUILT, status_code=503, media_type="text/html; charset=utf-8")
        if path.startswith(("static/", "demo/")) or path in (_DEMO_PAGE, "manifest.json"):
            return _answer(request, _find_file(path))
        return _answer(request, files.get(_PAGE if accounts is None else _DEMO_PAGE))

    def _find_file(path: str) -> StaticFile:
        is_demo = path.startswith("demo/") or path == _DEMO_PAGE
        found = accounts if path == _DEMO_ACCOUNTS else files.find(path)
        if found is None or (is_demo and accounts is None):
            raise HTTPException(404)
        return found

    return router


def _answer(request: Request, file: StaticFile) -> Response:
    is_hashed = file.name.startswith(("static/", "demo/")) and file.name != _DEMO_ACCOUNTS
    headers = {
        "Cache-Control": _KEPT_FOR_GOOD if is_hashed else _ASKED_EACH_TIME,
        "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    encoding, content = file.encoded_for(request.headers.get("accept-encoding", ""))
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    return Response(content, media_type=file.media_type, headers=headers)
