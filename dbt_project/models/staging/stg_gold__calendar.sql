with source as (
    select * from {{ source('gold', 'calendar') }}
),

final as (
    select
        calendar_date,
        is_trading_day,
        trading_date,
        next_trading_date,
        call_horizon_date,
        is_month_last_trading_day
    from source
)

select * from final
