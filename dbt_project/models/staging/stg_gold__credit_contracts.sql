with source as (
    select * from {{ source('gold', 'credit_contracts') }}
),

final as (
    select
        contract_id,
        business_date,
        account_id,
        unpaid_interest_amount,
        waived_interest_amount
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
