with source as (
    select * from {{ source('gold', 'customer_reviews') }}
),

final as (
    select
        customer_id,
        other_customer_id,
        review_reason,
        business_date
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
