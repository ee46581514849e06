with source as (
    select * from {{ source('gold', 'customer_merges') }}
),

final as (
    select
        customer_id,
        business_date,
        merged_customer_id,
        decided_date
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
