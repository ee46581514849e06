with source as (
    select * from {{ source('gold', 'credit_risks') }}
),

final as (
    select
        account_id,
        business_date,
        customer_id,
        maintenance_ratio,
        margin_tier
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
