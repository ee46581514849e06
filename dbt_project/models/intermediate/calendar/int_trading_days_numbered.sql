{{ config(materialized='ephemeral') }}

with calendar as (
    select * from {{ ref('stg_gold__calendar') }}
),

trading_days as (
    select
        calendar_date as trading_date,
        is_month_last_trading_day
    from calendar
    where is_trading_day
),

-- the day the ratios of a trade date are taken from may lie before the opening baseline: number first, filter after
with_relation_slice as (
    select
        trading_date,
        is_month_last_trading_day,
        lag(trading_date, {{ var('relation_lag_trading_days') }}) over (order by trading_date) as relation_slice_date,
        lag(trading_date) over (order by trading_date) as previous_trading_date,
        lead(trading_date) over (order by trading_date) as next_trading_date
    from trading_days
),

final as (
    select
        trading_date,
        {{ month_of('trading_date') }} as trading_month,
        row_number() over (order by trading_date) as trading_day_number,
        is_month_last_trading_day,
        relation_slice_date,
        previous_trading_date,
        -- what a customer is on the load's first date is held against the day before it
        trading_date >= {{ run_date('first_date') }}
        or next_trading_date >= {{ run_date('first_date') }} as is_compared
    from with_relation_slice
    where {{ is_in_run_window('trading_date') }}
)

select * from final
