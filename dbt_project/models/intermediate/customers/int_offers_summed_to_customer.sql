{{ config(materialized='ephemeral') }}

with offers_due as (
    select * from {{ ref('stg_gold__offers_due') }}
),

-- cash of one account does not pay for another's shares: what is short is added, not netted
final as (
    select
        customer_id,
        business_date,
        min(payment_due_date) as ipo_payment_due_date,
        cast(sum(unpaid_amount) as decimal(18, 2)) as ipo_unpaid_amount,
        cast(sum(short_amount) as decimal(18, 2)) as ipo_short_amount,
        min(subscription_date) as ipo_subscription_date,
        cast(sum(subscription_amount) as decimal(18, 2)) as ipo_subscription_amount,
        cast(sum(subscription_short_amount) as decimal(18, 2)) as ipo_subscription_short_amount
    from offers_due
    where customer_id is not null
    group by customer_id, business_date
)

select * from final
