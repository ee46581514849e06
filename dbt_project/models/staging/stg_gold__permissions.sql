with source as (
    select * from {{ source('gold', 'permissions') }}
),

final as (
    select
        customer_id,
        permission_kind,
        business_date,
        opened_date
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
