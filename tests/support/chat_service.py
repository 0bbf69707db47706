"""A chat service for tests that stay outside of asyncio: it takes messages as Slack does, or refuses them for good."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_ACCEPTED = 200
_NO_SUCH_CHANNEL = 404


class ChatService:
    """Whether messages are taken at each of its channels' paths. An unknown path takes them."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.refusing: set[str] = set()

    def answer(self, path: str) -> tuple[int, bytes]:
        if path.strip("/") in self.refusing:
            return _NO_SUCH_CHANNEL, b"no_service"
        return _ACCEPTED, b"ok"


@contextmanager
def running_chat_service() -> Iterator[ChatService]:
    """Run the service on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = service.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service = ChatService(server)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def write_channels(folder: Path, service: ChatService, persons: dict[str, str | None]) -> Path:
    """Write a file with a channel of each name, of a person or shared, and a route of critical events to the first one."""
    lines = []
    for name, person in persons.items():
        (folder / f"{name}.url").write_text(f"{service.url}/{name}\n")
        lines += [
            "[[channels]]",
            f'name = "{name}"',
            'kind = "slack"',
            f'url_file = "{folder}/{name}.url"',
            "allow_private = true",
        ]
        lines += [] if person is None else [f'person = "{person}"']
    lines += ["[[routes]]", 'severities = ["CRITICAL"]', f'channels = ["{next(iter(persons))}"]']
    path = folder / "notifications.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
