with source as (
    select * from {{ source('gold', 'repurchase_contracts') }}
),

final as (
    select
        contract_id,
        business_date,
        account_id,
        customer_id,
        unpaid_interest_amount,
        guarantee_ratio,
        guarantee_tier,
        repurchase_date
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
