"""Paths by their shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.traffic.path_shape import MAX_SEGMENT, MAX_SEGMENTS, path_shape


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "/"),
        ("", ""),
        ("/transaction/17", "/transaction/*"),
        ("/orders/17/items/4", "/orders/*/items/*"),
        ("/v1/health", "/v1/health"),
        ("/utf-8/oauth2", "/utf-8/oauth2"),
        ("/u/0b9c1f0e-8a39-4a5e-9d0f-3f1d7d1d9a11", "/u/*"),
        ("/blob/deadbeef01", "/blob/*"),
        ("/blob/deadbeef", "/blob/deadbeef"),
        ("/reset/ZnJlZ-2Q0-x91zz", "/reset/*"),
        ("/" + "a" * (MAX_SEGMENT + 1), "/*"),
        ("/finial.agent.v1.Follow/Follow", "/finial.agent.v1.Follow/Follow"),
        ("/a" * MAX_SEGMENTS, "/a" * MAX_SEGMENTS),
        ("/a" * (MAX_SEGMENTS + 2), "/a" * MAX_SEGMENTS + "/*"),
    ],
)
def test_what_changes_from_request_to_request_is_a_star(path: str, shape: str) -> None:
    """Numbers, ids and what is too long are not recorded; names are."""
    assert path_shape(path) == shape


@given(st.text(max_size=2000))
def test_a_shape_is_bounded_and_its_own_shape(path: str) -> None:
    """Whatever a caller sends, the shape is short, and shaping it again changes nothing."""
    shape = path_shape(path)
    assert len(shape) <= (MAX_SEGMENTS + 1) * (MAX_SEGMENT + 1) + 2
    assert path_shape(shape) == shape
