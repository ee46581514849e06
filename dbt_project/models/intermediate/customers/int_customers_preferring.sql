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

kinds as (
    select
        customer_id,
        business_date,
        instrument_kind,
        sum(turnover_amount) as turnover_amount
    from traded
    where instrument_kind is not null
    group by customer_id, business_date, instrument_kind
),

channels as (
    select
        customer_id,
        business_date,
        channel,
        sum(turnover_amount) as turnover_amount
    from traded
    where channel is not null
    group by customer_id, business_date, channel
),

-- of two with the same turnover the first by name
either as (
    select
        customer_id,
        business_date,
        min_by(instrument_kind, struct(-turnover_amount, instrument_kind)) as favourite_instrument_kind,
        cast(null as string) as favourite_channel
    from kinds
    group by customer_id, business_date
    union all
    select
        customer_id,
        business_date,
        cast(null as string) as favourite_instrument_kind,
        min_by(channel, struct(-turnover_amount, channel)) as favourite_channel
    from channels
    group by customer_id, business_date
),

final as (
    select
        customer_id,
        business_date,
        max(favourite_instrument_kind) as favourite_instrument_kind,
        max(favourite_channel) as favourite_channel
    from either
    group by customer_id, business_date
)

select * from final
