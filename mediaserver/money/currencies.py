"""Currencies and amounts: integers in minor units everywhere, decimals only where people read them.

Pure. Exponents are those of ISO 4217, which the ledger keeps for ever; what a gateway makes of a
currency (Stripe's special cases, Midtrans's whole rupiah) is that gateway's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Currency:
    """`exponent`: digits behind the point, so that 10 ** exponent minor units are one unit."""

    code: str
    exponent: int
    symbol: str
    name: str

    @property
    def unit_minor(self) -> int:
        """One whole unit in minor units."""
        return int(10**self.exponent)


_LISTED = """
AED 2 AED UAE dirham
ARS 2 AR$ Argentine peso
AUD 2 A$ Australian dollar
BDT 2 ৳ Bangladeshi taka
BHD 3 BHD Bahraini dinar
BGN 2 BGN Bulgarian lev
BRL 2 R$ Brazilian real
CAD 2 CA$ Canadian dollar
CHF 2 CHF Swiss franc
CLP 0 CLP Chilean peso
CNY 2 CN¥ Chinese yuan
COP 2 COP Colombian peso
CZK 2 Kč Czech koruna
DKK 2 kr. Danish krone
EGP 2 E£ Egyptian pound
EUR 2 € Euro
GBP 2 £ British pound
HKD 2 HK$ Hong Kong dollar
HUF 2 Ft Hungarian forint
IDR 2 Rp Indonesian rupiah
ILS 2 ₪ Israeli new shekel
INR 2 ₹ Indian rupee
ISK 0 ISK Icelandic króna
JOD 3 JOD Jordanian dinar
JPY 0 ¥ Japanese yen
KES 2 KSh Kenyan shilling
KRW 0 ₩ South Korean won
KWD 3 KWD Kuwaiti dinar
MAD 2 MAD Moroccan dirham
MXN 2 MX$ Mexican peso
MYR 2 RM Malaysian ringgit
NGN 2 ₦ Nigerian naira
NOK 2 NOK Norwegian krone
NZD 2 NZ$ New Zealand dollar
OMR 3 OMR Omani rial
PEN 2 S/ Peruvian sol
PHP 2 ₱ Philippine peso
PKR 2 Rs Pakistani rupee
PLN 2 zł Polish złoty
RON 2 lei Romanian leu
SAR 2 SAR Saudi riyal
SEK 2 kr Swedish krona
SGD 2 S$ Singapore dollar
THB 2 ฿ Thai baht
TND 3 TND Tunisian dinar
TRY 2 ₺ Turkish lira
TWD 2 NT$ New Taiwan dollar
UAH 2 ₴ Ukrainian hryvnia
UGX 0 USh Ugandan shilling
USD 2 $ US dollar
UYU 2 $U Uruguayan peso
VND 0 ₫ Vietnamese dong
XAF 0 FCFA Central African CFA franc
XOF 0 CFA West African CFA franc
ZAR 2 R South African rand
"""


def _currency(line: str) -> Currency:
    code, exponent, symbol, name = line.split(maxsplit=3)
    return Currency(code, int(exponent), symbol, name)


CURRENCIES = {one.code: one for one in map(_currency, _LISTED.strip().splitlines())}
"""Those that a site may use, by their code."""

_AMOUNT = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,6}))?", re.ASCII)


def currency_of(code: str) -> Currency:
    """Raises `Invalid` for one that isn't listed."""
    found = CURRENCIES.get(code)
    if found is None:
        raise Invalid(f"There is no currency {code[:8]!r} here.", field="currency")
    return found


def checked_amount(amount_minor: int, field: str = "amount_minor", *, least: int = 1) -> int:
    """`amount_minor`, if the ledger takes it and it is at least `least`. Raises `Invalid`."""
    if amount_minor < least:
        raise Invalid("That is too little.", field=field, code="amount_too_small")
    if amount_minor > limits.AMOUNT_MINOR_MAX:
        raise Invalid("That is too much.", field=field, code="amount_too_large")
    return amount_minor


def parsed_amount(text: str, currency: Currency, field: str = "amount") -> int:
    """What somebody typed, such as "12.50", in minor units. Raises `Invalid`, also for more digits
    behind the point than the currency has: nothing is ever rounded.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise Invalid("Write an amount such as 5 or 12.50.", field=field)
    whole, part = match.group(1), (match.group(2) or "").rstrip("0")
    if len(part) > currency.exponent:
        least = plain(1, currency)
        raise Invalid(f"The smallest amount of {currency.code} is {least}.", field=field)
    return int(whole) * currency.unit_minor + int(part.ljust(currency.exponent, "0") or "0")


def plain(amount_minor: int, currency: Currency) -> str:
    """The number alone, such as "-1234.50": for forms, CSV and gateways that take decimals."""
    sign = "-" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), currency.unit_minor)
    return f"{sign}{whole}" + (f".{part:0{currency.exponent}}" if currency.exponent else "")


def formatted(amount_minor: int, currency: Currency) -> str:
    """For people, such as "$1,234.50" or "-Kč 1,234.50": a symbol of letters stands apart."""
    sign = "-" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), currency.unit_minor)
    number = f"{whole:,}" + (f".{part:0{currency.exponent}}" if currency.exponent else "")
    gap = "\u00a0" if currency.symbol[-1].isalpha() or currency.symbol[-1] == "." else ""
    return f"{sign}{currency.symbol}{gap}{number}"


def money(amount_minor: int, code: str) -> str:
    """`formatted` by the currency's code."""
    return formatted(amount_minor, CURRENCIES[code])
