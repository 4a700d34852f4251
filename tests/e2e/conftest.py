"""A running site that the end-to-end tests of a session share."""

from collections.abc import Iterator

import pytest

from tests.support.site import SiteUnderTest, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    """As shipped: `causeway up site` with nothing but free ports."""
    with running_site(tmp_path_factory.mktemp("shared-site")) as shared:
        yield shared
