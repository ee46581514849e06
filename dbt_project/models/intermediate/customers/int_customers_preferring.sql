{{ config(materialized='ephemeral') }}

with customers as (
    select * from {{ ref('int_customers_with_assets') }}
    where {{ is_loaded_date('business_date') }}
),

trades as (
    select * from {{ ref('stg_gold__trades') }}
    where business_date > date_sub({{ run_date('first_date') }}, 90)
),

traded as (
    select
        customers.customer_id,
        customers.business_date,
        trades.instrument_kind,
        trades.channel,
        sum(trades.turnover_amount) as turnover_amount
    from customers
    inner join trades
        on
            customers.customer_id = trades.customer_id
            and customers.business_date >= trades.business_date
            and date_sub(customers.business_date, 90) < trades.business_date
    group by customers.customer_id, customers.business_date, trades.instrument_kind, trades.channel
),

with_totals as (
    select
        customer_id,
        business_date,
        instrument_kind,
        channel,
        sum(turnover_amount) over (partition by customer_id, business_date, instrument_kind) as kind_amount,
        sum(turnover_amount) over (partition by customer_id, business_date, channel) as channel_amount
    from traded
),

-- of two with the same turnover the first by name
final as (
    select
        customer_id,
        business_date,
        min_by(instrument_kind, struct(-kind_amount, instrument_kind))
        filter (where instrument_kind is not null) as favourite_instrument_kind,
        min_by(channel, struct(-channel_amount, channel))
        filter (where channel is not null) as favourite_channel
    from with_totals
    group by customer_id, business_date
)

select * from final
