with source as (
    select * from {{ source('gold', 'fund_confirmations') }}
),

final as (
    select
        confirmation_id,
        business_date,
        account_id,
        customer_id,
        business_code,
        confirmed_quantity,
        charge_amount,
        agency_fee_amount
    from source
    where {{ is_after_baseline('business_date') }}
)

select * from final
