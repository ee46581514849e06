with source as (
    select * from {{ source('gold', 'quarantined_customers') }}
),

final as (
    select
        customer_id,
        business_date,
        held_row_count
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
