with source as (
    select * from {{ source('gold', 'offers_due') }}
),

final as (
    select
        account_id,
        business_date,
        customer_id,
        payment_due_date,
        unpaid_amount,
        short_amount,
        subscription_date,
        subscription_amount,
        subscription_short_amount
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
