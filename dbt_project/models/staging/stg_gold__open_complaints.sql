with source as (
    select * from {{ source('gold', 'open_complaints') }}
),

final as (
    select
        customer_id,
        business_date,
        open_complaint_count
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
