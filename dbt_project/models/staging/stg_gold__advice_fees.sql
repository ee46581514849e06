with source as (
    select * from {{ source('gold', 'advice_fees') }}
),

final as (
    select
        business_line,
        fee_id,
        business_date,
        account_id,
        customer_id,
        fee_kind,
        amount
    from source
    where {{ is_after_baseline('business_date') }}
)

select * from final
