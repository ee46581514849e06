with source as (
    select * from {{ source('gold', 'option_risks') }}
),

final as (
    select
        account_id,
        business_date,
        customer_id,
        risk_degree
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
