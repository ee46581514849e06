with source as (
    select * from {{ source('gold', 'repurchase_contracts') }}
),

final as (
    select
        contract_id,
        business_date,
        customer_id,
        guarantee_ratio,
        guarantee_tier,
        repurchase_date
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
