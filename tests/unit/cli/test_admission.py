"""Which folders may be started with which key."""

import msgspec
import pytest

from causeway.cli.admission import admit
from causeway.cli.errors import SiteFolderError
from causeway.cli.site_folder import SiteIdentity

WANTED = SiteIdentity(site="a", encryption=True, storage_key_check="right")
DECLARED = SiteIdentity(site="a", encryption=True, storage_key_check="right", declared=True)


def test_a_fresh_folder_may_have_its_streams_made() -> None:
    assert admit(None, WANTED, holds_streams=False)


def test_streams_without_an_identity_must_all_be_there() -> None:
    assert not admit(None, WANTED, holds_streams=True)


def test_a_start_that_crashed_before_the_streams_were_there_may_make_them() -> None:
    assert admit(WANTED, WANTED, holds_streams=True)


def test_a_folder_with_its_streams_is_never_made_anew() -> None:
    assert not admit(DECLARED, WANTED, holds_streams=True)


def test_another_storage_key_is_refused() -> None:
    wrong = SiteIdentity(site="a", encryption=True, storage_key_check="wrong")
    with pytest.raises(SiteFolderError, match="storage key is not the one"):
        admit(DECLARED, wrong, holds_streams=True)


def test_another_site_is_refused() -> None:
    with pytest.raises(SiteFolderError, match="is the site 'a', not 'b'"):
        admit(DECLARED, SiteIdentity(site="b", encryption=True, storage_key_check="right"), holds_streams=True)


def test_encryption_can_not_be_switched_off() -> None:
    with pytest.raises(SiteFolderError, match="encrypted"):
        admit(DECLARED, SiteIdentity(site="a", encryption=False), holds_streams=True)


def test_encryption_can_be_switched_on() -> None:
    plain = SiteIdentity(site="a", encryption=False, declared=True)
    assert not admit(plain, WANTED, holds_streams=True)


def test_a_folder_of_an_earlier_version_is_refused_before_anything_is_touched() -> None:
    now = msgspec.structs.replace(WANTED, version=2)
    with pytest.raises(SiteFolderError, match="made by an earlier version") as caught:
        admit(DECLARED, now, holds_streams=True)
    assert "publish the documents again" in caught.value.mend
    with pytest.raises(SiteFolderError, match="made by an earlier version"):
        admit(None, now, holds_streams=True, homeless=True)


def test_a_new_storage_key_is_taken_when_the_one_so_far_is_shown() -> None:
    rotated = SiteIdentity(site="a", encryption=True, storage_key_check="new")
    assert not admit(DECLARED, rotated, holds_streams=True, previous_key_check="right")
    with pytest.raises(SiteFolderError, match="storage key"):
        admit(DECLARED, rotated, holds_streams=True, previous_key_check="neither")
