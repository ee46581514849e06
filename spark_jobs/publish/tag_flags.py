"""The tags of customers side by side, for whoever chooses customers by several of them: two flags a tag, this month's and ever."""

from __future__ import annotations

import duckdb

TABLE = "customer_tag_flags"
TAGS = (
    "margin_trading", "financing", "short_selling", "option_trading", "covered_options", "reverse_repo", "bse_trading", "hk_connect_trading",
    "b_share_trading", "mobile_ordering", "online_ordering", "telephone_ordering", "counter_ordering", "fund_plan", "fund_buying", "ipo_paying",
)  # fmt: skip


def create_tag_flags(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table `customer_tag_flags` beside the marts of a file that is being published.

    Grain: customer_id, as_of_date, one row for every profile; who has no tag has only false. `has_<tag>`: earned since the opening baseline;
    `has_<tag>_this_month`: earned in the month of the date.
    """
    flags = ", ".join(
        f"coalesce(bool_or(tag_name = '{tag}'), false) as has_{tag}, "
        f"coalesce(bool_or(tag_name = '{tag}' and is_current_month), false) as has_{tag}_this_month"
        for tag in TAGS
    )
    connection.execute(
        f"create table {TABLE} as select customer_id, as_of_date, {flags} from mart_customer_profile as profile "
        "left join mart_customer_tag as tags using (customer_id, as_of_date) group by customer_id, as_of_date order by customer_id, as_of_date"
    )
