-- Averages count days of the calendar: a missing one would make them wrong without a sign. Every natural day from the
-- baseline to the end of the last month must be there, and 62 days before the load must hold 20 trading days.
with calendar as (
    select * from {{ ref('stg_gold__calendar') }}
),

counted as (
    select
        count_if(
            calendar_date between {{ run_date('opening_date') }} and last_day({{ run_date('last_date') }})
        ) as natural_days,
        count_if(
            is_trading_day
            and calendar_date > date_sub({{ run_date('first_date') }}, 62)
            and calendar_date <= {{ run_date('first_date') }}
        ) as recent_trading_days
    from calendar
)

select
    natural_days,
    recent_trading_days
from counted
where
    natural_days != datediff(last_day({{ run_date('last_date') }}), {{ run_date('opening_date') }}) + 1
    or (
        recent_trading_days < 20
        and date_sub({{ run_date('first_date') }}, 62) > {{ run_date('opening_date') }}
    )
