with customers_with_assets as (
    select * from {{ ref('int_customers_with_assets') }}
),

trades as (
    select * from {{ ref('stg_gold__trades') }}
),

trades_by_day as (
    select
        customer_id,
        business_date,
        sum(turnover_amount) as turnover_amount
    from trades
    where
        customer_id is not null
        -- 365 days back from the trading day before the load, which no holiday keeps away for a month
        and business_date > date_sub({{ run_date('first_date') }}, 396)
    group by customer_id, business_date
),

trades_beside_customers as (
    select
        customer_id,
        business_date,
        cast(0 as decimal(18, 2)) as turnover_amount,
        true as is_customer
    from customers_with_assets
    union all
    select
        customer_id,
        business_date,
        turnover_amount,
        false as is_customer
    from trades_by_day
),

-- the frame counts natural days and holds every row of the same date, so a fill of the date itself counts
summed as (
    select
        customer_id,
        business_date,
        is_customer,
        sum(turnover_amount) over (
            partition by customer_id
            order by datediff(business_date, {{ run_date('opening_date') }})
            range between 29 preceding and current row
        ) as turnover_30d_amount,
        sum(turnover_amount) over (
            partition by customer_id
            order by datediff(business_date, {{ run_date('opening_date') }})
            range between 89 preceding and current row
        ) as turnover_90d_amount,
        sum(turnover_amount) over (
            partition by customer_id
            order by datediff(business_date, {{ run_date('opening_date') }})
            range between 364 preceding and current row
        ) as turnover_365d_amount
    from trades_beside_customers
),

final as (
    select
        customer_id,
        business_date,
        cast(turnover_30d_amount as decimal(18, 2)) as turnover_30d_amount,
        cast(turnover_90d_amount as decimal(18, 2)) as turnover_90d_amount,
        cast(turnover_365d_amount as decimal(18, 2)) as turnover_365d_amount
    from summed
    where is_customer
)

select * from final
