"""Who may act on whom."""

from __future__ import annotations

import pytest

from mediaserver.accounts.permissions import Rank
from mediaserver.kernel.errors import Forbidden
from mediaserver.moderation.ranks import check_outranks


@pytest.mark.parametrize("actor", list(Rank))
@pytest.mark.parametrize("target", list(Rank))
def test_only_moderators_and_only_downwards(actor: Rank, target: Rank) -> None:
    if actor >= Rank.MODERATOR and actor > target:
        check_outranks(actor, target)
    else:
        with pytest.raises(Forbidden):
            check_outranks(actor, target)


def test_names() -> None:
    assert [rank.role for rank in Rank] == ["viewer", "moderator", "owner", "admin"]
