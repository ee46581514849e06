"""The institutional cockpit: institutions by what they and the products under them own, and one of them with its products and holdings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serving import institutions
from serving.callers import Caller
from serving.pages.chart import curve
from serving.pages.customers import HOLDINGS, MONTHS_SHOWN_DAYS, blocks_of, some
from serving.pages.revisions import of_one_revision
from serving.service import Service

MOST_SHOWN, MOST_HOLDINGS = 200, 30

# What a page shows, in this order; a column the role does not have is left out.
LISTED = (
    "name_masked", "customer_kind", "institution_kind", "investor_class", "branch_name", "product_count", "group_total_asset_amount",
    "group_net_asset_amount", "total_asset_amount", "licence_expiry_date",
)  # fmt: skip
WHO = (
    "institution_kind", "investor_class", "registered_capital_amount", "licence_expiry_date", "licence_expiry_days", "identity_masked",
    "region_name", "open_date", "customer_status", "risk_level", "contact_name_masked", "contact_phone_masked",
)  # fmt: skip
GROUP = (
    "group_total_asset_amount",
    "group_net_asset_amount",
    "total_asset_amount",
    "net_asset_amount",
    "product_count",
)
HELD = ("held_by", *HOLDINGS)
UNDER = (
    "name_masked",
    "branch_name",
    "risk_level",
    "total_asset_amount",
    "net_asset_amount",
    "fund_amount",
    "securities_amount",
    "cash_amount",
)


def overview(service: Service, caller: Caller) -> dict[str, Any]:
    """The largest institutions."""
    answer = institutions.largest(service, caller, MOST_SHOWN)
    rows = answer["data"]
    return {"envelope": answer, "rows": rows, "columns": [name for name in LISTED if rows and name in rows[0]]}


def screen(service: Service, caller: Caller, customer_id: str) -> dict[str, Any]:
    """One institution or product, all of one revision."""

    def read() -> tuple[dict[str, Any], list[int]]:
        answer = institutions.institution(service, caller, customer_id)
        held = institutions.holdings(service, caller, customer_id)
        first = answer["as_of_date"] - timedelta(days=MONTHS_SHOWN_DAYS)
        past = institutions.asset_history(service, caller, customer_id, first)
        own, *under = answer["data"]
        rows = held["data"]
        if under:
            # Where several could have a position it says who does.
            names = {one.get("customer_id"): one.get("name_masked") for one in under}
            rows = [{"held_by": names.get(one.get("customer_id")), **one} for one in rows]
        shown = {
            "envelope": answer,
            "row": own,
            "who": some(own, WHO),
            "group": some(own, GROUP),
            "blocks": blocks_of(own),
            "under": under,
            "holdings": sorted(rows, key=lambda one: one.get("market_value_amount") or 0, reverse=True),
            "curve": curve(
                [(one["as_of_date"], one["group_total_asset_amount"]) for one in past["data"] if one.get("group_total_asset_amount") is not None]
            ),
        }  # fmt: skip
        return shown, [answer["revision"], held["revision"], past["revision"]]

    return of_one_revision(read)
