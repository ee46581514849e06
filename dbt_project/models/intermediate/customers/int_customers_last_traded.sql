with customers_with_assets as (
    select * from {{ ref('int_customers_with_assets') }}
),

trades as (
    select * from {{ ref('stg_gold__trades') }}
),

-- what was traded before is known from the first date on
trades_with_known_date as (
    select
        trades.customer_id,
        trades.business_date,
        greatest(
            trades.business_date, (select min(customers_with_assets.business_date) from customers_with_assets)
        ) as known_date
    from trades
    where trades.customer_id is not null
),

trades_by_known_date as (
    select
        customer_id,
        known_date,
        max(business_date) as trade_date
    from trades_with_known_date
    group by customer_id, known_date
),

trades_beside_customers as (
    select
        customer_id,
        business_date as known_date,
        cast(null as date) as trade_date,
        true as is_customer
    from customers_with_assets
    union all
    select
        customer_id,
        known_date,
        trade_date,
        false as is_customer
    from trades_by_known_date
),

-- the frame holds every row of the same date, so a fill of the date itself counts
carried_forward as (
    select
        customer_id,
        known_date,
        is_customer,
        max(trade_date) over (
            partition by customer_id
            order by known_date
            range between unbounded preceding and current row
        ) as last_trade_date
    from trades_beside_customers
),

final as (
    select
        customer_id,
        known_date as business_date,
        last_trade_date
    from carried_forward
    where is_customer
)

select * from final
