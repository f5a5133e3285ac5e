"""Whatever somebody posts to a hook, a gateway refuses it or says what it is about."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.money.gateways.gateway import Notification
from tests.gateways import sslcommerz
from tests.unit.money.gateways.conftest import Bench

_FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_NAMES = st.sampled_from(
    [
        "id",
        "type",
        "data",
        "object",
        "metadata",
        "livemode",
        "order_id",
        "transaction_status",
        "status_code",
        "gross_amount",
        "signature_key",
        "tran_id",
        "status",
        "verify_key",
        "verify_sign_sha2",
        "val_id",
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=6),
    max_leaves=10,
)
_FORMS = st.dictionaries(_NAMES, st.text(st.characters(exclude_categories=["Cs"])), max_size=8)
_BODIES = (
    st.binary(max_size=200)
    | _VALUES.map(lambda value: json.dumps(value).encode())
    | _FORMS.map(lambda form: urlencode(form).encode())
)
_SIGNATURES = st.text(max_size=80) | st.integers().map(lambda moment: f"t={moment},v1=é")


@_FEW
@given(body=_BODIES, signature=_SIGNATURES)
def test_what_nobody_signed_is_refused(bench: Bench, body: bytes, signature: str) -> None:
    headers = {"Stripe-Signature": signature, "Sandbox-Signature": signature}
    try:
        bench.gateway.parse(Notification(headers, {}, body))
    except (Forbidden, Invalid):
        return
    raise AssertionError("nothing signed it")


@_FEW
@given(about=_VALUES)
def test_what_stripe_signed_is_read_or_refused(stripe_bench: Bench, about: Any) -> None:
    told = stripe_bench.simulator.event("charge.refunded", about)
    try:
        hint = stripe_bench.gateway.parse(told)
    except Invalid:
        return
    assert hint.charge_ref is None


@_FEW
@given(form=_FORMS)
def test_what_sslcommerz_signed_is_read_or_refused(
    sslcommerz_bench: Bench, form: dict[str, str]
) -> None:
    names = form.keys() - {"verify_key", "verify_sign_sha2"}
    fields = {name: form[name] for name in names}
    told = sslcommerz.told(sslcommerz.signed(fields, sslcommerz.STORE_PASSWORD))
    try:
        hint = sslcommerz_bench.gateway.parse(told)
    except (Forbidden, Invalid):
        return
    assert hint.payment_id == form["tran_id"]
