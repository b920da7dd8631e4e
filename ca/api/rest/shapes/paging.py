"""Pages: how long one is, and where the next one begins."""

from typing import Annotated, Final

from fastapi import Query

DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1000

Size = Annotated[int, Query(ge=1, le=MAX_SIZE, description="How many at most.", alias="page_size")]
Token = Annotated[
    str, Query(max_length=256, description="From the page before.", alias="page_token")
]
