with source as (
    select * from {{ source('gold', 'targets') }}
),

final as (
    select
        target_month,
        unit_level,
        unit_id,
        business_date,
        target_income_amount,
        target_inflow_amount,
        target_new_customer_count
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
