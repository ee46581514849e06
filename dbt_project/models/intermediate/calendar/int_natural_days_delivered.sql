{{ config(materialized='ephemeral') }}

with calendar as (
    select * from {{ ref('stg_gold__calendar') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

-- what a weekend earned is delivered on Monday, day by day
final as (
    select
        calendar.calendar_date as natural_date,
        trading_days.trading_date as business_date,
        trading_days.previous_trading_date,
        calendar.trading_date as valued_date,
        datediff(calendar.calendar_date, trading_days.previous_trading_date) as natural_day_number,
        datediff(trading_days.trading_date, trading_days.previous_trading_date) as natural_day_count
    from trading_days
    inner join calendar
        on
            trading_days.previous_trading_date < calendar.calendar_date
            and trading_days.trading_date >= calendar.calendar_date
    where {{ is_loaded_date('trading_days.trading_date') }}
)

select * from final
