{{ config(materialized='ephemeral') }}

with calendar as (
    select * from {{ ref('stg_gold__calendar') }}
),

-- a non-trading day has the last trading day's value, so a trading day counts once for every natural day it stands for;
-- the days around a month's end fall into two months
final as (
    select
        trading_date,
        {{ month_of('calendar_date') }} as calendar_month,
        cast(count(*) as int) as natural_days
    from calendar
    where
        calendar_date >= {{ run_date('opening_date') }}
        and trading_date >= {{ run_date('opening_date') }}
    group by trading_date, {{ month_of('calendar_date') }}
)

select * from final
