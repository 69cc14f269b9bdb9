"""The schemas of how a connection is used: how fast, how much at once, and what makes a repetition harmless."""

from runner.language import Json, closed, text, time_span

_HEADER_NAME = {
    "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    "x-message": "a header name (letters, digits and -)",
}
RATE_LIMIT: Json = closed(
    {
        "requests": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100_000,
            "description": "Most requests in any window of `per`. Attempts and pages count as requests.",
            "examples": [100],
        },
        "per": time_span("The window of `requests`.", "1m"),
        "burst": {
            "type": "integer",
            "minimum": 1,
            "description": "Requests that may go out at once; those after them are spaced evenly. Default 1.",
            "examples": [10],
        },
        "statuses": {
            "type": "array",
            "description": "Statuses with which this API says `too many requests`, besides 429.",
            "items": {
                "type": "integer",
                "minimum": 400,
                "maximum": 599,
                "x-message": "a status code from 400 to 599",
            },
            "examples": [[403]],
        },
        "remaining": text(
            "Response header with the requests that are left. Where it is given, one of `statuses` counts only while it is 0, or with Retry-After.",
            examples=["X-RateLimit-Remaining"],
            **_HEADER_NAME,
        ),
        "reset": closed(
            {
                "header": text("Name of the header.", examples=["X-RateLimit-Reset"], **_HEADER_NAME),
                "unit": text(
                    "What it holds: seconds from now; a time as seconds, milliseconds or microseconds since 1970, or as RFC 3339; a duration such as 6m0s.",
                    enum=["delta_s", "epoch_s", "epoch_ms", "epoch_us", "rfc3339", "duration"],
                    examples=["epoch_s"],
                ),
            },
            required=("header", "unit"),
            description="Response header that says when the limit begins anew; obeyed where Retry-After says nothing.",
            examples=[{"header": "X-RateLimit-Reset", "unit": "epoch_s"}],
        ),
    },
    description="How fast requests go out, over all actions and items of a run, and how the API says that it was too fast.",
    examples=[{"requests": 100, "per": "1m"}],
    minProperties=1,
)
CONCURRENCY: Json = {
    "type": "integer",
    "minimum": 1,
    "maximum": 1000,
    "description": "Most requests on their way at once, over all actions and items of a run. Default 64.",
    "examples": [8],
}
IDEMPOTENCY: Json = closed(
    {"header": text("Header that carries the key.", examples=["Idempotency-Key"], **_HEADER_NAME)},
    required=("header",),
    description="POST and PATCH carry a key made from run, action and item, the same for every attempt, so that they may be sent again.",
    examples=[{"header": "Idempotency-Key"}],
)
