"""Choose a visitor's language: the first page redirects to the one that the browser asks for (``LanguageRedirect``)."""

from collections.abc import Sequence

from starlette.datastructures import Headers, QueryParams
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from copilot.i18n import LANGUAGES
from copilot.settings import Settings


def list_languages(settings: Settings) -> tuple[str, ...]:
    """Return the page's languages; the first is at its root, the others at their code."""
    return (settings.language,) if settings.language else tuple(LANGUAGES)


def choose_language(accept: str, languages: Sequence[str]) -> str:
    """Return which of ``languages`` an ``Accept-Language`` header (RFC 9110, 12.5.4) prefers; the first if none."""
    liked: list[tuple[float, int, str]] = []
    for part in accept.split(","):
        tag, _, weight = part.partition(";")
        code, quality = tag.strip().lower().split("-")[0], weight.strip().removeprefix("q=") or "1"
        if code in languages and quality.replace(".", "", 1).isdecimal() and float(quality) > 0:
            liked.append((-float(quality), len(liked), code))
    return min(liked)[2] if liked else languages[0]


class LanguageRedirect:
    """Redirect a visitor of the root to their language, unless the address has ``?lang=``, as the page's links do."""

    def __init__(self, app: ASGIApp, languages: Sequence[str]) -> None:
        self._app, self._languages = app, languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http" and scope["path"] == "/" and "lang" not in QueryParams(scope["query_string"]):
            language = choose_language(Headers(scope=scope).get("accept-language", ""), self._languages)
            if language != self._languages[0]:
                query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
                await RedirectResponse(language + query, headers={"Vary": "Accept-Language"})(scope, receive, send)
                return
        await self._app(scope, receive, send)
