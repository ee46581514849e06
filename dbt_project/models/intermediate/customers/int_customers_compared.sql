with customers_with_assets as (
    select * from {{ ref('int_customers_with_assets') }}
),

averages as (
    select * from {{ ref('int_customers_averaged') }}
),

last_trades as (
    select * from {{ ref('int_customers_last_traded') }}
),

turnovers as (
    select * from {{ ref('int_customers_turned_over') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

with_figures as (
    select
        customers_with_assets.customer_id,
        customers_with_assets.business_date,
        trading_days.trading_day_number,
        customers_with_assets.customer_status,
        customers_with_assets.open_date,
        customers_with_assets.total_asset_amount,
        averages.month_average_asset_amount,
        turnovers.turnover_365d_amount,
        last_trades.last_trade_date
    from customers_with_assets
    inner join trading_days on customers_with_assets.business_date = trading_days.trading_date
    left join averages
        on
            customers_with_assets.customer_id = averages.customer_id
            and customers_with_assets.business_date = averages.business_date
    left join last_trades
        on
            customers_with_assets.customer_id = last_trades.customer_id
            and customers_with_assets.business_date = last_trades.business_date
    left join turnovers
        on
            customers_with_assets.customer_id = turnovers.customer_id
            and customers_with_assets.business_date = turnovers.business_date
),

with_inactive_days as (
    select
        *,
        {{ days_inactive('business_date') }} as inactive_days
    from with_figures
),

standings as (
    select
        customer_id,
        business_date,
        trading_day_number,
        -- only normal clients have a status; who has none is not closed
        coalesce(customer_status = 'closed', false) as is_closed,
        coalesce({{ customer_is_lost() }}, false) as is_lost,
        {{ customer_is_valid() }} as is_valid_customer
    from with_inactive_days
),

-- of the trading day before and no earlier one: who was not delivered then was nothing
beside_the_day_before as (
    select
        *,
        max(is_closed) over day_before as was_closed,
        max(is_lost) over day_before as was_lost,
        max(is_valid_customer) over day_before as was_valid_customer
    from standings
    window
        day_before as (
            partition by customer_id
            order by trading_day_number
            range between 1 preceding and 1 preceding
        )
),

-- a day whose day before was never loaded cannot say what is new
days_with_a_day_before as (
    select distinct trading_day_number + 1 as trading_day_number
    from standings
),

final as (
    select
        beside_the_day_before.customer_id,
        beside_the_day_before.business_date,
        beside_the_day_before.is_closed,
        beside_the_day_before.is_lost,
        beside_the_day_before.is_valid_customer,
        coalesce(beside_the_day_before.was_closed, false) as was_closed,
        coalesce(beside_the_day_before.was_lost, false) as was_lost,
        coalesce(beside_the_day_before.was_valid_customer, false) as was_valid_customer
    from beside_the_day_before
    inner join days_with_a_day_before
        on beside_the_day_before.trading_day_number = days_with_a_day_before.trading_day_number
    where {{ is_loaded_date('beside_the_day_before.business_date') }}
)

select * from final
